# SPDX-License-Identifier: Apache-2.0
"""leat itself stands still, and knows nothing of it. Each system alone, and shorter: tests/crash/test_takeover.py."""

from test_takeover import start_work, take_over

# The brokers have ended its transaction long ago, and it comes back in the middle of it.
STOPPED_S = 20


def test_a_leat_that_stood_still_while_another_took_over_ends(trial):
    start_work(trial)
    take_over(trial, STOPPED_S)
