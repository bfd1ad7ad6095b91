# SPDX-License-Identifier: Apache-2.0
"""dedup in event time: against the first row of a key where `within` is long, against a naive search where it is short."""

from oracle import cases, same

COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "k": "VARCHAR", "ts": "BIGINT", "id": "BIGINT"}
DISORDER = 50
STRIDE = 10**9
PORTS = ["", ".duplicates", ".late"]


def make_rows(name):
    rows = []
    for case, rng in cases(200, name):
        now, spread = 0, rng.choice([0, 30, 120])
        for _ in range(rng.randint(1, 50)):
            now += rng.choice([0, 1, rng.randint(0, 30)])
            row = {"case": case, "k": rng.choice("ab"), "id": rng.randint(0, 3), "ts": case * STRIDE + STRIDE // 2 + now - rng.randint(0, spread)}
            rows += [row] * rng.choice([1, 1, 2])
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def dedup(oracle, rows, **options):
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": f"{DISORDER}us", "future": "0s"})
    options = {"type": "dedup", "input": "events", "key": ["case", "k"], "by": "id", "clock": "event", "shards": 3, **options}
    got = oracle.run({"unique": options}, [f"unique{port}" for port in [*PORTS, ".dead"]], workers=2)
    assert got["unique.dead"] == []
    return [got[f"unique{port}"] for port in PORTS]


def test_within_a_long_time_the_first_row_that_is_not_late_is_the_one(oracle):
    got = dedup(oracle, make_rows("long"), within="300s")
    oracle.duck.execute(
        "create table judged as select *, coalesce(ts < max(ts) over (order by seq rows between unbounded preceding and 1 preceding) "
        f"- {DISORDER}, false) as is_late from events;"
        'create table firsts as select *, min(seq) filter (where not is_late) over (partition by "case", k, id) as first from judged'
    )
    conditions = ["seq = first", "seq > first", "first is null or seq < first"]
    for rows, condition in zip(got, conditions):
        same(rows, oracle.query(f"select seq from firsts where {condition}"), ["seq"])
    assert len(got[2]) > 100


def test_within_a_short_time_rows_are_duplicates_of_what_went_through_near_them(oracle):
    for within, allow in ((20, 0), (45, 30), (45, 200)):
        rows = make_rows(f"short{within}{allow}")
        # Durations of less than a millisecond are refused: all times are in milliseconds here.
        thousand = [{**row, "ts": row["ts"] * 1000} for row in rows]
        oracle.table("events", COLUMNS, thousand, time={"field": "ts", "unit": "us", "disorder": f"{DISORDER}ms", "future": "0s"})
        options = {"type": "dedup", "input": "events", "key": ["case", "k"], "by": "id", "clock": "event"}
        options |= {"within": f"{within}ms", "allow": f"{allow}ms"}
        got = oracle.run({"unique": options}, [f"unique{port}" for port in PORTS])
        passed, newest, expected = {}, None, [[], [], []]
        for row in rows:
            times = passed.setdefault((row["case"], row["k"], row["id"]), [])
            watermark = None if newest is None else newest - DISORDER
            # What the watermark is `within` and `allow` past is forgotten, and no row that is near to it can be judged any more.
            near = [t for t in times if abs(t - row["ts"]) < within and (watermark is None or t + within + allow > watermark)]
            is_late = watermark is not None and row["ts"] + allow < watermark
            expected[1 if near else 2 if is_late else 0].append(row)
            if not near and not is_late:
                times.append(row["ts"])
            newest = row["ts"] if newest is None else max(newest, row["ts"])
        for rows_of_port, wanted in zip((got[f"unique{port}"] for port in PORTS), expected):
            same(rows_of_port, wanted, ["seq"])
