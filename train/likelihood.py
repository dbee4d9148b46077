"""Fits the network that says how likely a query line is beside its question (data/phrasing/likelihood.py).

    python -m train.likelihood        # three minutes; writes data/phrases/likelihood.npz

On composed questions only, none of them near a question of the exams. The same seed gives the same network.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from tqdm import tqdm

from data.atomic_write import temporary_file
from data.command_line import command_line, run
from data.dataset.leakage import LeakageGuard
from data.phrasing.composer import Phrasebook
from data.phrasing.likelihood import FILE, PartModel, features, labels_of
from data.query import parse

HIDDEN = 48
SEEN_FEATURE, SEEN_LABEL = 10, 60  # how often a feature and a label have to be seen
BATCH, RATE, EPOCHS = 128, 5e-3, 6
KEPT, DROPPED = 0.6, 0.1  # share of a question's features that are read, of hidden units that are not, while fitting
VALIDATION = 2000  # questions

Row = tuple[frozenset[str], frozenset[str]]  # features, labels

app = command_line()


def composed(count: int, seed: int) -> list[Row]:
    """Features and labels of composed questions, none of them near a question of the exams."""
    rng, book, exams, rows = random.Random(seed), Phrasebook.load(), LeakageGuard.of_exams(), list[Row]()
    with tqdm(total=count, desc="questions", mininterval=5) as progress:
        while len(rows) < count:
            phrasing = book.sample(rng)
            if not exams.is_near(phrasing.question):
                rows.append((features(phrasing.question), labels_of(parse(phrasing.line))))
                progress.update()
    return rows


class Fit:
    """A network on its way to a PartModel."""

    def __init__(self, rows: Sequence[Row], seed: int) -> None:
        torch.manual_seed(seed)
        self.rng = random.Random(seed)
        seen, held = Counter(f for row in rows for f in row[0]), Counter(label for row in rows for label in row[1])
        self.vocabulary = {f: i for i, f in enumerate(sorted(f for f, n in seen.items() if n >= SEEN_FEATURE))}
        self.labels = {label: i for i, label in enumerate(sorted(x for x, n in held.items() if n >= SEEN_LABEL))}
        self.embedding = torch.nn.EmbeddingBag(len(self.vocabulary), HIDDEN, mode="sum", sparse=True)
        self.out = torch.nn.Linear(HIDDEN, len(self.labels))
        torch.nn.init.normal_(self.embedding.weight, std=0.05)
        torch.nn.init.normal_(self.out.weight, std=0.1)
        shares = torch.tensor([held[label] / len(rows) for label in self.labels])
        self.out.bias.data = torch.logit(shares.clamp(1e-5, 1 - 1e-5))
        self.optimizers = [
            torch.optim.SparseAdam(self.embedding.parameters(), lr=RATE),
            torch.optim.Adam(self.out.parameters(), lr=RATE),
        ]

    def loss(self, rows: Sequence[Row], fitting: bool) -> torch.Tensor:
        """-log likelihood of the labels, nats summed over the rows. In fitting, features and units are dropped."""
        kept = KEPT if fitting else 1.0
        known = [sorted(self.vocabulary[f] for f in row[0] if f in self.vocabulary) for row in rows]
        read = [[i for i in row if self.rng.random() < kept] if fitting else row for row in known]
        offsets = np.cumsum([0, *map(len, read[:-1])])
        wanted = torch.zeros(len(rows), len(self.labels))
        for i, row in enumerate(rows):
            wanted[i, [self.labels[label] for label in row[1] if label in self.labels]] = 1
        summed = self.embedding(torch.tensor([i for row in read for i in row], dtype=torch.long), torch.tensor(offsets))
        hidden = torch.nn.functional.dropout(torch.relu(summed / kept), DROPPED, training=fitting)
        return torch.nn.functional.binary_cross_entropy_with_logits(self.out(hidden), wanted, reduction="sum")

    def fit(self, rows: Sequence[Row], epochs: int) -> None:
        """Go over the rows `epochs` times while the learning rate falls to nothing."""
        order, steps = list(rows), epochs * -(-len(rows) // BATCH)
        with tqdm(total=steps, desc="fit", mininterval=5) as progress:
            for _ in range(epochs):
                self.rng.shuffle(order)
                for start in range(0, len(order), BATCH):
                    batch = order[start : start + BATCH]
                    loss = self.loss(batch, fitting=True) / len(batch)
                    for optimizer in self.optimizers:
                        optimizer.param_groups[0]["lr"] = RATE * (1 - progress.n / steps)
                        optimizer.zero_grad()
                    loss.backward()
                    for optimizer in self.optimizers:
                        optimizer.step()
                    progress.update()

    def model(self) -> PartModel:
        """The network with its embedding in 8 bits."""
        embedding = self.embedding.weight.detach().numpy()
        scale = float(np.abs(embedding).max()) / 127
        weights, bias = self.out.weight.detach().numpy(), self.out.bias.detach().numpy()
        return PartModel(self.vocabulary, self.labels, np.rint(embedding / scale).astype(np.int8), scale, weights, bias)


@app.command(help=__doc__)
def main(
    count: Annotated[int, typer.Option(help="Questions to compose.")] = 120_000,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 31,
    epochs: Annotated[int, typer.Option(help="How often each question is read.")] = EPOCHS,
    out: Annotated[Path, typer.Option(help="The file to write.")] = FILE,
) -> None:
    torch.set_num_threads(1)
    rows = composed(count, seed)
    held_back, rows = rows[:VALIDATION], rows[VALIDATION:]
    fit = Fit(rows, seed)
    fit.fit(rows, epochs)
    with torch.no_grad():
        nats = float(fit.loss(held_back, fitting=False)) / len(held_back)
    with temporary_file(out) as part, part.open("wb") as file:
        fit.model().save(file)
    print(
        f"{out}: {len(fit.vocabulary)} features, {len(fit.labels)} labels, {out.stat().st_size / 1e6:.1f} MB; "
        f"{nats:.2f} nats a question on {len(held_back)} held back"
    )


if __name__ == "__main__":
    raise SystemExit(run(app))
