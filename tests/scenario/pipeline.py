# SPDX-License-Identifier: Apache-2.0
"""Runs leat on one pipeline file as a test wants it: start, wait for something, stop, look at what it logged."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import yaml

# What a test waits for at most, in seconds. Sanitizers and slow machines stretch it.
PATIENCE = 30 * float(os.environ.get("LEAT_TEST_STRETCH", "1"))

# The line with which leat tells where its HTTP port is.
HTTP_LINE = r"http://(?P<address>[\d.]+:\d+)"


def command_line(leat, file, state, plugins):
    """How leat is called: the one place to change with its options."""
    command = [leat, "run", file, "--state-dir", state, "--http", "127.0.0.1:0"]
    if plugins:
        command += ["--plugin-path", plugins]
    return [str(word) for word in command]


class Pipeline:
    """One pipeline file and the process that runs it. Its files are in `folder`, its state outlives the process."""

    def __init__(self, leat, folder, description, plugins=None, environment=None):
        """`description` is the text of the pipeline file, or what yaml would make of it."""
        self.leat, self.folder, self.plugins = leat, folder, plugins
        self.environment = {**os.environ, **(environment or {})}
        self.file = folder / "pipeline.yaml"
        self.log_file = folder / "leat.log"
        self.output_file = folder / "leat.out"
        self.process, self.log_start = None, 0
        self.options = []  # of every start
        self.rewrite(description)

    def rewrite(self, description):
        text = description if isinstance(description, str) else yaml.safe_dump(description, sort_keys=False)
        self.file.write_text(text)

    def start(self, *options):
        """A second start appends to the log; wait_log looks only at what this start has logged."""
        assert self.process is None, "the pipeline runs already"
        command = command_line(self.leat, self.file, self.folder / "state", self.plugins) + self.options + list(options)
        with open(self.log_file, "ab") as log, open(self.output_file, "ab") as output:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=log
            )
        return self

    @property
    def log(self):
        with open(self.log_file, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    @property
    def output(self):
        return self.output_file.read_text(errors="replace")

    def lines(self, name):
        """The events of a JSON Lines file that a sink has written into the pipeline's folder."""
        file = self.folder / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def check(self, *options):
        """What `leat check` says of the file."""
        command = [self.leat, "check", self.file, *options] + (["--plugin-path", self.plugins] if self.plugins else [])
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=60)

    def call(self, *words):
        """What another command says of the state, which has to work."""
        command = [str(word) for word in (self.leat, *words, "--state-dir", self.folder / "state")]
        command += ["--plugin-path", str(self.plugins)] if self.plugins else []
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=60, check=True).stdout

    def wait_until(self, condition, what="the condition", timeout=PATIENCE):
        """Call `condition` until it returns something true, and return that."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.process.poll() if self.process else None
            result = condition()
            if result:
                return result
            assert status is None, f"leat ended with status {status} before {what} came\n{self.log}"
            assert time.monotonic() < deadline, f"{what} did not come in {timeout:g} s\n{self.log}"
            time.sleep(0.05)

    def wait_log(self, pattern, timeout=PATIENCE):
        return self.wait_until(lambda: re.search(pattern, self.log, re.MULTILINE), f"log line /{pattern}/", timeout)

    def wait_fault(self, point):
        """Until a fault point (LEAT_FAULT) has acted, be it that leat ended by it."""
        deadline = time.monotonic() + PATIENCE
        while f"fault point {point}: " not in self.log:
            assert time.monotonic() < deadline, f"fault point {point} was not passed in {PATIENCE:g} s\n{self.log}"
            time.sleep(0.05)

    def wait_exit(self, timeout=PATIENCE):
        """For a pipeline that ends by itself. Returns the exit status, negative for a signal."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"leat did not end in {timeout:g} s\n{self.log}") from None
        finally:
            self.kill()

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE):
        """Ask leat to drain and end; returns its exit status."""
        self.process.send_signal(number)
        return self.wait_exit(timeout)

    def pause(self):
        """Returns when every thread stands still. The signal alone leaves some at work for as long as one has no processor."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """As a crash. Also ends what stop has left over, and accepts a process that is gone."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def get(self, path):
        """The status and text of a page of leat's HTTP port."""
        address = self.wait_log(HTTP_LINE)["address"]
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            self.assert_lives(path)
            raise

    def assert_lives(self, what):
        """It may be about to end: a connection breaks a moment before."""
        try:
            status = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"leat ended with status {status} before {what} came\n{self.log}")

    def metrics(self):
        """{'leat_records_in_total{node="a"}': 42.0, ...}, the series as /metrics writes them."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line and not line.startswith("#")]
        return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}
