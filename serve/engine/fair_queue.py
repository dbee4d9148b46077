"""Waiting sequences, in an order that is fair to their owners. Pure bookkeeping: knows no cells and no batches.

    queue.add(sequence)
    sequence = queue.pop()           # the next one to start; None if no owner may start one now
    queue.started(sequence)          # or queue.put_back(sequence), if there was no room
    queue.ended(sequence, tokens)    # it ended or was preempted, after so many tokens were computed for it

The owner with the fewest running sequences is next, and among equals the one for which fewest tokens were computed
since it last had nothing to do. Within one owner, sequences start in the order of arrival. Those in the background go
after the others, until HEAD_START more tokens were computed for these: nobody starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from serve.engine.sequence import Sequence

HEAD_START = 4_000  # tokens: some 40 questions, or one long text in the background


@dataclass(slots=True)
class _Line:
    """The sequences of one owner of one kind: those that wait or run, and the tokens computed for those that ended."""

    waiting: deque[Sequence] = field(default_factory=deque)
    running: int = 0
    served: float = 0.0


class _Owner:
    """One owner's lines: in the foreground and in the background."""

    __slots__ = ("lines",)

    def __init__(self, served: float) -> None:
        self.lines = _Line(served=served), _Line(served=served)

    @property
    def running(self) -> int:
        return self.lines[0].running + self.lines[1].running

    @property
    def served(self) -> float:
        return min(line.served for line in self.lines)

    def next(self, is_full: bool) -> _Line | None:
        """The line whose turn it is, if any; where no more may run, the front one may take the other's places."""
        front, back = self.lines
        if is_full:
            return front if front.waiting and back.running else None
        if front.waiting and (not back.waiting or front.served < back.served + HEAD_START):
            return front
        return back if back.waiting else None


class FairQueue:
    """See the module's docstring. Iterating yields all waiting sequences."""

    def __init__(self, max_running: int) -> None:
        self.max_running = max_running  # sequences of one owner
        self._owners: dict[str, _Owner] = {}  # of waiting and running sequences
        self._n = 0
        self._running = self._in_background = 0  # of all owners, and of those the sequences in the background

    @property
    def contended(self) -> bool:
        """Whether a waiting sequence may have a better claim than a running one."""
        return self._in_background > 0 or len(self._owners) > 1

    @property
    def mixed(self) -> bool:
        """Whether sequences run in the foreground and in the background."""
        return 0 < self._in_background < self._running

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Sequence]:
        for owner in self._owners.values():
            for line in owner.lines:
                yield from line.waiting

    def free(self, owner: str) -> int:
        """How many more sequences of `owner` may run."""
        return self.max_running - (self._owners[owner].running if owner in self._owners else 0)

    def add(self, sequence: Sequence) -> None:
        """Append a sequence that has arrived."""
        self._line(sequence).waiting.append(sequence)
        self._n += 1

    def put_back(self, sequence: Sequence) -> None:
        """Put a sequence that was popped or preempted before the others of its owner."""
        self._line(sequence).waiting.appendleft(sequence)
        self._n += 1

    def remove(self, sequence: Sequence) -> None:
        """Take out a sequence that ended while it waited. Raises ValueError if it does not wait."""
        self._line(sequence).waiting.remove(sequence)
        self._n -= 1
        self._forget(sequence)

    def pop(self) -> Sequence | None:
        """Take out the next sequence; None if all owners of waiting ones run `max_running` already.

        One in the foreground is returned even so if sequences of its owner run in the background.
        """
        best, best_rank = None, (0, 0.0)
        for owner in self._owners.values():
            line = owner.next(owner.running >= self.max_running)
            if line is None:
                continue
            rank = (owner.running, line.served + (HEAD_START if line is owner.lines[1] else 0))
            if best is None or rank < best_rank:
                best, best_rank = line, rank
        if best is None:
            return None
        self._n -= 1
        return best.waiting.popleft()

    def started(self, sequence: Sequence) -> None:
        """A sequence that was popped runs now."""
        self._line(sequence).running += 1
        self._running += 1
        self._in_background += sequence.request.background

    def ended(self, sequence: Sequence, tokens: int) -> None:
        """A running sequence ended or is put back next; `tokens` were computed for it since it started."""
        line = self._line(sequence)
        line.served += tokens
        line.running -= 1
        self._running -= 1
        self._in_background -= sequence.request.background
        self._forget(sequence)

    def _owner(self, sequence: Sequence) -> _Owner:
        """The owner's entry; a new one has got what the one that got least has, not a claim to all that time."""
        name = sequence.request.owner
        found = self._owners.get(name)
        if found is None:
            served = min((owner.served for owner in self._owners.values()), default=0.0)
            found = self._owners[name] = _Owner(served)
        return found

    def _line(self, sequence: Sequence) -> _Line:
        return self._owner(sequence).lines[sequence.request.background]

    def _forget(self, sequence: Sequence) -> None:
        """Drop the entry of an owner that has nothing waiting or running, so that entries do not accumulate."""
        owner = self._owners[sequence.request.owner]
        if not owner.running and not any(line.waiting for line in owner.lines):
            del self._owners[sequence.request.owner]
