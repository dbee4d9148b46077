"""A JSON schema as GBNF: the library's own translation, within bounds.

The library writes a repetition out (`(a (a (a)?)?)?` for three at most) and follows references without end; here
repetitions are counted as GBNF counts them, and what is written is. Knows nothing about tokens or models.
"""

from __future__ import annotations

import json
from functools import cache

from serve.engine.errors import GrammarError
from serve.engine.grammar import gbnf

MAX_PARTS = 5_000  # that are translated, those behind references each time
MAX_PROPERTIES = 128  # of an object: the library's time grows with the third power of the optional ones


def grammar_from_schema(schema: dict | str) -> str:
    """GBNF that admits the schema's documents. Raises GrammarError."""
    try:
        converter = _converter()(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        read = json.loads(schema if isinstance(schema, str) else json.dumps(schema))  # it is changed below
        converter.visit(converter.resolve_refs(read, ""), "")
        return converter.format_grammar()
    except GrammarError:
        raise
    except RecursionError:
        raise GrammarError("the JSON schema is nested too deeply") from None
    except Exception as error:
        raise GrammarError(f"the JSON schema cannot be turned into a grammar: {error!r}") from None


@cache
def _converter() -> type:
    from llama_cpp import llama_grammar

    class Converter(llama_grammar.SchemaConverter):
        """The library's, with an end to what it does for one schema."""

        parts = characters = 0

        def visit(self, schema, name):
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise GrammarError(f"the JSON schema has more than {MAX_PARTS} parts: make it smaller")
            return super().visit(schema, name)

        def _add_rule(self, name, rule):
            self.characters += len(name) + len(rule)
            if self.characters > 4 * gbnf.MAX_CHARS:
                raise GrammarError("the JSON schema is too long as a grammar: make it smaller")
            return super()._add_rule(name, rule)

        def _build_object_rule(self, properties, *more, **named):
            if len(properties) > MAX_PROPERTIES:
                raise GrammarError(f"an object of the JSON schema has more than {MAX_PROPERTIES} properties: split it")
            return super()._build_object_rule(properties, *more, **named)

    assert callable(llama_grammar._build_repetition)
    llama_grammar._build_repetition = _repetition  # what the library calls for every repetition
    return Converter


def _repetition(
    item_rule: str,
    min_items: int,
    max_items: int | None,
    separator_rule: str | None = None,
    item_rule_is_literal: bool = False,
) -> str:
    """The item between `min_items` and `max_items` times (None: without end), with a separator in between."""
    counts = [min_items] if max_items is None else [min_items, max_items]
    if not all(isinstance(n, int) and 0 <= n <= gbnf.MAX_REPEAT for n in counts) or counts != sorted(counts):
        raise GrammarError(
            f"the JSON schema repeats something {' to '.join(map(str, counts))} times: whole numbers in order, "
            f"up to {gbnf.MAX_REPEAT}, are taken"
        )
    if not separator_rule:
        return f"({item_rule}){{{min_items},{'' if max_items is None else max_items}}}"
    if max_items == 0:
        return ""
    more = f"({separator_rule} {item_rule}){{{max(0, min_items - 1)},{'' if max_items is None else max_items - 1}}}"
    return f"{item_rule} {more}" if min_items else f"({item_rule} {more})?"
