#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""table.py RESULTS: makes a table of what LEAT_CRASH_RESULTS has gathered, one line for each fault point, as Markdown.

A violation counts against all cases of its chain: which of them it was is not known.
"""

import collections
import json
import sys


def table(results):
    """The lines of the table."""
    points = collections.defaultdict(list)
    for one in results:
        points[one["point"]].append(one)
    lines = ["| fault | runs | violations | longest pause |", "|---|---:|---:|---:|"]
    for point, ones in sorted(points.items()):
        pauses = [one["pause_s"] for one in ones if "pause_s" in one]
        pause = f"{max(pauses):.1f} s" if pauses else ""
        lines.append(f"| {point} | {len(ones)} | {sum(one['violation'] != '' for one in ones)} | {pause} |")
    chains = {(one["seed"], one["chain"]): one["violation"] for one in results}
    lines.append(f"\n{len(results)} faults in {len(chains)} trials, {sum(violation != '' for violation in chains.values())} trials with a violation.")
    return lines


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        print("\n".join(table([json.loads(line) for line in file])))
