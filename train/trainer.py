"""TRL's SFTTrainer with two of its parts replaced: which examples go together, and how the validation split
is looked at.

Knows nothing about run folders or where examples come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl import SFTTrainer

Encoded = tuple[list[int], int, str]  # ids, length of the prompt, task


@dataclass(frozen=True)
class Looked:
    """Of a validation split, by task: nats a completion token, and the share of completions exactly right."""

    losses: dict[str, float]
    exact_match: dict[str, float]

    @property
    def loss(self) -> float:
        """What training is judged by: the plans where there are any. A sentence can be worded in many right ways, drawn
        at random when the dataset is made, so most of its loss cannot be learnt."""
        return self.losses.get("plan", sum(self.losses.values()) / max(1, len(self.losses)))


@torch.no_grad()
def look(model: torch.nn.Module, examples: Sequence[Encoded], pad: int, batch: int = 64) -> Looked:
    """One forward pass gives both: greedy decoding reproduces a completion if and only if each of its tokens is
    the likeliest after the right ones before it."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = {}
    nats: dict[str, list[float]] = {}
    order = sorted(range(len(examples)), key=lambda i: len(examples[i][0]))
    for start in range(0, len(order), batch):
        group = [examples[i] for i in order[start : start + batch]]
        width = max(len(ids) for ids, _, _ in group)
        x = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _, _ in group], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _, _ in group], device=device)
        logits = model(input_ids=x, attention_mask=mask, use_cache=False).logits
        guesses = logits.argmax(-1)
        for row, (ids, prompt, task) in enumerate(group):
            target = torch.tensor(ids[prompt:], device=device)
            place = slice(prompt - 1, len(ids) - 1)
            loss = torch.nn.functional.cross_entropy(logits[row, place].float(), target, reduction="none")
            nats.setdefault(task, []).extend(loss.tolist())
            right.setdefault(task, []).append(bool((guesses[row, place] == target).all()))
    model.train(was_training)
    mean = {task: sum(values) / len(values) for task, values in sorted(nats.items())}
    return Looked(mean, {task: sum(hits) / len(hits) for task, hits in sorted(right.items())})


class LengthGroups(torch.utils.data.Sampler[int]):
    """Batches of similar length in random order, another one each epoch.

    The library's own sampler sorts runs of 50 batches from long to short: with two tasks of different length
    a short training would then see all of one task and after it all of the other."""

    POOL = 16  # batches sorted together: padding falls from half of all tokens to a few percent

    def __init__(self, lengths: Sequence[int], batch: int, seed: int):
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draw = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=draw).tolist()
        batches = []
        for start in range(0, len(order), self.batch * self.POOL):
            pool = sorted(order[start : start + self.batch * self.POOL], key=lambda i: self.lengths[i])
            batches += [pool[i : i + self.batch] for i in range(0, len(pool), self.batch)]
        short = [b for b in batches if len(b) < self.batch]  # at the end, or it would shift the batches behind it
        whole = [b for b in batches if len(b) == self.batch]
        for at in torch.randperm(len(whole), generator=draw).tolist():
            yield from whole[at]
        for batch in short:
            yield from batch


class Trainer(SFTTrainer):
    """`validation` is looked at in every process: it is small, and so no process waits for another."""

    def __init__(self, *args: Any, validation: Sequence[Encoded], pad: int, **kwargs: Any):
        self._validation, self._pad = validation, pad
        super().__init__(*args, **kwargs)

    def look(self) -> Looked:
        with self.autocast_smart_context_manager():
            return look(
                self.accelerator.unwrap_model(self.model),
                self._validation,
                self._pad,
                self.args.per_device_eval_batch_size,
            )

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        looked = self.look()
        metrics = {"eval_loss": looked.loss} | {f"eval_{task}_loss": v for task, v in looked.losses.items()}
        metrics |= {f"eval_{task}_exact_match": v for task, v in looked.exact_match.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_train_sampler(self, train_dataset=None):
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        devices = max(1, self.args.world_size)
        # the examples of a step are the same however many devices and accumulation steps share them
        return LengthGroups(
            lengths,
            self.args.train_batch_size * self.args.gradient_accumulation_steps * devices,
            self.args.seed,
        )
