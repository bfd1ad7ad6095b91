# SPDX-License-Identifier: Apache-2.0
"""The queries of Nexmark (bench/nexmark) over a few events, so slow that there are windows of 10 s among them."""

import os
import pathlib
import sys

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LEAT", SOURCE / "build/leat")).resolve().parent
sys.path.insert(0, str(SOURCE / "bench/nexmark"))

import nexmark  # noqa: E402

EVENTS = 20000


class Stage:
    def __init__(self, folder, events, rate, partitions=1):
        self.folder = folder
        self.events = nexmark.generate(BUILD, folder, events, rate, partitions=partitions)
        self.duck = nexmark.open_oracle(self.events)

    def run(self, query):
        return nexmark.Run(BUILD, self.folder, query, EVENTS=self.events, DELIVERY="exactly-once")

    def expect_same(self, run):
        assert nexmark.compare(self.duck, run.query, run.output) > 0


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("few"), EVENTS, 200)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("split"), EVENTS, 200, partitions=3)


@pytest.mark.parametrize("query", nexmark.QUERIES)
def test_rows_are_those_of_duckdb(few, query):
    few.expect_same(few.run(query).whole(workers=1))


@pytest.mark.parametrize("query", nexmark.QUERIES)
def test_so_they_are_with_partitions_and_two_workers(split, query):
    split.expect_same(split.run(query).whole(workers=2))


def test_so_they_are_after_kills_in_the_middle(tmp_path):
    many = Stage(tmp_path, 3 * EVENTS, 600)
    run = many.run("q6")  # a join, windows over windows, and a rule
    nexmark.kill_within(run, 2, 3 * EVENTS)
    many.expect_same(run)
