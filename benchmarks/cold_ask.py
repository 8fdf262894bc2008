"""Time a cold `vimonet ask RECORDING QUESTION`, from starting Python to the answer, against another checkout.

    git worktree add ../before COMMIT
    python benchmarks/cold_ask.py ../before [--runs 7] [--recording WALK.bvh] [--json]

The two checkouts take turns in one run, each in processes of its own, after one run each that is not counted and in
which Python compiles their files. The ratio is the median of this checkout over that of the other; under 1 is faster.
Beside the wall's seconds stand the processor's, which a busy machine does not stretch. Importing torch alone is the
limit: no answer of a model in torch comes sooner.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parents[1]
QUESTION = "Which way does the person turn?"


def seconds(source: Path, command: Sequence[str]) -> tuple[float, float]:
    """Measure wall and processor seconds of ``python COMMAND`` with the package of `source` (a checkout's ``src``)."""
    # Python's compiled files are kept, as on a user's machine, even where this one forbids it.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as empty:  # the working directory must not lend its own package
        start, before = time.perf_counter(), _children()
        done = subprocess.run(
            [sys.executable, *command],
            cwd=empty,
            env={**kept, "PYTHONPATH": str(source), "XDG_CACHE_HOME": empty},
            capture_output=True,
            text=True,
        )
        taken = time.perf_counter() - start, _children() - before
    if done.returncode:
        raise SystemExit(f"{source}: {(done.stderr.strip().splitlines() or ['it failed without a word'])[-1]}")
    return taken


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(reference: Path, recording: Path, runs: int) -> dict[str, float | str | int]:
    """Time both checkouts in turn, and importing torch; medians in seconds, and the ratios of the medians."""
    ask = ["-m", "vimonet", "ask", str(recording), QUESTION]
    jobs = {
        "torch": (HERE / "src", ["-c", "import torch"]),
        "reference": (reference / "src", ask),
        "this": (HERE / "src", ask),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():
            one = seconds(*job)
            if run:
                taken[name].append(one)
    report: dict[str, float | str | int] = {"reference": str(reference), "runs": runs}
    for name, values in taken.items():
        report[f"{name}_s"] = round(median(wall for wall, _ in values), 2)
        report[f"{name}_cpu_s"] = round(median(cpu for _, cpu in values), 2)
    for kind in ("s", "cpu_s"):
        ours, theirs = float(report[f"this_{kind}"]), float(report[f"reference_{kind}"])
        report[f"ratio_{kind}"] = round(ours / theirs, 2)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="another checkout of this repository")
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each (default: %(default)s)")
    parser.add_argument(
        "--recording", type=Path, default=HERE / "src/vimonet/samples/walk.bvh", help="(default: the sample walk)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args(argv)
    if not (args.reference / "src" / "vimonet").is_dir():
        raise SystemExit(f"{args.reference}: no checkout of this repository; it has no src/vimonet.")
    report = compare(args.reference.resolve(), args.recording.resolve(), args.runs)
    if args.json:
        print(json.dumps(report))
        return 0
    for name, label in (("torch", "import torch"), ("reference", f"ask, {args.reference}"), ("this", "ask, here")):
        print(f"{label}: {report[f'{name}_s']:.2f} s, processor {report[f'{name}_cpu_s']:.2f} s")
    print(f"ratio, here over {args.reference}: {report['ratio_s']:.2f}, processor {report['ratio_cpu_s']:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
