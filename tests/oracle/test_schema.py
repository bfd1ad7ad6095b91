# SPDX-License-Identifier: Apache-2.0
"""JSON Schema, against another implementation of draft 2020-12: random schemas of what leat supports, over random values."""

import json

from jsonschema import Draft202012Validator
from oracle import cases

PER_RUN = 40
TEXTS = ["", "a", "ab", "abc", "Zoë", "1", "x_y"]
NAMES = ["a", "b", "c", "x_1", "d/e"]
NUMBERS = [-1, 0, 1, 2, 3, 1.0, 0.5, 2.5, -7, 2**53 + 1, 1e30]
TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]


def value(rng, depth):
    kind = rng.randrange(8 if depth > 0 else 5)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind < 4:
        return rng.choice(TEXTS)
    if kind == 4:
        return rng.choice([None, True, False])
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {name: value(rng, depth - 1) for name in rng.sample(NAMES, rng.randint(0, 4))}


def keyword(rng, depth):
    """One of the keywords that need no other."""
    bound, count = rng.choice(NUMBERS[:9]), rng.randint(0, 3)
    simple = [
        lambda: {"type": rng.choice(TYPES)},
        lambda: {"type": rng.sample(TYPES, 2)},
        lambda: {"enum": [value(rng, 1) for _ in range(3)]},
        lambda: {"const": value(rng, 1)},
        lambda: {rng.choice(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]): bound},
        lambda: {"multipleOf": rng.choice([1, 2, 3, 0.5])},
        lambda: {rng.choice(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]): count},
        lambda: {"pattern": rng.choice(["^a", "b$", "^[a-c]{2,}$", "[0-9]", "^(ab|x_y)$", "\\d"])},
        lambda: {"uniqueItems": rng.random() < 0.8},
        lambda: {"required": rng.sample(NAMES, rng.randint(0, 2))},
        lambda: {"$ref": rng.choice(["#/$defs/one", "#/$defs/two"])},
    ]
    nested = [
        lambda: {"items": schema(rng, depth - 1)},
        lambda: {"contains": schema(rng, depth - 1)},
        lambda: {"properties": {name: schema(rng, depth - 1) for name in rng.sample(NAMES, 2)}},
        lambda: {"additionalProperties": schema(rng, depth - 1)},
        lambda: {"patternProperties": {rng.choice(["^x_", "[ab]", "/"]): schema(rng, depth - 1)}},
        lambda: {rng.choice(["allOf", "anyOf", "oneOf"]): [schema(rng, depth - 1) for _ in range(rng.randint(1, 3))]},
        lambda: {"not": schema(rng, depth - 1)},
        lambda: {"if": schema(rng, depth - 1), rng.choice(["then", "else"]): schema(rng, depth - 1)},
    ]
    return rng.choice(simple + (nested + nested if depth > 0 else []))()


def schema(rng, depth):
    if rng.random() < 0.08:
        return rng.random() < 0.7
    made = {}
    for _ in range(rng.randint(1, 3)):
        made.update(keyword(rng, depth))
    return {"$ref": made["$ref"]} if "$ref" in made else made


def whole_schema(rng):
    """With two definitions, of which the second may use the first, the schema stands at the field `v`."""
    one = {"type": rng.choice(TYPES)}
    two = rng.choice([{"$ref": "#/$defs/one"}, {"items": {"$ref": "#/$defs/two"}}, {"anyOf": [{"$ref": "#/$defs/one"}, {"minLength": 2}]}])
    return {"$defs": {"one": one, "two": two}, "properties": {"v": schema(rng, 3)}}


def test_a_schema_allows_what_another_validator_allows(oracle):
    rows = [{"seq": seq, "v": value(rng, 3)} for seq, rng in cases(150, "values")]
    schemas = [whole_schema(rng) for _, rng in cases(240, "schemas")]
    oracle.table("events", {"seq": "BIGINT", "v": "JSON"}, rows)
    n_refused = 0
    for start in range(0, len(schemas), PER_RUN):
        some = schemas[start : start + PER_RUN]
        operators = {}
        for i, one in enumerate(some):
            (oracle.folder / f"schema{i}.json").write_text(json.dumps(one))
            operators[f"s{i}"] = {"type": "schema", "input": "events", "schema": f"schema{i}.json"}
        got = oracle.run(operators, [f"{name}{port}" for name in operators for port in ("", ".dead")])
        for i, one in enumerate(some):
            Draft202012Validator.check_schema(one)
            validator = Draft202012Validator(one)
            expected = [row["seq"] for row in rows if validator.is_valid(row)]
            assert [row["seq"] for row in got[f"s{i}"]] == expected, json.dumps(one)
            assert len(got[f"s{i}.dead"]) == len(rows) - len(expected)
            assert all(letter["reason"].startswith("schema: /v") for letter in got[f"s{i}.dead"])
            n_refused += len(rows) - len(expected)
    assert 6000 < n_refused < 30000
