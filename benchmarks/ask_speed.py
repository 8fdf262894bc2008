"""Time questions to two models in one run: cold, warm, several about one recording, a folder, and a cold one's memory.

    python benchmarks/ask_speed.py [--model mini] [--reference nano] [--runs 5] [--recording WALK.bvh] [--film CLIP]

Ratios are of --model over --reference. ``shared`` is the time of six questions about one recording asked together, over
that of the same six asked one by one: what reading context and clips once saves. ``transformers`` is the speed of
transformers' `generate` over ours, per token. Cold is a whole process of ``vimonet ask``; its memory is the peak
resident size. Captions come from ``vimonet caption FOLDER``, without the time that one recording takes. A film is asked
with an empty cache, and its time is a share of its length; keypoints need the extra `pose`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from ask_video import ask_seconds

import vimonet
from vimonet.inference.greedy import greedy
from vimonet.motion import load
from vimonet.samples import sample_path
from vimonet.video import probe

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
    taken, peak = [], []
    for _ in range(runs + 1):  # the first compiles and is not counted
        start = time.perf_counter()
        process = subprocess.Popen(command, env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"error: {' '.join(command)} failed.")
        taken.append(time.perf_counter() - start)
        peak.append(used.ru_maxrss / 2**20)
    return {"cold_s": median(taken[1:]), "cold_peak_gib": max(peak)}


def warm(model: str, recording: str, runs: int) -> dict[str, float]:
    """Measure seconds of a question to a loaded model, of six one by one and together, and tokens per second."""
    assistant, motion = vimonet.load(model), load(recording)
    alone, each, together = [], [], []
    rates: dict[int, list[tuple[float, float]]] = {1: [], 8: []}
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
        for rows, found in rates.items():
            found.append(_rates(assistant, motion, rows))
    return {
        "warm_s": median(alone),
        "six_one_by_one_s": median(each),
        "six_together_s": median(together),
        **{f"tokens_per_s_batch_{rows}": median(ours for ours, _ in found) for rows, found in rates.items()},
        **{f"transformers_batch_{rows}": median(b / a for a, b in found) for rows, found in rates.items()},
    }


def _rates(assistant: vimonet.Assistant, motion: vimonet.Motion, rows: int, tokens: int = 40) -> tuple[float, float]:
    """Measure tokens per second of so many rows after the prompt, by our loop and by transformers'."""
    inputs = dict(assistant.prepare_inputs(assistant.builder().windows(QUESTIONS[0], motion) * rows))

    def ours(count: int) -> None:
        greedy(assistant.model, inputs, count, [])

    def theirs(count: int) -> None:
        with torch.inference_mode():
            assistant.model.generate(**inputs, max_new_tokens=count, do_sample=False, eos_token_id=None)

    found = []
    for generate in (ours, theirs):
        seconds = {}
        for count in (1, tokens + 1):
            start = time.perf_counter()
            generate(count)
            seconds[count] = time.perf_counter() - start
        found.append(rows * tokens / (seconds[tokens + 1] - seconds[1]))
    return found[0], found[1]


def folder(model: str, recording: str, count: int = 24) -> float:
    """Measure recordings per second of ``vimonet caption FOLDER``, beyond the start of the process."""
    source = Path(sample_path(recording.removeprefix("sample:")) if recording.startswith("sample:") else recording)
    seconds = []
    for recordings in (1, count + 1):
        with tempfile.TemporaryDirectory() as place:
            for number in range(recordings):
                shutil.copyfile(source, Path(place) / f"{number}{source.suffix}")
            start = time.perf_counter()
            command = [sys.executable, "-m", "vimonet", "caption", place, "-m", model]
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    return count / (seconds[1] - seconds[0])


def film(path: str, model: str) -> float:
    """Measure the time of a cold ``vimonet ask`` about a film, over the film's length."""
    return ask_seconds(Path(path), model)[0] / probe(path).duration


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--reference", default="nano")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--recording", default="sample:walk")
    parser.add_argument("--film", help="a film, asked with an empty cache")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    found = {
        name: {
            **cold(name, args.recording, args.runs),
            **warm(name, args.recording, args.runs),
            "captions_per_s": folder(name, args.recording),
            **({"film_over_its_length": film(args.film, name)} if args.film else {}),
        }
        for name in (args.reference, args.model)
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
            print(f"{key:>22}: {value:8.2f} {args.model}, {other[key]:8.2f} {args.reference}, ratio {ratio:.2f}")
        for name, share in report["shared"].items():
            print(f"six together over one by one, {name}: {share:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
