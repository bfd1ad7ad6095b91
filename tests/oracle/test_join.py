# SPDX-License-Identifier: Apache-2.0
"""Joins of all kinds against SQL's. All cases share a run, as part of the key."""

import pytest
from oracle import cases, same

CASES = 200
COLUMNS = {"seq": "BIGINT", "case": "BIGINT", "side": "VARCHAR", "k": "BIGINT", "ts": "BIGINT"}
DISORDER = 30
TIME = {"field": "ts", "unit": "us", "disorder": f"{DISORDER}us"}
JOIN = {"inner": "join", "left": "left join", "outer": "full join"}
PORTS = ["join", "join.late", "join.dead"]
PAIR = ["left_seq", "right_seq"]


def draw(rng, case, side):
    """Rows of few keys and few times, so that many of them meet, some of them several times, and some have no key."""
    n, span, keys = rng.choice([0, 1, 5, 20]), rng.choice([20, 200]), rng.choice([1, 3, 10])
    return [
        {"case": case, "side": side, "k": None if rng.random() < 0.1 else rng.randrange(keys), "ts": rng.randrange(span)} for _ in range(n)
    ]


def draw_all(name, side):
    return [row for case, rng in cases(CASES, f"{name} {side}") for row in draw(rng, case, side)]


def shuffle(name, rows, disorder):
    """Numbered in an order in which no row comes after one that is newer by more than `disorder`."""
    rng = cases(1, f"{name} order")[0][1]
    rows = sorted(rows, key=lambda row: row["ts"] + rng.uniform(0, disorder))
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def make_sides(oracle, name):
    for side in ("l", "r"):
        oracle.table(side, COLUMNS, shuffle(f"{name} {side}", draw_all(name, side), DISORDER), time=TIME)


def join(left="l", right="r", **options):
    return {"join": {"type": "join", "input": {"left": left, "right": right}, "key": ["case", "k"], "shards": 3, **options}}


def sql(kind, before, after, latest=False):
    """With `latest` a left row meets but one: of several right rows at one time the one that came last."""
    text = f"""
        select l.seq as left_seq, r.seq as right_seq from l {JOIN[kind]} r
        on l."case" = r."case" and l.k = r.k and r.ts between l.ts - {before} and l.ts + {after}"""
    return text + (" qualify row_number() over (partition by l.seq order by r.ts desc, r.seq desc) = 1" if latest else "")


def pairs(rows):
    return [{f"{side}_seq": (row[side] or {}).get("seq") for side in ("left", "right")} for row in rows]


def expect_without_keys(oracle, dead, kind):
    """What has no key, and does not come out alone, is a dead letter."""
    sides = {"inner": "lr", "left": "r", "outer": ""}[kind]
    expected = [row for side in sides for row in oracle.query(f"select side, seq from {side} where k is null")]
    same([letter["payload"] for letter in dead], expected, ["side", "seq"])


@pytest.mark.parametrize("kind", ["inner", "left", "outer"])
@pytest.mark.parametrize("before, after", [(0, 0), (7, 0), (3, 20), (500, 500)])
def test_interval(oracle, kind, before, after):
    make_sides(oracle, f"interval {kind} {before}")
    got = oracle.run(join(kind=kind, before=f"{before}us", after=f"{after}us"), PORTS, workers=2)
    assert got["join.late"] == []
    same(pairs(got["join"]), oracle.query(sql(kind, before, after)), PAIR)
    expect_without_keys(oracle, got["join.dead"], kind)


@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("before", [1, 10, 500])
def test_asof(oracle, kind, before):
    make_sides(oracle, f"asof {kind} {before}")
    got = oracle.run(join(match="asof", kind=kind, before=f"{before}us"), PORTS, workers=2)
    assert got["join.late"] == []
    same(pairs(got["join"]), oracle.query(sql(kind, before, 0, latest=True)), PAIR)
    expect_without_keys(oracle, got["join.dead"], kind)


def test_asof_is_that_of_duckdb(oracle):
    """Which leaves open which of several rows at one time it takes, and has no oldest one."""
    make_sides(oracle, "asof of duckdb")
    once = 'select * from r qualify row_number() over (partition by "case", k, ts order by seq) = 1 order by seq'
    oracle.table("r", COLUMNS, oracle.query(once), time=TIME)
    got = oracle.run(join(match="asof", kind="left", before="1s"), PORTS)
    on = 'l."case" = r."case" and l.k = r.k and l.ts >= r.ts'
    same(pairs(got["join"]), oracle.query(f"select l.seq as left_seq, r.seq as right_seq from l asof left join r on {on}"), PAIR)


@pytest.mark.parametrize("options, allow", [({"kind": "inner"}, 0), ({"kind": "outer"}, 0), ({"kind": "left"}, 10), ({"match": "asof"}, 0)])
def test_rows_that_are_late_take_no_part(oracle, options, allow):
    """They leave by a port of their own, and what comes out is the join of the others."""
    name = f"late {options} {allow}"
    rows = shuffle(name, draw_all(name, "l") + draw_all(name, "r"), 5 * DISORDER)
    oracle.table("events", COLUMNS, rows, time=TIME)
    sides = {side: {"type": "filter", "input": "events", "where": f"side = '{side}'"} for side in "lr"}
    got = oracle.run({**sides, **join(before="5us", after="0us" if "match" in options else "10us", allow=f"{allow}us", **options)}, PORTS)
    late = {row["seq"] for row in got["join.late"]}
    newest = 0
    for row in rows:
        assert row["seq"] not in late or row["ts"] < newest - DISORDER - allow, row
        newest = max(newest, row["ts"])
    assert len(late) > 100
    for side in "lr":
        oracle.duck.execute(f"create view {side} as select * from events where side = '{side}' and seq not in {tuple(late)}")
    kind = options.get("kind", "inner")
    same(pairs(got["join"]), oracle.query(sql(kind, 5, 0 if "match" in options else 10, latest="match" in options)), PAIR)


@pytest.mark.parametrize("kind", ["inner", "left"])
def test_table(oracle, kind):
    """There is no order between inputs, so each phase is two starts: one changes the table, and the next one reads it."""
    tables = {"l": [], "r": []}
    columns = {**COLUMNS, "phase": "BIGINT", "gone": "BOOLEAN"}
    rng = cases(1, f"table {kind}")[0][1]
    for phase in range(2):
        for side in "rl":
            for row in draw_all(f"table {kind} {phase}", side):
                tables[side].append({**row, "seq": len(tables[side]), "phase": phase, "gone": rng.random() < 0.2})
            for name, rows in tables.items():
                oracle.table(name, columns, rows)
            got = oracle.run(join(match="table", kind=kind, deleted="gone"), PORTS, delivery="exactly-once", goes_on=True)
    expected = f"""
        with latest as (
            select l.seq as left_seq, r.seq as right_seq, coalesce(r.gone, true) as gone from l left join r
            on l."case" = r."case" and l.k = r.k and r.phase <= l.phase
            qualify row_number() over (partition by l.seq order by r.seq desc nulls last) = 1)
        select left_seq, case when not gone then right_seq end as right_seq from latest {"where not gone" if kind == "inner" else ""}"""
    same(pairs(got["join"]), oracle.query(expected), PAIR)
    expect_without_keys(oracle, got["join.dead"], kind)
