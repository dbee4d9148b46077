"""A grammar as a pushdown automaton over bytes, its states and transitions cached: a warm step is a dict lookup.

Why not llama.cpp's grammar sampler: it aborts the process on some input, takes time proportional to grammar times
stacks to copy, and cannot be rolled back. Here a state is immutable, so trying a token, rejecting a draft or skipping
forced text needs no copy. tests/test_grammar.py checks that both admit the same tokens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from serve.engine.errors import GrammarError
from serve.engine.grammar import gbnf

MAX_NODES = 100_000  # after repetitions are expanded; items that expand to nothing count as well
MAX_CONFIGURATIONS = 2_048  # of one state; an ambiguous grammar can double them at every character
MAX_CACHED = 50_000  # states and configurations, beyond which the next request compiles the grammar anew
MAX_TOTAL_CONFIGURATIONS = 500_000  # of all states of one grammar, some 200 bytes each
MAX_EXPLORED = 3_000_000  # configurations visited to find the states; ten take some microseconds
MAX_EXPLORED_TOKEN = 25_000  # of one token, some 15 ms; a query line's grammar needs 1,300 at most
MAX_CACHE_SIZE = 500_000  # nodes, states and configurations of all grammars kept for later requests
MAX_REJECTED = 64  # texts that a state remembers as rejected
MAX_PREFIX_DEPTH = 100  # of shared beginnings: "a" | "ab" | "abc" has three
MAX_FORCED_BYTES = 512  # at a time; `root ::= "a" root` forces text without end

_BITS = [1 << byte for byte in range(256)]
_RETURN = -1
_EMPTY = 0  # the stack below the root rule

Node = tuple[Any, ...]  # ("byte", mask, next) | ("split", nodes) | ("call", rule, next)
Configuration = tuple[int, int, int]  # (mask of bytes read next, node after that, stack)


class State:
    """The set of configurations that a text leads to, one for each way to parse it.

    `accepting`: the text may end here; `mask`: bit b is set if byte b may follow. `admitted_tokens` and `forced_tokens`
    are cached by serve/engine/grammar/tokens.py, which has the vocabulary.
    """

    __slots__ = (
        "_edges",
        "_forced",
        "_grammar",
        "_tokens",
        "accepting",
        "admitted_tokens",
        "configurations",
        "forced_tokens",
        "mask",
    )

    def __init__(self, grammar: Grammar, configurations: tuple[Configuration, ...], accepting: bool) -> None:
        self._grammar = grammar
        self.configurations = configurations
        self.accepting = accepting
        self.mask = 0
        for mask, _, _ in configurations:
            self.mask |= mask
        self._edges: dict[int, State | None] = {}
        self._tokens: dict[bytes, State | None] = {}
        self._forced: tuple[bytes, State] | None = None
        self.admitted_tokens: np.ndarray | None = None
        self.forced_tokens: tuple[list[int], State] | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing may follow."""
        return not self.mask

    def begin_token(self) -> None:
        """Grant the work of one more token: what is found out about this state and those after it."""
        self._grammar._explored_limit = self._grammar._explored + MAX_EXPLORED_TOKEN

    def advance(self, piece: bytes) -> State | None:
        """The state after `piece`, or None if the grammar does not admit it. An empty piece is never admitted."""
        known = self._tokens
        found = known.get(piece, self)
        if found is not self:
            return found
        state: State | None = self if piece else None
        at = 0
        while state is not None and at < len(piece):
            state, at = state._run(piece, at)
        if (state is not None or len(known) < MAX_REJECTED) and self._grammar.n_cached < 4 * MAX_CACHED:
            known[piece] = state
            self._grammar.n_cached += 1
        return state

    def forced(self) -> tuple[bytes, State]:
        """Bytes that must follow here, up to the first choice (whole UTF-8 characters), and the state after them."""
        if self._forced is None:
            data, state = bytearray(), self
            whole, after = 0, self
            while not state.accepting and state.mask.bit_count() == 1 and len(data) < MAX_FORCED_BYTES:
                state = state._forced_run(data)
                if _ends_character(data):
                    whole, after = len(data), state
            self._forced = bytes(data[:whole]), after
        return self._forced

    def step(self, byte: int) -> State | None:
        """The state after one more byte, or None."""
        if byte not in self._edges:
            reached = [(node, stack) for mask, node, stack in self.configurations if mask >> byte & 1]
            self._edges[byte] = self._grammar._state(reached) if reached else None
        return self._edges[byte]

    def _run(self, data: bytes, at: int) -> tuple[State | None, int]:
        """The state after at least one byte of `data[at:]`, and the position reached; none inside a literal."""
        if len(self.configurations) != 1:
            return self.step(data[at]), at + 1
        (mask, node, stack), nodes = self.configurations[0], self._grammar._nodes
        while mask >> data[at] & 1:
            at += 1
            if at == len(data) or node == _RETURN or nodes[node][0] != "byte":
                return self._grammar._state([(node, stack)]), at
            _, mask, node = nodes[node]
        return None, at

    def _forced_run(self, data: bytearray) -> State:
        """Append the byte that must follow and, if there is one configuration, the ASCII that must follow it."""
        byte = self.mask.bit_length() - 1
        if len(self.configurations) > 1 or byte > 0x7F:
            data.append(byte)
            following = self.step(byte)
            assert following is not None, "the mask admits this byte"
            return following
        (_, node, stack), nodes = self.configurations[0], self._grammar._nodes
        data.append(byte)
        while node != _RETURN and nodes[node][0] == "byte" and len(data) < MAX_FORCED_BYTES:
            _, mask, after = nodes[node]
            if mask.bit_count() > 1 or mask > 1 << 0x7F:
                break
            data.append(mask.bit_length() - 1)
            node = after
        return self._grammar._state([(node, stack)])


class TooLarge(GrammarError):
    """The grammar has more parts than may be compiled."""


class Grammar:
    """A compiled grammar; `start` is its first state. Raises GrammarError if the text cannot be used.

    `pace` is called between its parts, of which it may have `max_parts` (TooLarge) once repetitions are expanded.
    """

    def __init__(self, text: str, max_parts: int = MAX_NODES, pace: Callable[[], None] | None = None) -> None:
        self._max_parts, self._pace = max_parts, pace
        self._nodes: list[Node] = []
        self._entry: dict[str, int] = {}
        self._stacks: list[tuple[int, int]] = [(_RETURN, _EMPTY)]  # number -> (node to return to, stack below)
        self._stack_numbers: dict[tuple[int, int], int] = {}
        self._states: dict[tuple[frozenset[Configuration], bool], State] = {}
        self.n_cached = 0  # states, their configurations, and the texts that they remember
        self._n_configurations = self._explored = 0
        self._explored_limit: int | None = None  # set by `State.begin_token`
        self._n_items = 0  # items, and alternatives of each
        try:
            rules = gbnf.parse(text, pace)
            for name, rule in rules.items():
                self._entry[name] = self._compile(rule, _RETURN)
        except RecursionError:
            raise GrammarError("the grammar nests alternatives or repetitions too deeply") from None
        self.start = self._state([(self._entry["root"], _EMPTY)])
        self._pace = None
        if self.start.complete and not self.start.accepting:
            raise GrammarError("the grammar admits no text at all")

    @property
    def oversized(self) -> bool:
        """Whether so much is cached that this object should be dropped."""
        return self.n_cached > MAX_CACHED or len(self._stacks) > MAX_CACHED or self._explored > MAX_EXPLORED // 5

    @property
    def size(self) -> int:
        """Objects in memory, of some hundred bytes each."""
        return len(self._nodes) + len(self._stacks) + self.n_cached

    # -- compilation: each item is translated when the node that follows it is known

    def _count(self, n: int) -> None:
        self._n_items += n
        if self._pace is not None:
            self._pace()
        if self._n_items > self._max_parts or len(self._nodes) >= self._max_parts:
            raise TooLarge(f"the grammar has more than {self._max_parts} parts once repetitions are expanded")

    def _add(self, *node: Any) -> int:
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
        """The start node of each alternative; literals share a common prefix, which keeps configurations few."""
        starts: list[int] = []
        groups: dict[bytes, list[tuple[bytes, tuple[gbnf.Item, ...]]]] = defaultdict(list)  # by first byte
        for option in options:
            first = option[0] if option else None
            if isinstance(first, gbnf.Literal) and first.data and depth < MAX_PREFIX_DEPTH:
                groups[first.data[:1]].append((first.data, option[1:]))
            else:
                starts.append(self._compile_all(option, after))
        for group in groups.values():
            if len(group) == 1:
                ((data, items),) = group
                starts.append(self._compile_all((gbnf.Literal(data), *items), after))
                continue
            self._count(len(group))
            shared = _common_prefix([data for data, _ in group])
            rests = [(gbnf.Literal(data[len(shared) :]), *items) for data, items in group]
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

    # -- transitions

    def _state(self, reached: list[tuple[int, int]]) -> State:
        """The state after all `reached` (node, stack), with calls and choices followed to the bytes they read."""
        seen, todo, accepting = set(reached), list(reached), False
        configurations: list[Configuration] = []
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
                    configurations.append((what, after[0], stack))
                    continue
                if kind == "split":
                    more = [(option, stack) for option in what]
                else:  # a tail call needs no return, which keeps right recursion flat
                    more = [(self._entry[what], stack if after[0] == _RETURN else self._push(after[0], stack))]
            for place in more:
                if place not in seen:
                    seen.add(place)
                    todo.append(place)
            self._explored += len(more)
            if self._explored_limit is not None and self._explored > self._explored_limit:
                raise GrammarError("the grammar is too ambiguous: one token can be read in too many ways")
            if len(seen) > MAX_CONFIGURATIONS * 4 or len(configurations) > MAX_CONFIGURATIONS:
                raise GrammarError("the grammar is too ambiguous: one text can be parsed in thousands of ways")
        key = (frozenset(configurations), accepting)
        state = self._states.get(key)
        if state is None:
            self._n_configurations += 1 + len(configurations)
            self.n_cached += 1 + len(configurations)
            if self._n_configurations > MAX_TOTAL_CONFIGURATIONS or self._explored > MAX_EXPLORED:
                raise GrammarError("the grammar is too ambiguous: its texts can be parsed in too many ways")
            state = self._states[key] = State(self, tuple(key[0]), accepting)
        return state

    def _push(self, node: int, stack: int) -> int:
        key = (node, stack)
        number = self._stack_numbers.get(key)
        if number is None:
            if len(self._stacks) > 4 * MAX_CACHED:
                raise GrammarError("the grammar is too ambiguous: its rules call each other too often within one text")
            number = self._stack_numbers[key] = len(self._stacks)
            self._stacks.append(key)
        return number


class GrammarCache:
    """Compiled grammars by their text, least recently used evicted first.

    Any thread may call `get`; the states of a grammar belong to one thread.
    """

    def __init__(self, max_grammars: int = 512, max_size: int = MAX_CACHE_SIZE) -> None:
        self._max_grammars, self._max_size = max_grammars, max_size
        self._lock = threading.Lock()
        self._grammars: OrderedDict[str, Grammar] = OrderedDict()
        self._growth = 0  # estimate since all sizes were last summed up, which takes a tenth of a millisecond

    def known(self, text: str) -> Grammar | None:
        """The grammar if it was compiled before."""
        with self._lock:
            grammar = self._grammars.get(text)
            if grammar is None or grammar.oversized:
                return None
            self._grammars.move_to_end(text)
            return grammar

    def get(self, text: str, max_parts: int = MAX_NODES, pace: Callable[[], None] | None = None) -> Grammar:
        """The compiled grammar. Raises GrammarError, and TooLarge as Grammar does."""
        if (known := self.known(text)) is not None:
            return known
        grammar = Grammar(text, max_parts, pace)
        with self._lock:
            self._grammars[text] = grammar
            self._grammars.move_to_end(text)
            if len(self._grammars) > self._max_grammars:
                self._grammars.popitem(last=False)
            self._growth += grammar.size + self._max_size // 128  # the other grammars have grown as well
            if self._growth > self._max_size // 8:
                self._shrink()
        return grammar

    def _shrink(self) -> None:
        self._growth = 0
        size = sum(grammar.size for grammar in self._grammars.values())
        while len(self._grammars) > 1 and size > self._max_size:
            size -= self._grammars.popitem(last=False)[1].size


def _common_prefix(texts: list[bytes]) -> bytes:
    low, high = min(texts), max(texts)
    n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:n]


def _ends_character(data: bytes | bytearray) -> bool:
    """Whether `data` ends at the end of a UTF-8 character."""
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
    """Code point ranges as sequences of byte masks; all one-byte characters share a single path."""
    ascii_mask, paths = 0, []
    for low, high in ranges:
        low = max(low, 1)  # NUL never occurs in text; llama.cpp rejects it as well
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
