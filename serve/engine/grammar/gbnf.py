"""Parser for GBNF: text to a checked syntax tree; every error is a GrammarError with line and column.

The syntax is llama.cpp's (rules `name ::= ...`, literals, character classes, `.`, groups, `* + ? {m,n}`, `#` comments),
without its token elements `<...>`. Undefined rules, left recursion, deep nesting and large sizes are rejected here.
serve/engine/grammar/automaton.py turns the tree into an automaton.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serve.engine.errors import GrammarError

MAX_CHARS = 65_536  # an answer grammar has about 2,000; a large JSON schema about 20,000
MAX_RULES = 2_000
MAX_CHECKED = 2_000_000  # items visited to find out which may match the empty text
MAX_NESTING = 64
MAX_REPEAT = 2_000  # llama.cpp's own bound: a grammar accepted here is accepted by llama-server
MAX_CODEPOINT = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Literal:
    data: bytes


@dataclass(frozen=True, slots=True)
class CharClass:
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Reference:
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives, each a sequence of items; an empty sequence matches the empty text."""

    options: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` at least `low` times and at most `high` times (None: unbounded)."""

    item: Item
    low: int
    high: int | None


Item = Literal | CharClass | Reference | Choice | Repeat

_SPACE = re.compile(r"(?:[ \t]+|#[^\r\n]*)*")
_SPACE_OR_NEWLINE = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_CLASS = re.compile(r"\[(\^?)((?:[^\]\\]|\\.)*)\]", re.DOTALL)
_BOUNDS = re.compile(r"\{\s*(\d{1,6})\s*(?:(,)\s*(?:(\d{1,6})\s*)?)?\}")
_CHAR = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^\\]", re.DOTALL)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}


def parse(text: str, pace: Callable[[], None] | None = None) -> dict[str, Choice]:
    """Rules by name, `root` among them; raises GrammarError with line and column. `pace` is called between items."""
    if len(text) > MAX_CHARS:
        raise GrammarError(f"the grammar has {len(text)} characters; at most {MAX_CHARS} are allowed")
    if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise GrammarError("the grammar contains a NUL or a lone surrogate, which no text can match")
    rules = _Parser(text, pace).rules()
    if "root" not in rules:
        raise GrammarError("the grammar has no rule named root: add `root ::= ...`")
    _check_references(rules)
    _check_left_recursion(rules, pace)
    return rules


def ranges(text: str) -> Ranges:
    """The code points of a character class, brackets included. Raises GrammarError."""
    return _Parser(text).ranges()


class _Parser:
    def __init__(self, text: str, pace: Callable[[], None] | None = None) -> None:
        self.text, self.pace = text, pace
        self.at = 0

    def error(self, message: str) -> GrammarError:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        return GrammarError(f"grammar, line {line} column {column}: {message}")

    def skip(self, newlines: bool) -> None:
        if self.at == len(self.text) or self.text[self.at] not in " \t#\r\n":
            return
        if found := (_SPACE_OR_NEWLINE if newlines else _SPACE).match(self.text, self.at):
            self.at = found.end()

    def rules(self) -> dict[str, Choice]:
        found: dict[str, Choice] = {}
        self.skip(True)
        while self.at < len(self.text):
            name = _NAME.match(self.text, self.at)
            if not name:
                raise self.error("expected a rule's name (letters, digits and -)")
            self.at = name.end()
            self.skip(False)
            if not self.text.startswith("::=", self.at):
                raise self.error(f"expected `::=` after {name.group()}")
            self.at += 3
            self.skip(True)
            found[name.group()] = self.choice(0)
            if len(found) > MAX_RULES:
                raise self.error(f"more than {MAX_RULES} rules")
            if self.at < len(self.text) and self.text[self.at] not in "\r\n":
                raise self.error(f"unexpected {self.text[self.at]!r}; a rule ends with its line")
            self.skip(True)
        return found

    def choice(self, depth: int) -> Choice:
        if depth > MAX_NESTING:
            raise self.error(f"groups are nested deeper than {MAX_NESTING}")
        options = [self.items(depth)]
        while self.at < len(self.text) and self.text[self.at] == "|":
            self.at += 1
            self.skip(True)
            options.append(self.items(depth))
        return Choice(tuple(options))

    def items(self, depth: int) -> tuple[Item, ...]:
        items: list[Item] = []
        text = self.text
        while self.at < len(text):
            if self.pace is not None:
                self.pace()
            char = text[self.at]
            if char == '"':
                items.append(Literal(self.literal().encode()))
            elif char == "[":
                items.append(CharClass(self.ranges()))
            elif char == ".":
                self.at += 1
                items.append(CharClass(((0, MAX_CODEPOINT),)))
            elif char == "(":
                self.at += 1
                self.skip(True)
                items.append(self.choice(depth + 1))
                if self.at >= len(text) or text[self.at] != ")":
                    raise self.error("expected `)`")
                self.at += 1
            elif char in "*+?{":
                if not items:
                    raise self.error(f"nothing before {char!r} to repeat")
                items.append(Repeat(items.pop(), *self.bounds(char)))
            elif found := _NAME.match(text, self.at):
                self.at = found.end()
                items.append(Reference(found.group()))
            elif char in "<!":
                raise self.error("token elements <...> are not supported; write the text as a literal")
            else:
                break
            self.skip(depth > 0)
        return tuple(items)

    def bounds(self, char: str) -> tuple[int, int | None]:
        if char != "{":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        found = _BOUNDS.match(self.text, self.at)
        if not found:
            raise self.error("expected a repetition {n}, {n,} or {m,n}")
        low = int(found[1])
        high = low if not found[2] else int(found[3]) if found[3] else None
        if low > MAX_REPEAT or (high or 0) > MAX_REPEAT or (high is not None and high < low):
            raise self.error(f"the bounds {found[0]} are reversed or beyond {MAX_REPEAT}")
        self.at = found.end()
        return low, high

    def literal(self) -> str:
        found = _LITERAL.match(self.text, self.at)
        if not found:
            raise self.error('a literal is not closed by "')
        body = found[1]
        if "\\" in body:
            body = "".join(map(self.char, _CHAR.findall(body)))
        self.at = found.end()
        return body

    def ranges(self) -> Ranges:
        found = _CLASS.match(self.text, self.at)
        if not found:
            raise self.error("a character class is not closed by ]")
        chars = _CHAR.findall(found[2])
        ranges, i = [], 0
        while i < len(chars):
            low = high = ord(self.char(chars[i]))
            i += 1
            if i + 1 < len(chars) and chars[i] == "-":
                high = ord(self.char(chars[i + 1]))
                i += 2
                if high < low:
                    raise self.error(f"the range {chr(low)!r}-{chr(high)!r} is reversed")
            ranges.append((low, high))
        self.at = found.end()
        merged = _merge(ranges)
        return _complement(merged) if found[1] else merged

    def char(self, token: str) -> str:
        if token[0] != "\\":
            return token
        if token[1] in "xuU" and len(token) > 2:
            code = int(token[2:], 16)
            if code > MAX_CODEPOINT or 0xD800 <= code <= 0xDFFF or code == 0:
                raise self.error(f"{token} is not a character that text can contain")
            return chr(code)
        if token[1] not in _ESCAPES:
            raise self.error(f"unknown escape {token}")
        return _ESCAPES[token[1]]


def _merge(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    rest, start = [], 0
    for low, high in ranges:
        if start < low:
            rest.append((start, low - 1))
        start = high + 1
    if start <= MAX_CODEPOINT:
        rest.append((start, MAX_CODEPOINT))
    return tuple(rest)


def _references(item: Item) -> Iterator[str]:
    if isinstance(item, Reference):
        yield item.name
    elif isinstance(item, Repeat):
        yield from _references(item.item)
    elif isinstance(item, Choice):
        for option in item.options:
            for part in option:
                yield from _references(part)


def _check_references(rules: dict[str, Choice]) -> None:
    for name, rule in rules.items():
        for used in _references(rule):
            if used not in rules:
                raise GrammarError(f"rule {name} uses {used}, which is not defined: add `{used} ::= ...`")


def _check_left_recursion(rules: dict[str, Choice], pace: Callable[[], None] | None = None) -> None:
    """Reject rules that can call themselves before matching a character: they would expand without end."""
    empty: set[str] = set()  # rules that can match the empty text
    checked = 0

    def can_be_empty(item: Item) -> bool:
        nonlocal checked
        checked += 1
        if pace is not None:
            pace()
        if checked > MAX_CHECKED:
            raise GrammarError("the grammar has too many items that may be empty")
        if isinstance(item, Literal):
            return not item.data
        if isinstance(item, Reference):
            return item.name in empty
        if isinstance(item, Repeat):
            return item.low == 0 or can_be_empty(item.item)
        return isinstance(item, Choice) and any(all(map(can_be_empty, option)) for option in item.options)

    def leftmost(item: Item) -> Iterator[str]:
        if isinstance(item, Reference):
            yield item.name
        elif isinstance(item, Repeat):
            yield from leftmost(item.item)
        elif isinstance(item, Choice):
            for option in item.options:
                for part in option:
                    yield from leftmost(part)
                    if not can_be_empty(part):
                        break

    users: dict[str, set[str]] = {name: set() for name in rules}
    for name, rule in rules.items():
        for used in _references(rule):
            users[used].add(name)
    todo = list(rules)
    while todo:
        name = todo.pop()
        if name not in empty and can_be_empty(rules[name]):
            empty.add(name)
            todo += users[name]
    edges = {name: sorted(set(leftmost(rule))) for name, rule in rules.items()}
    finished: set[str] = set()
    for start in rules:  # depth first without Python recursion: a chain of rules may be thousands long
        path, walk = {start}, [(start, iter(edges[start]))]
        if start in finished:
            continue
        while walk:
            name, rest = walk[-1]
            for used in rest:
                if used in path:
                    raise GrammarError(
                        f"rule {used} is left-recursive (it can call itself before it matches a character): "
                        "write it with * or + or with the recursion on the right"
                    )
                if used not in finished:
                    path.add(used)
                    walk.append((used, iter(edges[used])))
                    break
            else:
                walk.pop()
                path.discard(name)
                finished.add(name)
