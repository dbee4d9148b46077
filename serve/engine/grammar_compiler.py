"""Compilation of sequences' grammars: small ones at once, large ones on a thread that leaves the others the CPU.

    compiler = GrammarCompiler(arrive)
    if not compiler.compile_small(sequence):     # raises GrammarError
        compiler.queue(sequence)                 # later: arrive(sequence), with its grammar or its error

Python runs one thread at a time: one that compiles without a pause would slow every step of the engine. So it sleeps
as long as it works, and owners take turns: a flood of large grammars delays nobody but its sender.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from serve.engine.errors import GrammarError
from serve.engine.grammar.automaton import GrammarCache, TooLarge
from serve.engine.sequence import Sequence

SMALL_CHARS = 16_384  # as many as any text of this project; 1,000 characters take some half a millisecond
SMALL_PARTS = 4_000  # some 10 ms
WORK_S = 0.0005  # at a time; the interpreter's own switch interval is ten times as long


class GrammarCompiler:
    """See the module's docstring. `arrive` is called on the compiler's thread."""

    def __init__(self, arrive: Callable[[Sequence], None]) -> None:
        self._arrive = arrive
        self._cache = GrammarCache()
        self._waiting: OrderedDict[str, deque[Sequence]] = OrderedDict()  # by owner
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._pause_at = 0.0

    def compile_small(self, sequence: Sequence) -> bool:
        """Give the sequence its grammar if it has none, a known one or a small one. Raises GrammarError."""
        text = sequence.request.grammar
        if text is None:
            return True
        try:
            small = len(text) <= SMALL_CHARS
            grammar = self._cache.get(text, SMALL_PARTS) if small else self._cache.known(text)
        except TooLarge:
            return False
        if grammar is None:
            return False
        sequence.grammar = grammar.start
        return True

    def queue(self, sequence: Sequence) -> None:
        """Compile a large grammar after those that wait."""
        with self._condition:
            self._waiting.setdefault(sequence.request.owner, deque()).append(sequence)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="grammars", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self) -> None:
        """End the thread; the sequences that wait do not arrive."""
        with self._condition:
            self._closing = True
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                owner, line = next(iter(self._waiting.items()))
                sequence = line.popleft()
                self._waiting.move_to_end(owner)
                if not line:
                    del self._waiting[owner]
            try:
                self._compile(sequence)
            except Exception as error:  # the thread serves all others
                sequence.error = error
            self._arrive(sequence)

    def _compile(self, sequence: Sequence) -> None:
        """Set the sequence's grammar. Raises GrammarError, also if the request has ended meanwhile."""
        text = sequence.request.grammar
        assert text is not None

        def pace() -> None:
            if time.perf_counter() < self._pause_at:
                return
            if self._closing or sequence.cancelled or time.perf_counter() > sequence.deadline:
                raise GrammarError("the request ended before its grammar was compiled")
            time.sleep(WORK_S)
            self._pause_at = time.perf_counter() + WORK_S

        pace()
        sequence.grammar = self._cache.get(text, pace=pace).start
