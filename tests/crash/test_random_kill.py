# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, also in the middle of recovery from the last one."""

import os
import time

KILLS = int(os.environ.get("LEAT_CRASH_KILLS", "15"))


def test_kill_9_at_random_moments_changes_nothing(trial):
    for _ in range(KILLS):
        trial.run.start()
        time.sleep(trial.chance.uniform(0.05, 3))
        assert trial.run.process.poll() is None, f"leat ended by itself\n{trial.run.log}"
        trial.run.kill()
    trial.run.start()
    trial.finish()
