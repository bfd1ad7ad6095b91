# SPDX-License-Identifier: Apache-2.0
"""The redis plugin in whole pipelines."""

import collections
import json
import re


def describe(url, source, sinks, operators=None):
    host, port = re.match(r"redis://(?:[^@]*@)?([^:/]+):(\d+)", url).groups()
    system = {"host": host, "port": int(port)}
    for node in [*sinks.values(), *(operators or {}).values()]:
        if node["type"] == "redis":
            node.update(system)
    dead = ["events.dead", *(f"{name}.dead" for name in [*(operators or {}), *sinks])]
    sinks = {**sinks, "rejected": {"type": "file", "input": dead, "path": "rejected.jsonl"}}
    description = {"pipeline": "redis_scenario", "delivery": "at-least-once", "sources": {"events": source}, "sinks": sinks}
    return {**description, "operators": operators} if operators else description


def file_source(folder, events):
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return {"type": "file", "path": str(file)}


def rejected(run):
    file = run.folder / "rejected.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_every_command_does_what_it_says(where, redis_client, redis_prefix, pipeline, tmp_path):
    events = [{"id": i, "user": f"u{i % 7}", "amount": i, "text": "\r\n$3 \u00e9"} for i in range(3000)]
    p = redis_prefix
    sinks = {
        "latest": {"type": "redis", "input": "events", "key": p + "latest:{user}"},
        "copies": {"type": "redis", "input": "events", "command": "set", "key": p + "copy:{id}", "ttl": "10m"},
        "totals": {"type": "redis", "input": "events", "command": "incrby", "key": p + "totals", "field": "{user}", "by": "amount"},
        "stream": {"type": "redis", "input": "events", "command": "xadd", "key": p + "stream", "fields": ["id", "user"]},
    }
    run = pipeline(describe(where["REDIS_URL"], file_source(tmp_path, events), sinks)).start()
    assert run.wait_exit() == 0
    assert rejected(run) == []
    totals = collections.Counter()
    for event in events:
        totals[event["user"]] += event["amount"]
    assert {user: int(n) for user, n in redis_client.hgetall(p + "totals").items()} == totals
    for event in events[-7:]:
        assert redis_client.hgetall(p + f"latest:{event['user']}") == {name: str(value) for name, value in event.items()}
    assert json.loads(redis_client.get(p + "copy:17")) == events[17]
    assert 500 < redis_client.ttl(p + "copy:17") <= 600
    stream = [entry for _, entry in redis_client.xrange(p + "stream")]
    assert stream == [{"id": str(event["id"]), "user": event["user"]} for event in events]


def test_a_key_of_another_type_becomes_a_dead_letter(where, redis_client, redis_prefix, pipeline, tmp_path):
    redis_client.set(redis_prefix + "5", "text")
    sinks = {"latest": {"type": "redis", "input": "events", "key": redis_prefix + "{id}"}}
    run = pipeline(describe(where["REDIS_URL"], file_source(tmp_path, [{"id": i} for i in range(10)]), sinks)).start()
    assert run.wait_exit() == 0
    assert len(rejected(run)) == 1 and "WRONGTYPE" in json.dumps(rejected(run))
    assert redis_client.get(redis_prefix + "5") == "text"
    assert redis_client.exists(*(redis_prefix + str(i) for i in range(10))) == 10


def test_a_lookup_enriches(where, redis_client, redis_prefix, pipeline, tmp_path):
    for i in range(50):
        redis_client.hset(redis_prefix + f"user:{i}", mapping={"tier": f"tier{i}"})
    operators = {"users": {"type": "redis", "input": "events", "command": "hget", "lookup": redis_prefix + "user:{user}",
                           "fields": "tier", "missing": "drop"}}
    sinks = {"copy": {"type": "file", "input": "users", "path": "copy.jsonl"}}
    events = [{"id": i, "user": i % 100} for i in range(2000)]
    run = pipeline(describe(where["REDIS_URL"], file_source(tmp_path, events), sinks, operators)).start()
    assert run.wait_exit() == 0
    found = [json.loads(line) for line in (run.folder / "copy.jsonl").read_text().splitlines()]
    assert sorted((e["id"], e["tier"]) for e in found) == [(e["id"], f"tier{e['user']}") for e in events if e["user"] < 50]


def copy(client, pairs):
    with client.pipeline(transaction=True) as transaction:
        for source, to in pairs:
            transaction.copy(source, to, replace=True)
        transaction.execute()


def test_what_a_failover_loses_is_delivered_again(where, redis_client, redis_prefix, pipeline):
    """Data and fence are put back to what they were, as by a replica that had not received the rest; in the middle of things and
    while leat is down."""
    stream, name = redis_prefix + "stream", "back_" + re.sub("[^a-z0-9]", "", redis_prefix.lower())[-20:]
    fence = f"leat:fence:{name}:out"
    sink = {"type": "redis", "input": "ticks", "command": "xadd", "key": stream, "fields": ["id"]}
    describe(where["REDIS_URL"], {}, {"out": sink})  # where it is
    source = {"type": "generate", "rate": 1500, "count": 6000, "duplicates": 0}
    keys = [(stream, redis_prefix + "stream.was"), (fence, redis_prefix + "fence.was")]

    def wait_for(n):
        run.wait_until(lambda: redis_client.xlen(stream) >= n, f"entry {n}")

    run = pipeline({"pipeline": name, "sources": {"ticks": source}, "sinks": {"out": sink}}).start()
    try:
        wait_for(500)
        copy(redis_client, keys)
        wait_for(1500)
        copy(redis_client, [(was, key) for key, was in keys])
        run.wait_log(r'sink "out": it has gone back from epoch \d+ to \d+')
        wait_for(2500)
        run.kill()
        copy(redis_client, [(was, key) for key, was in keys])
        run.start()
        run.wait_log(r'sink "out": it has gone back from epoch \d+ to \d+')
        assert run.wait_exit() == 0
        ids = [entry["id"] for _, entry in redis_client.xrange(stream)]
        assert len(ids) == 6000 and sorted(set(ids)) == ids
    finally:
        run.kill()
        redis_client.delete(fence)
