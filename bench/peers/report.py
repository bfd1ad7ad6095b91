# SPDX-License-Identifier: Apache-2.0
"""From the runs to results.json, results.md and plots. A series is one figure of one engine under one condition."""
import json
import math
import statistics
from html import escape

TITLES = {"backlog": "A topic that is full", "latency": "Committed latency", "memory": "Many keys",
          "restart": "Start again after kill -9", "alone": "The engine alone", "workers": "One worker and two",
          "keys": "leat by numbers of keys"}
OF_ONE = ("keys", "alone", "workers")  # figures of leat by itself
COLUMNS = {"cpu_s_per_million": "CPU-s per million", "started_cpu_s": "of them after the first result",
           "events_per_s": "events/s", "peak_mib": "peak MiB",
           "first_s": "start to first, s", "p50_ms": "P50, ms", "p99_ms": "P99, ms", "p999_ms": "P99.9, ms", "max_ms": "longest, ms",
           "idle": "idle share", "load_late_ms": "load late, ms", "broker_paused_ms": "broker paused, ms",
           "broker_longest_ms": "at the longest, ms", "restart_s": "start to first, s", "events_in_per_second": "events/s",
           "cpu_seconds": "CPU-s"}
PLOTTED = ("cpu_s_per_million", "events_per_s", "peak_mib", "first_s", "p50_ms", "p99_ms", "restart_s", "events_in_per_second")
COLOURS = {"leat_lua": "#4fa3d1", "limit_two": "#999999", "limit": "#666666", "kafka_streams": "#d9822b", "flink": "#a84a8f",
           "leat": "#1b6ca8"}


def series(runs):
    """Values by figure, condition, engine and name, in the order in which they came."""
    found = {}
    for run in runs:
        for name, value in run.get("values", {}).items():
            found.setdefault((run["figure"], run["condition"], run["engine"]), {}).setdefault(name, []).append(value)
    return found


# ---- targets: those of the issue -------------------------------------------------------------------------------------------

class Medians:
    def __init__(self, runs):
        self.found = series(runs)

    def __call__(self, figure, condition, engine, name):
        values = self.found.get((figure, condition, engine), {}).get(name)
        return statistics.median(values) if values else None

    def best(self, figure, condition, engines, name, choose):
        values = [v for v in (self(figure, condition, engine, name) for engine in engines) if v is not None]
        return choose(values) if values else None


def ratio(a, b):
    return None if a is None or not b else a / b


STREAMS, TUNED = ("kafka_streams",), ("kafka_streams_tuned", "kafka_streams_bulk")
LIMITS = ("limit", "limit_two")


def targets(m, conditions):
    """Text, value, and the bound: at most where it is positive, at least where it is negative."""
    backlog, million = conditions["backlog"], conditions["memory"]
    leat = lambda figure, condition, name: m(figure, condition, "leat", name)
    to = lambda others, figure, condition, name, choose: ratio(leat(figure, condition, name), m.best(figure, condition, others, name, choose))
    started = m.best("backlog", backlog, STREAMS + TUNED, "started_cpu_s", min)
    yield "CPU by Kafka Streams, the best, without its start", ratio(leat("backlog", backlog, "cpu_s_per_million"), started), 0.2
    yield "CPU by limit", to(LIMITS, "backlog", backlog, "cpu_s_per_million", min), 1.2
    yield "backlog events/s by Kafka Streams, the best", to(STREAMS + TUNED, "backlog", backlog, "events_per_s", max), -3
    yield "backlog events/s by limit", to(LIMITS, "backlog", backlog, "events_per_s", max), -1
    for condition in conditions["latency"]:
        for name in ("p50_ms", "p99_ms"):
            label = f"{name[:3].upper()} at {condition.split(' for ')[0]}"
            if condition.startswith("15,000 "):
                yield f"{label}, ms", leat("latency", condition, name), 12 if name == "p50_ms" else 25
            yield f"{label} by Kafka Streams' default", to(STREAMS, "latency", condition, name, min), 0.2
            yield f"{label} by Kafka Streams, tuned", to(TUNED, "latency", condition, name, min), 0.5
            yield f"{label} by limit", to(LIMITS, "latency", condition, name, min), 1
    yield "peak memory by Kafka Streams, 10 thousand keys", to(STREAMS + TUNED, "backlog", backlog, "peak_mib", min), 0.2
    yield "peak memory by Kafka Streams, a million keys", to(STREAMS + TUNED, "memory", million, "peak_mib", min), 0.2
    yield "start to first output by Kafka Streams", to(STREAMS + TUNED, "backlog", backlog, "first_s", min), 0.1
    yield "restart to first output by Kafka Streams", to(STREAMS + TUNED, "restart", conditions["restart"], "restart_s", min), 0.1
    for pipeline, least in (("aggregate", 1.5e6), ("sliding", 7e5), ("rule", 7e5), ("dedup", 1e6)):
        yield f"alone: {pipeline}, events/s", leat("alone", pipeline, "events_in_per_second"), -least
    one, two = (leat("workers", f"{n} worker{'s' * (n > 1)}", "events_in_per_second") for n in (1, 2))
    yield "two workers by one", ratio(two, one), -1.7
    rates = [leat("keys", condition, "events_per_s") for condition in conditions["keys"]]
    yield "events/s at the fewest keys by the most", ratio(rates[0], rates[-1]), 2


def judge(value, bound):
    if value is None:
        return "not measured"
    return "met" if (value <= bound if bound > 0 else value >= -bound) else "missed"


# ---- text ------------------------------------------------------------------------------------------------------------------

def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cell(values):
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def groups(found):
    """Title and rows of each table: engines under one condition, or conditions where there is but one engine."""
    for figure, title in TITLES.items():
        mine = {(c, e): values for (f, c, e), values in found.items() if f == figure}
        if figure in OF_ONE:
            yield figure, title, {c: values for (c, _), values in mine.items()}
            continue
        for condition in dict.fromkeys(c for c, _ in mine):
            yield f"{figure}-{condition}", f"{title}: {condition}", {e: values for (c, e), values in mine.items() if c == condition}


def tables(found):
    for _, title, rows in groups(found):
        names = list(dict.fromkeys(name for values in rows.values() for name in values))
        if rows:
            yield f"\n## {title}\n\n| | runs | {' | '.join(COLUMNS[name] for name in names)} |\n{'|---' * (len(names) + 2)}|"
        for label, values in rows.items():
            yield f"| {label} | {max(map(len, values.values()))} | {' | '.join(cell(values.get(name)) for name in names)} |"


def load_of(runs):
    loads = [run["load"] for run in runs] or [0]
    return f"{min(loads):.1f} to {max(loads):.1f}"


def markdown(results):
    m, runs = results["machine"], results["runs"]
    yield "# leat and what a user would pick instead\n"
    yield f"{m['when']}, {m['cores']} x {m['processor']}, {m['memory_gib']:.0f} GiB, kernel {m['kernel']}; load before the first run " \
          f"{m['load'][0]:.1f}, before the others {load_of(runs)}.\n"
    yield "; ".join(version if version.startswith(name) else f"{name} {version}" for name, version in m["versions"].items()) + ".\n"
    yield "Median (least to most) of the runs of each."
    yield from tables(series(runs))
    yield "\n## Targets\n\n| figure | target | measured | |\n|---|---|---|---|"
    for text, value, bound in targets(Medians(runs), results["conditions"]):
        measured = "-" if value is None else number(value)
        yield f"| {text} | at {'most' if bound > 0 else 'least'} {number(abs(bound))} | {measured} | {judge(value, bound)} |"
    refused = [f"- {r['figure']}, {r['condition']}, {r['engine']}: {' '.join(r['refused'].split())}" for r in runs if "refused" in r]
    yield "\n## Refused\n\n" + "\n".join(refused or ["Nothing."])
    yield "\nWhat the figures are, and are not, stands in bench/README.md."


# ---- plots -----------------------------------------------------------------------------------------------------------------

def colour(label):
    return next((value for name, value in COLOURS.items() if label.startswith(name)), COLOURS["leat"])


class Scale:
    """From values to the width of a bar: logarithmic where the shortest would not be seen, with a mark at each power of ten."""
    def __init__(self, values, wide):
        self.wide, self.most = wide, max(values) or 1
        positive = [value for value in values if value > 0]
        self.base = math.floor(math.log10(min(positive)) - 0.1) if positive and self.most / min(positive) > 20 else None

    def __call__(self, value):
        if self.base is None:
            return self.wide * value / self.most
        return self.wide * max(0, math.log10(value or 1e-9) - self.base) / (math.log10(self.most) - self.base)

    def marks(self):
        return [] if self.base is None else [10**n for n in range(self.base + 1, math.floor(math.log10(self.most)) + 1)]


def bars(title, rows):
    """Horizontal bars to the median, with a line from the least to the most."""
    left, wide, step = 24 + max(round(7.5 * len(label)) for label, _ in rows), 420, 26
    scale, bottom = Scale([value for _, values in rows for value in values], wide), 40 + len(rows) * step
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + wide + 110}" height="{bottom + 20}" '
           f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
           f'<text x="10" y="24" font-size="15">{escape(title)}{" (logarithmic)" if scale.marks() else ""}</text>']
    for mark in scale.marks():
        x = left + scale(mark)
        out.append(f'<path d="M{x:.1f} 36V{bottom - 4}" stroke="#cccccc"/>'
                   f'<text x="{x:.1f}" y="{bottom + 10}" text-anchor="middle" font-size="11" fill="#666666">{mark:,g}</text>')
    for i, (label, values) in enumerate(rows):
        y, middle = 40 + i * step, statistics.median(values)
        low, high, end = (left + scale(v) for v in (min(values), max(values), middle))
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
                   f'<rect x="{left}" y="{y}" width="{max(1, end - left):.1f}" height="18" fill="{colour(label)}"/>'
                   f'<path d="M{low:.1f} {y + 9}H{high:.1f}" stroke="black" stroke-width="2"/>'
                   f'<text x="{max(high, end) + 8:.1f}" y="{y + 14}">{number(middle)}</text>')
    return "".join(out) + "</svg>\n"


def plots(found):
    """File names and their text."""
    for name_of, title, rows in groups(found):
        for name in PLOTTED:
            shown = [(label, values[name]) for label, values in rows.items() if name in values]
            if len(shown) > 1:
                file = f"{name_of}-{name}.svg".replace(" ", "-").replace("/", "-per-").replace(",", "")
                yield file, bars(f"{title}: {COLUMNS[name]}", shown)


def write(folder, results):
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "results.md").write_text("\n".join(markdown(results)) + "\n")
    for old in folder.glob("*.svg"):
        old.unlink()
    for file, text in plots(series(results["runs"])):
        (folder / file).write_text(text)
