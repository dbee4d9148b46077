"""Pre-trains the embedded base from random weights on questions composed from the phrase files: `python -m train.pretrain`.

    python -m train.pretrain --minutes 60            # train/base/, resumes from runs/pretrain/ if it was stopped
    python -m train.pretrain --minutes 5 --out runs/small --hidden 128 --layers 4

The text has placeholders instead of names and no season's figures: what is learned is the language of questions, the
query line and the wording of tables. Knows nothing about LoRA, seasons or serving.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data.corpus import Sample, read_pool, samples
from train.tokenizer import save_tokenizer, train_pieces

BUCKETS = (24, 32, 40, 48, 64, 80, 112, 160)  # padded lengths: few shapes, each compiled once


@dataclass(frozen=True)
class PretrainConfig:
    out: str = "train/base"
    work: str = "runs/pretrain"
    pool: str = ""  # answers computed on other seasons (python -m data.corpus); none: plans only
    minutes: float = 60.0
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    ffn: int = 704
    vocabulary: int = 4096
    tokens_per_step: int = 4096
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    decay_share: float = 0.4  # of the time, linear to zero
    prompt_weight: float = 0.1  # of the loss on the question itself
    seed: int = 2024
    threads: int = 2
    compile: bool = True


def build_tokenizer(config: PretrainConfig, pool: list[Sample], folder: Path) -> PreTrainedTokenizerFast:
    """A tokenizer from 120,000 sampled texts."""
    texts = []
    for sample in islice(samples(config.seed, pool), 120_000):
        texts += [sample.messages[-1]["content"], sample.completion]
    return save_tokenizer(train_pieces(texts, config.vocabulary), folder)


def encode(tokenizer: PreTrainedTokenizerFast, sample: Sample) -> tuple[list[int], int]:
    """Token ids of prompt and completion, and the length of the prompt."""
    prompt = tokenizer.apply_chat_template(sample.messages, add_generation_prompt=True, tokenize=False)
    head = tokenizer.encode(prompt, add_special_tokens=False)
    tail = tokenizer.encode(sample.completion, add_special_tokens=False) + [tokenizer.eos_token_id]
    return head + tail, len(head)


def batches(
    tokenizer: PreTrainedTokenizerFast, config: PretrainConfig, pool: list[Sample], seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(ids, weights) of shape (rows, length); weights are those of predicting each position from the ones before."""
    rng = random.Random(seed)
    waiting: dict[int, list[tuple[list[int], int]]] = {n: [] for n in BUCKETS}
    for sample in samples(seed, pool):
        ids, prompt = encode(tokenizer, sample)
        bucket = next((n for n in BUCKETS if len(ids) <= n), None)
        if bucket is None:
            continue
        waiting[bucket].append((ids, prompt))
        rows = max(1, config.tokens_per_step // bucket)
        if len(waiting[bucket]) == rows:
            group, waiting[bucket] = waiting[bucket], []
            rng.shuffle(group)
            x = torch.full((rows, bucket), tokenizer.eos_token_id)
            w = torch.zeros((rows, bucket))
            for i, (ids, prompt) in enumerate(group):
                x[i, : len(ids)] = torch.tensor(ids)
                w[i, 1:prompt] = config.prompt_weight
                w[i, prompt : len(ids)] = 1.0
            yield x, w


def loss_of(model: torch.nn.Module, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=x, use_cache=False).logits[:, :-1]
    nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten(), reduction="none")
    return (nll * w[:, 1:].flatten()).sum() / w.sum()


@torch.no_grad()
def exact_match(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, examples: list[Sample]) -> float:
    """Share of completions that greedy decoding reproduces (all positions right under teacher forcing is the same)."""
    right = 0
    for sample in examples:
        ids, prompt = encode(tokenizer, sample)
        guess = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].argmax(-1)[prompt - 1 : -1]
        right += guess.tolist() == ids[prompt:]
    return right / max(1, len(examples))


def learning_rate(config: PretrainConfig, step: int, share: float) -> float:
    warm = min(1.0, (step + 1) / config.warmup_steps)
    return config.learning_rate * warm * min(1.0, max(0.0, (1 - share) / config.decay_share))


def pretrain(config: PretrainConfig) -> None:
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    work = Path(config.work)
    work.mkdir(parents=True, exist_ok=True)
    pool = read_pool(Path(config.pool)) if config.pool else []
    folder = work / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        build_tokenizer(config, pool, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=config.hidden, num_hidden_layers=config.layers, num_attention_heads=config.heads,
        num_key_value_heads=config.heads, intermediate_size=config.ffn, vocab_size=len(tokenizer),
        max_position_embeddings=1024, tie_word_embeddings=True, rope_theta=10_000.0,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    ))  # fmt: skip
    decayed = [p for p in model.parameters() if p.ndim == 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=config.learning_rate,
        betas=(0.9, 0.98), fused=True)  # fmt: skip
    step, spent = 0, 0.0
    saved = work / "state.pt"
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
    torch._dynamo.config.recompile_limit = 4 * len(BUCKETS)  # one graph a bucket, forward and backward
    run = torch.compile(model, dynamic=False) if config.compile else model
    (work / "config.json").write_text(json.dumps(asdict(config), indent=2))
    budget = config.minutes * 60
    held = list(islice(samples(config.seed + 1, pool), 300))
    log = (work / "metrics.jsonl").open("a")
    began = last_save = last_test = time.monotonic()
    bar = tqdm(total=int(budget), initial=int(spent), unit="s", desc="pre-training", mininterval=5)
    # another stream after a resume: no example is seen twice in a row
    for x, w in batches(tokenizer, config, pool, config.seed + 1000 + step):
        now = time.monotonic()
        passed = spent + now - began
        if passed >= budget:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, step, passed / budget)
        loss = loss_of(run, x, w)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        bar.n = int(passed)
        bar.set_postfix(step=step, loss=f"{loss.item():.3f}")
        if step % 20 == 0:
            record = {
                "step": step,
                "seconds": round(passed),
                "loss": round(loss.item(), 4),
                "norm": round(float(norm), 2),
            }
            if now - last_test > 300:
                model.eval()
                record["exact_match"] = exact_match(model, tokenizer, held)
                model.train()
                last_test = time.monotonic()
            log.write(json.dumps(record) + "\n")
            log.flush()
        if now - last_save > 180:
            _save_state(saved, model, optimiser, step, passed)
            last_save = time.monotonic()
    bar.close()
    _save_state(saved, model, optimiser, step, min(budget, spent + time.monotonic() - began))
    export(model, folder, Path(config.out))
    print(f"{step} steps; {config.out} sha256 {sha256(Path(config.out) / 'model.safetensors')[:16]}")


def _save_state(path: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer, step: int, spent: float) -> None:
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}, part)
    part.rename(path)


def export(model: LlamaForCausalLM, tokenizer_folder: Path, out: Path) -> None:
    """The base folder as transformers reads it, weights in bf16."""
    out.mkdir(parents=True, exist_ok=True)
    LlamaForCausalLM.from_pretrained(None, config=model.config, state_dict=model.state_dict(), dtype=torch.bfloat16)\
        .save_pretrained(out)  # fmt: skip
    for file in tokenizer_folder.iterdir():
        (out / file.name).write_bytes(file.read_bytes())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in asdict(PretrainConfig()).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    pretrain(PretrainConfig(**vars(parser.parse_args(arguments))))


if __name__ == "__main__":
    main()
