# SPDX-License-Identifier: Apache-2.0
"""Recomputes everything from the input topic alone and compares it with what has arrived. Shares no code with leat."""

import collections
import json
import random
import threading

import psycopg
import redis
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec
from workload import GAP, LINES, NEAR, SLIDING

# How many differences of a kind are told.
TOLD = 3


def differences(what, found, wanted):
    """Of two dicts, as texts."""
    differing = [key for key in wanted if found.get(key) != wanted[key]] + [key for key in found if key not in wanted]
    told = [f"{what} of {key}: {first_difference(found.get(key), wanted.get(key))}" for key in differing[:TOLD]]
    return told + ([f"{what}: {len(differing)} of {len(wanted)} keys differ"] if differing else [])


def first_difference(found, wanted):
    if not isinstance(found, list) or not isinstance(wanted, list):
        return f"found {found}, recomputed {wanted}"
    at = next((i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), min(len(found), len(wanted)))
    return f"found {len(found)}, recomputed {len(wanted)}, the first to differ is [{at}]: found {found[at:at + 2]}, recomputed {wanted[at:at + 2]}"


class Expected:
    """What follows from the input topic."""

    def __init__(self, events):
        self.steps = collections.defaultdict(list)     # key: (seq, value, n, total, mix, last), in order
        self.postings = collections.defaultdict(list)  # account: (id, amount), sorted
        self.odd = []                                  # those that are taken
        self.refused = []
        self.times = collections.defaultdict(list)     # key: (ms, seq, value), in order
        for event in events:
            if event["kind"] == "step":
                self.add_step(event["key"], event["seq"], event["value"])
                self.times[event["key"]].append((event["at"], event["seq"], event["value"]))
            elif event["kind"] == "mark":
                pass
            elif event["kind"] == "odd":
                (self.odd if event["id"] % 10 else self.refused).append(event["id"])
            else:
                self.postings[event["from"]].append((event["id"], -event["amount"]))
                self.postings[event["to"]].append((event["id"], event["amount"]))
        for postings in self.postings.values():
            postings.sort()

    def add_step(self, key, seq, value):
        _, _, n, total, mix, last = self.steps[key][-1] if self.steps[key] else (0, 0, 0, 0, 0, 0)
        assert seq == n + 1, f"the input itself is not in order: step {seq} of {key} follows step {n}"
        self.steps[key].append((seq, value, n + 1, total + value, mix ^ value, n))

    def windows(self):
        """What comes of windows and the join: rows of (kind, a, b, n, total) by key, sorted."""
        return {key: sorted(row for make in (sliding, sessions, near) for row in make(steps)) for key, steps in self.times.items()}

    @property
    def n(self):
        return sum(len(ones) for by_key in (self.steps, self.postings) for ones in by_key.values())


def sliding(steps):
    first = total = 0
    for i, (at, seq, value) in enumerate(steps):
        total += value
        while steps[first][0] <= at - SLIDING:
            total -= steps[first][2]
            first += 1
        yield "sliding", seq, 0, i + 1 - first, total


def sessions(steps):
    run = []
    for step in [*steps, None]:
        if run and (step is None or step[0] >= run[-1][0] + GAP):
            yield "session", run[0][0] * 1000, (run[-1][0] + GAP) * 1000, len(run), sum(value for _, _, value in run)
            run = []
        run.append(step)


def near(steps):
    thirds = [(at, seq) for at, seq, _ in steps if seq % 3 == 0]
    for at, seq, _ in steps:
        if seq % 10 == 0:
            met = [other for then, other in thirds if at - NEAR <= then <= at + NEAR]
            yield from (("near", seq, other, 0, 0) for other in met or [0])


class Found:
    """What is in the three systems."""

    def __init__(self, kafka, postgres_url, redis_client, topic, steps, postings, prefix):
        self.kafka, self.postgres_url, self.redis = kafka, postgres_url, redis_client
        self.topic, self.steps, self.postings, self.prefix = topic, steps, postings, prefix
        self.run, self.folder = None, None  # the pipeline, for its letters; for the sink `file`
        self.odd_table, self.windows_table = None, None

    def count(self, system):
        """How many steps and postings have come there. It is asked for all the time: whether each came once, check() finds out."""
        if system == "postgres":
            return self.query(f"select (select count(*) from {self.steps}) + (select count(*) from {self.postings})")[0][0]
        if system == "redis":
            return sum(self.counters("counts").values())
        return sum(len({one[0] for one in ones}) for by_key in self.messages() for ones in by_key.values())

    def query(self, query):
        """On a connection of its own: others may have been cut."""
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def rows(self, query):
        found = collections.defaultdict(list)
        for key, *row in self.query(query):
            found[key].append(tuple(row))
        return found

    def step_rows(self):
        return self.rows(f"select key, seq, value, n, total, mix, last from {self.steps} order by key, seq, n")

    def posting_rows(self):
        return self.rows(f"select key, id, amount, n, balance from {self.postings} order by key, n, id")

    def count_windows(self):
        return self.query(f"select count(*) from {self.windows_table}")[0][0] if self.windows_table else 0

    def window_rows(self):
        return self.rows(f"select key, kind, a, b, n, total from {self.windows_table} order by key, kind, a, b, n, total")

    def messages(self):
        """Steps and postings of the topic, each key in the order of its partition."""
        events = []
        for message in self.kafka.read(self.topic):
            events.append(json.loads(message.value()))
            assert message.key().decode() == events[-1]["key"]
        return self.sort(events)

    def lines(self):
        """Those of the files, the oldest first."""
        old = sorted(self.folder.glob(LINES + ".[0-9]*"), key=lambda file: -int(file.suffix[1:]))
        files = [file for file in [*old, self.folder / LINES] if file.exists()]
        return self.sort(json.loads(line) for file in files for line in file.read_text().splitlines())

    @staticmethod
    def sort(events):
        steps, postings = collections.defaultdict(list), collections.defaultdict(list)
        for event in events:
            if event["kind"] == "step":
                steps[event["key"]].append(tuple(event[name] for name in ("seq", "value", "n", "total", "mix", "last")))
            else:
                postings[event["key"]].append(tuple(event[name] for name in ("id", "amount", "n", "balance")))
        return steps, postings

    def counters(self, name):
        return {key: int(value) for key, value in self.redis.hgetall(self.prefix + name).items()}

    def odd_rows(self):
        return [row[0] for row in self.query(f"select id from {self.odd_table}")]

    def odd_counts(self):
        """Each as often as it was counted."""
        counts = [pair for digit in range(1, 10) for pair in self.counters(f"odd{digit}").items()]
        return [int(key) for key, n in counts for _ in range(n)]

    def dead_letters(self):
        """By node, in the queue of this run."""
        letters = collections.defaultdict(list)
        for line in self.run.call("dlq", "list", self.run.file, "--json").splitlines():
            letter = json.loads(line)
            letters[letter["node"]].append(letter)
        return letters

    def open_transactions(self):
        return [f"partition {p} is stable up to {stable} of {high}" for p, (stable, high) in self.unstable(self.topic).items()]

    def unstable(self, topic):
        """Partitions whose last stable offset is not the high watermark, with both."""
        partitions = self.kafka.partitions(self.kafka.admin, topic)
        ask = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in partitions}

        def ends(level):
            return {at.partition: end.result().offset for at, end in self.kafka.admin.list_offsets(ask, isolation_level=level).items()}

        stable, high = ends(IsolationLevel.READ_COMMITTED), ends(IsolationLevel.READ_UNCOMMITTED)
        return {p: (stable[p], high[p]) for p in high if stable[p] != high[p]}


def check_balances(what, found, wanted):
    """In which order two givers reach an account is nobody's business, but its balances have to add up in one."""
    faults = differences(what, {key: sorted(posting[:2] for posting in postings) for key, postings in found.items()}, wanted)
    for key, postings in found.items():
        balance = 0
        for at, (_, amount, n, told) in enumerate(postings):
            balance += amount
            if (n, told) != (at + 1, balance):
                faults.append(f"{what} of {key}: posting {at + 1} says number {n} and balance {told}, recomputed {balance}")
                break
    return faults


def check_kafka(found, expected):
    steps, postings = found.messages()
    return [
        *differences("Kafka, steps", steps, expected.steps),
        *check_balances("Kafka, postings", postings, expected.postings),
        *(f"Kafka, transactions: {one}" for one in found.open_transactions()),
    ]


def check_file(found, expected):
    steps, postings = found.lines()
    return [*differences("files, steps", steps, expected.steps), *check_balances("files, postings", postings, expected.postings)]


def check_postgres(found, expected):
    return [
        *differences("PostgreSQL, steps", found.step_rows(), expected.steps),
        *check_balances("PostgreSQL, postings", found.posting_rows(), expected.postings),
        *(differences("windows", found.window_rows(), expected.windows()) if found.windows_table else []),
    ]


def check_redis(found, expected):
    counts = {key: len(ones) for by_key in (expected.steps, expected.postings) for key, ones in by_key.items()}
    totals = {key: steps[-1][3] for key, steps in expected.steps.items()}
    balances = {key: sum(amount for _, amount in postings) for key, postings in expected.postings.items()}
    return [
        *differences("Redis, counts", found.counters("counts"), counts),
        *differences("Redis, totals", found.counters("totals"), totals),
        *differences("Redis, balances", found.counters("balances"), balances),
    ]


def check_odd(found, expected):
    """Of dead letters that were told once more after a restart, the event is gone: only their number is sure."""
    letters, faults = found.dead_letters(), []
    for node, ids in {"odd_rows": found.odd_rows(), "odd_counts": found.odd_counts()}.items():
        faults += differences(f"odd ones of {node}", collections.Counter(ids), collections.Counter(expected.odd))
        dead = letters.pop(node, [])
        told = collections.Counter(letter["payload"]["id"] for letter in dead if letter["failed"] == "event")
        if len(dead) != len(expected.refused) or any(n > 1 or one not in expected.refused for one, n in told.items()):
            twice = [one for one, n in told.items() if n > 1]
            faults.append(f"dead letters of {node}: {len(dead)}, refused {len(expected.refused)}; {len(told)} with their event, twice {twice[:TOLD]}")
    return faults + [f"dead letters of {node}: {ones[:TOLD]}" for node, ones in letters.items()]


def check(found, expected, systems):
    """All that is wrong, as texts."""
    checks = {"kafka": check_kafka, "postgres": check_postgres, "redis": check_redis, "file": check_file}
    faults = [fault for system in systems for fault in checks[system](found, expected)]
    if found.odd_table:
        return faults + check_odd(found, expected)
    return faults + [f"dead letters of {node}: {ones[:TOLD]}" for node, ones in found.dead_letters().items()]


class Watcher:
    """Looks at the ledger at random moments while leat runs: the sum of all postings is 0 in each snapshot."""

    LONGEST_PAUSE_S = 0.2

    def __init__(self, postgres_url, redis_url, postings, prefix, seed):
        self.postgres_url, self.redis_url, self.chance = postgres_url, redis_url, random.Random(seed)
        self.query = f"select coalesce(sum(amount), 0), count(*) from {postings}"
        self.balances = prefix + "balances"
        self.n, self.faults = 0, []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.is_over.is_set():
            try:
                with psycopg.connect(self.postgres_url, autocommit=True) as postgres, redis.Redis.from_url(self.redis_url) as client:
                    self.watch(postgres, client)
            except (psycopg.OperationalError, redis.RedisError):
                self.is_over.wait(0.2)  # the test has stopped one of them

    def watch(self, postgres, client):
        while not self.is_over.wait(self.chance.uniform(0, self.LONGEST_PAUSE_S)):
            total, n = postgres.execute(self.query).fetchone()
            if total != 0 or n % 2 != 0:
                self.faults.append(f"PostgreSQL, a snapshot: {n} postings with the sum {total}")
            balances = [int(value) for value in client.hvals(self.balances)]
            if sum(balances) != 0:
                self.faults.append(f"Redis, a snapshot: {len(balances)} balances with the sum {sum(balances)}")
            self.n += n > 0 or len(balances) > 0

    def stop(self):
        self.is_over.set()
        self.thread.join()
