"""Time questions to two models in one run: cold, warm, several about one recording, and the memory of a cold one.

    python benchmarks/ask_speed.py [--model mini] [--reference nano] [--runs 5] [--recording WALK.bvh] [--json]

Ratios are of --model over --reference. ``shared`` is the time of six questions about one recording asked together, over
that of the same six asked one by one: what reading context and clips once saves. Cold is a whole process of ``vimonet
ask``; its memory is the peak resident size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import torch

import vimonet
from vimonet.motion import load

QUESTIONS = (
    "What is the person doing?",
    "Is she running?",
    "Which way does he go?",
    "How many steps are there?",
    "Which arm moves more?",
    "Describe the movement.",
)


def cold(model: str, recording: str, runs: int) -> dict[str, float]:
    """Measure wall seconds and peak memory of ``vimonet ask`` in processes of their own."""
    command = [sys.executable, "-m", "vimonet", "ask", recording, QUESTIONS[0], "-m", model]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(runs + 1):  # the first compiles and is not counted
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=kept)
        taken.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {"cold_s": median(taken[1:]), "cold_peak_gib": peak}


def warm(model: str, recording: str, runs: int) -> dict[str, float]:
    """Measure seconds of a question to a loaded model, of six one by one and together, and tokens per second."""
    assistant, motion = vimonet.load(model), load(recording)
    alone, each, together, rates = [], [], [], []
    assistant.ask(QUESTIONS[0], motion)
    for _ in range(runs):
        start = time.perf_counter()
        assistant.ask(QUESTIONS[0], motion, answer_policy="raw")
        alone.append(time.perf_counter() - start)
        start = time.perf_counter()
        for question in QUESTIONS:
            assistant.ask(question, motion, answer_policy="raw")
        each.append(time.perf_counter() - start)
        start = time.perf_counter()
        assistant.ask_batch([(question, motion) for question in QUESTIONS], answer_policy="raw")
        together.append(time.perf_counter() - start)
        rates.append(_rate(assistant, motion))
    return {
        "warm_s": median(alone),
        "six_one_by_one_s": median(each),
        "six_together_s": median(together),
        "tokens_per_s": median(rates),
    }


def _rate(assistant: vimonet.Assistant, motion: vimonet.Motion, tokens: int = 40) -> float:
    """Measure tokens per second of one row after the prompt."""
    inputs = assistant.prepare_inputs(assistant.builder().windows(QUESTIONS[0], motion))
    seconds = {}
    for count in (1, tokens + 1):
        start = time.perf_counter()
        with torch.inference_mode():
            assistant.model.generate(**inputs, min_new_tokens=count, max_new_tokens=count, do_sample=False)
        seconds[count] = time.perf_counter() - start
    return tokens / (seconds[tokens + 1] - seconds[1])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--reference", default="nano")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--recording", default="sample:walk")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    found = {
        name: {**warm(name, args.recording, args.runs), **cold(name, args.recording, args.runs)}
        for name in (args.reference, args.model)  # the reference first: peak memory of children only grows
    }
    this, other = found[args.model], found[args.reference]
    report = {
        **found,
        "ratio": {key: this[key] / other[key] for key in this},
        "shared": {name: of["six_together_s"] / of["six_one_by_one_s"] for name, of in found.items()},
        "threads": torch.get_num_threads(),
    }
    if args.json:
        print(json.dumps(report))
    else:
        for key, value in this.items():
            ratio = report["ratio"][key]
            print(f"{key:>18}: {value:8.2f} {args.model}, {other[key]:8.2f} {args.reference}, ratio {ratio:.2f}")
        for name, share in report["shared"].items():
            print(f"six together over one by one, {name}: {share:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
