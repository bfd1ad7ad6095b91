# SPDX-License-Identifier: Apache-2.0
"""Running aggregates against SQL's window functions: over all rows of the key up to each one, or up to the one before. All cases
share a run, as part of the key. Times are in disorder and have ties, which matters to first and last alone."""

import math

import pytest
from oracle import cases, same

CASES = 240
COLUMNS = {"seq": "BIGINT", "case": "BIGINT", "k": "VARCHAR", "ts": "BIGINT", "x": "BIGINT", "r": "DOUBLE", "t": "VARCHAR"}
AGGREGATES = {
    "n": ("count()", "count(*)"),
    "nx": ("count(x)", "count(x)"),
    "sx": ("sum(x)", "sum(x)"),
    "sr": ("sum(r)", "sum(r)"),
    "srr": ("sum(r * 2 + 1)", "sum(r * 2 + 1)"),
    "lo": ("min(x)", "min(x)"),
    "hi": ("max(r)", "max(r)"),
    "ax": ("avg(x)", "avg(x)"),
    "ar": ("avg(r)", "avg(r)"),
    "vx": ("var(x)", "var_samp(x)"),
    "dr": ("stddev(r)", "stddev_samp(r)"),
    "head": ("first(x)", "arg_min(x, (ts, seq)) filter (x is not null)"),
    "tail": ("last(t)", "arg_max(t, (ts, seq)) filter (t is not null)"),
    "kinds": ("distinct(t)", "count(distinct t)"),
    "numbers": ("distinct(x + 0.5)", "count(distinct x)"),
    "top": ("topn(x, 3)", "list(x) filter (x is not null)"),
    "some": ("collect(t, 5)", "list(t) filter (t is not null)"),
    "q0": ("quantile(r, 0)", "min(r)"),
    "q1": ("quantile(r, 1)", "max(r)"),
}
# A whole real is written without a point.
REALS = ["sr", "srr", "hi", "ax", "ar", "vx", "dr", "q0", "q1", "mean", "deviation"]
FRAMES = {"after": "current row", "before": "1 preceding"}


def draw(rng, case):
    n, keys = rng.choice([1, 2, 10, 30, 60]), rng.choice([1, 2, 5])
    big = rng.random() < 0.2
    return [
        {
            "case": case,
            "k": f"k{rng.randrange(keys)}",
            "ts": rng.randrange(rng.choice([3, 1000])),
            "x": None if rng.random() < 0.15 else rng.choice([2**53 + 1, -(2**53), 7]) if big else rng.randint(-9, 9),
            "r": None if rng.random() < 0.15 else rng.choice([0.1, -2.5, 1e6, 3.0, rng.uniform(-1, 1)]),
            "t": None if rng.random() < 0.15 else rng.choice(["", "a", "b", "ü", "a b c"]) + str(rng.randrange(4)),
        }
        for _ in range(n)
    ]


def in_order(rows):
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def with_reals(rows):
    return [{name: float(v) if name in REALS and v is not None else v for name, v in row.items()} for row in rows]


def by_rank(rows):
    """What SQL has no aggregate for is made of its list of all values."""
    for row in rows:
        row["top"] = sorted(row["top"] or [], reverse=True)[:3]
        row["some"] = (row["some"] or [])[:5]
    return rows


@pytest.mark.parametrize("moment", FRAMES)
def test_running_aggregates_are_those_of_a_frame_that_grows(oracle, moment):
    rows = in_order(row for case, rng in cases(CASES, f"aggregate {moment}") for row in draw(rng, case))
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": "1ms"})
    aggregates = {name: leat for name, (leat, _) in AGGREGATES.items()}
    aggregate = {"type": "aggregate", "input": "events", "key": ["case", "k"], "moment": moment, "aggregate": aggregates}
    operators = {"got": {**aggregate, "shards": 3}}
    got = oracle.run(operators, ["got"], workers=2)["got"]
    frame = f"over (partition by \"case\", k order by seq rows between unbounded preceding and {FRAMES[moment]})"
    figures = ", ".join(
        f"{sql.replace(' filter (', f' filter (where ')} {frame} as {name}" for name, (_, sql) in AGGREGATES.items()
    )
    expected = oracle.query(f'select seq, "case", k, {figures} from events')
    same(with_reals(got), with_reals(by_rank(expected)), ["seq", "case", "k", *AGGREGATES])


def test_aggregates_go_on_from_what_was_stored(oracle):
    """Half of the rows, an end, then all of them: the second run reads on behind the first, with the state of the store."""
    rows = in_order(row for case, rng in cases(20, "aggregate stored") for row in draw(rng, case))
    aggregates = {name: leat for name, (leat, _) in AGGREGATES.items()}
    operators = {"got": {"type": "aggregate", "input": "events", "key": ["case", "k"], "aggregate": aggregates}}
    time = {"field": "ts", "unit": "us", "disorder": "1ms"}
    oracle.table("events", COLUMNS, rows, time=time)
    once = oracle.run(operators, ["got"])["got"]
    oracle.table("events", COLUMNS, rows[: len(rows) // 2], time=time)
    assert len(oracle.run(operators, ["got"], delivery="exactly-once")["got"]) == len(rows) // 2
    oracle.table("events", COLUMNS, rows, time=time)
    twice = oracle.run(operators, ["got"], delivery="exactly-once", goes_on=True)["got"]
    same(twice, once, ["seq", "case", "k", *AGGREGATES], digits=17)


def test_figures_of_one_field_are_those_of_a_frame_that_grows(oracle):
    rows = in_order(row for case, rng in cases(CASES, "figures") for row in draw(rng, case))
    oracle.table("events", COLUMNS, rows)
    names = ["count", "sum", "min", "max", "mean", "deviation"]
    operators = {"got": {"type": "aggregate", "input": "events", "key": ["case", "k"], "field": "x"}}
    got = oracle.run(operators, ["got"])["got"]
    frame = 'over (partition by "case", k order by seq rows between unbounded preceding and current row)'
    expected = oracle.query(
        f"""select seq, count(x) {frame} as count, coalesce(sum(x) {frame}, 0) as sum, min(x) {frame} as min, max(x) {frame} as max,
        avg(x) {frame} as mean, stddev_samp(x) {frame} as deviation from events"""
    )
    same(with_reals(got), with_reals(expected), ["seq", *names])


def test_approximations_are_within_their_error(oracle):
    """Of a uniform, a heavy-tailed, a normal and a tiny range, each also negative; the last row of each key."""
    quantiles = {f"q{i}": q for i, q in enumerate([0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1])}
    shapes = [
        lambda rng: rng.uniform(0, 1000),
        lambda rng: rng.paretovariate(0.5),
        lambda rng: rng.gauss(0, 1),
        lambda rng: 1e-9 * rng.random() ** 8,
    ]
    rows = []
    for case, rng in cases(24, "approximations"):
        sign, shape, n = rng.choice([1, -1]), shapes[case % 4], rng.choice([1, 5, 100, 900, 2000])
        rows += [{"case": case, "r": sign * shape(rng), "u": rng.randrange(4 * n)} for _ in range(n)]
    oracle.table("events", {"seq": "BIGINT", "case": "BIGINT", "r": "DOUBLE", "u": "BIGINT"}, in_order(rows))
    aggregates = {"users": "distinct(u)", **{name: f"quantile(r, {q})" for name, q in quantiles.items()}}
    got = oracle.run({"got": {"type": "aggregate", "input": "events", "key": "case", "aggregate": aggregates}}, ["got"])["got"]
    last = {row["case"]: row for row in got}
    expected = oracle.query('select "case", count(distinct u) as users, list_sort(list(r)) as r from events group by all')
    off = []
    assert len(expected) == len(last)
    for row in expected:
        found, n = last[row["case"]], len(row["r"])
        if row["users"] <= 500:
            assert found["users"] == row["users"]
        else:
            off.append(found["users"] / row["users"] - 1)
        for name, q in quantiles.items():
            assert math.isclose(found[name], row["r"][math.floor(q * (n - 1))], rel_tol=0.01 * (1 + 1e-9)), (row["case"], name)
    assert max(map(abs, off)) < 4 * 0.01625 and math.sqrt(sum(x * x for x in off) / len(off)) < 2 * 0.01625
