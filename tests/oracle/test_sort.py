# SPDX-License-Identifier: Apache-2.0
"""sort, against ORDER BY; what is late, against the largest time of the rows before."""

from oracle import cases

COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "ts": "BIGINT"}
DISORDER = 50

# Each case begins so far behind the one before that their watermarks have nothing to do with each other.
STRIDE = 10**9


def make_rows(name, n):
    rows = []
    for case, rng in cases(200, name):
        now, spread = 0, rng.choice([0, 10, 60, 200])
        for _ in range(rng.randint(1, n)):
            now += rng.choice([0, 0, 1, rng.randint(0, 40)])
            rows.append({"case": case, "ts": case * STRIDE + now + STRIDE // 2 - rng.randint(0, spread)})
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def sort(oracle, rows, **options):
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": f"{DISORDER}us", "future": "0s"})
    got = oracle.run({"sorted": {"type": "sort", "input": "events", **options}}, ["sorted", "sorted.late", "sorted.dead"])
    assert got["sorted.dead"] == []
    return [row["seq"] for row in got["sorted"]], [row["seq"] for row in got["sorted.late"]]


def test_a_sort_is_an_order_by_of_what_is_not_late(oracle):
    out, late = sort(oracle, make_rows("sort", 60))
    oracle.duck.execute(
        f"create table judged as select *, ts < max(ts) over (order by seq rows between unbounded preceding and 1 preceding) - {DISORDER} "
        "as is_late from events"
    )
    assert out == [row["seq"] for row in oracle.query("select seq from judged where is_late is not true order by ts, seq")]
    assert late == [row["seq"] for row in oracle.query("select seq from judged where is_late order by seq")]
    assert 200 < len(late) < len(out)


def test_a_sort_with_little_room_keeps_the_order_and_loses_nothing(oracle):
    rows = make_rows("max", 40)
    out, late = sort(oracle, rows, max=5)
    assert sorted(out + late) == [row["seq"] for row in rows]
    in_order = [(rows[seq]["ts"], seq) for seq in out]
    assert in_order == sorted(in_order)
    newest, behind = None, set()
    for row in rows:
        if newest is not None and row["ts"] < newest - DISORDER:
            behind.add(row["seq"])
        newest = row["ts"] if newest is None else max(newest, row["ts"])
    # More are late than with room, as what went early has moved the bound.
    assert behind < set(late)
