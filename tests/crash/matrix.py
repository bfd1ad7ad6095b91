# SPDX-License-Identifier: Apache-2.0
"""What test_fault_points.py goes through: cases, and chains of cases, each of which is one trial.

A case is a fault point, what happens there, and at which passing: the first, the third, or one that the seed chooses. The sample
has each point with each that can happen there, once, and the seed chooses the passing; the full matrix has all cases,
LEAT_CRASH_FULL times. The order is the seed's.
"""

import collections
import json
import os
import pathlib
import random
import re
import subprocess

from services import SOURCE

FULL = int(os.environ.get("LEAT_CRASH_FULL", "0"))
RESULTS = os.environ.get("LEAT_CRASH_RESULTS")

# Name -> what comes of an error there: the status of core/base/fault.c.
LIST = (SOURCE / "core" / "base" / "fault.c").read_text()
POINTS = dict(re.findall(r'^\t\{ "([a-z-]+)", LEAT_(\w+) \},$', LIST, re.MULTILINE))

# Those of `leat state backup`, which is another process.
BACKUP = [point for point in POINTS if point.startswith("backup-")]

# In the order in which a start comes to them, as far as it is one.
RECOVERY = [
    "store-open-after", "store-match-after", "incarnation-before", "incarnation-after", "restore-before", "restore-timers-before",
    "restore-timers-after", "restore-after", "claim-before", "postgres-claim-locked", "postgres-claim-taken", "postgres-claim-after",
    "redis-claim-before", "redis-claim-after", "kafka-takeover-before", "kafka-takeover-after", "kafka-own-before", "claim-after",
    "recover-before", "recover-after", "source-open-before", "source-open-after",
]  # fmt: skip

# Passed only when leat is told to end.
AT_THE_END = [point for point in POINTS if re.match("drain|finish-write|store-close", point)]

# Passed only when the life before has ended there.
AFTER = {"file-cut-before": "file-sync-after", "file-cut-after": "file-sync-after"}

# How often they are passed for sure, by what they begin with: once in the life of a process, for each shard, sink or partition,
# when a file is full, or when an effect is refused. All others are passed with every epoch or delivery.
FEW = {
    "store-open": 1, "store-match": 1, "store-close": 1, "incarnation": 1, "drain": 1, "finish-write": 1, "kafka-own": 1,
    "file-cut": 1, "kafka-takeover": 2, "postgres-claim": 2, "redis-claim": 3, "source-open": 4, "claim": 7, "recover": 7,
    "restore": 12, "source-commit": 12, "file-rotate": 4, "bury": 4, "postgres-apart": 4, "postgres-keep": 4,
}  # fmt: skip
OFTEN = 40

CHAIN = 14

Case = collections.namedtuple("Case", ["point", "action", "when"])


def passings(point):
    return next((n for start, n in FEW.items() if point.startswith(start)), OFTEN)


def actions(point):
    return ["kill"] if POINTS[point] == "OK" else ["kill", "error"]


def whens(point):
    return ["first", "third", "random"][: min(passings(point), 3)]


def passing(case, chance):
    """At which one the case acts."""
    n = passings(case.point)
    return {"first": 1, "third": min(n, 3), "random": chance.randint(1, n)}[case.when]


def sample(seed):
    chance = random.Random(seed)
    pairs = [(point, action) for point in POINTS if point not in BACKUP for action in actions(point)]
    chance.shuffle(pairs)
    return [Case(point, action, chance.choice(whens(point))) for point, action in pairs]


def full(seed):
    cases = [Case(point, action, when) for point in POINTS if point not in BACKUP for action in actions(point) for when in whens(point)]
    chance, all_rounds = random.Random(seed), []
    for _ in range(FULL):
        chance.shuffle(cases)
        all_rounds += cases
    return all_rounds


def chains(seed):
    cases = full(seed) if FULL else sample(seed)
    return [cases[i : i + CHAIN] for i in range(0, len(cases), CHAIN)]


def commit():
    """What is tested, with a + when something in it was changed."""
    words = ["git", "-C", SOURCE, "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() or "unknown"


COMMIT = commit()  # now: a long run may see others


class Results:
    """Of a long run, a line of JSON for each case; a run with the same file goes on where the last one was."""

    def __init__(self, file=RESULTS):
        self.file = pathlib.Path(file) if file else None

    def read(self):
        if not self.file or not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def seed(self):
        """That of the run which has begun the file."""
        return next((one["seed"] for one in self.read()), None)

    def done(self, seed):
        """Numbers of the chains that need not be run again."""
        return {one["chain"] for one in self.read() if one["seed"] == seed and "chain" in one}

    def append(self, lines):
        """In one write: the processes of `pytest -n` have the same file."""
        if self.file:
            text = "".join(json.dumps({**line, "commit": COMMIT}) + "\n" for line in lines)
            with open(self.file, "ab", buffering=0) as file:
                file.write(text.encode())
