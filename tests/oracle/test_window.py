# SPDX-License-Identifier: Apache-2.0
"""Windows of all kinds against SQL's. All cases share a run, as part of the key; so do windows of several lengths. What is late
follows from the order of arrival: one source partition has one watermark, the latest time before a row less the disorder."""

import datetime
import itertools

import pytest
from oracle import cases, same

CASES = 200
COLUMNS = {"seq": "BIGINT", "case": "BIGINT", "k": "VARCHAR", "ts": "BIGINT", "x": "BIGINT", "r": "DOUBLE"}
TOTALS = {
    "n": "count()",
    "nx": "count(x)",
    "sx": "sum(x)",
    "lo": "min(x)",
    "hi": "max(r)",
    "mean": "avg(x)",
    "dev": "stddev(r)",
    "head": "first(x)",
    "tail": "last(r)",
    "d": "distinct(x)",
    "top": "topn(r, 2)",
}
SQL_TOTALS = """count(*) as n, count(x) as nx, sum(x) as sx, min(x) as lo, max(r) as hi, avg(x) as mean, stddev_samp(r) as dev,
    arg_min(x, (ts, seq)) filter (x is not null) as head, arg_max(r, (ts, seq)) filter (r is not null) as tail,
    count(distinct x) as d, coalesce(list_sort(list(r) filter (r is not null), 'desc')[1:2], []) as top"""
ROW = ["case", "k", "window_start", "window_end", *TOTALS]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

# Rows in order of their times, in disorder, and in so much more of it that many are late.
ORDERS = {"sorted": (0, 0), "disorder": (60, 60), "late": (80, 30)}


def draw(rng, case):
    """A few keys, or none, with gaps between their events, ties and nulls, around 1970."""
    n, span, keys = rng.choice([0, 1, 5, 30]), rng.choice([30, 300, 1500]), rng.choice([1, 2, 4])
    start = rng.randrange(-700, 0)
    return [
        {
            "case": case,
            "k": None if rng.random() < 0.05 else f"k{rng.randrange(keys)}",
            "ts": start + rng.randrange(span),
            "x": None if rng.random() < 0.2 else rng.randint(-5, 5),
            "r": None if rng.random() < 0.2 else rng.choice([0.1, -2.5, 1e6, 3.0]),
        }
        for _ in range(n)
    ]


def make_events(oracle, name, order):
    spread, disorder = ORDERS[order]
    rng = cases(1, f"{name} order")[0][1]
    rows = [row for case, rng_ in cases(CASES, name) for row in draw(rng_, case)]
    rows.sort(key=lambda row: row["ts"] + rng.uniform(0, spread))
    rows = [{"seq": seq, **row} for seq, row in enumerate(rows)]
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": f"{disorder}us"})
    # `passed`: the watermark as each row sees it.
    oracle.duck.execute(
        f"""create or replace table arrived as select *, coalesce(max(ts) over (order by seq rows between unbounded preceding
        and 1 preceding) - {disorder}, -1000000) as passed from events"""
    )
    return rows


def window(**options):
    return {"type": "window", "input": "events", "key": ["case", "k"], "shards": 3, "aggregate": TOTALS, **options}


def us(text):
    time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (time.days * 86400 + time.seconds) * 1000000 + time.microseconds


def times(rows):
    return [{**row, **{name: us(row[name]) for name in ("window_start", "window_end") if name in row}} for row in rows]


def latest(rows, *identity):
    """The last row of each window: numbered without a gap, and final. Sliding windows that end together are counted as one."""
    last = {}
    for row in rows:
        key = tuple(row[name] for name in identity)
        number = last[key]["revision"] + 1 if key in last else 1
        assert row["revision"] >= number if identity == ("seq",) else row["revision"] == number, row
        last[key] = row
    assert all(row["is_final"] for row in last.values())
    return list(last.values())


def run(oracle, operators):
    """Rows by operator, with times as numbers. Null keys are dead letters, which nothing else may be."""
    outputs = [f"{name}{port}" for name in operators for port in ("", ".late", ".dead")]
    got = oracle.run(operators, outputs, workers=2)
    for name in operators:
        same([letter["payload"] for letter in got[f"{name}.dead"]], oracle.query("select seq from events where k is null"), ["seq"])
        got[name] = times(got[name])
    return got


def down(time, step, offset=0):
    """SQL for the last of the grid that is not behind the time."""
    return f"(({time}) - ((({time}) - {offset}) % {step} + {step}) % {step})"


def sql_windows(allow, size, slide=None, step=None, offset=0):
    """Each row with each of the windows that take it; in the one that is not taken by any, only with null."""
    every = step or slide or size
    if step:
        first, last, start = f"{down('ts', step, offset)} + {step}", f"{down('ts', size, offset)} + {size}", down("ts", size, offset)
    else:
        first = f"{down(f'ts - {size}', every, offset)} + {every} + {size}"
        last, start = f"{down('ts', every, offset)} + {size}", f"window_end - {size}"
    return f"""select *, {start} as window_start from (select *, unnest(range({first}, {last} + 1, {every})) as window_end
        from arrived where k is not null) where passed < window_end + {allow}"""


def expect_windows(oracle, rows, late, **options):
    allow = options.pop("allow", 0)
    windows = sql_windows(allow, **options)
    expected = oracle.query(
        f'select "case", k, window_start, window_end, {SQL_TOTALS} from ({windows}) group by "case", k, window_start, window_end'
    )
    same(latest(rows, "case", "k", "window_end", "window_start") if allow else rows, expected, ROW)
    not_taken = oracle.query(f"select seq from arrived where k is not null and seq not in (select seq from ({windows}))")
    same(late, not_taken, ["seq"])
    return len(not_taken)


GRIDS = {
    "tumbling": [{"size": 10}, {"size": 7, "offset": 3}, {"size": 100, "allow": 25}, {"size": 1}],
    "hopping": [
        {"size": 30, "slide": 10},
        {"size": 25, "slide": 10, "offset": 4},
        {"size": 91, "slide": 21, "allow": 60},
        {"size": 60, "slide": 20, "allow": 9},
    ],
    "cumulating": [{"size": 60, "step": 10}, {"size": 42, "step": 7, "offset": 5}, {"size": 300, "step": 20, "allow": 40}],
}


def in_us(options):
    return {name: f"{value}us" for name, value in options.items()}


@pytest.mark.parametrize("kind, order", [("tumbling", "sorted"), *itertools.product(GRIDS, ["disorder", "late"])])
def test_windows_of_fixed_length(oracle, kind, order):
    make_events(oracle, f"{kind} {order}", order)
    got = run(oracle, {f"w{i}": window(**in_us(options)) for i, options in enumerate(GRIDS[kind])})
    n_late = sum(expect_windows(oracle, got[f"w{i}"], got[f"w{i}.late"], **options) for i, options in enumerate(GRIDS[kind]))
    assert (n_late > 0) == (order == "late")


@pytest.mark.parametrize("order", ["disorder", "late"])
def test_sliding_windows(oracle, order):
    make_events(oracle, f"sliding {order}", order)
    lengths = [{"sliding": 1}, {"sliding": 20}, {"sliding": 500}, {"sliding": 40, "allow": 25}]
    got = run(oracle, {f"w{i}": window(**in_us(options)) for i, options in enumerate(lengths)})
    for i, options in enumerate(lengths):
        allow = options.get("allow", 0)
        taken = f"select * from arrived where k is not null and passed < ts + 1 + {allow}"
        # The frame of RANGE as a join: first and last go by arrival where times are equal.
        expected = oracle.query(
            f"""select event as seq, {SQL_TOTALS} from (select a.seq as event, b.* from ({taken}) a join ({taken}) b
                on a."case" = b."case" and a.k = b.k and b.ts between a.ts - {options['sliding'] - 1} and a.ts)
            group by event"""
        )
        same(latest(got[f"w{i}"], "seq") if allow else got[f"w{i}"], expected, ["seq", *TOTALS])
        late = oracle.query(f"select seq from arrived where k is not null and passed >= ts + 1 + {allow}")
        same(got[f"w{i}.late"], late, ["seq"])
        assert (len(late) > 0) == (order == "late")


def test_sessions(oracle):
    make_events(oracle, "sessions", "disorder")
    gaps = [1, 10, 60, 400]
    got = run(oracle, {f"w{i}": window(session=f"{gap}us") for i, gap in enumerate(gaps)})
    for i, gap in enumerate(gaps):
        expected = oracle.query(
            f"""select "case", k, min(ts) as window_start, max(ts) + {gap} as window_end, {SQL_TOTALS} from (
                select *, sum(is_first::int) over (partition by "case", k order by ts, seq) as island from (
                    select *, coalesce(ts - lag(ts) over (partition by "case", k order by ts, seq) >= {gap}, true) as is_first
                    from arrived where k is not null))
            group by "case", k, island"""
        )
        same(got[f"w{i}"], expected, ROW)
        assert got[f"w{i}.late"] == []


def late_sessions(rows, gap, allow):
    """Sessions as they come about one row after the other: lists of rows by key, and the rows that none takes."""
    sessions, late = {}, []
    for row in rows:
        if row["k"] is None:
            continue
        all_of_key = sessions.setdefault((row["case"], row["k"]), [])
        passed, time = row["passed"], row["ts"]
        mine = [s for s in all_of_key if passed < s["end"] + allow and s["start"] < time + gap and s["end"] > time]
        whole = {"rows": [row] + [r for s in mine for r in s["rows"]]}
        whole["start"] = min(r["ts"] for r in whole["rows"])
        whole["end"] = max(r["ts"] for r in whole["rows"]) + gap
        if passed >= whole["end"] + allow:
            late.append(row)
            continue
        all_of_key[:] = [s for s in all_of_key if all(s is not m for m in mine)] + [whole]
    return [s for all_of_key in sessions.values() for s in all_of_key], late


@pytest.mark.parametrize("allow", [0, 15, 1000])
def test_sessions_with_late_rows(oracle, allow):
    make_events(oracle, f"late sessions {allow}", "late")
    gap = 12
    got = run(oracle, {"w": window(session=f"{gap}us", allow=f"{allow}us")})
    sessions, late = late_sessions(oracle.query("select * from arrived order by seq"), gap, allow)
    assert (len(late) > 0) == (allow < 1000)
    same(got["w.late"], late, ["seq"])
    # Which rows a session has is settled; what they come to is SQL's.
    members = [(i, row["seq"], s["start"], s["end"]) for i, s in enumerate(sessions) for row in s["rows"]]
    oracle.duck.execute(
        """create or replace table members as select unnest($1) as island, unnest($2) as seq, unnest($3) as window_start,
        unnest($4) as window_end""",
        [list(column) for column in zip(*members)],
    )
    expected = oracle.query(
        f"""select "case", k, window_start, window_end, {SQL_TOTALS} from members join arrived using (seq)
        group by "case", k, island, window_start, window_end"""
    )
    rows = got["w"]
    if allow:
        # A session that is gone is not the last word on a start, if another session has it later.
        last = {(row["case"], row["k"], row["window_start"]): row for row in rows}
        rows = [row for row in last.values() if not row["is_gone"]]
    same(rows, expected, ROW)


@pytest.mark.parametrize("emit", [{"emit": "updates"}, {"early": "1ms"}])
def test_what_was_sent_before_changes_nothing_in_the_end(oracle, emit):
    """The last row of a window is final, and the one that emit: final has."""
    make_events(oracle, "updates", "late")
    kinds = [{"size": "10us"}, {"size": "60us", "slide": "20us"}, {"size": "60us", "step": "20us"}]
    operators = {f"{when}{i}": window(**kind, **options) for i, kind in enumerate(kinds) for when, options in [("a", {}), ("b", emit)]}
    got = run(oracle, operators)
    for i in range(len(kinds)):
        same(latest(got[f"b{i}"], "case", "k", "window_end", "window_start"), got[f"a{i}"], ROW)
        same(got[f"b{i}.late"], got[f"a{i}.late"], ["seq"])


def test_without_a_key_windows_are_over_all_partitions(oracle):
    rng = cases(1, "whole")[0][1]
    rows = [{"seq": seq, "ts": seq + rng.randrange(40), "x": rng.randint(-9, 9)} for seq in range(3000)]
    columns = {"seq": "BIGINT", "ts": "BIGINT", "x": "BIGINT"}
    oracle.table("events", columns, rows, time={"field": "ts", "unit": "us", "disorder": "40us"}, partitions=3)
    totals = {"n": "count()", "sx": "sum(x)", "hi": "max(x)"}
    operators = {"whole": {"type": "window", "input": "events", "size": "100us", "aggregate": totals}}
    got = oracle.run(operators, ["whole", "whole.late", "whole.dead"], workers=2)
    assert got["whole.late"] == got["whole.dead"] == []
    expected = oracle.query("select ts // 100 * 100 as window_start, count(*) as n, sum(x) as sx, max(x) as hi from events group by 1")
    same(times(got["whole"]), expected, ["window_start", "n", "sx", "hi"])
