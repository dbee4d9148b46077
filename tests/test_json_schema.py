"""What a JSON schema demands is held by its grammar or refused: `python -m pytest tests/test_json_schema.py`."""

import json
import random
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engine.errors import GrammarError
from serve.engine.grammar.automaton import Grammar
from serve.engine.grammar.json_integers import integers
from serve.engine.grammar.json_schema import grammar_from_schema
from tests.conftest import Host, InProcess


def matches(grammar: Grammar, text: str) -> bool:
    state = grammar.start
    for byte in text.encode():
        if (state := state.step(byte)) is None:
            return False
    return state.accepting


def documents(schema: Any, n: int, seed: int = 0) -> list[str]:
    """Texts that the schema's grammar admits, by random walks that prefer what ends them after a while."""
    rng, found = random.Random(seed), []
    grammar = Grammar(grammar_from_schema(schema))
    for _ in range(n):
        state, text = grammar.start, bytearray()
        while not (state.accepting and (state.complete or rng.random() < 0.3 or len(text) > 150)):
            choices = [byte for byte in range(256) if state.mask >> byte & 1]
            closing = [byte for byte in choices if byte in b'"}],']
            byte = rng.choice(closing if closing and len(text) > 40 else choices)
            state = state.step(byte)
            text.append(byte)
            if len(text) > 400:
                break
        else:
            found.append(text.decode())
    return found


TEXT = {"type": "string"}
HELD: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 31}, "b": TEXT}},
    {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["b"], "minProperties": 1, "maxProperties": 2},
    {"type": "object", "properties": {"a": TEXT}, "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": True},
    {"type": "object", "additionalProperties": {"type": "boolean"}},
    {"properties": {"a": {"type": ["integer", "null"], "minimum": 5, "exclusiveMaximum": 7.5}}, "required": ["a"]},
    {"allOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"type": "object", "properties": {"b": TEXT}}]},
    {"$defs": {"t": {"type": "string", "maxLength": 3}}, "properties": {"x": {"$ref": "#/$defs/t"}}, "required": ["x"]},
    {"type": "array", "items": {"type": "integer", "multipleOf": 7, "minimum": -20, "maximum": 20}, "minItems": 2},
    {"type": "array", "items": TEXT, "uniqueItems": True, "maxItems": 1},
    {"type": "array", "prefixItems": [TEXT, {"type": "null"}], "minItems": 2, "items": False},
    {"type": "array"},
    {"type": "string", "minLength": 2, "maxLength": 4},
    {"type": ["string", "null"], "maxLength": 4000},
    {"type": "string", "pattern": "^[a-z]{2}.[^x]?$"},
    {"type": "string", "pattern": "^ab|cd$"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["a", 5, None]},
    {"type": ["null", "integer"], "enum": ["a", 5, None]},
    {"const": {"a": [1, 2]}},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": k}, k: TEXT}, "required": ["kind"]} for k in ("x", "y")
        ]
    },
    {"anyOf": [{"type": "integer", "exclusiveMinimum": 3}, {"type": "boolean"}]},
    {"type": "number"},
    {"title": "anything", "description": "at all", "x-mine": 3},
]


@pytest.mark.parametrize("schema", HELD, ids=[str(i) for i in range(len(HELD))])
def test_whatever_a_schema_s_grammar_admits_is_a_document_of_the_schema(schema):
    validator = jsonschema.Draft202012Validator(schema)
    found = documents(schema, 60)
    assert len(found) >= 20
    for text in found:
        errors = [error.message for error in validator.iter_errors(json.loads(text))]
        assert not errors, (text, errors)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "number", "minimum": 3}, "minimum"),
    ({"type": "integer", "multipleOf": 3}, "multipleOf"),
    ({"type": "integer", "minimum": 5, "maximum": 4}, "no number"),
    ({"type": "integer", "minimum": "5"}, "expected a number"),
    ({"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9}, "no multiple"),
    ({"type": "array", "items": TEXT, "uniqueItems": True}, "uniqueItems"),
    ({"type": "array", "items": TEXT, "contains": {"const": "a"}}, "contains"),
    ({"type": "array", "minItems": 3}, "minItems"),
    ({"type": "array", "prefixItems": [TEXT], "minItems": 2}, "prefixItems"),
    ({"type": "array", "prefixItems": [TEXT], "items": TEXT}, "items beside prefixItems"),
    ({"type": "object", "minProperties": 1}, "minProperties"),
    ({"type": "object", "properties": {"a": TEXT}, "minProperties": 1}, "minProperties"),
    ({"type": "object", "maxProperties": 1}, "maxProperties"),
    ({"type": "object", "required": ["a"]}, "required 'a'"),
    ({"type": "object", "patternProperties": {"^a": TEXT}}, "patternProperties"),
    ({"type": "object", "properties": {"a": TEXT}, "dependentRequired": {"a": ["b"]}}, "dependentRequired"),
    ({"type": "string", "not": {"const": "a"}}, "not"),
    ({"type": "string", "if": {"minLength": 1}, "then": {"maxLength": 3}}, "if|then"),
    ({"type": "string", "pattern": "^a+$", "minLength": 3}, "minLength"),
    ({"type": "string", "pattern": '^"$'}, "pattern"),
    ({"type": "string", "pattern": "^[ -~]$"}, "quotes"),
    ({"type": "string", "format": "email"}, "format 'email'"),
    ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}, "minLength": 2}, "minLength"),
    ({"anyOf": [TEXT, {"type": "null"}], "maxLength": 3}, "maxLength"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    ({"oneOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]}, "oneOf"),
    ({"allOf": [{"anyOf": [{"properties": {"a": TEXT}}]}]}, "allOf"),
    ({"allOf": [{"properties": {"a": TEXT}}, {"properties": {"a": {"type": "null"}}}]}, "allOf"),
    ({"properties": {"a": TEXT}, "allOf": [{"properties": {"b": TEXT}}]}, "properties"),
    ({"type": ["string", "boolean"], "minimum": 3}, "minimum"),
    ({"type": "string", "enum": [1, 2]}, "no value of its type"),
    ({"const": "a", "minLength": 3}, "minLength"),
    ({"properties": {"deep": {"type": "array", "items": {"type": "number", "maximum": 1}}}}, "maximum"),
    ({"properties": {"a": False}}, "an object is expected"),
    ({"not": {}}, "not"),
]


@pytest.mark.parametrize(("schema", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_a_constraint_that_no_grammar_holds_is_refused_and_named(schema, message):
    with pytest.raises(GrammarError, match=message):
        grammar_from_schema(schema)


bounds = st.one_of(st.none(), st.integers(-1500, 1500))


@settings(max_examples=60, deadline=None)
@given(bounds, bounds)
def test_integers_between_two_bounds_are_exactly_those(low, high):
    if low is not None and high is not None and low > high:
        low, high = high, low
    grammar = Grammar(f"root ::= {integers(low, high)}")
    for n in range(-1600, 1600):
        inside = (low is None or n >= low) and (high is None or n <= high)
        assert matches(grammar, str(n)) == inside, (n, low, high)
    assert not matches(grammar, "-0") and not matches(grammar, "007")


@pytest.fixture(scope="module")
def raw(host: Host, random_model: Path) -> InProcess:
    found = host(model_path=random_model, raw_model=True)
    found.wait_ready()
    return found


@pytest.mark.parametrize(
    "demand",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object", "minProperties": 1}}}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "number", "minimum": 0}}}},
        {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"stop": [str(i) for i in range(17)]},
    ],
    ids=["minProperties", "minimum", "tool_choice", "a named tool", "stops"],
)
def test_what_the_service_cannot_hold_is_refused(raw: InProcess, demand: dict[str, Any]) -> None:
    body = {"model": "cricket-raw", "messages": [{"role": "user", "content": "plan most runs"}], "max_tokens": 8}
    with raw.client() as client:
        response: httpx.Response = client.post("/v1/chat/completions", json=body | demand)
        assert response.status_code in (400, 422), response.text
        assert client.post("/v1/chat/completions", json=body).status_code == 200
