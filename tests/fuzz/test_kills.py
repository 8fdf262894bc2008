"""A short campaign of kills; the long one is ``python tests/fuzz/kill_campaign.py --count 100 --seed 0``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).with_name("kill_campaign.py")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks")
def test_killed_jobs_lose_and_double_nothing() -> None:
    command = [sys.executable, str(CAMPAIGN), "--count", "4", "--seed", "3"]
    command += ["--job", "train pretrain-lm", "--job", "data build open"]
    environment = {**os.environ, "PYTHONPATH": str(CAMPAIGN.parents[2] / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "4 kills of 2 jobs" in done.stdout and "0 of " in done.stdout.splitlines()[-1]
