# SPDX-License-Identifier: Apache-2.0
"""Events that cannot be processed, among good ones: each becomes a dead letter that says who, why and where; the others arrive."""

import base64
import json

import pytest

SCRIPT = """
function process(event)
  event.double = event.amount * 2
  emit(event)
end
"""

MAX_BYTES = 4096


def good(n):
    return {"id": n, "user": f"u{n % 7}", "amount": n, "note": f"n{n % 10}"}


def deep(levels):
    """A map with lists in it, `levels` altogether, that the script cannot take."""
    return b'{"id": 1, "user": "u1", "amount": [], "at": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


# What is written, the node that refuses it, what the reason says.
BAD = {
    "malformed": (b'{"id": 1, amount}', "in", "at byte 11"),
    "truncated": (b'{"id": 1, "user": "u1", "amo', "in", "truncated after byte 28"),
    "empty": (b"", "in", "the input is empty"),
    "two values": (b'{"id": 1} {"id": 2}', "in", "at byte 11"),
    "invalid UTF-8": (b'{"id": 1, "user": "\xff\xfe"}', "in", "invalid UTF-8 at byte 20"),
    "over max_bytes": (b'{"id": 1, "user": "' + b"x" * MAX_BYTES + b'"}', "in", "4117 bytes"),
    "too deep": (deep(129), "in", "nested deeper than 128"),
    "as deep as can be": (deep(128), "scored", "arithmetic on"),
    "no key": (b'{"id": 1, "amount": 1, "note": "n"}', "scored", 'field "user" is missing or null, and it is the key'),
    "key null": (b'{"id": 1, "user": null, "amount": 1}', "scored", 'field "user" is missing or null, and it is the key'),
    "wrong type": (b'{"id": 1, "user": "u1", "amount": {"eur": 1}}', "scored", "arithmetic on"),
    "field missing": (b'{"id": 1, "user": "u1"}', "scored", "arithmetic on"),
    "no map": (b"42", "scored", 'field "user" is missing or null, and it is the key'),
    "tombstone": (None, "scored", 'field "user" is missing or null, and it is the key'),
    "column of another type": (b'{"id": "one", "user": "u1", "amount": 1, "note": "n"}', "rows", "22P02"),
    "column out of range": (b'{"id": 2147483648, "user": "u1", "amount": 1, "note": "n"}', "rows", "22003"),
    "column too short": (b'{"id": 9000001, "user": "u1", "amount": 1, "note": "longer than five"}', "rows", "22001"),
    "column not null": (b'{"id": 9000002, "user": "u1", "amount": 1, "note": null}', "rows", "23502"),
}

# What gets as far as the other sinks.
REFUSED_BY_THE_TABLE = [json.loads(payload) for payload, node, _ in BAD.values() if node == "rows"]


def describe(source, copies, dead, table, prefix):
    brokers = "${KAFKA_BROKERS}"
    system = {"host": "${REDIS_HOST}", "port": "${REDIS_PORT}"}
    every_dead = ["in.dead", "scored.dead", "rows.dead", "latest.dead", "copies.dead"]
    return {
        "pipeline": "bad_events",
        "delivery": "at-least-once",
        "sources": {"in": {"type": "kafka", "brokers": brokers, "topic": source, "start": "earliest", "max_bytes": MAX_BYTES}},
        "operators": {"scored": {"type": "lua", "input": "in", "key": "user", "script": "score.lua"}},
        "sinks": {
            "copies": {"type": "kafka", "input": "scored", "brokers": brokers, "topic": copies, "key": "{user}"},
            "rows": {"type": "postgres", "input": "scored", "url": "${POSTGRES_URL}", "table": table, "upsert": "id"},
            "latest": {"type": "redis", "input": "scored", **system, "key": prefix + "{id}"},
            "dead_topic": {"type": "kafka", "input": every_dead, "brokers": brokers, "topic": dead},
            "dead_file": {"type": "file", "input": every_dead, "path": "dead.jsonl"},
        },
    }


def write(kafka, topic):
    """Good events with the bad ones spread among them. Returns where each bad one is: {name: (partition, offset)}."""
    producer, places = kafka.producer(**{"linger.ms": 50}), {}

    def note(name):
        def delivered(error, message):
            assert error is None, error
            places[name] = message.partition(), message.offset()

        return delivered

    names = list(BAD)
    for n in range(2000):
        producer.produce(topic, json.dumps(good(n)), f"u{n % 7}")
        if n % 100 == 50 and n // 100 < len(names):
            name = names[n // 100]
            producer.produce(topic, BAD[name][0], f"u{n % 7}", on_delivery=note(name))
    assert producer.flush(60) == 0
    assert set(places) == set(BAD)
    return places


@pytest.fixture
def result(kafka, topic, table, redis_prefix, pipeline):
    """One run over everything."""
    source, copies, dead = topic("in", partitions=2), topic("out"), topic("dead")
    name = table("t", 'id int primary key, "user" text not null, amount int not null, note varchar(5) not null, double numeric')
    run = pipeline(describe(source, copies, dead, name, redis_prefix))
    (run.folder / "score.lua").write_text(SCRIPT)
    places = write(kafka, source)
    run.start()
    run.wait_until(lambda: len(run.lines("dead.jsonl")) >= len(BAD), "all dead letters")
    run.wait_until(lambda: len(kafka.read(copies)) >= 2000 + len(REFUSED_BY_THE_TABLE), "all copies")
    assert run.get("/healthz")[0] == 200 and run.get("/readyz")[0] == 200
    figures = run.metrics()
    assert run.stop() == 0
    return {"run": run, "places": places, "copies": copies, "dead": dead, "table": name, "figures": figures}


def by_place(letters):
    places = {(letter["partition"], letter["offset"]): letter for letter in letters}
    assert len(places) == len(letters), "two dead letters for one event"
    return places


def payload_of(bad):
    """As it stands in a dead letter: text before it was decoded, a value after."""
    if bad is None:
        return None
    try:
        return json.loads(bad)
    except ValueError:
        return bad.decode(errors="replace")


def test_each_bad_event_becomes_a_dead_letter_and_the_good_ones_arrive(result, kafka, postgres, redis_client, redis_prefix):
    run, letters = result["run"], by_place(result["run"].lines("dead.jsonl"))
    assert sorted(letters) == sorted(result["places"].values())
    for name, (payload, node, reason) in BAD.items():
        letter = letters[result["places"][name]]
        assert (letter["pipeline"], letter["node"], letter["source"]) == ("bad_events", node, "in"), name
        assert reason in letter["reason"], name
        if name == "invalid UTF-8":
            continue  # below
        if node == "rows":
            assert letter["payload"] == {**json.loads(payload), "double": 2}, name
        elif node == "in":
            assert letter["payload"] == payload.decode(), name
        else:
            assert letter["payload"] == payload_of(payload), name
        if node == "scored" and "arithmetic" in reason:
            assert letter["where"].endswith("score.lua:3")
            assert "stack traceback" in letter["detail"]
    assert "payload" in letters[result["places"]["invalid UTF-8"]]

    # The topic has the same letters as the file.
    assert by_place(kafka.read_json(result["dead"])) == letters

    # Good ones are in all three sinks; what only the table refuses is in the other two.
    wanted = [{**good(n), "double": n * 2} for n in range(2000)]
    others = wanted + [{**event, "double": 2} for event in REFUSED_BY_THE_TABLE]

    def in_order(events):
        return sorted(events, key=lambda event: str(event["id"]))

    assert in_order(kafka.read_json(result["copies"])) == in_order(others)
    rows = postgres.execute(f'select id, "user", amount, note, double::int from {result["table"]}').fetchall()
    assert sorted(rows) == sorted(tuple(event[k] for k in ("id", "user", "amount", "note", "double")) for event in wanted)
    for event in others:
        written = {name: str(value) for name, value in event.items() if value is not None}
        assert redis_client.hgetall(redis_prefix + str(event["id"])) == written
    assert len(list(redis_client.scan_iter(redis_prefix + "*", count=1000))) == len(others)

    counted = {series: n for series, n in result["figures"].items() if series.startswith("leat_dead_letters_total") and n > 0}
    assert sum(counted.values()) == len(BAD)
    assert run.log.count("dead letter: ") >= 3


def test_bytes_of_an_invalid_payload_can_be_had_back(result, kafka):
    letter = by_place(result["run"].lines("dead.jsonl"))[result["places"]["invalid UTF-8"]]
    assert base64.b64decode(letter["payload"]) == BAD["invalid UTF-8"][0]
