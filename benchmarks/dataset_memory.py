"""Measure the peak memory of building, streaming and validating a dataset of one size and of ten times that size.

Each task runs in a process of its own, on forty procedural recordings that are repeated. The memory of the interpreter
and its libraries is measured separately.

    python benchmarks/dataset_memory.py [--rows 2000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vimonet.vimos.dataset_writer import Shard, build, chunk
from vimonet.vimos.parquet import Record

TASKS = ("nothing", "build", "stream", "map", "validate", "leak report and card")


@dataclass(frozen=True)
class Repeated:
    """Repeat forty recordings."""

    rows: int

    name = "repeated"

    def settings(self) -> dict[str, Any]:
        """Return the settings of the dataset."""
        return {"rows": self.rows}

    def shards(self) -> list[Shard]:
        """List the shards, 250 rows each."""
        return chunk("train", range(self.rows), 250)

    def records(self, shard: Shard) -> Iterator[Record]:
        """Yield the rows of a shard."""
        made = _made()
        for index in shard.keys:
            row = made[index % len(made)]
            yield replace(row, id=f"train/{index:06d}", recording=f"r{index}")

    def describe(self) -> str:
        """Describe the source for the dataset card."""
        return "For measuring memory."


def _made(cache: list[Record] = []) -> list[Record]:  # noqa: B006
    if not cache:
        import random

        from research.vimos_open.synthesis import ACTIONS, generate
        from vimonet.vimos.annotators.annotate import annotate

        for number in range(40):
            motion = generate(sorted(ACTIONS)[number % len(ACTIONS)], seed=number)[0]
            instructions, _ = annotate(motion, (), (), random.Random(number))
            cache.append(Record("", "made", "", "train", "CC0", motion, instructions=instructions))
    return cache


def run(task: str, rows: int, folder: Path) -> None:
    """Run one task on files on disk."""
    if task == "build":
        build(Repeated(rows), folder, workers=0, progress=False)
    elif task == "stream":
        from vimonet.vimos.reading import read_records

        assert sum(1 for _ in read_records(folder, "train")) == rows
    elif task == "map":
        from vimonet.training.data.vimos_dataset import training_samples

        samples = training_samples(str(folder))
        for index in range(0, len(samples), 7):
            samples[index]
    elif task == "validate":
        from vimonet.vimos.validate import validate

        assert validate(folder).rows == rows
    elif task == "leak report and card":
        from vimonet.vimos.card import write_card
        from vimonet.vimos.dataset_writer import summarise
        from vimonet.vimos.leak_report import leak_report

        write_card(summarise(folder, Repeated(rows).shards()), Repeated(rows), leak_report(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000, help="rows at 1x (default: %(default)s)")
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.task:
        run(args.task, args.rows, args.folder)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(f"peak MiB            {args.rows:>8,} rows {10 * args.rows:>8,} rows    ratio")
    with tempfile.TemporaryDirectory() as folder:
        for task in TASKS:
            peaks = []
            for rows in (args.rows, 10 * args.rows):
                command = [sys.executable, __file__, "--task", task, "--rows", str(rows)]
                done = subprocess.run(
                    [*command, "--folder", f"{folder}/{rows}"], capture_output=True, text=True, check=True
                )
                peaks.append(float(done.stdout.split()[-1]))
            print(f"{task:20}{peaks[0]:13.0f} {peaks[1]:13.0f} {peaks[1] / peaks[0]:8.2f}", flush=True)


if __name__ == "__main__":
    main()
