"""The record as a whole: JSON, readable lines, speed, no torch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from research.vimos_open.synthesis import compose, generate
from vimonet.motion.kinematics import measure

ROOT = Path(__file__).parents[3]


def test_json_and_lines() -> None:
    motion, _ = compose([("walk", {}), ("turn_in_place", {"side": "right", "degrees": 90.0}), ("fall", {})], seed=2)
    facts = measure(motion)
    again = json.loads(json.dumps(facts.to_dict(), allow_nan=False))
    assert set(again["contacts"]) == {"left ankle", "left foot", "right ankle", "right foot"}
    assert again["falls"] and again["turns"][0]["degrees"] < 0
    text = "\n".join(facts.lines())
    for part in ("duration:", " m/s", "turns: right ", "falls: falls", "lying"):
        assert part in text


def test_the_same_twice() -> None:
    motion, _ = generate("walk", seed=5)
    assert measure(motion).to_dict() == measure(motion).to_dict()


def test_two_hundred_frames_take_milliseconds() -> None:
    motion, _ = generate("walk", seed=0, duration=8.5)
    short = motion.joints[:200]
    assert len(short) == 200
    measure(motion)
    best = 1.0
    for _ in range(20):
        begin = time.perf_counter()
        measure(motion.window(0, 200))
        best = min(best, time.perf_counter() - begin)
    assert best < 0.05  # 9 ms here; a loaded machine may take more


def test_measuring_needs_no_torch() -> None:
    code = "import sys, vimonet.motion.kinematics, research.vimos_open.synthesis; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
