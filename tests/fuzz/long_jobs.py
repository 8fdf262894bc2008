"""Small versions of the long jobs: how each is begun, where it works, and what it must leave behind."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "training")]

STEPS = ["trainer.steps=8", "trainer.save_every=2", "trainer.log_every=1"]
RATES = [f"optim.lr.{part}=1e-3" for part in ("language_model", "motion_tower", "keypoint_tower")]


@dataclass(frozen=True)
class Job:
    """A job that may be killed and begun again.

    Attributes:
        run: does the work, or what is left of it, in a folder.
        outcome: what must be the same, whether the job was killed or not: name -> hash.
        begun: tells whether the work itself has begun, so that a kill is a kill inside it.
        fresh: needs a process of its own (it starts others), not a fork of the campaign.
    """

    run: Callable[[Path], object]
    outcome: Callable[[Path], dict[str, str]]
    begun: Callable[[Path], bool]
    fresh: bool = False


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files_of(folder: Path, *patterns: str) -> dict[str, str]:
    """Hash files by their bytes."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not found:
        raise AssertionError(f"{folder}: nothing matches {patterns}")
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in found}


# ------------------------------- training


def train(stage: str, parts: Path, folder: Path) -> None:
    from training_world import TEXTS, Clips, LabelledClips, tiny

    from vimonet.training.stages import find_stage

    if (folder / "run").exists():  # killed between the result and the end of the process: the command would say so
        shutil.rmtree(folder / "run.partial", ignore_errors=True)
        (folder / ".run.lock").unlink(missing_ok=True)
        return
    model = [f"model={parts / 'aligned'}"]
    towers = [f"language.checkpoint={parts / 'language'}", f"motion.checkpoint={parts / 'tokenizer'}"]
    keys, data = {
        "pretrain-lm": ([*RATES[:1], "trainer.batch_size=1"], (TEXTS[:8],)),
        "motion-tokenizer": ([RATES[1], "motion.window=8"], (Clips(),)),
        "align-tokens": (towers, (LabelledClips(12),)),
        "align": ([*towers, "optim.lr.projectors=1e-2"], (Clips(),)),
        "instruct": ([*model, *RATES, "lora.rank=2", "lora.dropout=0.1"], (Clips(),)),
        "lift-keypoints": ([*model, RATES[2]], (Clips(12, keypoints=False),)),
        "text-motion-retrieval": ([*RATES, f"data.dataset={parts / 'pairs'}", "retrieval.width=32"], ()),
    }[stage]
    find_stage(stage).run(tiny(folder / "run", *STEPS, *keys), *data)


def trained(folder: Path) -> dict[str, str]:
    """Weights to the bit, and the loss of every step once."""
    run = folder / "run"
    records = [json.loads(line) for line in (run / "training_log.jsonl").read_text().splitlines()]
    losses = [(one["step"], one["loss"]) for one in records if "loss" in one]
    steps = [step for step, _ in losses]
    if steps != list(range(1, 9)):
        raise AssertionError(f"steps {steps}")
    left = [path.name for path in folder.iterdir() if path.name != "run"]
    if left:
        raise AssertionError(f"left behind: {left}")
    return {**files_of(run, "*.safetensors"), "losses": sha256(json.dumps(losses).encode())}


def make_parts(folder: Path) -> None:
    """Train the parts that later stages begin with, and write a dataset of pairs."""
    import pyarrow.parquet as pq
    from training_world import TEXTS, Clips, pair_record, tiny

    from vimonet.training.stages import find_stage
    from vimonet.vimos.parquet import VERSION, to_row, to_table

    find_stage("pretrain-lm").run(tiny(folder / "language", RATES[0]), TEXTS)
    find_stage("motion-tokenizer").run(tiny(folder / "tokenizer", RATES[1]), Clips())
    towers = [f"language.checkpoint={folder / 'language'}", f"motion.checkpoint={folder / 'tokenizer'}"]
    find_stage("align").run(tiny(folder / "aligned", *towers, "optim.lr.projectors=1e-2"), Clips())
    for split, count in (("train", 24), ("val", 12)):
        (folder / "pairs" / split).mkdir(parents=True)
        rows = to_table([to_row(pair_record(index, split)) for index in range(count)])
        pq.write_table(rows, folder / "pairs" / split / "00000.parquet", row_group_size=5)
    (folder / "pairs" / "vimos.json").write_text(json.dumps({"vimos_version": VERSION}))


# ------------------------------- dataset, benchmark, captions


def build_open(folder: Path, workers: int) -> None:
    from research.vimos_open import builder as recipe
    from vimonet.vimos.card import write_card
    from vimonet.vimos.dataset_writer import build

    recipe._ROWS = 6  # of a shard, so that there are several
    builder = recipe.OpenBuilder(count=24, val=6, sources=("synthetic",), test=False)
    write_card(build(builder, folder / "data", workers=workers, progress=False), builder, None)


def built(folder: Path) -> dict[str, str]:
    data = folder / "data"
    left = [path.name for path in (*folder.rglob("*.part"), *folder.rglob(".*.lock"))]
    if left:
        raise AssertionError(f"left behind: {left}")
    return files_of(data, "*/*.parquet", "vimos.json", "README.md")


def bench(folder: Path) -> None:
    from bench_world import make_items

    import vimonet
    from vimonet.bench import Options, evaluate

    options = Options(out=folder / "bench", batch_size=2, samples=10, progress=False)
    evaluate(vimonet.load("nano"), make_items(n=6), options)


def scored(folder: Path) -> dict[str, str]:
    """Answers to the byte, every prediction once, every score."""
    lines = (folder / "bench" / "predictions.jsonl").read_text().splitlines()
    keys = [(one["condition"], one["item"]) for one in map(json.loads, lines[1:])]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise AssertionError(f"asked twice: {twice[:3]}")
    report = json.loads((folder / "bench" / "report.json").read_text())
    report.pop("provenance")
    return {
        **files_of(folder / "bench", "answers.jsonl"),
        "predictions": sha256("\n".join(sorted(lines)).encode()),
        "scores": sha256(json.dumps(report, sort_keys=True).encode()),
    }


def caption(clips: Path, folder: Path, *more: str) -> None:
    from vimonet.cli import main

    if code := main(["caption", str(clips), "-m", "nano", "-o", str(folder / "captions.jsonl"), *more]):
        raise AssertionError(f"exit code {code}")


def captioned(folder: Path) -> dict[str, str]:
    """Every recording once, in order, to the byte."""
    return files_of(folder, "captions.jsonl")


def make_clips(folder: Path) -> None:
    from vimonet.motion.io.loading import path_of

    folder.mkdir()
    names = ("walk", "raise_left", "squats", "turn_left", "turn_right", "jumps", "sit", "wave_right")
    for number in range(16):
        name = names[number % len(names)]
        shutil.copy(path_of(f"sample:{name}"), folder / f"{number:02d}_{name}.bvh")


def jobs(parts: Path) -> dict[str, Job]:
    """All jobs; `parts` is the folder that `prepare` filled."""
    from vimonet.training import stage_names

    partial_folder: Callable[[Path], bool] = lambda folder: any(folder.glob("run.partial/checkpoint-*"))  # noqa: E731
    clips = parts / "clips"
    written: Callable[[Path], bool] = lambda folder: (folder / "captions.jsonl").exists()  # noqa: E731
    shards: Callable[[Path], bool] = lambda folder: (folder / "data" / "build.json").exists()  # noqa: E731
    found = {f"train {stage}": Job(partial(train, stage, parts), trained, partial_folder) for stage in stage_names()}
    return {
        **found,
        "data build open": Job(partial(build_open, workers=0), built, shards),
        "data build open, 2 processes": Job(partial(build_open, workers=2), built, shards, fresh=True),
        "bench run": Job(bench, scored, lambda folder: (folder / "bench" / "predictions.jsonl").exists()),
        "caption": Job(partial(caption, clips), captioned, written),
        "caption --ray": Job(
            lambda folder: caption(clips, folder, "--ray", "--workers", "2"), captioned, written, fresh=True
        ),
    }


def import_all() -> None:
    """Import what the jobs import, once for all forks."""
    import torch

    import vimonet.training.stages as stages

    for name in stages.stage_names():
        stages.find_stage(name)
    torch.set_num_threads(1)


def prepare(parts: Path, *, training: bool = True) -> None:
    """Make what the jobs begin with."""
    make_clips(parts / "clips")
    if training:
        make_parts(parts)


def main() -> None:
    """Run one job: ``python long_jobs.py NAME PARTS FOLDER``."""
    import torch

    torch.set_num_threads(1)
    name, parts, folder = sys.argv[1:]
    jobs(Path(parts))[name].run(Path(folder))


if __name__ == "__main__":
    main()
