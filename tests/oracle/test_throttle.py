# SPDX-License-Identifier: Apache-2.0
"""throttle in event time: windows against ROW_NUMBER, buckets against fractions that are counted exactly."""

from fractions import Fraction

from oracle import cases, same

COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "k": "VARCHAR", "ts": "BIGINT"}
DISORDER, PER = 5000, 20000
STRIDE = 10**9


def make_rows(name, spreads):
    rows = []
    for case, rng in cases(200, name):
        now, spread = rng.randint(0, PER), rng.choice(spreads)
        for _ in range(rng.randint(1, 60)):
            now += rng.choice([0, 1, rng.randint(0, 4000)])
            rows.append({"case": case, "k": rng.choice("ab"), "ts": case * STRIDE + STRIDE // 2 + now - rng.randint(0, spread)})
    return [{"seq": seq, **row} for seq, row in enumerate(rows)]


def throttle(oracle, rows, limits, method):
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "us", "disorder": f"{DISORDER}us", "future": "0s"})
    options = {"type": "throttle", "input": "events", "key": ["case", "k"], "per": f"{PER}us", "clock": "event", "method": method}
    operators = {f"calm{limit}": {**options, "limit": limit} for limit in limits}
    return oracle.run(operators, [f"{name}{port}" for name in operators for port in ("", ".over", ".late", ".dead")])


def test_a_window_lets_the_first_rows_through_that_belong_to_it(oracle):
    limits = [1, 2, 5]
    got = throttle(oracle, make_rows("window", [0, 4000, 40000]), limits, "window")
    oracle.duck.execute(
        f"create table placed as select *, ts - ts % {PER} as start, coalesce(ts - ts % {PER} + {PER} <= "
        f"max(ts) over (order by seq rows between unbounded preceding and 1 preceding) - {DISORDER}, false) as is_late from events;"
        'create table numbered as select *, row_number() over (partition by "case", k, start, is_late order by seq) as n from placed'
    )
    for limit in limits:
        same(got[f"calm{limit}"], oracle.query(f"select seq from numbered where not is_late and n <= {limit}"), ["seq"])
        same(got[f"calm{limit}.over"], oracle.query(f"select seq from numbered where not is_late and n > {limit}"), ["seq"])
        same(got[f"calm{limit}.late"], oracle.query("select seq from numbered where is_late"), ["seq"])
        assert got[f"calm{limit}.dead"] == []
    assert len(got["calm1.late"]) > 100


def test_a_bucket_fills_to_the_microsecond(oracle):
    limits = [1, 3, 7]
    rows = make_rows("bucket", [0, 3000])
    got = throttle(oracle, rows, limits, "bucket")
    for limit in limits:
        buckets, expected = {}, {"": [], ".over": []}
        for row in rows:
            left, seen = buckets.get((row["case"], row["k"]), (Fraction(limit), row["ts"]))
            time = max(seen, row["ts"])
            left = min(Fraction(limit), left + Fraction((time - seen) * limit, PER))
            expected["" if left >= 1 else ".over"].append(row)
            buckets[(row["case"], row["k"])] = (left - 1 if left >= 1 else left, time)
        for port, wanted in expected.items():
            same(got[f"calm{limit}{port}"], wanted, ["seq"])
        assert got[f"calm{limit}.late"] == got[f"calm{limit}.dead"] == []
