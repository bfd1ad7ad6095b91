# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV file, written by Python, against a left join in DuckDB. All cases share a file, as part of the key."""

import csv
import pathlib

import pytest
from oracle import cases, same

CASES = 200
COLUMNS = {"seq": "BIGINT", "case": "BIGINT", "k": "VARCHAR", "n": "BIGINT"}
TEXTS = ["", "a", "b", "A", "ü", "x y", " x ", "a,b", "a;b", "a\tb", 'say "x"', '"', "two\nlines", "\r\n", "007", "7", "-0.5", "null"]


def draw(rng, case):
    keys = rng.sample(TEXTS, rng.randint(0, len(TEXTS)))
    rows = [{"case": case, "k": k, "n": n, "t": rng.choice(TEXTS), "u": rng.choice(TEXTS)} for n, k in enumerate(keys)]
    events = [
        {"case": case, "k": rng.choice([None, *TEXTS]), "n": rng.choice([None, *range(4)])} for _ in range(rng.choice([1, 5, 20]))
    ]
    return rows, events


@pytest.mark.parametrize("separator, sign", [("comma", ","), ("semicolon", ";"), ("tab", "\t")])
@pytest.mark.parametrize("keys", [["k"], ["n", "k"]])
def test_a_row_is_that_of_a_left_join(oracle, separator, sign, keys):
    drawn = [draw(rng, case) for case, rng in cases(CASES, f"{separator} {keys}")]
    rows = [row for some, _ in drawn for row in some]
    events = [{"seq": seq, **event} for seq, event in enumerate(event for _, some in drawn for event in some)]
    path = pathlib.Path(oracle.folder) / "rows.csv"
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["case", "k", "n", "t", "u"], delimiter=sign)
        writer.writeheader()
        writer.writerows(rows)
    # As JSON for DuckDB, so that no reader of CSV but leat's is part of it; and no source.
    oracle.table("rows", {"case": "BIGINT", "k": "VARCHAR", "n": "BIGINT", "t": "VARCHAR", "u": "VARCHAR"}, rows)
    del oracle.tables["rows"]
    oracle.table("events", COLUMNS, events)
    match = {"case": "case", **{key: key for key in keys}}
    got = oracle.run(
        {
            "nulls": {"type": "enrich", "input": "events", "file": str(path), "separator": separator, "match": match, "columns": ["t", "u"]},
            "drop": {"type": "enrich", "input": "events", "file": str(path), "separator": separator, "match": match, "missing": "drop"},
        },
        ["nulls", "drop", "nulls.dead"],
    )
    assert got["nulls.dead"] == []
    on = " and ".join(f'e."{key}" = r."{key}"' for key in match)
    expected = f'select e.seq, r.t, r.u from events e {{}} join rows r on {on}'
    same(got["nulls"], oracle.query(expected.format("left")), ["seq", "t", "u"])
    same(got["drop"], oracle.query(expected.format("inner")), ["seq", "t", "u"])
