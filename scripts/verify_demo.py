#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the demo with services: recomputes everything from the input topic and compares it with what arrived.

    verify_demo.py wait    until PostgreSQL holds every distinct payment of the topic (a minute at most)
    verify_demo.py check   contents of the table, of Redis and of the two topics, read with psql, redis-cli and kcat

Shares no code with leat. Exit status 1 when anything differs.
"""

import csv
import io
import json
import math
import os
import subprocess
import sys
import time
from decimal import Decimal

LIMIT, WARM_UP = 6, 20


def call(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def topic(name):
    """Every record of a topic: (partition, offset, key, value as text)."""
    out = call("kcat", "-C", "-q", "-e", "-o", "beginning", "-b", os.environ["KAFKA_BROKERS"], "-t", name, "-f", "%p\t%o\t%k\t%s\n")
    records = []
    for line in out.splitlines():
        partition, offset, key, value = line.split("\t", 3)
        records.append((int(partition), int(offset), key, value))
    return sorted(records)


def sql(query):
    return call("psql", os.environ["POSTGRES_URL"], "-qAt", "--csv", "-c", query)


def redis(*commands):
    return call("redis-cli", "-p", os.environ["REDIS_PORT"], "-n", "1", "--json", input="\n".join(commands) + "\n").splitlines()


def distinct_payments(records):
    """The first of each id, in the order of its partition; all payments of a user are in one partition."""
    seen = set()
    for _, _, _, value in records:
        event = json.loads(value)
        if event["id"] not in seen:
            seen.add(event["id"])
            yield event, value


def expected(records):
    """What the rule in etc/demo/score.lua makes of the topic: (event, source text, usual, score, is_alert)."""
    users = {}
    for event, text in distinct_payments(records):
        n, mean, squares = users.get(event["user"], (0, 0.0, 0.0))
        score = 0.0
        if n >= WARM_UP and squares > 0:
            score = (event["amount"] - mean) / math.sqrt(squares / (n - 1))
        alert = score > LIMIT or score < -LIMIT
        yield event, text, mean, score, alert
        if not alert:
            delta = event["amount"] - mean
            mean = mean + delta / (n + 1)
            users[event["user"]] = (n + 1, mean, squares + delta * (event["amount"] - mean))


class Verdict:
    def __init__(self):
        self.is_good = True

    def compare(self, what, found, wanted):
        differing = [k for k in wanted if found.get(k) != wanted[k]] + [k for k in found if k not in wanted]
        print(f"{what:<13} {len(found)} found, {len(wanted)} recomputed: " + ("equal" if not differing else f"{len(differing)} DIFFER"))
        for key in differing[:3]:
            print(f"              {key}: found {found.get(key)}, recomputed {wanted.get(key)}")
        self.is_good = self.is_good and not differing and bool(wanted)


def events_of(name):
    """By id; an id that is there twice fails the comparison."""
    found = {}
    for _, _, key, value in topic(name):
        event = json.loads(value, parse_float=Decimal)
        if event["id"] in found or key != event["user"]:
            event = "twice, or under another key"
        found[json.loads(value)["id"]] = event
    return found


def check():
    verdict = Verdict()
    records = topic("payments")
    rows, latest, scores, alerts, planted = {}, {}, {}, {}, []
    for event, text, usual, score, is_alert in expected(records):
        exact = json.loads(text, parse_float=Decimal)
        rows[event["id"]] = (event["user"], Decimal(str(exact["amount"])), event["currency"], event["country"], event["ts"], usual, score)
        latest[event["user"]] = (event["id"], Decimal(str(exact["amount"])), usual, score)
        scores[event["id"]] = {**exact, "usual": Decimal(repr(usual)), "score": Decimal(repr(score))}
        if is_alert:
            alerts[event["id"]] = scores[event["id"]]
        if event.get("planted"):
            planted.append(event["id"])

    table = {}
    for row in csv.reader(io.StringIO(sql('select id, "user", amount, currency, country, ts, usual, score from payments'))):
        table[row[0]] = (row[1], Decimal(row[2]), row[3], row[4], int(row[5]), float(row[6]), float(row[7]))
    verdict.compare("PostgreSQL", table, rows)

    users = sorted(latest)
    hashes = {}
    for user, line in zip(users, redis(*(f"hgetall user:{user}" for user in users))):
        h = json.loads(line)
        hashes[user] = (h["id"], Decimal(h["amount"]), float(h["usual"]), float(h["score"])) if h else None
    count = int(redis("dbsize")[0]) - len(json.loads(redis("keys leat:fence:*")[0]))
    verdict.compare("Redis", hashes, latest)
    verdict.compare("Redis keys", {"keys": count}, {"keys": len(users)})
    verdict.compare("topic scores", events_of("scores"), scores)
    verdict.compare("topic alerts", events_of("alerts"), alerts)
    print(f"duplicates    {len(records) - len(rows)} of {len(records)} records were dropped")
    for name, ids in (("alerts.ids", alerts), ("planted.ids", planted)):
        with open(name, "w") as out:
            out.writelines(f"{i}\n" for i in sorted(ids))
    return 0 if verdict.is_good else 1


def wait():
    wanted = sum(1 for _ in distinct_payments(topic("payments")))
    for _ in range(120):
        if int(sql("select count(*) from payments")) >= wanted:
            return 0
        time.sleep(0.5)
    print(f"the table holds {sql('select count(*) from payments').strip()} of {wanted} payments after a minute", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if sys.argv[1:] not in (["wait"], ["check"]):
        sys.exit(__doc__)
    sys.exit(wait() if sys.argv[1] == "wait" else check())
