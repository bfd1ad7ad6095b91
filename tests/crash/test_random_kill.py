# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, also in the middle of recovery from the last one."""

import math
import os
import random
import time

import pytest
from conftest import SEED
from matrix import FULL, Results

KILLS = int(os.environ.get("LEAT_CRASH_KILLS") or (1000 if FULL else 40))
SOONEST_S, LATEST_S = 0.05, 5

# Of one trial. A long run has several, of which those that a file of results has are not run again.
KILLS_EACH = 40
FAULT = "kill -9 at random moments"


def pytest_generate_tests(metafunc):
    if "part" in metafunc.fixturenames:
        done = {one["part"] for one in Results().read() if one["fault"] == FAULT and one["seed"] == SEED} if FULL else set()
        parts = [i for i in range(math.ceil(KILLS / KILLS_EACH)) if i not in done]
        metafunc.parametrize("part", parts, ids=lambda i: f"part{i}")


@pytest.fixture
def odd_share():
    return 0.02


def pause_s(chance):
    """As many between 50 and 100 ms as between 2.5 and 5 s: the first half second has most of what can be different."""
    return math.exp(chance.uniform(math.log(SOONEST_S), math.log(LATEST_S)))


def kill(trial, n, chance):
    for _ in range(n):
        trial.run.start()
        time.sleep(pause_s(chance))
        assert trial.run.process.poll() is None, f"leat ended by itself\n{trial.run.log}"
        trial.run.kill()
    trial.run.start()
    trial.finish()


def test_kill_9_at_random_moments_changes_nothing(trial, seed, part):
    n, violations = min(KILLS_EACH, KILLS - part * KILLS_EACH), 1
    try:
        kill(trial, n, random.Random(f"{seed} {part}"))
        violations = 0
    finally:
        Results().append([{"fault": FAULT, "seed": seed, "part": part, "runs": n, "violations": violations}])
