#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""table.py FILE...: a table of what LEAT_CRASH_RESULTS and LEAT_FAULTS_RESULTS have gathered, over all runs, as Markdown.

A line for each fault point, or for what else was done. A violation of a chain of fault points counts against all cases of it:
which of them it was is not known.
"""

import collections
import json
import sys


def violations(one):
    """A case of a chain has the text of what failed, others have the number."""
    return int(bool(one["violation"])) if "violation" in one else one["violations"]


def pause_s(one):
    return one.get("pause_s", one.get("longest_pause_s"))


def row(fault, ones):
    pauses = [pause_s(one) for one in ones if pause_s(one) is not None]
    pause = f"{max(pauses):.1f} s" if pauses else ""
    return f"| {fault} | {sum(one.get('runs', 1) for one in ones)} | {sum(map(violations, ones))} | {pause} |"


def summary(results):
    chains = {(one["seed"], one["chain"]): one["violation"] for one in results if "chain" in one}
    n_bad = sum(violation != "" for violation in chains.values())
    yield f"{sum('chain' in one for one in results)} faults in {len(chains)} trials, {n_bad} trials with a violation."
    n_of_commit = collections.Counter(one.get("commit", "unknown") for one in results)
    yield "Lines of each commit: " + ", ".join(f"{commit} {n}" for commit, n in n_of_commit.items()) + "."


def table(results):
    """The lines of the table: fault points sorted, then the rest in the order in which it came first."""
    points, others = collections.defaultdict(list), collections.defaultdict(list)
    for one in results:
        if "point" in one:
            points[one["point"]].append(one)
        else:
            others[one["fault"]].append(one)
    lines = ["| fault | runs | violations | longest pause |", "|---|---:|---:|---:|"]
    lines += [row(fault, ones) for fault, ones in [*sorted(points.items()), *others.items()]]
    return [*lines, "", *summary(results)]


def main(files):
    print("\n".join(table([json.loads(line) for file in files for line in open(file)])))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
