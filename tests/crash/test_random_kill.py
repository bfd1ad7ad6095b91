# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, also in the middle of recovery from the last one."""

import math
import os
import time

import pytest
from matrix import FULL

KILLS = int(os.environ.get("LEAT_CRASH_KILLS") or (1000 if FULL else 40))
SOONEST_S, LATEST_S = 0.05, 5


@pytest.fixture
def odd_share():
    return 0.02


def pause_s(chance):
    """As many between 50 and 100 ms as between 2.5 and 5 s: the first half second has most of what can be different."""
    return math.exp(chance.uniform(math.log(SOONEST_S), math.log(LATEST_S)))


def test_kill_9_at_random_moments_changes_nothing(trial):
    for _ in range(KILLS):
        trial.run.start()
        time.sleep(pause_s(trial.chance))
        assert trial.run.process.poll() is None, f"leat ended by itself\n{trial.run.log}"
        trial.run.kill()
    trial.run.start()
    trial.finish()
