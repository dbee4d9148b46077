"""What a JSON schema demands beyond what llama-cpp-python's converter holds: rewritten so that it does, or refused.

The converter reads some keywords of a schema and drops the others without a word. `held(schema)` returns an equivalent
or narrower schema of which it drops nothing that constrains a document. Annotations (title, default, examples) and
keywords that JSON Schema does not know are ignored, as its specification says. Pure: knows no converter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

from serve.engine.errors import GrammarError
from serve.engine.grammar import gbnf
from serve.engine.grammar.json_integers import integers

Schema = dict[str, Any]

MAX_MULTIPLES = 1_000  # values of `multipleOf` between two bounds, which are listed
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
BY_TYPE = {
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"),
    "integer": (*BOUNDS, "format"),
    "number": (*BOUNDS, "format"),
    "array": (
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "minItems", "maxItems", "uniqueItems"),
        *("contains", "minContains", "maxContains"),
    ),
    "object": (
        *("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"),
        *("maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"),
    ),
    "boolean": (),
    "null": (),
}
ANY_TYPE = (
    *("$ref", "$dynamicRef", "$recursiveRef", "type", "const", "enum"),
    *("anyOf", "oneOf", "allOf", "not", "if", "then", "else"),
)
CONSTRAINTS = frozenset(ANY_TYPE).union(*BY_TYPE.values())
FORMATS = re.compile("uuid[1-5]?|date|time|date-time")
CONTROL = r"\x01-\x1f"  # never raw in a JSON string
_PATTERN_UNIT = re.compile(r"\[\^?(?:[^\]\\]|\\.)*\]|\{[^}]*\}|\\.|.", re.DOTALL)


def held(schema: Any, resolve: Callable[[str], Any]) -> Schema:
    """The schema with all its constraints in keywords that the converter holds; `resolve` follows a `$ref`.

    Subschemas are left as they are. Raises GrammarError for a constraint that cannot be held.
    """
    if not isinstance(schema, dict):
        raise GrammarError(f"the JSON schema has {json.dumps(schema)[:40]} where an object is expected: describe it")
    given = {key: value for key, value in schema.items() if key in CONSTRAINTS}
    if "$ref" in given:
        return _only(given, {"$ref"})
    if "const" in given or "enum" in given:
        return _values(given)
    if "anyOf" in given or "oneOf" in given:
        _only(given, {"anyOf"} if "anyOf" in given else {"oneOf"})
        if "oneOf" in given:
            _check_disjoint(given["oneOf"], resolve)
        return given
    kind = given.get("type")
    if isinstance(kind, list):
        return {"anyOf": [{"type": one} | _of_type(given, one, kind) for one in kind]}
    if "allOf" in given:
        return _all_of(given, resolve)
    match kind or _implied(given):
        case "object":
            return _object(given)
        case "array":
            return _array(given)
        case "string":
            return _string(given)
        case "integer":
            return _integer(given)
        case "number" | "boolean" | "null":
            return _only(given, {"type"})
    if given:
        found = json.dumps(given)[:80]
        raise GrammarError(
            f"the JSON schema cannot be converted to a grammar: {found} has no type of {', '.join(BY_TYPE)}"
        )
    return given


def integer_rule(schema: Schema) -> str | None:
    """GBNF of an integer between the bounds of a schema that `held` returned; None if it has none."""
    if schema.get("type") != "integer" or len(schema) == 1:
        return None
    return integers(schema.get("minimum"), schema.get("maximum"))


def _refuse(keyword: str, beside: str = "") -> GrammarError:
    return GrammarError(
        f"the JSON schema uses {keyword}{beside}, which a grammar cannot hold: leave it out and check the reply for it"
    )


def _only(schema: Schema, kept: set[str]) -> Schema:
    """The schema, which may constrain documents by these keywords alone."""
    if more := sorted(schema.keys() - kept):
        main = next((k for k in ("$ref", "const", "enum", "anyOf", "oneOf", "allOf") if k in kept), None)
        raise _refuse(more[0], f" beside {main}" if main else f" of {schema.get('type', 'no type')}")
    return schema


def _implied(schema: Schema) -> str | None:
    """The type that a schema without one describes, for the converter."""
    if {"properties", "additionalProperties"} & schema.keys():
        return "object"
    if {"items", "prefixItems"} & schema.keys():
        return "array"
    return "string" if {"pattern", "format"} & schema.keys() else None


def _of_type(schema: Schema, kind: str, kinds: list[str]) -> Schema:
    """Of a schema with several types, the constraints of one of them."""
    if unknown := [k for k in kinds if k not in BY_TYPE]:
        raise GrammarError(f"the JSON schema has the type {unknown[0]!r}: expected one of {', '.join(BY_TYPE)}")
    known = set().union(*(BY_TYPE[k] for k in kinds))
    if more := sorted(schema.keys() - known - {"type"}):
        raise _refuse(more[0], " beside several types")
    return {key: value for key, value in schema.items() if key in BY_TYPE[kind]}


def _values(schema: Schema) -> Schema:
    """Constants, without those that the type beside them excludes."""
    _only(schema, {"const", "type"} if "const" in schema else {"enum", "type"})
    values = [schema["const"]] if "const" in schema else list(schema["enum"])
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        values = [value for value in values if _types(value) & set(kinds)]
    if not values:
        raise GrammarError("the JSON schema lists no value of its type: nothing could be generated")
    return {"enum": values}


def _types(value: Any) -> set[str]:
    match value:
        case bool():
            return {"boolean"}
        case None:
            return {"null"}
        case int():
            return {"integer", "number"}
        case float():
            return {"integer", "number"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
    return {"array"} if isinstance(value, list) else {"object"}


def _object(schema: Schema) -> Schema:
    """Properties; others are not generated where some are named, since a free name could be one of those."""
    kept = {"type", "properties", "required", "additionalProperties", "minProperties", "maxProperties"}
    _only({k: v for k, v in schema.items() if (k, v) != ("unevaluatedProperties", False)}, kept)
    properties, required = schema.get("properties", {}), set(schema.get("required", []))
    if missing := sorted(required - properties.keys()):
        raise _refuse(f"required {missing[0]!r} without describing it in properties")
    if schema.get("minProperties", 0) > len(required):
        raise _refuse("minProperties")
    free = schema.get("additionalProperties", True) is not False and not properties
    if "maxProperties" in schema and (free or schema["maxProperties"] < len(properties)):
        raise _refuse("maxProperties")
    made: Schema = {"type": "object"}
    if properties:
        made |= {"properties": properties, "required": sorted(required), "additionalProperties": False}
    elif schema.get("additionalProperties", True) is not True:
        made["additionalProperties"] = schema["additionalProperties"]
    elif "properties" in schema and "additionalProperties" not in schema:
        made["properties"] = {}
    return made


def _all_of(schema: Schema, resolve: Callable[[str], Any]) -> Schema:
    """The properties of all parts together, all of them required."""
    _only({k: v for k, v in schema.items() if (k, v) != ("type", "object")}, {"allOf"})
    properties: Schema = {}
    for part in schema["allOf"]:
        found = part
        while isinstance(found, dict) and "$ref" in found:
            _only({k: v for k, v in found.items() if k in CONSTRAINTS}, {"$ref"})
            found = resolve(found["$ref"])
        if not isinstance(found, dict):
            raise _refuse("a part of allOf that is no object")
        given = {k: v for k, v in found.items() if k in CONSTRAINTS and (k, v) != ("type", "object")}
        open_to_others = given.pop("additionalProperties", True) is True or len(schema["allOf"]) == 1
        if given.keys() - {"properties", "required"} or not open_to_others:
            raise _refuse("allOf", " of more than properties")
        named = given.get("properties", {})
        if any(properties.get(name, value) != value for name, value in named.items()):
            raise _refuse("allOf", " with two descriptions of one property")
        properties |= named
        if missing := sorted(set(given.get("required", [])) - properties.keys()):
            raise _refuse(f"required {missing[0]!r} without describing it in properties")
    return {"allOf": schema["allOf"]}


def _array(schema: Schema) -> Schema:
    items, tuple_items = schema.get("items", True), schema.get("prefixItems")
    if isinstance(items, list):
        items, tuple_items = True, items
    if schema.get("uniqueItems") and schema.get("maxItems", 2) > 1:
        raise _refuse("uniqueItems")
    given = {k: v for k, v in schema.items() if k != "uniqueItems"}
    if tuple_items is None:
        if "items" not in schema or items is True:
            return _only({k: v for k, v in given.items() if k != "items"} | {"type": "array"}, {"type"})
        return _only(given, {"type", "items", "minItems", "maxItems"})
    _only(given, {"type", "items", "prefixItems", "minItems", "maxItems", "additionalItems", "unevaluatedItems"})
    if isinstance(items, dict):
        raise _refuse("items beside prefixItems")
    if not given.get("minItems", 0) <= len(tuple_items) <= given.get("maxItems", len(tuple_items)):
        raise _refuse("prefixItems", " with another number of items")
    return {"type": "array", "prefixItems": tuple_items}


def _string(schema: Schema) -> Schema:
    if "pattern" in schema:
        return _only(schema, {"type", "pattern"}) | {"pattern": _within_quotes(schema["pattern"])}
    if "format" in schema:
        if not FORMATS.fullmatch(str(schema["format"])):
            raise _refuse(f"format {schema['format']!r}")
        return _only(schema, {"type", "format"})
    made = dict(_only(schema, {"type", "minLength", "maxLength"}))
    if isinstance(longest := made.get("maxLength"), int) and longest > gbnf.MAX_REPEAT >= made.get("minLength", 0):
        made["maxLength"] = gbnf.MAX_REPEAT  # narrower, so that a column's 4,000 characters are no error
    return made


def _within_quotes(pattern: Any) -> str:
    """A pattern none of whose texts ends the JSON string: what it admits is written between quotes as it is."""
    made: list[str] = []
    units: list[str] = _PATTERN_UNIT.findall(str(pattern))
    if len(units) < 2 or (units[0], units[-1]) != ("^", "$"):
        raise _refuse(f"the pattern {pattern!r} without ^ before and $ after it")
    for unit in units[1:-1]:
        if unit == ".":
            unit = rf'[^"\\{CONTROL}]'
        elif unit.startswith("[^"):
            unit = rf'[^"\\{CONTROL}{unit[2:]}'
        elif unit.startswith("["):
            ranges = gbnf.ranges(unit)
            if any(low <= code <= high for low, high in ranges for code in (*range(0x20), ord('"'), ord("\\"))):
                raise _refuse(f"the pattern {pattern!r} with quotes, backslashes or control characters in {unit}")
        elif unit in ('"', r"\"", "\\\\") or ord(unit[-1]) < 0x20 or (unit[0] == "\\" and unit[1].isalnum()):
            raise _refuse(f"the pattern {pattern!r} with {unit}")
        made.append(unit)
    body = "".join(made)
    return f"^({body})$" if "|" in made else f"^{body}$"


def _integer(schema: Schema) -> Schema:
    """Bounds as whole numbers, both included; multiples between two bounds as a list."""
    _only(schema, {"type", *BOUNDS})
    for bound in BOUNDS:
        if bound in schema and (isinstance(schema[bound], bool) or not isinstance(schema[bound], int | float)):
            raise GrammarError(f"the JSON schema has {bound} {schema[bound]!r}: expected a number")
    lows = [_ceil(schema["minimum"])] if "minimum" in schema else []
    lows += [-_ceil(-schema["exclusiveMinimum"] - 1e-9) + 1] if "exclusiveMinimum" in schema else []
    highs = [-_ceil(-schema["maximum"])] if "maximum" in schema else []
    highs += [_ceil(schema["exclusiveMaximum"] - 1e-9) - 1] if "exclusiveMaximum" in schema else []
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise GrammarError(f"the JSON schema has an integer from {low} to {high}: no number is that")
    step = schema.get("multipleOf", 1)
    if step != 1:
        if low is None or high is None or step != int(step) or step < 1 or (high - low) // step > MAX_MULTIPLES:
            raise _refuse("multipleOf")
        values = list(range(-(-low // int(step)) * int(step), high + 1, int(step)))
        if not values:
            raise GrammarError(f"the JSON schema has no multiple of {step} from {low} to {high}")
        return {"enum": values}
    bounds = {"minimum": low, "maximum": high}
    return {"type": "integer"} | {key: value for key, value in bounds.items() if value is not None}


def _ceil(value: float) -> int:
    whole = int(value)
    return whole + (value > whole)


def _check_disjoint(options: Any, resolve: Callable[[str], Any]) -> None:
    """Raise GrammarError unless no document can match two options of `oneOf`, as far as their heads tell."""
    for one, other in combinations(options, 2):
        if not _disjoint(_resolved(one, resolve), _resolved(other, resolve)):
            raise _refuse("oneOf", " whose options may overlap (use anyOf, or give each its own type or constant)")


def _resolved(schema: Any, resolve: Callable[[str], Any]) -> Any:
    for _ in range(20):
        if not (isinstance(schema, dict) and "$ref" in schema):
            break
        schema = resolve(schema["$ref"])
    return schema


def _disjoint(one: Any, other: Any) -> bool:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return False
    values = [[s["const"]] if "const" in s else s.get("enum") for s in (one, other)]
    if values[0] is not None and values[1] is not None:
        return not any(a == b for a in values[0] for b in values[1])
    kinds = []
    for schema, constants in zip((one, other), values, strict=True):
        kind = schema.get("type")
        if constants is not None:
            kinds.append(set().union(*map(_types, constants)))
        elif kind is None:
            return False
        else:
            kinds.append(set(kind) if isinstance(kind, list) else {kind})
    kinds = [{"number" if k == "integer" else k for k in found} for found in kinds]
    if not kinds[0] & kinds[1]:
        return True
    common = set(one.get("required", [])) & set(other.get("required", []))
    named = one.get("properties", {}), other.get("properties", {})
    both_objects = kinds[0] == kinds[1] == {"object"}
    return both_objects and any(_disjoint(named[0].get(name), named[1].get(name)) for name in common)
