"""A JSON schema as GBNF: the library's own translation, with its repetitions bounded and written as `{m,n}`.

The library writes a repetition out, `(a (a (a)?)?)?` for three at most, before anything looks at the grammar's size or
depth. Knows nothing about tokens or models.
"""

from __future__ import annotations

import json
import re
from itertools import count
from typing import Any

from serve import gbnf
from serve.errors import GrammarError

_BOUNDS = re.compile(r"(\)?)\{([\d, ]*)\}")  # of a pattern's repetition, and whether it is one of a group
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]')
_OPTIONAL = re.compile(r"((?:\(([^()]+?) )(?:\(\2 )*\(\2)((?:\)\?)+)")


def grammar_from_schema(schema: dict | str) -> str:
    """GBNF that admits the schema's documents. Raises GrammarError."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        read = json.loads(schema) if isinstance(schema, str) else schema
        _check_repetitions(read)
        return _counted(json_schema_to_gbnf(json.dumps(read)))
    except GrammarError:
        raise
    except RecursionError:
        raise GrammarError("the JSON schema is nested or repeated too deeply") from None
    except Exception as error:
        raise GrammarError(f"the JSON schema cannot be turned into a grammar: {error!r}") from None


def _check_repetitions(schema: Any) -> None:
    todo = [schema]
    while todo:
        part = todo.pop()
        todo += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        if not isinstance(part, dict):
            continue
        counts = [part.get(key) for key in ("minLength", "maxLength", "minItems", "maxItems")]
        counts = [count for count in counts if isinstance(count, (int, float))]
        pattern = part["pattern"] if isinstance(part.get("pattern"), str) else ""
        size = len(pattern)  # once groups within groups are written out
        for group, bounds in _BOUNDS.findall(pattern):
            most = max(map(int, re.findall(r"\d+", bounds)), default=1)
            counts.append(most)
            size *= max(1, most) if group else 1
        if max([0, *counts]) > gbnf.MAX_REPEAT or size * max([1, *counts]) > 20 * gbnf.MAX_CHARS:
            raise GrammarError(f"the JSON schema repeats something more than {gbnf.MAX_REPEAT} times: lower its bounds")


def _counted(grammar: str) -> str:
    """Write `(a (a (a)?)?)?` as `(a){0,3}`; literals and classes, which may look like that, stay as they are."""
    names: dict[str, str] = {}
    numbers = count()
    short = _TEXT.sub(lambda text: names.setdefault(text[0], f"\0{next(numbers)}\0"), grammar)

    def counted(found: re.Match) -> str:
        opened, item, closed = found.groups()
        n, there = opened.count("("), len(closed) // 2
        return f"({item}){{0,{n}}}{closed[2 * n :]}" if there >= n else found[0]

    texts = {name: text for text, name in names.items()}
    return re.sub("\0\\d+\0", lambda name: texts[name[0]], _OPTIONAL.sub(counted, short))
