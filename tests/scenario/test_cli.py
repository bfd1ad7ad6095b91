# SPDX-License-Identifier: Apache-2.0
"""The commands as their users meet them: help, exit statuses, signals, figures, health, the status line. No service is needed."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

VERBS = ["run", "check", "test", "inspect", "graph", "top", "plan", "state", "dlq", "verify", "test-plugin", "help", "version"]

BUSY = """
pipeline: busy
delivery: at-least-once
sources:
  payments: {type: generate, rate: 2000}
sinks:
  nowhere: {type: discard, input: payments}
"""

IDLE = BUSY.replace("pipeline: busy", "pipeline: idle").replace("rate: 2000", "rate: 1")
SHORT = BUSY.replace("pipeline: busy", "pipeline: short").replace("rate: 2000", "count: 5000")
BROKEN = BUSY.replace("rate:", "rat:")


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, **options)


@pytest.fixture
def leatd(leat):
    path = pathlib.Path(os.environ.get("LEATD", leat.parent / "leatd"))
    assert os.access(path, os.X_OK), f"there is no leatd at {path}; set LEATD"
    return path


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


# ---- words ----


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(leat, verb):
    shown = run(leat, verb, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.stdout.startswith("NAME\n    leat")
    assert "SYNOPSIS\n" in shown.stdout and "DESCRIPTION\n" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 110
    assert run(leat, "help", verb).stdout == shown.stdout


def test_the_main_help_lists_every_verb(leat):
    shown = run(leat, "--help")
    assert shown.returncode == 0
    commands = shown.stdout.split("COMMANDS")[1].split("OPTIONS")[0]
    assert re.findall(r"^    ([\w-]+)  +\w", commands, re.MULTILINE) == VERBS


def test_the_help_of_leatd_and_the_version(leat, leatd):
    assert run(leatd, "--help").stdout.startswith("NAME\n    leatd - ")
    assert re.match(r"leat \d+\.\d+", run(leat, "--version").stdout)
    assert run(leatd, "--version").stdout == run(leat, "version").stdout


@pytest.mark.parametrize(
    "words, message",
    [
        (["chekc"], 'leat: unknown command "chekc"; did you mean "check"?'),
        (["--nonsense"], 'leat: unknown option "--nonsense"'),
        (["run", "--plugn-path", "x", "f.yaml"], 'leat run: unknown option "--plugn-path"; did you mean "--plugin-path"?'),
        (["run"], "leat run: expected a pipeline file"),
        (["run", "f.yaml", "--for"], 'leat run: option "--for" needs a value'),
        (["run", "f.yaml", "--for", "soon"], 'leat run: option "--for" is "soon", expected a duration'),
        (["run", "f.yaml", "--workers", "0"], 'option "--workers" is "0", expected a number from 1 to 1024'),
        (["run", "f.yaml", "--in-flight", "3"], 'option "--in-flight" is "3", expected a size of 1MiB or more'),
        (["run", "f.yaml", "--quiet=3"], 'leat run: option "--quiet" takes no value'),
        (["run", "f.yaml", "--status", "maybe"], 'option "--status" is "maybe", expected auto, always or never'),
        (["check", "-z", "f.yaml"], 'leat check: unknown option "-z"'),
        (["check", "--format", "xml", "f.yaml"], 'option "--format" is "xml", expected text or json'),
        (["graph"], "leat graph: expected one pipeline file"),
        (["graph", "a", "b"], "leat graph: expected one pipeline file"),
        (["inspect", "a", "b"], "leat inspect: expected one plugin at most"),
        (["inspect", "--format", "markdown"], "expected a plugin with --format markdown"),
        (["help", "rnu"], 'unknown command "rnu"; did you mean "run"?'),
    ],
)
def test_wrong_usage_is_told_with_exit_2(leat, words, message):
    shown = run(leat, *words)
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert message in shown.stderr


def test_an_unknown_plugin_is_told_with_the_nearest(leat):
    shown = run(leat, "inspect", "generat")
    assert shown.returncode == 1
    assert shown.stderr == 'leat inspect: there is no plugin "generat"; did you mean "generate"?\n'


def test_plugins_are_inspected_as_text_json_and_markdown(leat):
    assert "generate" in run(leat, "inspect").stdout
    names = json.dumps(json.loads(run(leat, "inspect", "--format", "json").stdout))
    assert '"generate"' in names and '"lua"' in names
    assert "rate" in run(leat, "inspect", "generate").stdout
    assert "| `rate`" in run(leat, "inspect", "generate", "--format", "markdown").stdout
    assert "sources" in json.dumps(json.loads(run(leat, "inspect", "--schema").stdout))


def test_a_pipeline_is_drawn(leat, write):
    file = write("busy.yaml", BUSY)
    assert "flowchart" in run(leat, "graph", file).stdout
    assert run(leat, "graph", file, "--format", "dot").stdout.startswith("digraph")


# ---- check ----


def test_check_goes_through_a_folder_in_order(leat, write, tmp_path):
    write("b.yaml", SHORT)
    write("a.yaml", BUSY)
    write("ab.yaml", BROKEN)
    write(".hidden.yaml", "not: read")
    write("notes.txt", "not read either")
    shown = run(leat, "check", tmp_path)
    assert shown.returncode == 78
    good = [line for line in shown.stdout.splitlines() if "ok (" in line]
    assert good == [
        f"{tmp_path}/a.yaml: ok (1 source, 0 operators, 1 sink; guarantee: at-least-once)",
        f"{tmp_path}/b.yaml: ok (1 source, 0 operators, 1 sink; guarantee: at-least-once)",
    ]
    assert f'{tmp_path}/a.yaml: source "payments" (generate): ok' in shown.stdout
    assert "hidden" not in shown.stderr and "notes" not in shown.stderr
    assert re.search(r'ab\.yaml:5:\d+: error: generate source has no option "rat"; did you mean "rate"\?', shown.stderr)


def test_check_offline_connects_to_nothing(leat, write):
    file = write("p.yaml", BUSY)
    assert '"payments"' in run(leat, "check", file).stdout
    shown = run(leat, "check", "--offline", file)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == f"{file}: ok (1 source, 0 operators, 1 sink; guarantee: at-least-once)\n"


def test_a_system_that_refuses_is_exit_1(leat, write):
    file = write("p.yaml", BUSY.replace("type: generate, rate: 2000", "type: file, path: /nonexistent/events.jsonl"))
    shown = run(leat, "check", file)
    assert shown.returncode == 1
    assert "/nonexistent/events.jsonl" in shown.stderr
    assert run(leat, "check", "--offline", file).returncode == 0


def test_check_writes_json(leat, write, tmp_path):
    write("good.yaml", BUSY)
    write("wrong.yaml", BROKEN)
    shown = run(leat, "check", tmp_path, "--format", "json")
    assert (shown.returncode, shown.stderr) == (78, "")
    good, wrong = json.loads(shown.stdout)
    assert good["ok"] and good["pipeline"] == "busy" and good["guarantee"] == "at-least-once"
    assert good["nodes"][0] == {"node": "payments", "role": "source", "type": "generate", "ok": True, "reason": None}
    assert not wrong["ok"] and wrong["findings"][0]["line"] == 5


def test_what_cannot_be_read_is_exit_78(leat, tmp_path):
    for path in ("missing.yaml", "."):
        shown = run(leat, "check", path, cwd=tmp_path)
        assert shown.returncode == 78 and shown.stderr.startswith("leat check: ")


# ---- run ----


def test_a_broken_file_does_not_run(pipeline):
    it = pipeline(BROKEN).start()
    assert it.wait_exit() == 78
    assert re.search(r'pipeline\.yaml:5:\d+: error: generate source has no option "rat"', it.log)


def test_two_files_cannot_be_one_pipeline(leat, write):
    shown = run(leat, "run", write("a.yaml", BUSY), write("b.yaml", BUSY))
    assert shown.returncode == 78
    assert 'error: pipeline "busy" is in file' in shown.stderr


def test_it_ends_when_all_sources_have(leat, write, tmp_path):
    state = tmp_path / "new" / "state"
    shown = run(leat, "run", write("p.yaml", SHORT), "--summary-json", tmp_path / "s.json", "--state-dir", state)
    assert shown.returncode == 0
    assert re.search(r'pipeline "short" done after \d+\.\d s\n  events in +5,000 ', shown.stderr)
    summary = json.loads((tmp_path / "s.json").read_text())["pipelines"][0]
    assert summary["outcome"] == "done" and summary["error"] is None
    assert summary["events_in"] == summary["events_out"] == 5000
    assert summary["dead_letters"] == 0
    nodes = {node["node"]: node["records_out"] for node in summary["nodes"]}
    assert (nodes["payments"], nodes["nowhere"]) == (5000, 5000)
    assert state.is_dir()


def test_for_ends_it_after_that_time(leat, write):
    started = time.monotonic()
    shown = run(leat, "run", write("p.yaml", BUSY), "--for", "1500ms")
    assert shown.returncode == 0
    assert 1.4 < time.monotonic() - started
    assert "time is up: draining" in shown.stderr


def test_quiet_prints_nothing(leat, write):
    shown = run(leat, "run", write("p.yaml", SHORT), "--quiet")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "")


def test_a_summary_that_cannot_be_written_fails(leat, write):
    shown = run(leat, "run", write("p.yaml", SHORT), "--summary-json", "/nonexistent/s.json")
    assert shown.returncode == 1
    assert 'could not write "/nonexistent/s.json": No such file or directory' in shown.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_drains(pipeline, number):
    it = pipeline(BUSY).start()
    series = 'leat_records_in_total{pipeline="busy",node="payments",role="source",type="generate"}'
    it.wait_until(lambda: it.metrics()[series] > 100)
    assert it.stop(number) == 0
    assert "draining" in it.log
    events = [int(n.replace(",", "")) for n in re.findall(r"events (?:in|out) +([\d,]+)", it.log)]
    assert events[0] == events[1] > 100


def test_a_second_signal_quits_at_once(pipeline, tmp_path):
    """The output is a pipe that nobody reads, so draining cannot come to an end."""
    read_end, write_end = os.pipe()
    it = pipeline(BUSY.replace("rate: 2000", "rate: 0").replace("type: discard", "type: stdout"))
    log = open(it.log_file, "ab")
    it.process = subprocess.Popen(
        [str(it.leat), "run", str(it.file), "--state-dir", str(tmp_path)], stdout=write_end, stderr=log, env=it.environment
    )
    os.close(write_end)
    it.wait_log("started from")
    time.sleep(1)
    it.process.send_signal(signal.SIGTERM)
    it.wait_log("draining")
    time.sleep(1)
    assert it.process.poll() is None
    assert it.stop(signal.SIGTERM) == 1  # draining would never end
    assert "second signal: quitting" in it.log
    os.close(read_end)
    log.close()


def test_an_error_stops_the_pipeline_with_exit_1(pipeline):
    it = pipeline(BUSY.replace("type: generate, rate: 2000", "type: file, path: /nonexistent/events.jsonl")).start()
    assert it.wait_exit() == 1
    assert len(re.findall("error pipeline", it.log)) == 1
    assert 'pipeline "busy" stopped after' in it.log


def test_figures_are_logged_where_there_is_no_terminal(pipeline):
    it = pipeline(BUSY).start("--status", "always")
    it.wait_log(r"info busy  [\d.]+k in/s  [\d.]+k out/s  .*queue \d+%  .*alerts 0  dead 0  \d+s$")
    assert "\033" not in it.log
    assert it.stop() == 0


# ---- HTTP ----


def test_metrics_are_what_prometheus_wants(pipeline):
    keyed = "operators:\n  few: {type: dedup, input: payments, key: id, within: 1m}\nsinks:"
    it = pipeline(BUSY.replace("sinks:", keyed)).start()
    it.wait_until(lambda: it.get("/readyz")[0] == 200)
    status, text = it.get("/metrics")
    assert status == 200
    latency = "leat_end_to_end_latency_seconds_bucket"
    for name in ("leat_records_in_total", "leat_edge_queued_batches", latency, "process_open_fds"):
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE), name
    promtool = shutil.which("promtool")
    if promtool is None:
        assert os.environ.get("CI") != "true", "promtool is missing"
        pytest.skip("promtool is missing")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_running_pipeline_is_healthy_and_ready(pipeline):
    it = pipeline(BUSY).start()
    status, text = it.wait_until(lambda: (lambda page: page if page[0] == 200 else None)(it.get("/readyz")))
    assert json.loads(text)["pipelines"][0]["state"] == "running"
    assert it.get("/healthz")[0] == 200
    assert it.get("/")[0] == 200
    assert it.get("/elsewhere")[0] == 404


def test_it_listens_on_loopback_only(leat, write):
    shown = run(leat, "run", write("p.yaml", BUSY), "--http", "0.0.0.0:9464")
    assert shown.returncode == 2
    assert 'cannot listen on "0.0.0.0:9464": only loopback addresses' in shown.stderr


# ---- leatd ----


class Daemon:
    def __init__(self, program, folder, *options):
        self.log_file = folder / "leatd.log"
        self.process = subprocess.Popen(
            [program, "--config-dir", folder / "pipelines.d", "--state-dir", folder / "state", "--http", "127.0.0.1:0", *options],
            stderr=open(self.log_file, "wb"),
        )

    def wait_log(self, pattern):
        deadline = time.monotonic() + 30
        while not (found := re.search(pattern, self.log_file.read_text())):
            assert time.monotonic() < deadline and self.process.poll() is None, self.log_file.read_text()
            time.sleep(0.05)
        return found

    def get(self, path):
        shown = run("curl", "-s", "-w", "%{http_code}", self.wait_log(r"http://[\d.:]+")[0] + path)
        return int(shown.stdout[-3:]), shown.stdout[:-3]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def daemon(leatd, tmp_path):
    made = []

    def create(*options):
        made.append(Daemon(leatd, tmp_path, *options))
        return made[-1]

    yield create
    for one in made:
        one.process.kill()
        one.process.wait()
        print(one.log_file.read_text())


def test_leatd_runs_a_folder_and_drains_it(daemon, write):
    write("pipelines.d/a.yaml", BUSY)
    write("pipelines.d/b.yaml", IDLE)
    it = daemon()
    it.wait_log('pipeline "idle": started')
    names = [one["pipeline"] for one in json.loads(it.get("/readyz")[1])["pipelines"]]
    assert names == ["busy", "idle"]
    assert it.stop() == 0


def test_leatd_outlives_broken_files_and_stopped_pipelines(daemon, write):
    write("pipelines.d/bad.yaml", BROKEN)
    write("pipelines.d/good.yaml", BUSY)
    write("pipelines.d/stops.yaml", IDLE.replace("type: generate, rate: 1", "type: file, path: /nonexistent/events.jsonl"))
    it = daemon()
    it.wait_log("error pipeline .idle.: ")
    it.wait_log(r"bad\.yaml:5:\d+: error: ")
    for page in ("/healthz", "/readyz"):
        status, text = it.get(page)
        assert status == 503
        states = {one["pipeline"]: one for one in json.loads(text)["pipelines"]}
        assert {name: one["state"] for name, one in states.items() if name != "busy"} == {"bad": "stopped", "idle": "stopped"}
        assert states["busy"]["state"] in ("starting", "running")
        assert "/nonexistent/events.jsonl" in states["idle"]["error"]
    assert it.process.poll() is None
    assert it.stop() == 1


def test_leatd_strict_wants_every_file_right(leatd, write, tmp_path):
    write("pipelines.d/bad.yaml", BROKEN)
    write("pipelines.d/good.yaml", BUSY)
    folders = ["--config-dir", tmp_path / "pipelines.d", "--state-dir", tmp_path]
    assert run(leatd, *folders, "--strict").returncode == 78
    checked = run(leatd, *folders, "--check")
    assert checked.returncode == 78 and "good.yaml: ok (" in checked.stdout


def test_leatd_without_pipelines_is_a_wrong_configuration(leatd, tmp_path):
    shown = run(leatd, "--config-dir", tmp_path)
    assert shown.returncode == 78 and "has no pipeline files" in shown.stderr
    shown = run(leatd, "--config-dir", tmp_path / "missing")
    assert shown.returncode == 78 and "No such file or directory" in shown.stderr


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_an_idle_leatd_uses_under_one_percent_of_a_processor(daemon, write):
    write("pipelines.d/idle.yaml", IDLE)
    write("pipelines.d/follow.yaml", IDLE.replace("pipeline: idle", "pipeline: follow").replace(
        "type: generate, rate: 1", "type: file, path: ../events.jsonl, follow: true"))
    write("events.jsonl", '{"id": 1}\n')
    it = daemon()
    it.wait_log('pipeline "idle": started')
    time.sleep(1)
    seconds, before = 10, ticks(it.process.pid)
    time.sleep(seconds)
    share = (ticks(it.process.pid) - before) / os.sysconf("SC_CLK_TCK") / seconds
    print(f"idle: {share:.2%} of a processor")
    assert share < 0.01
    assert it.stop() == 0


def test_systemd_is_told(leatd, write, tmp_path):
    write("pipelines.d/idle.yaml", IDLE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(20)
        process = subprocess.Popen(
            [leatd, "--config-dir", tmp_path / "pipelines.d", "--state-dir", tmp_path, "--http", "off"],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=subprocess.DEVNULL,
        )
        assert b"READY=1" in notified.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert b"STOPPING=1" in notified.recv(4096)
        assert process.wait(30) == 0


# ---- the status line ----


class Terminal:
    """leat on a pseudo-terminal: what it wrote, and the rows it made of the window."""

    def __init__(self, rows, columns, *words, **environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {"TERM": "xterm", **environment}
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=slave, stdout=slave, stderr=slave,
            env={**{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}, **environment}, start_new_session=True)
        os.close(slave)
        self.text = ""

    def read_all(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    break
            elif self.process.poll() is not None:
                break
        os.close(self.master)
        assert self.process.wait(10) == 0
        return self.text


def status_lines(text):
    drawn = re.findall(r"\033\[\d+;1H(.*?)\033\[K\0338", text)
    return [re.sub(r"\033\[[\d;]*m", "", line) for line in drawn]


def test_a_terminal_shows_a_line_that_stays_at_the_bottom(leat, write):
    text = Terminal(24, 100, leat, "run", write("p.yaml", BUSY), "--for", "2s").read_all()
    lines = status_lines(text)
    assert 6 <= len(lines) <= 14, lines
    assert re.fullmatch(r"busy  [\d.]+k in/s  [\d.]+k out/s  .*queue \d+%  p99 [\d.]+ [mu]?s  alerts 0  dead 0  \ds", lines[-2])
    assert "\033[1;23r" in text and "\033[24;1H" in text
    assert "\033[1m" in text
    # In the end the whole window scrolls again, and nothing of the line is left.
    assert re.search(r"\033\[r\033\[24;1H\033\[2K\0338", text)
    assert text.index("events in") > text.rindex("\033[r")


def test_a_narrow_terminal_gets_a_short_line_and_no_color_is_kept(leat, write):
    text = Terminal(24, 30, leat, "run", write("p.yaml", BUSY), "--for", "1s", NO_COLOR="1").read_all()
    assert status_lines(text) and all(len(line) <= 30 for line in status_lines(text))
    assert "\033[1m" not in text


@pytest.mark.parametrize("options, environment", [(["--status", "never"], {}), (["--quiet"], {}), ([], {"TERM": "dumb"})])
def test_there_is_no_line_where_it_is_not_wanted(leat, write, options, environment):
    text = Terminal(24, 80, leat, "run", write("p.yaml", SHORT), *options, **environment).read_all()
    assert "\033" not in text


# ---- top ----


def test_top_shows_the_rates_of_what_runs(leat, pipeline):
    it = pipeline(BUSY).start()
    it.wait_until(lambda: it.get("/readyz")[0] == 200)
    url = re.search(r"http://[\d.:]+", it.log)[0]
    shown = run(leat, "top", "--url", url, "--interval", "500ms")
    assert shown.returncode == 0, shown.stderr
    assert re.match(r"busy  running  at-least-once  p50 ", shown.stdout)
    assert re.search(r"payments +generate source +(1\.\d|2\.\d)+k ", shown.stdout), shown.stdout
    # On a terminal it goes on until q, and leaves what was there before.
    terminal = Terminal(24, 60, leat, "top", "--url", url, "--interval", "200ms")
    time.sleep(1)
    os.write(terminal.master, b"q")
    text = terminal.read_all()
    assert text.startswith("\033[?1049h") and text.rstrip().endswith("\033[?1049l")
    lines = re.sub(r"\033\[[\d;?]*[A-Za-z]", "", text.split("\033[H")[-1].split("\033[J")[0]).splitlines()
    assert lines[1].startswith("  mean  ") and "NODE" in lines[2] and all(len(line) <= 60 for line in lines), lines
    assert text.count("\033[H") >= 3
    it.stop()
    shown = run(leat, "top", "--url", url)
    assert shown.returncode == 1 and "could not read" in shown.stderr


# ---- what the documentation says ----

SOURCE = pathlib.Path(__file__).parents[2]


def test_every_metric_is_in_the_documentation(pipeline):
    it = pipeline(BUSY).start()
    told = set(re.findall(r"`((?:leat|process)_\w+)`", (SOURCE / "docs/operating.md").read_text()))
    assert set(re.findall(r"^# TYPE (\w+) ", it.get("/metrics")[1], re.MULTILINE)) == told


def test_threads_are_named_after_what_they_do(pipeline):
    run = pipeline(BUSY.replace("at-least-once", "exactly-once")).start()

    def names():
        return {task.read_text().strip() for task in pathlib.Path(f"/proc/{run.process.pid}/task").glob("*/comm")}

    run.wait_until(lambda: {"leat", "supervisor", "worker 0", "epochs", "sink nowhere"} <= names(), "the names of threads")


def test_the_sample_pipeline_runs(pipeline):
    text = (SOURCE / "etc/pipelines.d/README.md").read_text()
    it = pipeline(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]).start()
    it.wait_until(lambda: it.get("/readyz")[0] == 200)
    assert it.stop() == 0


def test_dead_letters_that_no_sink_reads_are_in_the_state_folder(leat, write, tmp_path):
    write("events.jsonl", '{"id": 1}\nno json\n{"id": 2}\n')
    file = write("p.yaml", BUSY.replace("type: generate, rate: 2000", "type: file, path: events.jsonl"))
    shown = run(leat, "run", file, "--state-dir", tmp_path / "state", "--summary-json", "-")
    assert shown.returncode == 0, shown.stderr
    letters = (tmp_path / "state" / "p.dead.jsonl").read_text().splitlines()
    assert len(letters) == 1 and "no json" in letters[0]
    summary = json.loads(shown.stdout)["pipelines"][0]
    assert (summary["events_in"], summary["events_out"], summary["dead_letters"]) == (3, 2, 1)


def test_output_that_cannot_be_written_is_exit_1(leat, write):
    with open("/dev/full", "w") as full:
        done = subprocess.run([leat, "graph", write("p.yaml", BUSY)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "could not write to standard output" in done.stderr
