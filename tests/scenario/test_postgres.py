# SPDX-License-Identifier: Apache-2.0
"""The postgres plugin in whole pipelines."""

import json
import re


def write_events(folder, events):
    file = folder / "events.jsonl"
    file.write_text("".join(event if isinstance(event, str) else json.dumps(event) + "\n" for event in events))
    return str(file)


def describe(file, sink, operators=None, after="events"):
    description = {
        "pipeline": "postgres_scenario",
        "delivery": "at-least-once",
        "sources": {"events": {"type": "file", "path": file}},
        "sinks": {
            "rows": {"type": "postgres", "input": after, "url": "${POSTGRES_URL}", **sink},
            "rejected": {"type": "file", "input": ["events.dead", "rows.dead"], "path": "rejected.jsonl"},
        },
    }
    if operators:
        description["operators"] = operators
        description["sinks"]["rejected"]["input"] += [f"{name}.dead" for name in operators]
    return description


def rejected(run):
    file = run.folder / "rejected.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_rows_arrive_and_bad_ones_become_dead_letters(postgres, table, pipeline, tmp_path):
    name = table("t", "id int primary key, amount numeric not null, note text, doc jsonb")
    events = [{"id": i, "amount": i, "note": f"'); -- {i}", "doc": {"i": [i]}} for i in range(5000)]
    events[1234] = {"id": "x", "amount": 1}
    events[4321] = {"id": 4321, "amount": None}
    events[7] = '{"id": 7, "amount": 12345678901234567890.10, "note": "exact"}\n'
    run = pipeline(describe(write_events(tmp_path, events), {"table": name})).start()
    assert run.wait_exit() == 0
    assert postgres.execute(f"select count(*) from {name}").fetchone() == (4998,)
    assert str(postgres.execute(f"select amount from {name} where id = 7").fetchone()[0]) == "12345678901234567890.10"
    assert postgres.execute(f"select note, doc from {name} where id = 9").fetchone() == ("'); -- 9", {"i": [9]})
    reasons = " ".join(json.dumps(letter) for letter in rejected(run))
    assert len(rejected(run)) == 2 and "22P02" in reasons and "23502" in reasons


def test_an_upsert_keeps_the_last_of_each_key(postgres, table, pipeline, tmp_path):
    name = table("t", "id int primary key, n int")
    events = [{"id": i % 97, "n": i} for i in range(20000)]
    run = pipeline(describe(write_events(tmp_path, events), {"table": name, "upsert": "id"})).start()
    assert run.wait_exit() == 0
    expected = {event["id"]: event["n"] for event in events}
    assert dict(postgres.execute(f"select id, n from {name}").fetchall()) == expected
    assert rejected(run) == []


def test_a_lookup_enriches(postgres, table, pipeline, tmp_path):
    users, rows = table("users", "id int primary key, tier text"), table("t", "id int, tier text")
    postgres.execute(f"insert into {users} select i, 'tier' || i from generate_series(0, 49) i")
    events = [{"id": i, "user": i % 100} for i in range(3000)]
    operators = {"users": {"type": "postgres", "input": "events", "url": "${POSTGRES_URL}", "table": users,
                           "match": {"id": "user"}, "columns": ["tier"]}}
    run = pipeline(describe(write_events(tmp_path, events), {"table": rows}, operators, "users")).start()
    assert run.wait_exit() == 0
    found = dict(postgres.execute(f"select id, tier from {rows}").fetchall())
    assert found == {i: f"tier{i % 100}" if i % 100 < 50 else None for i in range(3000)}


def test_a_table_that_is_not_there_is_told_at_once(postgres, pipeline, tmp_path):
    run = pipeline(describe(write_events(tmp_path, [{"id": 1}]), {"table": "no_such_table"})).start()
    assert run.wait_exit() not in (0, None)
    assert re.search(r'table "no_such_table" does not exist in database "leat" at 127\.0\.0\.1:\d+', run.log)
