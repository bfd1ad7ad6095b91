# SPDX-License-Identifier: Apache-2.0
"""sessionize, against islands between gaps; with late rows, against a naive search."""

import datetime

from oracle import cases, same

COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "k": "VARCHAR", "ts": "BIGINT"}
GAP, DISORDER = 30, 100
STRIDE = 10**9
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

ISLANDS = f"""
    create table starts as select *, coalesce(ts - lag(ts) over w >= {GAP}, true) as is_first from events
        window w as (partition by "case", k order by ts, seq);
    create table placed as select *, sum(is_first::int) over (partition by "case", k order by ts, seq) as island from starts;
    create table final as select *, min(ts) over i as start, row_number() over (partition by "case", k, island order by ts, seq) as number
        from placed window i as (partition by "case", k, island);
"""


def make_rows(name, spreads):
    rows = []
    for case, rng in cases(200, name):
        now, spread = 0, rng.choice(spreads)
        for _ in range(rng.randint(1, 50)):
            now += rng.choice([0, 1, GAP - 1, GAP, GAP + 1, rng.randint(0, 2 * GAP)])
            rows.append({"case": case, "k": rng.choice("abc"), "ts": case * STRIDE + STRIDE // 2 + now - rng.randint(0, spread)})
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def microseconds(text):
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


def sessions_of(rows):
    return [
        {
            "case": row["case"],
            "k": row["k"],
            "start": microseconds(row["session_start"]),
            "end": microseconds(row["session_end"]),
            "n": row["session_events"],
        }
        for row in rows
    ]


def table(oracle, rows):
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": f"{DISORDER}us", "future": "0s"})


def test_sessions_are_islands_between_gaps_in_any_order_of_rows(oracle):
    table(oracle, make_rows("islands", [0, 20, DISORDER]))
    options = {"type": "sessionize", "input": "events", "key": ["case", "k"], "gap": f"{GAP}us"}
    got = oracle.run({"visits": options}, ["visits", "visits.closed", "visits.late", "visits.dead"])
    oracle.duck.execute(ISLANDS)
    expected = oracle.query('select "case", k, min(ts) as start, max(ts) as "end", count(*) as n from placed group by "case", k, island')
    same(sessions_of(got["visits.closed"]), expected, ["case", "k", "start", "end", "n"])
    assert len(got["visits"]) == oracle.query("select count(*) as n from events")[0]["n"]
    assert got["visits.late"] == got["visits.dead"] == []


def test_rows_in_order_have_the_final_start_and_number(oracle):
    table(oracle, make_rows("marks", [0, DISORDER]))
    got = oracle.run(
        {
            "ordered": {"type": "sort", "input": "events", "key": ["case", "k"]},
            "visits": {"type": "sessionize", "input": "ordered", "key": ["case", "k"], "gap": f"{GAP}us"},
        },
        ["visits", "visits.closed"],
    )
    oracle.duck.execute(ISLANDS)
    marked = [{**row, "start": microseconds(row["session_start"]), "number": row["session_number"]} for row in got["visits"]]
    same(marked, oracle.query("select * from final"), ["seq", "start", "number"])
    names = {(row["case"], row["k"], row["start"]): row["session"] for row in marked}
    assert len(set(names.values())) == len(names) == len(got["visits.closed"])
    assert all(row["session"] == names[(row["case"], row["k"], row["start"])] for row in marked)


def test_late_rows_belong_to_sessions_that_are_open(oracle):
    rows = make_rows("late", [0, DISORDER, 4 * DISORDER])
    table(oracle, rows)
    options = {"type": "sessionize", "input": "events", "key": ["case", "k"], "gap": f"{GAP}us"}
    got = oracle.run({"visits": options}, ["visits.closed", "visits.late"])
    late, closed, open_, newest = [], [], {}, None
    for row in rows:
        sessions = open_.setdefault((row["case"], row["k"]), [])
        if newest is not None:
            closed += [s for s in sessions if s["end"] + GAP <= newest - DISORDER]
            sessions[:] = [s for s in sessions if s["end"] + GAP > newest - DISORDER]
        mine = [s for s in sessions if s["start"] - GAP < row["ts"] < s["end"] + GAP]
        if not mine and newest is not None and row["ts"] + GAP <= newest - DISORDER:
            late.append(row)
            continue
        joined = {"case": row["case"], "k": row["k"], "n": 1 + sum(s["n"] for s in mine)}
        joined["start"] = min([row["ts"]] + [s["start"] for s in mine])
        joined["end"] = max([row["ts"]] + [s["end"] for s in mine])
        sessions[:] = [s for s in sessions if s not in mine] + [joined]
        newest = row["ts"] if newest is None else max(newest, row["ts"])
    closed += [s for sessions in open_.values() for s in sessions]
    same(got["visits.late"], late, ["seq"])
    same(sessions_of(got["visits.closed"]), closed, ["case", "k", "start", "end", "n"])
    assert len(late) > 100
