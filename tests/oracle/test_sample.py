# SPDX-License-Identifier: Apache-2.0
"""sample, against ROW_NUMBER over a key; and against itself: a rate keeps or drops all rows of a value."""

from oracle import cases, same

COLUMNS = {"seq": "BIGINT", "k": "VARCHAR", "v": "BIGINT"}
EVERY = [1, 2, 3, 7, 50]


def test_sample_takes_each_so_many_th_row_of_a_key(oracle):
    rows = []
    for case, rng in cases(200, "sample"):
        names = [f"{case}-{i}" for i in range(rng.randint(1, 6))]
        rows += [{"k": rng.choice(names), "v": rng.randint(0, 40)} for _ in range(rng.randint(1, 60))]
    rows = [{"seq": seq, **row} for seq, row in enumerate(rows)]
    oracle.table("events", COLUMNS, rows)
    operators = {f"every{n}": {"type": "sample", "input": "events", "key": "k", "every": n} for n in EVERY}
    operators["rate"] = {"type": "sample", "input": "events", "rate": 0.5, "by": "v"}
    got = oracle.run(operators, [port for name in operators for port in (name, f"{name}.other")], workers=2)
    for n in EVERY:
        numbered = "select *, row_number() over (partition by k order by seq) as i from events"
        same(got[f"every{n}"], oracle.query(f"select seq from ({numbered}) where (i - 1) % {n} = 0"), ["seq"])
        same(got[f"every{n}.other"], oracle.query(f"select seq from ({numbered}) where (i - 1) % {n} <> 0"), ["seq"])
    chosen = {row["v"] for row in got["rate"]}
    same(got["rate"], [row for row in rows if row["v"] in chosen], ["seq", "v"])
    same(got["rate.other"], [row for row in rows if row["v"] not in chosen], ["seq", "v"])
    assert 8 <= len(chosen) <= 33
