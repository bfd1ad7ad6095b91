# SPDX-License-Identifier: Apache-2.0
"""State that expires while nobody asks for it: it leaves the disk, kills or not, and what lives loses nothing."""

import collections
import hashlib
import json
import threading

from pipeline import PATIENCE

FORGOTTEN, LIVING = 60_000, 20
FORGET = 20  # seconds; longer than a kill and a start

FORGETFUL = f"""
pipeline: forgetful
sources:
  payments: {{type: file, path: in.jsonl, follow: true}}
operators:
  spend: {{type: aggregate, input: payments, key: user, forget: {FORGET}s, figures: {{n: count}}}}
sinks:
  out: {{type: file, input: spend, path: out.jsonl}}
"""


def gone(i):
    """Names that do not compress."""
    return hashlib.sha256(b"%d" % i).hexdigest()


class Feeder(threading.Thread):
    """Many users once, and then a few again and again."""

    def __init__(self, path):
        super().__init__()
        self.path, self.stop, self.n_rounds = path, threading.Event(), 0
        with open(path, "w") as file:
            file.writelines(f'{{"user":"{gone(i)}"}}\n' for i in range(FORGOTTEN))

    def run(self):
        while not self.stop.wait(0.3):
            with open(self.path, "a") as file:
                file.writelines(f'{{"user":"here{i}"}}\n' for i in range(LIVING))
            self.n_rounds += 1


def counts(run):
    """{user: its counts in the order of the file}"""
    counts = collections.defaultdict(list)
    for event in run.lines("out.jsonl"):
        counts[event["user"]].append(event["n"])
    return counts


def n_rows(run):
    return sum(table["rows"] for table in json.loads(run.call("state", "list", run.file, "--format", "json"))["tables"])


def test_what_has_expired_leaves_the_disk_unasked_and_what_lives_loses_nothing(pipeline):
    run = pipeline(FORGETFUL)
    options = ("--state-memory", "1MiB", "--changelog", "256KiB")
    feeder = Feeder(run.folder / "in.jsonl")
    feeder.start()
    try:
        run.start(*options)
        run.wait_until(lambda: len(counts(run)) >= FORGOTTEN, "all of them once")
        assert n_rows(run) >= FORGOTTEN
        run.kill()
        run.start(*options)
        run.wait_until(lambda: n_rows(run) < FORGOTTEN, "the first to be forgotten", PATIENCE + 3 * FORGET)
        run.kill()  # in the middle of it
        run.start(*options)
        run.wait_until(lambda: n_rows(run) == LIVING, "all of them to be forgotten", PATIENCE + 3 * FORGET)
    finally:
        feeder.stop.set()
        feeder.join()
    run.wait_until(lambda: counts(run)["here0"][-1:] == [feeder.n_rounds], "the last of the living")
    found = counts(run)
    assert all(found[gone(i)] == [1] for i in range(FORGOTTEN))
    assert all(found[f"here{i}"] == list(range(1, feeder.n_rounds + 1)) for i in range(LIVING))
