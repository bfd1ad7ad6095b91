# SPDX-License-Identifier: Apache-2.0
"""Files of a pattern that come and go, and where each of them is gone on with."""

import collections
import json

import pytest

GATHER = """
pipeline: gather
sources:
  lines: {type: file, path: "PATH"}
operators:
  counted: {type: aggregate, input: lines, key: user}
sinks:
  all: {type: file, input: counted, path: all.jsonl}
"""


class Gather:
    def __init__(self, run):
        self.run, self.written = run, []

    def write(self, name, n):
        """Appends n events to a file of the folder."""
        file = self.run.folder / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a") as out:
            for _ in range(n):
                event = {"id": len(self.written), "user": f"u{len(self.written) % 7}"}
                self.written.append(event["id"])
                out.write(json.dumps(event) + "\n")

    def read(self, path="in/*.jsonl", status=0):
        """To the end of all files."""
        self.run.rewrite(GATHER.replace("PATH", path))
        assert self.run.start().wait_exit() == status

    def expect_each_once(self):
        events = self.run.lines("all.jsonl")
        assert sorted(event["id"] for event in events) == self.written
        last = {event["user"]: event["count"] for event in events}
        assert last == collections.Counter(f"u{i % 7}" for i in self.written)


@pytest.fixture
def gather(pipeline):
    gather = Gather(pipeline(GATHER))
    gather.write("b.jsonl", 300)
    gather.write("d.jsonl", 200)
    return gather


def test_files_that_come_between_others_are_read_and_no_line_twice(gather):
    gather.read()
    gather.expect_each_once()
    gather.write("c.jsonl", 100)
    gather.write("a.jsonl", 50)
    gather.write("d.jsonl", 10)
    gather.read()
    gather.expect_each_once()
    (gather.run.folder / "in" / "b.jsonl").unlink()
    gather.write("c.jsonl", 5)
    gather.read()
    gather.expect_each_once()


def test_it_does_not_matter_how_the_folder_is_named(gather):
    gather.read("in/*.jsonl")
    gather.write("a.jsonl", 20)
    gather.read(f"{gather.run.folder}/in/*.jsonl")
    gather.write("d.jsonl", 20)
    gather.read("./in/../in//*.jsonl")
    gather.expect_each_once()


def test_another_pattern_is_refused_until_the_positions_are_dropped(gather):
    gather.read()
    gather.read("in/[a-c].jsonl", status=1)
    assert f'source "lines" is file "{gather.run.folder}/in/[a-c].jsonl" now, its positions in' in gather.run.log
    assert f'are of file "{gather.run.folder}/in/*.jsonl"; take that back, or give them up by --drop lines' in gather.run.log
    gather.expect_each_once()
    gather.read()
    gather.expect_each_once()


def test_two_files_of_one_number_are_named(gather):
    gather.write("21751.jsonl", 1)
    gather.write("33777.jsonl", 1)
    gather.read(status=1)
    assert '21751.jsonl" and "' in gather.run.log and "have the same number 346633239" in gather.run.log
    assert gather.run.lines("all.jsonl") == []


def test_a_followed_pattern_survives_kills(gather):
    gather.run.rewrite(GATHER.replace('"PATH"', '"in/*.jsonl", follow: true'))
    for name in ("c.jsonl", "a.jsonl", "e.jsonl", "d.jsonl"):
        gather.run.start()
        gather.run.wait_until(lambda: len(gather.run.lines("all.jsonl")) >= len(gather.written), "the events so far")
        gather.write(name, 100)
        gather.run.kill()
    gather.run.start()
    gather.run.wait_until(lambda: len(gather.run.lines("all.jsonl")) >= len(gather.written), "all events")
    assert gather.run.stop() == 0
    gather.expect_each_once()
