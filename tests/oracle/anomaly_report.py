#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the detectors of `anomaly` find of what was planted.

    anomaly_report.py [--plot FILE.svg]

Takes payments from `generate`, with its planted anomalies, makes three streams of them, runs each through all detectors with their
default options, and prints precision, recall and delay as Markdown. With --plot, draws one user's part of each stream as well.

    spikes   as they are: amounts 12 to 20 deviations above the user's mean
    hours    amounts follow the time of day; what is planted is an amount that is usual twelve hours later
    shifts   no spikes, but each user's amounts are 1.5 deviations higher for 200 events

Times are stretched so that a user has a payment every ten minutes, for two weeks. What is planted before a user's 200th payment is
left out, as a detector may still warm up. An alarm is right within what is planted or 5 events after it, else false; delay is the
mean number of events from where it begins to the first alarm. LEAT and LEAT_PLUGIN_PATH say which leat runs.
"""

import argparse
import collections
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

METHODS = {"zscore": 4, "mad": 5, "ewma": 4, "cusum": 8, "seasonal": 5, "forest": 0.97}  # and their default thresholds
STREAMS = ["spikes", "hours", "shifts"]
USERS, EACH, STRETCH = 100, 2000, 6000  # a user's payments are 100 ms apart before
WARM_UP, GRACE, SHIFT_LENGTH, SHIFT = 200, 5, 200, 1.5
DAY_US = 86400 * 10**6


def run(folder, sources, operators, sinks):
    description = {"pipeline": "report", "delivery": "at-least-once", "sources": sources, "operators": operators, "sinks": sinks}
    (folder / "report.yaml").write_text(json.dumps(description))
    leat = os.path.abspath(os.environ.get("LEAT", "build/leat"))
    command = [leat, "run", "report.yaml", "--status", "never", "--plugin-path", os.path.abspath(os.environ["LEAT_PLUGIN_PATH"])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


# ---- streams ----


def generate(folder):
    """All payments, each with its number among the user's, in order of time."""
    source = {"type": "generate", "count": USERS * EACH, "keys": USERS, "anomalies": 0.001, "duplicates": 0}
    run(folder, {"payments": source}, {}, {"file": {"type": "file", "input": "payments", "path": "payments.jsonl"}})
    counts, start = collections.Counter(), None
    events = []
    for event in lines(folder / "payments.jsonl"):
        start = event["ts"] if start is None else start
        events.append(
            {
                "user": event["user"],
                "n": counts[event["user"]],
                "ts": start + (event["ts"] - start) * STRETCH,
                "amount": event["amount"],
                "planted": event.get("planted", False),
            }
        )
        counts[event["user"]] += 1
    return events


def users(events):
    """Mean and deviation of each user's payments, without what is planted."""
    amounts = collections.defaultdict(list)
    for event in events:
        if not event["planted"]:
            amounts[event["user"]].append(event["amount"])
    return {user: (statistics.fmean(values), statistics.stdev(values)) for user, values in amounts.items()}


def curve(ts):
    return 1 + 0.8 * math.sin(2 * math.pi * (ts % DAY_US) / DAY_US)


def make_hours(events, of_user):
    out = []
    for event in events:
        mean, _ = of_user[event["user"]]
        here, opposite = curve(event["ts"]), curve(event["ts"] + DAY_US // 2)
        planted = event["planted"] and abs(here - opposite) > 0.8
        noise = 0 if event["planted"] else event["amount"] - mean
        amount = mean * (opposite if planted else here) + noise
        out.append({**event, "amount": round(amount, 2), "planted": planted})
    return out


def make_shifts(events, of_user):
    rng = random.Random(1)
    begin = {user: rng.randrange(WARM_UP, EACH - 2 * SHIFT_LENGTH) for user in of_user}
    out = []
    for event in events:
        if event["planted"]:
            continue
        mean, deviation = of_user[event["user"]]
        is_shifted = 0 <= event["n"] - begin[event["user"]] < SHIFT_LENGTH
        amount = event["amount"] + (SHIFT * deviation if is_shifted else 0)
        out.append({**event, "amount": round(amount, 2), "planted": is_shifted})
    return out


def make_streams(folder):
    events = generate(folder)
    of_user = users(events)
    return {"spikes": events, "hours": make_hours(events, of_user), "shifts": make_shifts(events, of_user)}


# ---- what was found ----


def episodes(events):
    """For each user the runs of planted events, as (first, last) of their numbers."""
    planted = collections.defaultdict(list)
    for event in events:
        if event["planted"] and event["n"] >= WARM_UP:
            planted[event["user"]].append(event["n"])
    return {user: runs_of(numbers) for user, numbers in planted.items()}


def runs_of(numbers):
    """(first, last) of those that follow each other, but for one at most: what was a spike is not in a shift."""
    runs = []
    for n in numbers:
        if runs and n - runs[-1][1] <= 2:
            runs[-1] = (runs[-1][0], n)
        else:
            runs.append((n, n))
    return runs


def judge(runs, alerts):
    """(planted, found, right alarms, false alarms, delays)"""
    right, false, first = 0, 0, {}
    for alert in alerts:
        if alert["n"] < WARM_UP:
            continue
        hit = next((r for r in runs.get(alert["user"], []) if r[0] <= alert["n"] <= r[1] + GRACE), None)
        if hit is None:
            false += 1
        else:
            right += 1
            first.setdefault((alert["user"], hit), alert["n"] - hit[0])
    return sum(map(len, runs.values())), len(first), right, false, list(first.values())


def detect(folder, name, events, shown):
    """The alerts of each method, and all that it says of the user that is shown."""
    (folder / "in.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    operators, sinks = {}, {}
    for method in METHODS:
        operators[method] = {"type": "anomaly", "input": "events", "key": "user", "field": "amount", "method": method}
        operators[f"{method}_shown"] = {"type": "filter", "input": method, "where": f'user = "{shown}"'}
        for port, input_ in (("alerts", f"{method}.alerts"), ("shown", f"{method}_shown"), ("dead", f"{method}.dead")):
            path = f"{name}-{method}-{port}.jsonl"
            (folder / path).touch()
            sinks[f"{method}_{port}_file"] = {"type": "file", "input": input_, "path": path}
    time = {"field": "ts", "unit": "us"}
    run(folder, {"events": {"type": "file", "path": "in.jsonl", "time": time}}, operators, sinks)
    for method in METHODS:
        if lines(folder / f"{name}-{method}-dead.jsonl"):
            sys.exit(f"{name}: {method} has rejected events")
    return {m: tuple(lines(folder / f"{name}-{m}-{port}.jsonl") for port in ("alerts", "shown")) for m in METHODS}


def table(streams, found):
    print("| method | " + " | ".join(f"{name}: precision | recall | delay" for name in STREAMS) + " |")
    print("|---|" + "---:|" * 3 * len(STREAMS))
    for method in METHODS:
        cells = []
        for name in STREAMS:
            planted, hits, right, false, delays = judge(episodes(streams[name]), found[name][method][0])
            cells.append(f"{right / (right + false):.3f}" if right + false else "-")
            cells.append(f"{hits / planted:.3f}")
            cells.append(f"{statistics.fmean(delays):.1f}" if delays else "-")
        print(f"| {method} | " + " | ".join(cells) + " |")
    counts = [f"{sum(map(len, episodes(streams[name]).values()))} {name} in {len(streams[name]):,} events" for name in STREAMS]
    print("\nPlanted: " + ", ".join(counts) + ".")


# ---- the picture ----

WIDTH, LEFT, GAP, TOP, TALL, LOW, SHOWN, FROM = 330, 76, 18, 44, 110, 52, 290, 700
INK, LINE, MARK, ALARM = "#444444", "#4c6a92", "#f6d7a7", "#c0392b"


def panel(out, x, y, height, values, marked, alarms, limit=None):
    """A line of values with bands where something is planted and dots where there was an alarm."""
    top, bottom = (max(values), min(values)) if limit is None else (max([limit * 1.05, *values]), 0)
    step = WIDTH / len(values)
    for first, last in runs_of(marked):
        wide = (last - first + 1) * step + 2
        out.append(f'<rect x="{x + first * step - 1:.1f}" y="{y}" width="{wide:.1f}" height="{height}" fill="{MARK}"/>')
    out.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" fill="none" stroke="#cccccc"/>')

    def at(value):
        return y + height - 3 - (value - bottom) / (top - bottom or 1) * (height - 6)

    if limit is not None:
        out.append(f'<path d="M{x},{at(limit):.1f}h{WIDTH}" stroke="{ALARM}" stroke-dasharray="3,3" stroke-width="0.7"/>')
    points = " ".join(f"{x + (i + 0.5) * step:.1f},{at(value):.1f}" for i, value in enumerate(values))
    out.append(f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1"/>')
    for i in alarms:
        out.append(f'<circle cx="{x + (i + 0.5) * step:.1f}" cy="{at(values[i]):.1f}" r="2.4" fill="{ALARM}"/>')


def text(out, x, y, words, anchor="start", size=11, weight="normal"):
    out.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{INK}">{words}</text>')


def part_to_show(events, user):
    """Where the part of the user's events begins that has the first of what is planted near its beginning."""
    own = [event for event in events if event["user"] == user]
    return next(i for i, event in enumerate(own) if event["planted"] and i > FROM) - SHOWN // 6


def plot(path, streams, found, shown):
    height = TOP + TALL + len(METHODS) * (LOW + 6) + 42
    width = LEFT + len(STREAMS) * (WIDTH + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for column, name in enumerate(STREAMS):
        x, begin = LEFT + column * (WIDTH + GAP), part_to_show(streams[name], shown[name])
        text(out, x + WIDTH / 2, TOP - 14, name, "middle", 13, "bold")
        for row, method in enumerate(["amount", *METHODS]):
            events = found[name]["zscore" if row == 0 else method][1][begin : begin + SHOWN]
            marked = [i for i, event in enumerate(events) if event["planted"]]
            if row == 0:
                panel(out, x, TOP, TALL, [event["amount"] for event in events], marked, [])
                y = TOP + TALL / 2
            else:
                y = TOP + TALL + 6 + (row - 1) * (LOW + 6)
                limit = METHODS[method]
                scores = [min(event["score"], 2 * limit) for event in events]  # beyond that it does not matter how far
                panel(out, x, y, LOW, scores, marked, [i for i, event in enumerate(events) if event["is_anomaly"]], limit)
                y += LOW / 2
            if column == 0:
                text(out, LEFT - 8, y + 4, method, "end", 11, "bold" if row == 0 else "normal")
    text(out, LEFT, height - 16, "amounts of a user and the scores of each detector; shaded: planted, dashed: threshold, dots: alarms")
    out.append("</svg>")
    pathlib.Path(path).write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE.svg", help="draw this picture")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        streams = make_streams(folder)
        shown = {name: pick(streams[name]) for name in STREAMS}
        found = {name: detect(folder, name, streams[name], shown[name]) for name in STREAMS}
        table(streams, found)
        if arguments.plot:
            plot(arguments.plot, streams, found, shown)


def pick(events):
    """The user to show: the first with something planted that begins late enough."""
    begins = {}
    for event in events:
        if event["planted"]:
            begins.setdefault(event["user"], event["n"])
    return next(user for user, n in begins.items() if FROM < n < EACH - SHOWN)


if __name__ == "__main__":
    main()
