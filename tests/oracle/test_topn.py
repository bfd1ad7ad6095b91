# SPDX-License-Identifier: Apache-2.0
"""Rankings against those that SQL makes of all rows of the key up to each one. All cases share a run, as part of the key."""

import pytest
from oracle import cases, same

CASES = 240
COLUMNS = {"seq": "BIGINT", "case": "BIGINT", "k": "VARCHAR", "u": "VARCHAR", "v": "DOUBLE"}

# With items: when each had more than ever before. Of each, the last such row up to `upto` counts.
ENTRIES = {
    "items": """
        select *, u as item from (select *, max(v) over (partition by "case", k, u order by seq
            rows between unbounded preceding and 1 preceding) as before from events)
        where before is null or v > before""",
    "events": "select *, seq as item from events",
}
RANKED = """
    with entries as ({entries}),
    seen as (
        select now.seq as upto, now."case", now.k, e.item, e.v, e.seq as since,
            row_number() over (partition by now.seq, e.item order by e.seq desc) as newest
        from events as now join entries as e on e."case" = now."case" and e.k = now.k and e.seq <= now.seq
    ),
    ranked as (
        select *, row_number() over (partition by upto order by v desc, since) as rank from seen where newest = 1
    )
    select upto, "case", k, rank, item, v as value from ranked where rank <= {n}"""


def draw(rng, case):
    n, keys, items, top = rng.choice([1, 5, 30, 50]), rng.choice([1, 2]), rng.choice([1, 3, 8, 30]), rng.choice([4, 1000])
    return [
        {
            "case": case,
            "k": f"k{rng.randrange(keys)}",
            "u": f"u{rng.randrange(items)}",
            "v": None if rng.random() < 0.05 else rng.randint(-top, top) / rng.choice([1, 4]),
        }
        for _ in range(n)
    ]


def make_rows(oracle, name):
    """Those without a value are dead letters to leat; SQL does not get to see them."""
    rows = [{"seq": seq, **row} for seq, row in enumerate(row for case, rng in cases(CASES, name) for row in draw(rng, case))]
    oracle.table("events", COLUMNS, rows)
    oracle.duck.execute("delete from events where v is null")


def rankings(oracle, of, n):
    """{(case, k): [ranking after each event]}, a ranking being a list of (item, value)."""
    found = {}
    for row in oracle.query(RANKED.format(entries=ENTRIES[of], n=n) + " order by upto, rank"):
        found.setdefault((row["case"], row["k"]), {}).setdefault(row["upto"], []).append((row["item"], row["value"]))
    return {key: list(by_event.values()) for key, by_event in found.items()}


def changes(oracle, of, n):
    """Key, ranking before and ranking after, of each event that changed it."""
    for key, after in rankings(oracle, of, n).items():
        for was, now in zip([[], *after], after):
            if was != now:
                yield key, was, now


def topn(n, **options):
    return {"type": "topn", "input": "events", "key": ["case", "k"], "shards": 3, "by": "v", "n": n, **options}


@pytest.mark.parametrize("n", [1, 3, 10])
def test_items_are_ranked_by_their_largest(oracle, n):
    make_rows(oracle, f"topn items {n}")
    operators = {"rows": topn(n, of="u"), "list": topn(n, of="u", emit="list")}
    got = oracle.run(operators, ["rows", "list"], workers=2)
    rows, lists = [], []
    for (case, k), was, now in changes(oracle, "items", n):
        lists.append({"case": case, "k": k, "ranking": [{"item": item, "value": value} for item, value in now]})
        for i, entry in enumerate(now):
            if i >= len(was) or was[i] != entry:
                rows.append({"case": case, "k": k, "rank": i + 1, "item": entry[0], "value": entry[1]})
    same(got["list"], lists, ["case", "k", "ranking"])
    same(got["rows"], rows, ["case", "k", "rank", "item", "value"])


def test_rankings_go_on_from_what_was_stored(oracle):
    rows = [{"seq": seq, **row} for seq, row in enumerate(row for case, rng in cases(20, "topn stored") for row in draw(rng, case))]
    operators = {"items": topn(3, of="u"), "list": topn(3, emit="list")}
    oracle.table("events", COLUMNS, rows)
    once = oracle.run(operators, ["items", "list"])
    oracle.table("events", COLUMNS, rows[: len(rows) // 2])
    oracle.run(operators, ["items", "list"], delivery="exactly-once")
    oracle.table("events", COLUMNS, rows)
    twice = oracle.run(operators, ["items", "list"], delivery="exactly-once", goes_on=True)
    same(twice["items"], once["items"], ["case", "k", "rank", "item", "value"])
    same(twice["list"], once["list"], ["case", "k", "ranking"])


@pytest.mark.parametrize("n", [3])
def test_events_are_ranked_one_by_one(oracle, n):
    make_rows(oracle, f"topn events {n}")
    got = oracle.run({"rows": topn(n)}, ["rows"])
    rows = []
    for _, was, now in changes(oracle, "events", n):
        rows += [{"seq": e[0], "rank": i + 1, "v": e[1]} for i, e in enumerate(now) if i >= len(was) or was[i] != e]
    same(got["rows"], rows, ["seq", "rank", "v"])
