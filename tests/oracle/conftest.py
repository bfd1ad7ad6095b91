# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest
from oracle import Oracle

SOURCE = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def oracle(tmp_path):
    leat = os.environ.get("LEAT", str(SOURCE / "build/leat"))
    oracle = Oracle(leat, os.environ.get("LEAT_PLUGIN_PATH"), tmp_path)
    yield oracle
    oracle.close()
