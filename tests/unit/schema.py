#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema that `leat inspect` prints, asked of an independent validator. Skipped where there is none."""
import json
import os
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

program = os.path.join(os.environ["LEAT_BUILD"], "tests/unit/test_inspect")
schema = json.loads(subprocess.run([program, "schema"], check=True, capture_output=True).stdout)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)


def pipeline(**options):
    return {
        "pipeline": "p",
        "delivery": "at-least-once",
        "epoch": {"max": "20ms"},
        "sources": {},
        "operators": {"n": {"type": "good", "input": "a", **options}},
    }


GOOD = [
    pipeline(password="x"),
    pipeline(password_file="secret"),
    pipeline(password="x", most=100, start="earliest", key=["a", "b"], shards=8),
    pipeline(password="x", most="${MOST:5}", start="${START}"),
]
BAD = [
    pipeline(),
    pipeline(password="x", password_file="secret"),
    pipeline(password="x", most=101),
    pipeline(password="x", most="many"),
    pipeline(password="x", start="never"),
    pipeline(password="x", unknown=1),
    pipeline(password="x", type="better"),
    pipeline(password="x", shards=0),
    {**pipeline(password="x"), "surprise": 1},
    {**pipeline(password="x"), "epoch": {"max": "20"}},
]
failed = 0
for document in GOOD:
    for error in validator.iter_errors(document):
        print(f"schema.py: refused {document}: {error.message}")
        failed = 1
for document in BAD:
    if validator.is_valid(document):
        print(f"schema.py: accepted {document}")
        failed = 1
sys.exit(failed)
