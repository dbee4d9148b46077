"""A JSON schema as GBNF: llama-cpp-python's converter, with limits, and without dropping constraints.

What the library would drop is rewritten or refused (serve/engine/grammar/json_constraints.py). It also expands a
repetition (`(a (a (a)?)?)?` for up to three) and follows references without end. Here repetitions use GBNF's counts,
and the size of the grammar is limited.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from serve.engine.errors import GrammarError
from serve.engine.grammar import gbnf
from serve.engine.grammar.json_constraints import CONTROL, held, integer_rule

MAX_PARTS = 5_000  # subschemas converted; a referenced one counts each time
MAX_PROPERTIES = 128  # of an object: the library's time grows with the cube of the number of optional ones


def grammar_from_schema(schema: dict[str, Any] | str) -> str:
    """GBNF that admits only documents of the schema, though not always all. Raises GrammarError."""
    try:
        converter = _converter()(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        copy = json.loads(schema if isinstance(schema, str) else json.dumps(schema))  # the converter changes it
        converter.visit(converter.resolve_refs(copy, ""), "")
        return str(converter.format_grammar())
    except GrammarError:
        raise
    except RecursionError:
        raise GrammarError("the JSON schema is nested too deeply") from None
    except Exception as error:
        raise GrammarError(f"the JSON schema cannot be converted to a grammar: {error!r}") from None


# Of a string: one character of the text each, so that lengths are counted right, and no raw control character.
CHARACTER = rf"""[^"\\{CONTROL}] | "\\" ["\\/bfnrt]"""


@cache
def _converter() -> Any:
    from llama_cpp import llama_grammar

    base: Any = llama_grammar.SchemaConverter  # untyped

    class Converter(llama_grammar.SchemaConverter):
        """The library's converter, with limits for one schema."""

        parts = characters = 0

        def visit(self, schema: Any, name: str) -> Any:
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise GrammarError(f"the JSON schema has more than {MAX_PARTS} parts: make it smaller")
            kept = held(schema, self._refs.__getitem__)
            if (rule := integer_rule(kept)) is not None:
                return self._add_rule(name or "root", f"({rule}) space")
            return base.visit(self, kept, name)

        def _add_rule(self, name: str, rule: str) -> Any:
            if name == "char":
                rule = CHARACTER
            self.characters += len(name) + len(rule)
            if self.characters > 4 * gbnf.MAX_CHARS:
                raise GrammarError("the JSON schema makes a grammar that is too long: make it smaller")
            return base._add_rule(self, name, rule)

        def _build_object_rule(self, properties: Any, *more: Any, **named: Any) -> Any:
            if len(properties) > MAX_PROPERTIES:
                raise GrammarError(f"an object of the JSON schema has more than {MAX_PROPERTIES} properties: split it")
            return base._build_object_rule(self, properties, *more, **named)

    assert callable(llama_grammar._build_repetition)
    llama_grammar._build_repetition = _repetition  # the library calls it for every repetition
    return Converter


def _repetition(
    item_rule: str,
    min_items: int,
    max_items: int | None,
    separator_rule: str | None = None,
    item_rule_is_literal: bool = False,
) -> str:
    """GBNF for the item between `min_items` and `max_items` times (None: unbounded), with a separator in between."""
    counts = [min_items] if max_items is None else [min_items, max_items]
    if not all(isinstance(n, int) and 0 <= n <= gbnf.MAX_REPEAT for n in counts) or counts != sorted(counts):
        raise GrammarError(
            f"the JSON schema has a repetition of {' to '.join(map(str, counts))} times: expected whole numbers in "
            f"ascending order, up to {gbnf.MAX_REPEAT}"
        )
    if not separator_rule:
        return f"({item_rule}){{{min_items},{'' if max_items is None else max_items}}}"
    if max_items == 0:
        return ""
    more = f"({separator_rule} {item_rule}){{{max(0, min_items - 1)},{'' if max_items is None else max_items - 1}}}"
    return f"{item_rule} {more}" if min_items else f"({item_rule} {more})?"
