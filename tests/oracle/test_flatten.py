# SPDX-License-Identifier: Apache-2.0
"""flatten, against UNNEST (a cross join, and a left join for `empty: keep`) and against the fields of a STRUCT."""

from oracle import cases, same

ITEM = "STRUCT(sku VARCHAR, n BIGINT)"
COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "x": "VARCHAR", "numbers": "BIGINT[]", "lines": f"{ITEM}[]", "by": "STRUCT(name VARCHAR, x VARCHAR)"}
# DuckDB reads a field that is missing as one that is null, as flatten does.
FIELDS = "e.seq, e.case"
NUMBERED = "(select unnest(range(1, len({0}) + 1)) as i, unnest({0}) as item)"


def make_list(rng, item):
    return [item() for _ in range(rng.choice([0, 1, 1, 2, 3, 8]))]


def make_row(rng, case, seq):
    row = {"case": case, "seq": seq, "x": rng.choice(["p", "q", None])}
    row["numbers"] = make_list(rng, lambda: rng.choice([None, 0, rng.randint(-(2**60), 2**60)]))
    row["lines"] = make_list(rng, lambda: rng.choice([None, {"sku": rng.choice(["a", "ü", None]), "n": rng.randint(0, 3)}]))
    row["by"] = {"name": rng.choice(["Ann", "Bo"]), "x": rng.choice(["inner", None])}
    for field in ("numbers", "lines", "by"):
        if rng.random() < 0.15:
            row[field] = None
        elif rng.random() < 0.1:
            del row[field]
    return row


def flatten(**options):
    return {"type": "flatten", "input": "events", **options}


def test_flatten_makes_the_rows_that_unnest_makes(oracle):
    rows, seq = [], 0
    for case, rng in cases(200, "flatten"):
        for _ in range(rng.randint(1, 12)):
            rows.append(make_row(rng, case, seq))
            seq += 1
    oracle.table("events", COLUMNS, rows)
    got = oracle.run(
        {
            "numbers": flatten(list="numbers", into="item", index="i"),
            "kept": flatten(list="numbers", into="item", index="i", empty="keep"),
            "lines": flatten(list="lines", into="line", index="i", map="line", prefix="line_"),
            "by": flatten(map="by", prefix="by_"),
        },
        ["numbers", "numbers.empty", "kept", "kept.empty", "lines", "by", "numbers.dead", "kept.dead", "lines.dead", "by.dead"],
    )
    assert not any(got[f"{name}.dead"] for name in ("numbers", "kept", "lines", "by"))
    numbers = "lateral " + NUMBERED.format("e.numbers") + " as u"
    same(got["numbers"], oracle.query(f"select {FIELDS}, e.x, i - 1 as i, item from events e, {numbers}"), ["case", "seq", "x", "i", "item"])
    same(got["numbers.empty"], oracle.query("select seq from events where coalesce(len(numbers), 0) = 0"), ["seq"])
    kept = f"select {FIELDS}, i - 1 as i, item from events e left join {numbers} on true"
    same(got["kept"], oracle.query(kept), ["case", "seq", "i", "item"])
    assert got["kept.empty"] == []
    lines = "lateral " + NUMBERED.format("e.lines") + " as u"
    lines = f"select {FIELDS}, i - 1 as i, item.sku as line_sku, item.n as line_n from events e, {lines}"
    same(got["lines"], oracle.query(lines), ["case", "seq", "i", "line_sku", "line_n"])
    same(got["by"], oracle.query('select seq, x, "by".name as by_name, "by".x as by_x from events'), ["seq", "x", "by_name", "by_x"])
