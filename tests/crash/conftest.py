# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the crash tests: those of the scenarios, and a trial, which is one workload with one pipeline to be killed.

LEAT_CRASH_RUNS      how often each test is run, each time with a seed of its own (1)
LEAT_CRASH_SEED      the first of the seeds; chosen at random when it is not set, told at the end, and part of the test's name
LEAT_CRASH_FULL      test_fault_points.py: all cases, so many times
LEAT_CRASH_RESULTS   test_fault_points.py: a file to which the results are added; those that are in it are not run again
"""

import importlib.util
import os
import pathlib
import random
import sys
import time

import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1] / "scenario"
sys.path.insert(0, str(SCENARIO))


def load(name, file):
    """The scenarios' conftest.py: by its own name it would be this one."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenario = load("scenario_fixtures", SCENARIO / "conftest.py")
where, services, kafka, topic = scenario.where, scenario.services, scenario.kafka, scenario.topic
postgres, table = scenario.postgres, scenario.table
redis_client, redis_prefix = scenario.redis_client, scenario.redis_prefix
leat, pipeline = scenario.leat, scenario.pipeline
pytest_configure, pytest_collection_modifyitems = scenario.pytest_configure, scenario.pytest_collection_modifyitems

from checker import Expected, Found, Watcher, check  # noqa: E402
from matrix import FULL, Results  # noqa: E402
from pipeline import PATIENCE  # noqa: E402
from workload import ODD, PARTITIONS, POSTINGS, SCRIPTS, STEPS, SYSTEMS, WINDOWS, Feeder, describe  # noqa: E402

RUNS = int(os.environ.get("LEAT_CRASH_RUNS", "1"))
SEED = int(os.environ.get("LEAT_CRASH_SEED") or (FULL and Results().seed()) or random.randrange(1, 1_000_000))
os.environ["LEAT_CRASH_SEED"] = str(SEED)  # the processes of `pytest -n` have the same tests then


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(SEED, SEED + RUNS), ids=lambda seed: f"seed{seed}")


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"LEAT_CRASH_SEED={SEED} makes the same choices again")


@pytest.fixture(scope="session")
def developer_build(leat):
    """For tests that need fault points."""
    if b"LEAT_FAULT" not in leat.read_bytes():
        pytest.skip(f"{leat} was not built with --enable-developer")


class Trial:
    """A workload, the pipeline that it goes through, and what comes out. `run` is the process to kill."""

    def __init__(self, name, seed, systems, make_run, feeder, found, watcher):
        self.name, self.seed, self.systems = name, seed, systems
        self.feeder, self.found, self.watcher = feeder, found, watcher
        self.chance, self.faults = random.Random(seed), []
        self.make_run = make_run
        self.run = make_run()

    def count(self):
        return self.found.count(self.systems[0])

    def wait_for_more(self, run=None, n=200):
        """Until a good part of what is fed now has come out."""
        begin = self.count()
        (run or self.run).wait_until(lambda: self.count() >= begin + n, f"{n} more steps and postings")

    def wait_for_rest(self):
        """Feeds no more until feeder.is_paused is cleared, and waits until nothing more comes."""
        self.feeder.is_paused.set()
        last, now = None, self.count()
        while now != last:
            time.sleep(0.5)
            last, now = now, self.count()

    def finish(self, run=None):
        """Feeds no more, lets everything through, ends leat, and looks at what there is."""
        run = run or self.run
        expected = Expected(self.feeder.stop())
        n_windows = sum(len(rows) for rows in expected.windows().values()) if self.found.windows_table else 0
        deadline = time.monotonic() + 2 * PATIENCE
        # When something is missing for good, the check below says what.
        while run.process.poll() is None and time.monotonic() < deadline and (
            self.count() < expected.n or self.found.count_windows() < n_windows
        ):
            time.sleep(0.1)
        assert run.process.poll() is None, f"leat ended by itself\n{run.log}"
        assert run.stop() == 0
        self.watcher.stop()
        print(f"{expected.n} steps and postings, {n_windows} rows of windows, {self.watcher.n} snapshots")
        self.found.folder, self.found.run = run.folder, run
        self.faults = check(self.found, expected, self.systems) + self.watcher.faults[:3]
        if self.faults:
            pytest.fail("\n".join([f"seed {self.seed}:", *self.faults]), pytrace=False)
        assert self.watcher.n > 0 or self.systems == ("kafka",), "nobody has looked at the ledger while leat ran"

    def close(self):
        self.watcher.stop()
        self.feeder.close()


@pytest.fixture
def systems():
    """Where the pipeline's sinks are; a test that wants fewer of them is parametrized with it."""
    return SYSTEMS


@pytest.fixture
def odd_share():
    """How many of the events are odd ones, of which some are refused."""
    return 0.0


@pytest.fixture
def rate():
    """Events a second."""
    return 1500


@pytest.fixture
def trial(seed, systems, odd_share, rate, kafka, topic, table, redis_client, redis_prefix, pipeline, where):
    """Fed from now on."""
    name = scenario.unique("crash")
    source, sink = topic("events", partitions=PARTITIONS), topic("messages", partitions=PARTITIONS)
    steps, postings = table("steps", STEPS), table("postings", POSTINGS)
    odd = table("odd", ODD) if odd_share else None
    windows = table("windows", WINDOWS) if "postgres" in systems else None
    redis_client.set(redis_prefix + "odd0", "no hash")

    def make_run():
        """One more folder for the same pipeline."""
        run = pipeline(describe(name, source, sink, steps, postings, redis_prefix, systems, odd, windows))
        for file, text in SCRIPTS.items():
            (run.folder / file).write_text(text)
        run.options = ["--changelog", "4KiB"]  # so that rows get into files many times in so short a run
        return run

    found = Found(kafka, where["POSTGRES_URL"], redis_client, sink, steps, postings, redis_prefix)
    found.odd_table, found.windows_table = odd, windows
    watcher = Watcher(where["POSTGRES_URL"], where["REDIS_URL"], postings, redis_prefix, seed)
    trial = Trial(name, seed, systems, make_run, Feeder(kafka, source, seed, odd_share, rate), found, watcher)
    yield trial
    trial.close()
    fences = list(redis_client.scan_iter(f"leat:fence:{name}:*"))
    if fences:
        redis_client.delete(*fences)
