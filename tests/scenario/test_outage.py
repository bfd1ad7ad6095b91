# SPDX-License-Identifier: Apache-2.0
"""Kafka, PostgreSQL and Redis are away when a pipeline starts, and go and crash in its middle: it waits, and nothing is lost.

One pipeline with all three in it: from a Kafka topic through a script into a topic, a table and keys. Table and keys are written
idempotently, so whatever was done twice, they have to end up as recomputed from the topic that was read.
"""

import collections
import json
import re
import threading
import time

import psycopg
import pytest
import redis
from services import sync_always

USERS = 50
SERVICES = ["kafka", "postgres", "redis"]

SCRIPT = """
function process(event)
  event.twice = event.n * 2
  emit(event)
end
"""

# How the services are named in messages.
AWAY = {
    "kafka": r"could not reach kafka at {}: ",
    "postgres": r"could not (connect to|reach) postgres at {}: ",
    "redis": r"could not (connect to|reach) redis at {}: ",
}


def event(n):
    return {"n": n, "user": f"u{n % USERS}"}


class Feeder:
    """Writes events 0, 1, 2, ... to a topic at a steady pace, also while the broker is away. stop() returns how many arrived."""

    def __init__(self, kafka, topic):
        self.producer = kafka.producer(**{"enable.idempotence": True, "partitioner": "murmur2_random"})
        self.topic, self.n, self.refused = topic, 0, []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def delivered(self, error, _message):
        if error:
            self.refused.append(error)

    def work(self):
        while not self.is_over.wait(0.02):
            for _ in range(20):
                one = event(self.n)
                self.producer.produce(self.topic, json.dumps(one), one["user"], on_delivery=self.delivered)
                self.n += 1
            self.producer.poll(0)

    def stop(self):
        self.is_over.set()
        self.thread.join()
        assert self.producer.flush(60) == 0 and not self.refused, self.refused[:3]
        return self.n


@pytest.fixture
def feed(kafka):
    feeders = []

    def start(topic):
        feeders.append(Feeder(kafka, topic))
        return feeders[-1]

    yield start
    for one in feeders:
        one.is_over.set()
        one.thread.join()


class Everything:
    """The pipeline, and what has come out at its three ends."""

    def __init__(self, where, kafka, topic, table, prefix, pipeline):
        self.where, self.kafka, self.prefix = where, kafka, prefix
        self.source, self.copies = topic("in", partitions=4), topic("out", partitions=4)
        self.table = table("t", "n int primary key, twice int not null, \"user\" text not null")
        brokers = "${KAFKA_BROKERS}"
        self.run = pipeline({
            "pipeline": "outage",
            "delivery": "at-least-once",
            "sources": {"in": {"type": "kafka", "brokers": brokers, "topic": self.source, "start": "earliest",
                               "group": self.source}},
            "operators": {"doubled": {"type": "lua", "input": "in", "script": "double.lua"}},
            "sinks": {
                "copies": {"type": "kafka", "input": "doubled", "brokers": brokers, "topic": self.copies, "key": "{user}"},
                "rows": {"type": "postgres", "input": "doubled", "url": "${POSTGRES_URL}", "table": self.table, "upsert": "n"},
                "latest": {"type": "redis", "input": "doubled", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}",
                           "key": prefix + "user:{user}"},
                "events": {"type": "redis", "input": "doubled", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}",
                           "command": "set", "key": prefix + "event:{n}", "value": "{twice}"},
                "rejected": {"type": "file", "path": "rejected.jsonl",
                             "input": [node + ".dead" for node in ("in", "doubled", "copies", "rows", "latest", "events")]},
            },
        })
        (self.run.folder / "double.lua").write_text(SCRIPT)

    def address(self, service):
        return {
            "kafka": self.where["KAFKA_BROKERS"],
            "postgres": re.search(r"@([^/]+)/", self.where["POSTGRES_URL"])[1],
            "redis": f"{self.where['REDIS_HOST']}:{self.where['REDIS_PORT']}",
        }[service]

    def rows(self):
        try:
            with psycopg.connect(self.where["POSTGRES_URL"], connect_timeout=10) as connection:
                return {n: (twice, user) for n, twice, user in connection.execute(f'select n, twice, "user" from {self.table}')}
        except psycopg.OperationalError:
            return {}

    def latest(self):
        with redis.Redis.from_url(self.where["REDIS_URL"], decode_responses=True) as client:
            begin = self.prefix + "user:"
            return {key.removeprefix(begin): client.hgetall(key) for key in client.scan_iter(begin + "*", count=10000)}

    def events(self):
        with redis.Redis.from_url(self.where["REDIS_URL"], decode_responses=True) as client:
            begin = self.prefix + "event:"
            keys = list(client.scan_iter(begin + "*", count=10000))
            return {int(key.removeprefix(begin)): int(value) for key, value in zip(keys, client.mget(keys))} if keys else {}

    def wait_for_rows(self, n):
        self.run.wait_until(lambda: len(self.rows()) >= n, f"{n} rows")

    def wait_away(self, service, since=0):
        """Told in the log, from character `since` on, with host and port, and by /readyz. Returns the status of that page."""
        message = AWAY[service].format(re.escape(self.address(service)))
        line = re.compile(r"warning pipeline \"outage\": (source|sink) \"\w+\": " + message)
        self.run.wait_until(lambda: line.search(self.run.log, since), f"/{line.pattern}/")
        page = self.run.wait_until(lambda: re.search(message, self.run.get("/readyz")[1]) and self.run.get("/readyz"), "/readyz")
        assert re.search(message, " ".join(node["trouble"] for node in json.loads(page[1])["pipelines"][0]["nodes"]))
        return page[0]

    def wait_calm(self):
        self.run.wait_until(lambda: json.loads(self.run.get("/readyz")[1])["pipelines"][0]["nodes"] == [], "a calm /readyz")

    def assert_log_is_calm(self, service, since=0):
        """Few lines about trouble from each node, and every one names the service."""
        lines = re.findall(r"warning pipeline \"outage\": \w+ \"(\w+)\": (.*; trying again)", self.run.log[since:])
        assert max(collections.Counter(node for node, _ in lines).values()) <= 4, f"a flood of messages\n{self.run.log}"
        for _, line in lines:
            assert f"{service} at {self.address(service)}" in line

    def assert_nothing_is_lost(self, n):
        """Recomputed from the topic that was read."""
        messages = self.kafka.read(self.source)
        read = [json.loads(message.value()) for message in messages]
        # Twice is not wrong: a broker that crashed and came back may take again what the feeder's own client has sent before.
        assert {one["n"] for one in read} == set(range(n)), "the feeder has lost something"
        wanted = {one["n"]: (one["n"] * 2, one["user"]) for one in read}
        last = {one["user"]: {"n": str(one["n"]), "user": one["user"], "twice": str(one["n"] * 2)} for one in read}
        self.run.wait_until(lambda: self.rows() == wanted, "every row", timeout=60)
        self.run.wait_until(lambda: self.events() == {n: twice for n, (twice, _) in wanted.items()}, "every event in Redis")
        self.run.wait_until(lambda: self.latest() == last, "the last event of each user")
        self.run.wait_until(lambda: {one["n"] for one in self.kafka.read_json(self.copies)} == set(wanted), "every copy")
        self.run.wait_until(lambda: self.kafka.lag(self.source, self.source) == 0, "the group's offsets")
        assert {(one["n"], one["twice"], one["user"]) for one in self.kafka.read_json(self.copies)} == \
            {(i, *rest) for i, rest in wanted.items()}
        self.assert_order(self.kafka.read_json(self.copies))
        assert self.run.lines("rejected.jsonl") == []
        self.wait_calm()

    def assert_order(self, copies):
        """New events of a user come in their order, whatever came twice, and the last one is the last."""
        highest, last = {}, {}
        for one in copies:
            n, user = one["n"], one["user"]
            assert n <= highest.get(user, n % USERS - USERS) + USERS, f"event {n} came before its predecessor"
            highest[user], last[user] = max(n, highest.get(user, n)), n
        assert last == highest


@pytest.fixture
def everything(where, kafka, topic, table, redis_prefix, pipeline):
    return Everything(where, kafka, topic, table, redis_prefix, pipeline)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_away_at_the_start_is_waited_for(kafka, everything, services, service):
    kafka.write(everything.source, [(event(n)["user"], event(n)) for n in range(1000)])
    services.stop(service)
    run = everything.run.start()
    assert everything.wait_away(service) == 503
    time.sleep(4)
    assert run.get("/healthz")[0] == 200, "to start it again would not help"
    everything.assert_log_is_calm(service)
    services.start(service)
    everything.assert_nothing_is_lost(1000)
    assert run.get("/readyz")[0] == 200
    assert run.stop() == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_stops_and_crashes_in_the_middle_is_waited_for(everything, feed, services, redis_client, service):
    feeder = feed(everything.source)
    run = everything.run.start()
    everything.wait_for_rows(500)
    for end in (services.stop, services.crash):
        since = len(run.log)
        if service == "redis":
            sync_always(redis_client)
        end(service)
        everything.wait_away(service, since)
        time.sleep(3)
        assert run.get("/healthz")[0] == 200
        everything.assert_log_is_calm(service, since)
        services.start(service)
        everything.wait_calm()
        everything.wait_for_rows(len(everything.rows()) + 500)
    everything.assert_nothing_is_lost(feeder.stop())
    assert run.stop() == 0
