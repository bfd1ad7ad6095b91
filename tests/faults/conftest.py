# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault tests: those of the crash tests, with a trial whose pauses are measured and whose outcome is written down.

LEAT_FAULTS_RUNS     how often each test is run, each time with a seed of its own (1)
LEAT_FAULTS_SEED     the first of the seeds; chosen at random when it is not set, and part of the test's name
LEAT_FAULTS_RESULTS  a file to which the outcome of each test is appended, for tests/crash/table.py
"""

import importlib.util
import os
import pathlib
import random
import sys

import pytest

CRASH = pathlib.Path(__file__).resolve().parents[1] / "crash"
sys.path.insert(0, str(CRASH))

spec = importlib.util.spec_from_file_location("crash_fixtures", CRASH / "conftest.py")
crash = sys.modules["crash_fixtures"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(crash)
# Its fixtures under their own names, but for the trial, which is another one here.
globals().update({("crash_" if name == "trial" else "") + name: one for name, one in vars(crash).items() if isinstance(one, type(crash.trial))})
pytest_configure, pytest_collection_modifyitems = crash.pytest_configure, crash.pytest_collection_modifyitems

from matrix import Results  # noqa: E402
from pauses import Pauses  # noqa: E402

RUNS = int(os.environ.get("LEAT_FAULTS_RUNS", "1"))
SEED = int(os.environ.get("LEAT_FAULTS_SEED") or random.randrange(1, 1_000_000))
os.environ["LEAT_FAULTS_SEED"] = str(SEED)  # the processes of `pytest -n` have the same tests then
RESULTS = os.environ.get("LEAT_FAULTS_RESULTS")

has_failed = pytest.StashKey[bool]()


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(SEED, SEED + RUNS), ids=lambda seed: f"seed{seed}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.when == "call" and (not report.skipped or hasattr(report, "wasxfail")):
        item.stash[has_failed] = report.failed
    return report


class Outcome:
    """What is written down of a test: `violations` as texts, the longest pause in seconds where it was measured."""

    def __init__(self):
        self.violations, self.longest_pause_s = [], None


def sentence(name):
    return name.removeprefix("test_").replace("_", " ")


@pytest.fixture
def outcome(request, seed):
    outcome = Outcome()
    yield outcome
    failed = request.node.stash.get(has_failed, None)
    if not RESULTS or failed is None:
        return
    line = {
        "fault": sentence(request.node.originalname),
        "seed": seed,
        # Whatever else makes a test fail, as a leat that ended by itself, is one violation.
        "violations": max(len(outcome.violations), int(failed)),
        "longest_pause_s": outcome.longest_pause_s,
    }
    Results(RESULTS).append([line])


@pytest.fixture
def trial(crash_trial, outcome, where):
    """Fed from now on, and watched for pauses."""
    pauses = Pauses(crash_trial, where)
    yield crash_trial
    outcome.longest_pause_s = pauses.stop()
    outcome.violations = crash_trial.faults
