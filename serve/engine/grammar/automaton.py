"""A grammar as a byte automaton whose states and transitions are remembered, so that warm traffic costs a dict look-up.

Why not llama.cpp's grammar sampler: it aborts the process on some input, copies itself in time proportional to grammar
times stacks, and cannot be stepped back. Here a state is immutable: asking what a token would do, rejecting a draft or
jumping over forced text needs no copy. tests/test_grammar.py checks that both admit the same tokens. This module knows
tokens only as byte strings.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from os.path import commonprefix

from serve.engine.errors import GrammarError
from serve.engine.grammar import gbnf

MAX_NODES = 100_000  # after repetitions are written out; what is written out to nothing counts as well
MAX_THREADS = 2_048  # parallel readings of one text; an ambiguous grammar can double them at every character
MAX_SEEN = 50_000  # states and their readings, then the next request with this grammar starts from a fresh one
MAX_READINGS = 500_000  # of all states that one grammar may come to, some 200 bytes each
MAX_LOOKED = 3_000_000  # places looked at to find them, some microseconds for ten
MAX_KEPT = 500_000  # nodes, states and readings of all grammars that are kept for later requests
MAX_REFUSED = 64  # texts for which a state remembers that it does not admit them
MAX_SHARED_BEGINNINGS = 100  # one within the other: "a" | "ab" | "abc" has three
MAX_FORCED = 512  # bytes of forced text in one go; `root ::= "a" root` forces without end

_BITS = [1 << byte for byte in range(256)]
_RETURN = -1
_EMPTY = 0  # the stack below the root rule


class State:
    """Where in the grammar a text has got to. `accepting`: it may end here; `mask`: bit b says byte b may follow."""

    __slots__ = (
        "_edges",
        "_forced",
        "_grammar",
        "_tokens",
        "accepting",
        "admitted_tokens",
        "forced_tokens",
        "mask",
        "threads",
    )

    def __init__(self, grammar: Grammar, threads: tuple[tuple[int, int, int], ...], accepting: bool) -> None:
        self._grammar = grammar
        self.threads = threads
        self.accepting = accepting
        self.mask = 0
        for mask, _, _ in threads:
            self.mask |= mask
        self._edges: dict[int, State | None] = {}
        self._tokens: dict[bytes, State | None] = {}
        self._forced: tuple[bytes, State] | None = None
        self.admitted_tokens = self.forced_tokens = (
            None  # kept by serve/engine/grammar/tokens.py, which has the vocabulary
        )

    @property
    def complete(self) -> bool:
        """The text is finished: nothing may follow."""
        return not self.mask

    def advance(self, piece: bytes) -> State | None:
        """The state after `piece`, or None where the grammar does not admit it. An empty piece is never admitted."""
        known = self._tokens
        found = known.get(piece, self)
        if found is not self:
            return found
        state, at = self if piece else None, 0
        while state is not None and at < len(piece):
            state, at = state._run(piece, at)
        if (state is not None or len(known) < MAX_REFUSED) and self._grammar.seen < 4 * MAX_SEEN:
            known[piece] = state
            self._grammar.seen += 1
        return state

    def forced(self) -> tuple[bytes, State]:
        """Bytes that must follow here, up to the first choice (whole UTF-8 characters), and the state after them."""
        if self._forced is None:
            data, state = bytearray(), self
            whole, after = 0, self
            while not state.accepting and state.mask.bit_count() == 1 and len(data) < MAX_FORCED:
                state = state._forced_run(data)
                if _ends_character(data):
                    whole, after = len(data), state
            self._forced = bytes(data[:whole]), after
        return self._forced

    def step(self, byte: int) -> State | None:
        """The state after one more byte, or None."""
        if byte not in self._edges:
            reached = [(node, stack) for mask, node, stack in self.threads if mask >> byte & 1]
            self._edges[byte] = self._grammar._state(reached) if reached else None
        return self._edges[byte]

    def _run(self, data: bytes, at: int) -> tuple[State | None, int]:
        """The state after some of `data[at:]`, at least a byte, and how far it read; no states within a literal."""
        if len(self.threads) != 1:
            return self.step(data[at]), at + 1
        (mask, node, stack), nodes = self.threads[0], self._grammar._nodes
        while mask >> data[at] & 1:
            at += 1
            if at == len(data) or node == _RETURN or nodes[node][0] != "byte":
                return self._grammar._state([(node, stack)]), at
            _, mask, node = nodes[node]
        return None, at

    def _forced_run(self, data: bytearray) -> State:
        """Append the byte that must follow and, where there is one reading, the ASCII that must follow it."""
        byte = self.mask.bit_length() - 1
        if len(self.threads) > 1 or byte > 0x7F:
            data.append(byte)
            return self.step(byte)
        (_, node, stack), nodes = self.threads[0], self._grammar._nodes
        data.append(byte)
        while node != _RETURN and nodes[node][0] == "byte" and len(data) < MAX_FORCED:
            _, mask, after = nodes[node]
            if mask.bit_count() > 1 or mask > 1 << 0x7F:
                break
            data.append(mask.bit_length() - 1)
            node = after
        return self._grammar._state([(node, stack)])


class Grammar:
    """A compiled grammar; `start` is its first state. Raises GrammarError where the text is not usable."""

    def __init__(self, text: str) -> None:
        self._nodes: list[tuple] = []  # ("byte", mask, next) | ("split", nodes) | ("call", rule, next)
        self._entry: dict[str, int] = {}
        self._stacks: list[tuple[int, int]] = [(_RETURN, _EMPTY)]  # number -> (node to return to, stack below)
        self._stack_numbers: dict[tuple[int, int], int] = {}
        self._states: dict[tuple[frozenset, bool], State] = {}
        self.seen = 0  # states, their readings, and texts that they remember
        self._readings = self._looked = 0
        self._written = 0  # items, and alternatives of each
        try:
            rules = gbnf.parse(text)
            for name, rule in rules.items():
                self._entry[name] = self._compile(rule, _RETURN)
        except RecursionError:
            raise GrammarError("the grammar has too many alternatives or repetitions within one another") from None
        self.start = self._state([(self._entry["root"], _EMPTY)])
        if self.start.complete and not self.start.accepting:
            raise GrammarError("the grammar admits no text at all")

    @property
    def bloated(self) -> bool:
        """So many states were seen that this object should be let go."""
        return self.seen > MAX_SEEN or len(self._stacks) > MAX_SEEN or self._looked > MAX_LOOKED // 5

    @property
    def size(self) -> int:
        """What it takes in memory, some hundred bytes each."""
        return len(self._nodes) + len(self._stacks) + self.seen

    # -- compiling: every item is translated with the node that follows it already known

    def _count(self, n: int) -> None:
        self._written += n
        if self._written > MAX_NODES or len(self._nodes) >= MAX_NODES:
            raise GrammarError(f"the grammar has more than {MAX_NODES} parts once repetitions are written out")

    def _add(self, *node) -> int:
        self._count(0)
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _compile(self, item: gbnf.Item, after: int) -> int:
        self._count(len(item.options) if isinstance(item, gbnf.Choice) else 1)
        if isinstance(item, gbnf.Literal):
            return self._byte_path([_BITS[byte] for byte in item.data], after)
        if isinstance(item, gbnf.Reference):
            return self._add("call", item.name, after)
        if isinstance(item, gbnf.CharClass):
            return self._split([self._byte_path(path, after) for path in _utf8_paths(item.ranges)])
        if isinstance(item, gbnf.Choice):
            return self._split(self._compile_options(item.options, after))
        if item.high is None:
            loop = self._add("split", ())
            self._nodes[loop] = ("split", (self._compile(item.item, loop), after))
            start = loop
        else:
            start = after
            for _ in range(item.high - item.low):
                start = self._add("split", (self._compile(item.item, start), after))
        for _ in range(item.low):
            start = self._compile(item.item, start)
        return start

    def _compile_all(self, items: tuple[gbnf.Item, ...], after: int) -> int:
        for item in reversed(items):
            after = self._compile(item, after)
        return after

    def _compile_options(self, options: Iterable[tuple[gbnf.Item, ...]], after: int, depth: int = 0) -> list[int]:
        """Where each alternative starts; literals that begin alike share that, so that a text has few readings."""
        starts, alike = [], defaultdict(list)
        for option in options:
            literal = option[0].data if option and isinstance(option[0], gbnf.Literal) else b""
            alike[literal[:1] if depth < MAX_SHARED_BEGINNINGS else b""].append(option)
        starts += [self._compile_all(option, after) for option in alike.pop(b"", [])]
        for group in alike.values():
            if len(group) == 1:
                starts.append(self._compile_all(group[0], after))
                continue
            self._count(len(group))
            shared = commonprefix([option[0].data for option in group])
            rests = [(gbnf.Literal(option[0].data[len(shared) :]), *option[1:]) for option in group]
            start = self._split(self._compile_options(rests, after, depth + 1))
            starts.append(self._compile(gbnf.Literal(shared), start))
        return starts

    def _split(self, starts: list[int]) -> int:
        starts = list(dict.fromkeys(starts))
        return starts[0] if len(starts) == 1 else self._add("split", tuple(starts))

    def _byte_path(self, path: Sequence[int], after: int) -> int:
        if not path:
            return after
        self._add("byte", path[-1], after)
        first = len(self._nodes)
        self._nodes += [("byte", mask, first + i) for i, mask in enumerate(path[-2::-1], -1)]
        return len(self._nodes) - 1

    # -- running

    def _state(self, reached: list[tuple[int, int]]) -> State:
        """The state in which all `reached` (node, stack) are open, calls and choices followed to their bytes."""
        seen, todo, threads, accepting = set(reached), list(reached), [], False
        nodes = self._nodes
        while todo:
            node, stack = todo.pop()
            if node == _RETURN:
                if stack == _EMPTY:
                    accepting = True
                    continue
                more = [self._stacks[stack]]
            else:
                kind, what, *after = nodes[node]
                if kind == "byte":
                    threads.append((what, after[0], stack))
                    continue
                if kind == "split":
                    more = [(option, stack) for option in what]
                else:  # a call in last place needs no return, which keeps right recursion flat
                    more = [(self._entry[what], stack if after[0] == _RETURN else self._push(after[0], stack))]
            for place in more:
                if place not in seen:
                    seen.add(place)
                    todo.append(place)
            self._looked += len(more)
            if len(seen) > MAX_THREADS * 4 or len(threads) > MAX_THREADS:
                raise GrammarError("the grammar is too ambiguous: one text can be read in thousands of ways")
        key = (frozenset(threads), accepting)
        state = self._states.get(key)
        if state is None:
            self._readings += 1 + len(threads)
            self.seen += 1 + len(threads)
            if self._readings > MAX_READINGS or self._looked > MAX_LOOKED:
                raise GrammarError("the grammar is too ambiguous: its texts can be read in too many ways")
            state = self._states[key] = State(self, tuple(key[0]), accepting)
        return state

    def _push(self, node: int, stack: int) -> int:
        key = (node, stack)
        number = self._stack_numbers.get(key)
        if number is None:
            if len(self._stacks) > 4 * MAX_SEEN:
                raise GrammarError("the grammar is too ambiguous: its rules call each other too often within one text")
            number = self._stack_numbers[key] = len(self._stacks)
            self._stacks.append(key)
        return number


class GrammarCache:
    """Compiled grammars by their text, the least recently used let go. Any thread may ask; states are one thread's."""

    def __init__(self, most: int = 512, size: int = MAX_KEPT) -> None:
        self._most, self._size = most, size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Grammar] = OrderedDict()
        self._unseen = 0  # about what was added since all was summed up, which takes a tenth of a millisecond

    def get(self, text: str) -> Grammar:
        with self._lock:
            grammar = self._kept.get(text)
            if grammar is not None and not grammar.bloated:
                self._kept.move_to_end(text)
                return grammar
        grammar = Grammar(text)
        with self._lock:
            self._kept[text] = grammar
            self._kept.move_to_end(text)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            self._unseen += grammar.size + self._size // 128  # those that were kept before have grown, too
            if self._unseen > self._size // 8:
                self._shrink()
        return grammar

    def _shrink(self) -> None:
        self._unseen = 0
        size = sum(kept.size for kept in self._kept.values())
        while len(self._kept) > 1 and size > self._size:
            size -= self._kept.popitem(last=False)[1].size


def _ends_character(data: bytes | bytearray) -> bool:
    """Whether `data` ends with a whole UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            return back == (1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return False


def _span(low: int, high: int) -> int:
    """A 256-bit mask with the bits low..high set."""
    return (1 << high + 1) - (1 << low)


@lru_cache(1024)
def _utf8_paths(ranges: gbnf.Ranges) -> list[tuple[int, ...]]:
    """Code point ranges as sequences of byte masks; all one-byte characters together make a single path."""
    ascii_mask, paths = 0, []
    for low, high in ranges:
        low = max(low, 1)  # NUL never occurs in text; llama.cpp refuses it as well
        if low <= 0x7F:
            ascii_mask |= _span(low, min(high, 0x7F))
        for first, last, size in (
            (0x80, 0x7FF, 2),
            (0x800, 0xD7FF, 3),
            (0xE000, 0xFFFF, 3),
            (0x10000, 0x10FFFF, 4),
        ):
            if low <= last and high >= first:
                start, end = (chr(max(low, first)).encode(), chr(min(high, last)).encode())
                paths += _between(start, end, size)
    return ([(ascii_mask,)] if ascii_mask else []) + paths


def _between(low: bytes, high: bytes, size: int) -> list[tuple[int, ...]]:
    """Byte-mask sequences for all encoded characters from `low` to `high`, both of `size` bytes."""
    if size == 1:
        return [(_span(low[0], high[0]),)]
    smallest, largest = b"\x80" * (size - 1), b"\xbf" * (size - 1)
    if low[0] == high[0]:
        return [(1 << low[0], *rest) for rest in _between(low[1:], high[1:], size - 1)]
    paths, first, last = [], low[0], high[0]
    if low[1:] != smallest:
        paths += [(1 << first, *rest) for rest in _between(low[1:], largest, size - 1)]
        first += 1
    if high[1:] != largest:
        paths += [(1 << last, *rest) for rest in _between(smallest, high[1:], size - 1)]
        last -= 1
    if first <= last:
        paths.append((_span(first, last), *(_span(0x80, 0xBF),) * (size - 1)))
    return paths
