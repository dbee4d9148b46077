"""TRL's SFTTrainer with two parts replaced: how examples are batched, and how the validation split is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl import SFTTrainer

from data.dataset.encoding import EncodedExample


@dataclass(frozen=True)
class EvalResult:
    """Results on a split by task: nats a completion token, and the share of completions reproduced exactly."""

    losses: dict[str, float]
    exact_match: dict[str, float]

    @property
    def loss(self) -> float:
        """The loss by which training is judged: that of the plans, where there are any.

        A sentence has many right wordings, one of which the dataset drew at random, so most of its loss cannot be
        learned.
        """
        return self.losses.get("plan", sum(self.losses.values()) / max(1, len(self.losses)))


@torch.no_grad()
def evaluate_split(model: torch.nn.Module, examples: Sequence[EncodedExample], pad: int, batch: int = 64) -> EvalResult:
    """Loss and exact match of one forward pass.

    Greedy decoding reproduces a completion if and only if each of its tokens is the likeliest after the right ones
    before it.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = {}
    nats: dict[str, list[float]] = {}
    by_length = sorted(examples, key=lambda e: len(e.ids))
    for start in range(0, len(by_length), batch):
        group = by_length[start : start + batch]
        width = max(len(e.ids) for e in group)
        x = torch.tensor([e.ids + [pad] * (width - len(e.ids)) for e in group], device=device)
        mask = torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in group], device=device)
        logits = model(input_ids=x, attention_mask=mask, use_cache=False).logits
        guesses = logits.argmax(-1)
        for row, example in enumerate(group):
            target = torch.tensor(example.ids[example.prompt_length :], device=device)
            positions = slice(example.prompt_length - 1, len(example.ids) - 1)
            loss = torch.nn.functional.cross_entropy(logits[row, positions].float(), target, reduction="none")
            nats.setdefault(example.task, []).extend(loss.tolist())
            right.setdefault(example.task, []).append(bool((guesses[row, positions] == target).all()))
    model.train(was_training)
    mean = {task: sum(values) / len(values) for task, values in sorted(nats.items())}
    return EvalResult(mean, {task: sum(hits) / len(hits) for task, hits in sorted(right.items())})


class LengthGroups(torch.utils.data.Sampler[int]):
    """Batches of examples of similar length, in a random order that changes with the epoch.

    The library's own sampler sorts runs of 50 batches from long to short: with two tasks of different length, a short
    training would see all examples of one task before those of the other.
    """

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
        short = [b for b in batches if len(b) < self.batch]  # comes last, or it would shift the batches after it
        full = [b for b in batches if len(b) == self.batch]
        for at in torch.randperm(len(full), generator=draw).tolist():
            yield from full[at]
        for batch in short:
            yield from batch


class Trainer(SFTTrainer):
    """`validation` is evaluated in every process: it is small, and so no process waits for another."""

    def __init__(self, *args: Any, validation: Sequence[EncodedExample], pad: int, **kwargs: Any):
        self._validation, self._pad = validation, pad
        self.last_evaluation = EvalResult({}, {})
        super().__init__(*args, **kwargs)

    def evaluate_validation(self) -> EvalResult:
        """Evaluate the validation split as training computes, without logging."""
        with self.autocast_smart_context_manager():
            return evaluate_split(
                self.accelerator.unwrap_model(self.model),
                self._validation,
                self._pad,
                self.args.per_device_eval_batch_size,
            )

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        result = self.last_evaluation = self.evaluate_validation()
        metrics = {"eval_loss": result.loss} | {f"eval_{task}_loss": v for task, v in result.losses.items()}
        metrics |= {f"eval_{task}_exact_match": v for task, v in result.exact_match.items()}
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
