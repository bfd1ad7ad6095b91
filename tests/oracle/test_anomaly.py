# SPDX-License-Identifier: Apache-2.0
"""The detectors of `anomaly` against a recomputation from their formulas: each value is judged by the list of those learned before
it, anew each time and by the definition (weighted sums, medians of sorted lists, sums over all suffixes, counted boxes), not by the
steps that update a state. Many series, each a key of its own, and for each method several sets of options."""

import collections
import math
import statistics
import subprocess
import time

import pytest
from oracle import cases, same

COLUMNS = {"case": "BIGINT", "seq": "BIGINT", "ts": "BIGINT", "x": "DOUBLE", "y": "DOUBLE"}
FIGURES = ["case", "seq", "score", "expected", "deviation", "is_anomaly"]
SERIES, LENGTH, DIGITS = 25, 110, 10
HOUR = 3600
MOST = 1e6

DEFAULTS = {"warmup": 30, "learn": "damped", "memory": 0, "floor": 0, "field": ["x"]}

# Thresholds are such that no score is just at one.
OPTIONS = {
    "zscore": [
        {"threshold": 3.0001},
        {"threshold": 2.5001, "warmup": 5},
        {"threshold": 3.0001, "warmup": 2, "learn": "all"},
        {"threshold": 2.5001, "learn": "none", "warmup": 10},
        {"threshold": 3.0001, "memory": 20},
        {"threshold": 2.5001, "memory": 7, "warmup": 15},
        {"threshold": 3.0001, "memory": 50, "learn": "none"},
        {"threshold": 2.5001, "floor": 3, "learn": "all", "memory": 30},
    ],
    "ewma": [
        {"threshold": 3.0001},
        {"threshold": 2.7001, "warmup": 5, "lambda": 0.1},
        {"threshold": 3.0001, "warmup": 20, "lambda": 0.5, "learn": "all"},
        {"threshold": 2.5001, "lambda": 1, "learn": "none"},
        {"threshold": 3.0001, "memory": 20, "lambda": 0.05},
        {"threshold": 2.5001, "memory": 30, "lambda": 0.3, "warmup": 10},
        {"threshold": 3.0001, "memory": 50, "learn": "none"},
        {"threshold": 2.5001, "floor": 3},
    ],
    "mad": [
        {"threshold": 3.5001},
        {"threshold": 3.0001, "window": 10, "warmup": 3},
        {"threshold": 3.5001, "window": 11, "warmup": 11, "learn": "all"},
        {"threshold": 3.0001, "window": 30, "learn": "none"},
        {"threshold": 3.5001, "window": 33, "warmup": 5},
        {"threshold": 3.0001, "window": 64, "warmup": 10},
        {"threshold": 3.5001, "window": 3, "warmup": 3},
        {"threshold": 3.0001, "floor": 3, "window": 50},
    ],
    "cusum": [
        {"threshold": 5.0001},
        {"threshold": 4.0001, "warmup": 5},
        {"threshold": 5.0001, "learn": "all", "slack": 0.25},
        {"threshold": 4.0001, "learn": "none", "slack": 1},
        {"threshold": 5.0001, "memory": 20},
        {"threshold": 3.0001, "memory": 40, "slack": 0},
        {"threshold": 8.0001, "memory": 50, "warmup": 10},
        {"threshold": 5.0001, "floor": 3},
    ],
    "seasonal": [
        {"threshold": 3.0001, "warmup": 10, "slot": "6h"},
        {"threshold": 3.5001, "warmup": 5, "slot": "4h", "learn": "all"},
        {"threshold": 3.0001, "warmup": 5, "slot": "12h", "learn": "none", "alpha": 0.3, "gamma": 0.4},
        {"threshold": 3.0001, "warmup": 5, "slot": "12h", "beta": 0.2, "memory": 20},
        {"threshold": 3.0001, "warmup": 5, "slot": "8h", "season": "week"},
        {"threshold": 3.0001, "warmup": 5, "slot": "12h", "season": "week", "alpha": 0.5, "gamma": 0.5, "beta": 0.05},
        {"threshold": 3.0001, "warmup": 5, "slot": "12h", "season": "both"},
        {"threshold": 2.5001, "warmup": 5, "slot": "6h", "season": "both", "beta": 0.1, "learn": "none", "floor": 2},
    ],
    "forest": [
        {"threshold": 0.9001, "warmup": 10, "window": 30, "trees": 7, "depth": 4},
        {"threshold": 0.8001, "warmup": 2, "window": 10, "trees": 3, "depth": 6, "seed": 77},
        {"threshold": 0.9001, "warmup": 10, "window": 20, "trees": 1, "depth": 1, "learn": "all"},
        {"threshold": 0.8001, "warmup": 20, "window": 30, "trees": 9, "depth": 5, "learn": "none"},
        {"threshold": 0.8001, "warmup": 10, "window": 40, "trees": 5, "depth": 5, "field": ["x", "y"]},
        {"threshold": 0.8001, "warmup": 5, "window": 25, "trees": 5, "depth": 3, "field": ["y", "x"], "seed": 0, "learn": "none"},
        {"threshold": 0.8001, "warmup": 5, "window": 3, "trees": 2, "depth": 8, "field": ["x", "y"]},
        {"threshold": 0.9001, "warmup": 10, "window": 30, "trees": 7, "depth": 4, "floor": 3},
    ],
}


# ---- series ----


def make_series(case, rng):
    """Values of a kind that a detector may meet, with nulls, doubles, spikes and ties, at times that leave gaps, go back, and are wrong
    in some."""
    kind, level, spread = case % 7, rng.uniform(-1000, 1000), rng.choice([0.5, 1, 5, 40])
    rows, at = [], rng.randrange(-20 * 24 * HOUR, 400 * 24 * HOUR)
    shift = rng.randrange(LENGTH)
    for seq in range(LENGTH):
        at += rng.choice([0, 1, 3, 3, 5, 8, 30 if kind == 3 else 4]) * HOUR + rng.randrange(1200)
        ts = at - rng.randrange(8) * HOUR if rng.random() < 0.1 else at
        if case % 5 == 1:
            ts -= 1000 * 24 * HOUR if seq == 0 else 0  # a first time that is wrong
        elif case % 5 == 2:
            ts += 8000 * 24 * HOUR if seq in (0, 60, 80) else 0  # some that are wrong, sometimes twice
        elif case % 5 == 3:
            ts += 60 * 24 * HOUR if seq > 55 else 0  # a long pause
        x = level + rng.gauss(0, spread)
        if kind == 1:
            x = float(round(x))  # ties
        elif kind == 2:
            x += 4 * spread * math.sin(ts / (24 * HOUR) * 2 * math.pi)
        elif kind == 4:
            x = level if case % 2 == 0 else 17.25  # a constant, some of them with spikes
        elif kind == 5 and seq >= shift:
            x += 5 * spread
        elif kind == 6:
            x = level * 1e6 * math.exp(rng.gauss(0, 1))
        if rng.random() < (0.05 if kind != 4 or case % 3 == 0 else 0):
            x += rng.choice([-1, 1]) * rng.uniform(6, 30) * spread
        row = {"case": case, "seq": seq, "ts": ts, "x": x, "y": 2 * x + rng.gauss(0, spread)}
        if rng.random() < 0.03:
            row["x"] = None
        rows.append(row)
        if rng.random() < 0.03:
            rows.append(dict(row, seq=seq + LENGTH))
    return rows


def interleave(series, rng):
    """All in one file: the order of each stays."""
    turns = [rows for rows in series for _ in rows]
    rng.shuffle(turns)
    left = {id(rows): iter(rows) for rows in series}
    return [next(left[id(rows)]) for rows in turns]


# ---- what a detector should say ----


def weights(n, memory):
    shares = [max(1 / (i + 1), 2 / (memory + 1) if memory else 0) for i in range(n)]
    out, rest = [0.0] * n, 1.0
    for i in reversed(range(n)):
        out[i] = shares[i] * rest
        rest *= 1 - shares[i]
    return out


def moments(values, memory):
    """Mean and deviation by the definition."""
    if len(set(values)) == 1:
        return values[0], 0.0
    if not memory:
        return statistics.fmean(values), statistics.stdev(values)
    w = weights(len(values), memory)
    mean = math.fsum(a * x for a, x in zip(w, values))
    square = math.fsum(a * (x - mean) ** 2 for a, x in zip(w, values))
    return mean, math.sqrt(square / (1 - math.fsum(a * a for a in w)))


def is_rounding(difference, expected):
    return abs(difference) <= 1e-12 * abs(expected)


def times(x, expected, deviation):
    if is_rounding(x - expected, expected):
        return 0.0
    return min(abs(x - expected) / deviation, MOST) if deviation > 0 else MOST


def raised(deviation, expected, floor):
    return max(0 if is_rounding(deviation, expected) else deviation, floor)


class Detector:
    """judge(x, ts): None, or score, expected, deviation; then learn(x, ts) of what is to be learned."""

    limit = None

    def __init__(self, options):
        self.options, self.values = {**DEFAULTS, **options}, []
        self.__dict__.update({name: value for name, value in self.options.items() if name != "learn"})

    def moments(self):
        mean, deviation = moments(self.values, self.memory)
        return mean, raised(deviation, mean, self.floor)

    def damp(self, x, expected, deviation):
        reach = (self.limit or self.threshold) * deviation
        return [min(max(x[0], expected - reach), expected + reach)] if reach > 0 else x

    def learn(self, x, ts):
        self.values.append(x[0])

    def alarm(self):
        pass

    def say(self, x, ts):
        found = self.judge(x, ts)
        if found is None:
            self.learn(x, ts)
            return {"score": None, "expected": None, "deviation": None, "is_anomaly": False}
        score, expected, deviation = found
        is_anomaly = score > self.threshold
        if is_anomaly:
            self.alarm()
        if not is_anomaly or self.options["learn"] == "all":
            self.learn(x, ts)
        elif self.options["learn"] == "damped":
            self.learn(self.damp(x, expected, deviation), ts)
        return {"score": score, "expected": expected, "deviation": deviation, "is_anomaly": is_anomaly}


class Zscore(Detector):
    def judge(self, x, ts):
        if len(self.values) < self.warmup:
            return None
        mean, deviation = self.moments()
        return times(x[0], mean, deviation), mean, deviation


class Ewma(Detector):
    limit = 3
    chart = None

    def alarm(self):
        self.chart = None

    def judge(self, x, ts):
        if len(self.values) < self.warmup:
            return None
        mean, deviation = self.moments()
        share = self.options.get("lambda", 0.2)
        if self.chart is None:
            self.chart = (mean, [])
        begin, seen = self.chart
        seen.append(x[0])
        t = len(seen)
        # As distances from where it began, so that a constant stays one.
        average = begin + math.fsum(share * (1 - share) ** (t - 1 - i) * (v - begin) for i, v in enumerate(seen))
        width = deviation * math.sqrt(share / (2 - share) * (1 - (1 - share) ** (2 * t)))
        return times(average, mean, width), mean, deviation


class Mad(Detector):
    def judge(self, x, ts):
        if len(self.values) < self.warmup:
            return None
        last = self.values[-self.options.get("window", 100) :]
        median = statistics.median(last)
        distances = [abs(v - median) for v in last]
        deviation = statistics.median(distances) / statistics.NormalDist().inv_cdf(0.75)
        if deviation == 0:
            deviation = statistics.fmean(distances) * math.sqrt(math.pi / 2)
        deviation = raised(deviation, median, self.floor)
        return times(x[0], median, deviation), median, deviation


class Cusum(Detector):
    limit = 3

    def __init__(self, options):
        super().__init__(options)
        self.seen = []

    def alarm(self):
        self.seen = []

    def judge(self, x, ts):
        if len(self.values) < self.warmup:
            return None
        mean, deviation = self.moments()
        slack = self.options.get("slack", 0.5)
        self.seen.append(math.copysign(times(x[0], mean, deviation), x[0] - mean))
        score = 0.0
        for sign in (1, -1):
            total = 0.0
            for z in reversed(self.seen):
                total += sign * z - slack
                score = max(score, total)
        return min(score, MOST), mean, deviation


class Seasonal(Detector):
    """In the form with components, as Holt and Winters wrote it; the seasons are dictionaries by slot."""

    def __init__(self, options):
        super().__init__({"season": "day", "alpha": 0.1, "beta": 0, "gamma": 0.2, **options})
        self.step = int(self.slot[:-1]) * HOUR
        self.n_day = 24 * HOUR // self.step
        self.gathered, self.means, self.errors, self.suspect = {}, {}, [], None
        self.day, self.week, self.level, self.trend, self.now, self.ready, self.last = {}, {}, None, 0.0, None, False, None

    def get(self, slot):
        """What both seasons say of the slot, None when it was never seen."""
        day, week = self.day.get(slot % self.n_day), self.week.get(slot % (7 * self.n_day))
        if self.season == "both":
            return None if day is None else day + (week or 0)
        return day if self.season == "day" else week

    def put(self, slot, change):
        if self.season != "week":
            self.day[slot % self.n_day] = self.day.get(slot % self.n_day, 0) + change
        if self.season != "day":
            self.week[slot % (7 * self.n_day)] = self.week.get(slot % (7 * self.n_day), 0) + change

    def begin(self):
        self.ready = True
        self.level = statistics.fmean(self.means.values())
        if self.season != "week":
            for hour in range(self.n_day):
                values = [y for slot, y in self.means.items() if slot % self.n_day == hour]
                if values:
                    self.day[hour] = statistics.fmean(values) - self.level
        if self.season != "day":
            for slot, y in self.means.items():
                self.week[slot % (7 * self.n_day)] = y - self.level - self.day.get(slot % self.n_day, 0)

    def close(self, slot, y):
        if not self.ready:
            self.means[slot] = y
            return
        season, before = self.get(slot), self.level + self.trend
        if season is None:
            self.level = before
            # Of both, the day is what lacks it; its week then says nothing more.
            (self.week if self.season == "week" else self.day)[slot % (self.n_day * (7 if self.season == "week" else 1))] = y - before
            return
        level = self.alpha * (y - season) + (1 - self.alpha) * before
        self.trend = self.beta * (level - self.level) + (1 - self.beta) * self.trend
        self.level = level
        self.put(slot, self.gamma * (y - before - season))

    def advance(self, slot):
        far = 28 * self.n_day
        if self.now is None or (not self.ready and abs(slot - self.now) > far):
            self.now = self.first = slot
            self.gathered, self.means = {}, {}
        if self.ready and slot - self.now > far and (self.suspect is None or abs(slot - self.suspect) > far):
            self.suspect = slot
            return
        self.suspect = None
        if slot <= self.now:
            return
        if self.now in self.gathered:
            self.close(self.now, statistics.fmean(self.gathered[self.now]))
            self.last = self.now
        self.now = slot
        if not self.ready and slot - self.first >= self.n_day * (1 if self.season == "day" else 7):
            self.begin()

    def forecast(self, slot):
        season = self.get(slot) if self.ready else None
        return None if season is None else self.level + (self.trend if slot > self.last else 0) + season

    def judge(self, x, ts):
        self.advance(ts // self.step)
        expected = self.forecast(ts // self.step)
        if expected is None or len(self.errors) < self.warmup:
            return None
        w = weights(len(self.errors), self.memory)
        deviation = raised(math.sqrt(math.fsum(a * e * e for a, e in zip(w, self.errors))), expected, self.floor)
        return times(x[0], expected, deviation), expected, deviation

    def learn(self, x, ts):
        slot = ts // self.step
        if slot != self.now:
            return
        self.gathered.setdefault(slot, []).append(x[0])
        expected = self.forecast(slot)
        if expected is not None:
            self.errors.append(x[0] - expected)


class Forest(Detector):
    """Boxes instead of trees: a way is a text of 0 and 1, and a mass counts the events of the window whose way begins with it."""

    MASK = 2**64 - 1

    def __init__(self, options):
        super().__init__({"window": 100, "trees": 25, "depth": 6, "seed": 1, **options})
        self.counter = self.seed
        self.splits = [self.make_tree() for _ in range(self.trees)]
        self.range = self.reference = None
        self.events, self.ways = [], []

    def unit(self):
        self.counter = z = (self.counter + 0x9E3779B97F4A7C15) & self.MASK
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = ((z ^ (z >> shift)) * factor) & self.MASK
        return ((z ^ (z >> 31)) >> 11) / 2**53

    def make_tree(self):
        places = [self.unit() for _ in self.field]
        space = [(at - 2 * max(at, 1 - at), at + 2 * max(at, 1 - at)) for at in places]
        tree = {}

        def split(way, space):
            if len(way) == self.depth:
                return
            axis = int(self.unit() * len(self.field))
            low, high = space[axis]
            middle = low + (high - low) / 2
            tree[way] = axis, middle
            split(way + "0", [*space[:axis], (low, middle), *space[axis + 1 :]])
            split(way + "1", [*space[:axis], (middle, high), *space[axis + 1 :]])

        split("", space)
        return tree

    def ways_of(self, x, ranges):
        at = []
        for value, (expected, deviation) in zip(x, ranges):
            away = math.copysign(times(value, expected, deviation), value - expected)
            at.append(min(max(0.5 + away / 6, -2), 3))
        out = []
        for tree in self.splits:
            way = ""
            for _ in range(self.depth):
                axis, middle = tree[way]
                way += "0" if at[axis] < middle else "1"
            out.append(way)
        return out

    def total(self, ways):
        """The sum over trees of mass times 2 to the depth, for an event that goes these ways."""
        total = 0
        for masses, way in zip(self.masses, ways):
            depth = next((d for d in range(self.depth) if 10 * masses[way[:d]] <= self.window), self.depth)
            total += masses[way[:depth]] * 2**depth
        return total

    def judge(self, x, ts):
        if self.reference is None:
            return None
        far = [times(value, expected, deviation) for value, (expected, deviation) in zip(x, self.reference)]
        expected, deviation = self.reference[far.index(max(far))]
        return 1 / (1 + self.total(self.ways_of(x, self.reference)) / self.mean), expected, deviation

    def damp(self, x, expected, deviation):
        return [min(max(v, m - 3 * s), m + 3 * s) if s > 0 else v for v, (m, s) in zip(x, self.reference)]

    def learn(self, x, ts):
        self.events.append(x)
        if self.range is not None:
            self.ways.append(self.ways_of(x, self.range))
        if len(self.events) < (self.warmup if self.range is None else self.window):
            return
        if self.range is not None:
            self.reference = self.range
            self.masses = [
                collections.Counter(way[:d] for ways in self.ways for way in [ways[i]] for d in range(self.depth + 1))
                for i in range(self.trees)
            ]
            self.mean = sum(self.total(ways) for ways in self.ways) / self.window
        columns = [moments(list(column), 0) for column in zip(*self.events)]
        self.range = [(mean, raised(deviation, mean, self.floor)) for mean, deviation in columns]
        self.events, self.ways = [], []


DETECTORS = {"zscore": Zscore, "ewma": Ewma, "mad": Mad, "cusum": Cusum, "seasonal": Seasonal, "forest": Forest}


def expect(method, options, rows):
    """What the operator should say, row by row, and the rows that it should reject."""
    of_case, said, rejected = {}, [], []
    for row in rows:
        if row["case"] not in of_case:
            of_case[row["case"]] = DETECTORS[method](options)
        detector = of_case[row["case"]]
        values = [row[field] for field in detector.field]
        if None in values:
            rejected.append(row)
        else:
            said.append({**row, **detector.say(values, row["ts"])})
    return said, rejected


# ---- tests ----


def make_rows(name):
    drawn = cases(SERIES, name)
    return interleave([make_series(case, rng) for case, rng in drawn], cases(1, name)[0][1])


def operator(method, options):
    return {"type": "anomaly", "input": "events", "key": "case", "method": method, "field": "x", **options}


@pytest.mark.parametrize("method", OPTIONS)
def test_a_detector_says_what_its_formula_does(oracle, method):
    rows = make_rows(method)
    oracle.table("events", COLUMNS, rows, time={"field": "ts", "unit": "s", "disorder": "10h"})
    operators = {f"a{i}": operator(method, options) for i, options in enumerate(OPTIONS[method])}
    ports = [name + port for name in operators for port in ("", ".alerts", ".dead")]
    got = oracle.run(operators, ports)
    scored = 0
    for i, options in enumerate(OPTIONS[method]):
        said, rejected = expect(method, options, rows)
        try:
            same(got[f"a{i}"], said, FIGURES, DIGITS)
            alerts = [row for row in said if row["is_anomaly"]]
            why = [{**row, "why": {**row["why"]}} for row in got[f"a{i}.alerts"]]
            same(why, alerts, FIGURES, DIGITS)
            same([row["why"] for row in why], alerts, ["score", "expected", "deviation"], DIGITS)
            assert all(row["why"]["method"] == method for row in why)
            assert len(got[f"a{i}.dead"]) == len(rejected)
            assert alerts, "these options find nothing, which proves little"
        except AssertionError as difference:
            raise AssertionError(f"{method} {options}\n{difference}") from None
        scored += sum(row["score"] is not None for row in said)
    assert scored > 1000


@pytest.mark.parametrize("method", OPTIONS)
def test_a_restart_changes_nothing(oracle, method):
    rows, options = make_rows(f"restart {method}"), OPTIONS[method][0]
    clock = {"field": "ts", "unit": "s", "disorder": "10h"}
    for end in (len(rows) // 3, len(rows) // 2, len(rows)):
        oracle.table("events", COLUMNS, rows[:end], time=clock)
        got = oracle.run({"a": operator(method, options)}, ["a"], delivery="exactly-once", goes_on=True)["a"]
        same(got, expect(method, options, rows[:end])[0], FIGURES, DIGITS)


CHANGED = [
    ("zscore", {"warmup": 5}, {"warmup": 5, "field": "y"}, True),
    ("zscore", {"warmup": 5}, {"warmup": 3, "threshold": 2.0001, "learn": "none"}, False),
    ("mad", {"warmup": 5, "window": 10}, {"warmup": 5, "window": 12}, True),
    ("seasonal", {"warmup": 3, "slot": "6h"}, {"warmup": 3, "slot": "8h"}, True),
    ("forest", {"window": 10, "depth": 3, "trees": 4}, {"window": 10, "depth": 3, "trees": 4, "seed": 2}, True),
]


@pytest.mark.parametrize("method, before, after, is_new", CHANGED)
def test_state_that_means_something_else_is_begun_anew(oracle, method, before, after, is_new):
    rows = make_rows(f"changed {method}")[:1200]
    half = len(rows) // 2
    for end, options in ((half, before), (len(rows), after)):
        oracle.table("events", COLUMNS, rows[:end], time={"field": "ts", "unit": "s", "disorder": "10h"})
        options = {"threshold": 0.9001 if method == "forest" else 3.0001, **options}
        got = oracle.run({"a": operator(method, options)}, ["a"], delivery="exactly-once", goes_on=True)["a"]
    places = {(row["case"], row["seq"]) for row in rows[half:]}
    second = [row for row in got if (row["case"], row["seq"]) in places]
    options = {**options, "field": [options.get("field", "x")]}
    expected = expect(method, options, rows[half:])[0]
    if is_new:
        same(second, expected, FIGURES, DIGITS)
    else:
        assert sum(row["score"] is not None for row in second) > sum(row["score"] is not None for row in expected)


def rows_of_tables(oracle):
    command = [oracle.leat, "state", "list", str(oracle.folder / "pipeline.yaml"), "--state-dir", str(oracle.folder / "state")]
    command += ["--plugin-path", oracle.plugins] if oracle.plugins else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {words[1]: int(words[5]) for words in lines if len(words) == 7 and words[0] == "a"}


def test_rows_of_a_method_that_is_no_longer_used_are_forgotten(oracle):
    """A table gives its old rows up bit by bit as the operator works, so that there is more work in the second run than rows."""
    rows = [{"case": i % 50, "seq": i, "ts": 0, "x": i, "y": 0} for i in range(2000)]
    for end, method in ((100, "mad"), (len(rows), "zscore")):
        oracle.table("events", COLUMNS, rows[:end], time={"field": "ts", "unit": "s"})
        oracle.run({"a": {**operator(method, {}), "forget": "1s"}}, ["a"], delivery="exactly-once", goes_on=True)
        assert method == "zscore" or rows_of_tables(oracle)["mad_128"] == 50
        time.sleep(1.1)
    assert rows_of_tables(oracle)["mad_128"] == 0
