"""Pre-trains the embedded base from random weights on composed questions: `python -m train.pretrain`.

    python -m train.pretrain                                     # writes train/base/, resumes in runs/pretrain/
    python -m train.pretrain --steps 600 --work runs/small --out runs/small/base --hidden 128 --layers 4

The text has placeholders instead of names and no season's figures: what is learned is the language of questions, the
query line and the wording of tables. Questions near one of the exams (`data.dataset.leakage`) are left out. Each block
of steps has its own random stream, and a stopped run repeats the block in which it stopped, so that it takes the same
steps as one that was not stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data.atomic_write import temporary_file
from data.dataset.encoding import EncodedExample, encode
from data.dataset.examples import Example
from data.dataset.leakage import VALIDATION_PHRASES, LeakageGuard
from data.dataset.pretraining import examples, plan_example, read_pool
from data.errors import DataError
from data.phrasing.composer import Phrasebook
from data.phrasing.phrase_files import expand, read_pairs
from data.phrasing.templates import Phrasing
from data.text import plain
from train.pretrain.tokenizer import save_tokenizer, train_pieces

BUCKETS = (16, 24, 32, 40, 48, 64, 80, 112, 160)  # lengths to pad to: few shapes, each compiled once
BLOCK = 250  # steps between checkpoints, each block with its own stream of text
READ_AHEAD = 512  # examples encoded at once
# 2.6 times as fast as float32 on a CPU with AVX512-BF16 (measured on a Zen 5), slower where it is emulated
BFLOAT16 = torch.cpu._is_avx512_bf16_supported()


@dataclass(frozen=True)
class PretrainConfig:
    """Settings; the defaults are those of the base in train/base."""

    out: str = "train/base"
    work: str = "runs/pretrain"
    pool: str = ""  # answers computed on other seasons (python -m data.dataset.pretraining); none: plans only
    start: str = ""  # a base whose tokenizer and weights are taken up; none: from random weights
    phrasings: float = 1.0  # share of the hand-written pairs that is used
    steps: int = 10_250
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    ffn: int = 704
    vocabulary: int = 4096
    tokens_per_step: int = 4096
    optimizer: str = "muon"  # muon for the matrices, AdamW for the rest; or adamw for all
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    decay_share: float = 0.5  # of the steps, linear to zero
    prompt_weight: float = 0.1  # of the loss on the prompt, against 1 on the completion
    seed: int = 2024
    threads: int = 2
    compile: bool = True


def build_tokenizer(config: PretrainConfig, stream: Iterator[Example], folder: Path) -> PreTrainedTokenizerFast:
    """A tokenizer trained on 120,000 examples, written to `folder`."""
    texts = []
    for example in islice(stream, 120_000):
        texts += [example.messages[-1]["content"], example.completion]
    return save_tokenizer(train_pieces(texts, config.vocabulary), folder)


def batches(
    tokenizer: PreTrainedTokenizerFast, stream: Iterator[Example], tokens_per_step: int, prompt_weight: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(ids, weights) of shape (rows, length); a weight is that of predicting its position from the ones before it."""
    waiting: dict[int, list[EncodedExample]] = {n: [] for n in BUCKETS}
    while True:
        for example in encode(tokenizer, list(islice(stream, READ_AHEAD))):
            bucket = next((n for n in BUCKETS if len(example.ids) <= n), None)
            if bucket is None:
                continue
            waiting[bucket].append(example)
            rows = max(1, tokens_per_step // bucket)
            if len(waiting[bucket]) == rows:
                group, waiting[bucket] = waiting[bucket], []
                x = torch.full((rows, bucket), tokenizer.eos_token_id)
                w = torch.zeros((rows, bucket))
                for i, row in enumerate(group):
                    x[i, : len(row.ids)] = torch.tensor(row.ids)
                    w[i, 1 : row.prompt_length] = prompt_weight
                    w[i, row.prompt_length : len(row.ids)] = 1.0
                yield x, w


def loss_of(model: torch.nn.Module, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The weighted mean of the negative log-likelihood, nats a token."""
    with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
        logits = model(input_ids=x, use_cache=False).logits[:, :-1]
    nll = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), x[:, 1:].flatten(), reduction="none")
    return (nll * w[:, 1:].flatten()).sum() / w.sum()


@torch.no_grad()
def exact_match(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, held_out: list[Example]) -> float:
    """Share of completions that greedy decoding reproduces: all positions right under teacher forcing is the same."""
    model.eval()
    right = 0
    for example in encode(tokenizer, held_out):
        start = example.prompt_length
        guess = model(input_ids=torch.tensor([example.ids]), use_cache=False).logits[0].argmax(-1)[start - 1 : -1]
        right += guess.tolist() == example.ids[start:]
    model.train()
    return right / max(1, len(held_out))


def validation_examples(book: Phrasebook, seed: int) -> list[Example]:
    """Plans to validate with: of phrasings that are not trained on, those that are not near a trained one."""
    rng = random.Random(seed)
    trained = LeakageGuard(plain(expand(q, rng)) for q, _ in book.pairs)
    pairs = [(plain(expand(q, rng)), line) for q, line in read_pairs(VALIDATION_PHRASES)]
    return [plan_example(Phrasing(q, line, "pair")) for q, line in pairs if not trained.is_near(q)]


def optimizers(model: torch.nn.Module, config: PretrainConfig) -> list[torch.optim.Optimizer]:
    """The optimisers that the settings name, together for all parameters."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    adamw = dict(lr=config.learning_rate, betas=(0.9, 0.98), fused=True)
    if config.optimizer == "adamw":
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, **adamw)]
    muon = torch.optim.Muon(matrices, lr=config.learning_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(others, weight_decay=0.0, **adamw)]


def learning_rate(config: PretrainConfig, step: int) -> float:
    """The learning rate of a step: warm-up, a plateau, then a straight line to zero."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    return config.learning_rate * warm * min(1.0, (1 - step / config.steps) / config.decay_share)


def pretrain(config: PretrainConfig) -> None:
    """Train, or resume where a run in `config.work` stopped, and write the base to `config.out`."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    work = Path(config.work)
    work.mkdir(parents=True, exist_ok=True)
    pool = read_pool(Path(config.pool)) if config.pool else []
    book, exams = Phrasebook.load(), LeakageGuard.of_exams()
    if config.phrasings < 1:
        book.pairs = random.Random(config.seed).sample(book.pairs, round(config.phrasings * len(book.pairs)))

    def stream(number: int) -> Iterator[Example]:
        return examples(config.seed * 1000 + number, pool, book=book, exams=exams)

    folder = work / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        if config.start:
            AutoTokenizer.from_pretrained(config.start).save_pretrained(folder)
        else:
            build_tokenizer(config, stream(0), folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=config.hidden, num_hidden_layers=config.layers, num_attention_heads=config.heads,
        num_key_value_heads=config.heads, intermediate_size=config.ffn, vocab_size=len(tokenizer),
        max_position_embeddings=1024, tie_word_embeddings=True, rope_theta=10_000.0,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    ))  # fmt: skip
    if config.start:
        model.load_state_dict(LlamaForCausalLM.from_pretrained(config.start, dtype=torch.float32).state_dict())
    optimisers = optimizers(model, config)
    saved, step = work / "state.pt", 0
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        model.load_state_dict(state["model"])
        for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        step = state["step"]
    torch._dynamo.config.recompile_limit = 4 * len(BUCKETS)  # one graph a bucket, forward and backward

    def step_loss(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return loss_of(model, x, w)

    run = torch.compile(step_loss, dynamic=False) if config.compile else step_loss
    (work / "config.json").write_text(json.dumps(asdict(config), indent=2))
    held_out = validation_examples(book, config.seed)
    bar = tqdm(total=config.steps, initial=step, unit="step", desc="pre-training", mininterval=5)
    while step < config.steps:
        began, losses = time.monotonic(), []
        made = batches(tokenizer, stream(1 + step // BLOCK), config.tokens_per_step, config.prompt_weight)
        for x, w in islice(made, min(BLOCK, config.steps - step)):
            for group in (g for optimiser in optimisers for g in optimiser.param_groups):
                group["lr"] = learning_rate(config, step)
            loss = run(x, w)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser in optimisers:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            losses.append(loss.item())
            step += 1
            bar.update()
        record = {"step": step, "loss": sum(losses) / len(losses), "seconds": time.monotonic() - began}
        if (step // BLOCK) % 4 == 0 or step == config.steps:
            record["unseen_exact_match"] = exact_match(model, tokenizer, held_out)
        bar.set_postfix({k: round(v, 3) for k, v in record.items() if k != "step"})
        with (work / "metrics.jsonl").open("a") as log:
            log.write(json.dumps({k: round(v, 4) for k, v in record.items()}) + "\n")
        _save_state(saved, model, optimisers, step)
    bar.close()
    export(model, folder, Path(config.out))
    print(f"{step} steps; {config.out} sha256 {sha256(Path(config.out) / 'model.safetensors')[:16]}")


def _save_state(path: Path, model: torch.nn.Module, optimisers: list[torch.optim.Optimizer], step: int) -> None:
    state = {"model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "step": step}
    with temporary_file(path) as part:
        torch.save(state, part)


def export(model: LlamaForCausalLM, tokenizer_folder: Path, out: Path) -> None:
    """Write the base as a Hugging Face folder, weights in bf16, keeping what else lies in it."""
    out.mkdir(parents=True, exist_ok=True)
    state = model.state_dict()
    LlamaForCausalLM.from_pretrained(None, config=model.config, state_dict=state, dtype=torch.bfloat16).save_pretrained(
        out
    )
    for file in tokenizer_folder.iterdir():
        (out / file.name).write_bytes(file.read_bytes())


def sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in asdict(PretrainConfig()).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    try:
        pretrain(PretrainConfig(**vars(parser.parse_args(arguments))))
    except DataError as error:
        sys.exit(f"error: {error}")
