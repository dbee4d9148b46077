"""TRL's SFTTrainer with parts replaced: the loss, how examples are batched, how the validation split is evaluated.

The loss is TRL's, but logits are computed at the positions of completions alone: for a vocabulary of 49,152 the others
cost more than half of a step. Frozen weights are kept in bfloat16 where training computes in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from data.dataset.encoding import EncodedExample

IGNORED = -100  # label of a position without loss
LOGIT_ROWS = 64  # positions are padded to a multiple of this: few shapes, of each of which oneDNN keeps kernels


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


def completion_logits(
    model: torch.nn.Module, head: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (n, vocabulary) that predict the labelled positions, row by row, and those labels (n).

    `head` is the output layer of `model`; `ids`, `mask` and `labels` have the shape (rows, length). The last rows may
    be padding, with the label IGNORED.
    """
    labels = labels[:, 1:]
    at = labels.ne(IGNORED)
    rows, columns = at.nonzero(as_tuple=True)
    positions, targets = rows * ids.shape[1] + columns, labels[at]
    padding = -len(positions) % LOGIT_ROWS
    positions = torch.nn.functional.pad(positions, (0, padding))
    targets = torch.nn.functional.pad(targets, (0, padding), value=IGNORED)

    def select(_: torch.nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (args[0].flatten(0, 1).index_select(0, positions),)

    hook = head.register_forward_pre_hook(select)
    try:
        return model(input_ids=ids, attention_mask=mask, use_cache=False).logits, targets
    finally:
        hook.remove()


def keep_frozen_weights_in_bfloat16(model: torch.nn.Module) -> None:
    """Convert the matrices that are not trained, once, where autocast would convert them in every step.

    Hidden states stay in float32 between layers, as with autocast over float32 weights.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad and parameter.ndim == 2 and parameter.dtype == torch.float32:
            parameter.data = parameter.data.to(torch.bfloat16)
    embeddings = model.get_input_embeddings()
    embeddings.register_forward_hook(lambda _, args, output: output.float())


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
        ids = torch.tensor([e.ids + [pad] * (width - len(e.ids)) for e in group], device=device)
        mask = torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in group], device=device)
        labels = ids.clone()
        for row, example in enumerate(group):
            labels[row, : example.prompt_length] = IGNORED
            labels[row, len(example.ids) :] = IGNORED
        logits, targets = completion_logits(model, model.get_output_embeddings(), ids, mask, labels)
        losses = cross_entropy(logits.float(), targets, reduction="none")
        hits = logits.argmax(-1) == targets
        lengths = [len(e.ids) - e.prompt_length for e in group]
        for example, n, at in zip(group, lengths, _starts(lengths), strict=True):
            nats.setdefault(example.task, []).extend(losses[at : at + n].tolist())
            right.setdefault(example.task, []).append(bool(hits[at : at + n].all()))
    model.train(was_training)
    mean = {task: sum(values) / len(values) for task, values in sorted(nats.items())}
    return EvalResult(mean, {task: sum(hits) / len(hits) for task, hits in sorted(right.items())})


def _starts(lengths: Sequence[int]) -> Iterator[int]:
    """Where each of several runs of these lengths begins."""
    at = 0
    for length in lengths:
        yield at
        at += length


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
        if self.args.bf16:
            keep_frozen_weights_in_bfloat16(self.model)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The mean negative log-likelihood of the labels, in nats, over the examples of an optimiser step."""
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        mask = inputs["attention_mask"]
        logits, targets = completion_logits(model, head, inputs["input_ids"], mask, inputs["labels"])
        total = cross_entropy(logits.float(), targets, reduction="sum")
        loss = total / (targets.ne(IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # the count is of all processes, gradients are averaged
        self._total_train_tokens += self.accelerator.gather_for_metrics(mask.sum()).sum().item()
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss

    def go_on_from(self, tokens: int) -> None:
        """Count the tokens of training from `tokens`, which an earlier part of the run has read."""
        self._total_train_tokens = tokens

    def evaluate_validation(self) -> EvalResult:
        """Evaluate the validation split as training computes, without logging."""
        with self.accelerator.autocast():
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
