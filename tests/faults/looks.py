# SPDX-License-Identifier: Apache-2.0
"""What leat does at the moment, and what it has left open, seen from outside."""

import re
import time

from checker import Found


def n_read(run, source="events"):
    """How many events of a source operators have got."""
    edge = re.compile(rf'leat_edge_records_total.*from="{source}",port="out"')
    return sum(n for series, n in run.metrics().items() if edge.match(series))


def is_read(run):
    """Within a second."""
    before = n_read(run)
    time.sleep(1)
    return n_read(run) > before


def memory(run, figure="VmRSS"):
    """In bytes. VmHWM is the most that there has been."""
    with open(f"/proc/{run.process.pid}/status") as file:
        return int(re.search(rf"{figure}:\s+(\d+) kB", file.read())[1]) << 10


def open_transactions(kafka, topic):
    """As of the trial's topic."""
    return Found(kafka, None, None, topic, None, None, None).open_transactions()
