# SPDX-License-Identifier: Apache-2.0
"""What the README of `anomaly` says its detectors find is what they find."""

import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def test_the_table_in_the_readme_is_what_the_report_prints(oracle, monkeypatch):
    monkeypatch.setenv("LEAT", oracle.leat)
    monkeypatch.setenv("LEAT_PLUGIN_PATH", oracle.plugins or str(SOURCE / "build/plugins/.libs"))
    report = [sys.executable, str(SOURCE / "tests/oracle/anomaly_report.py")]
    found = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    assert found in (SOURCE / "plugins/anomaly/README.md").read_text(), found
