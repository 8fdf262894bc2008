"""Compare the peak memory of real training steps on a CPU with the prediction of `vimonet plan instruct`.

    python benchmarks/planner.py [--cases full lora ...] [--json]

Each case trains a random model for two steps (the second has the optimiser's moments) with the package's trainer, in a
process of its own. The measurement is the peak resident memory during the steps minus the memory before the model is
built; a step of a tiny model loads all libraries first. glibc returns freed blocks at once (MALLOC_MMAP_THRESHOLD_), so
that its cache does not count. The prediction is the plan of the same config for the collator's batches. The two should
be within 15 % of each other. Needs Linux and no data.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_BASE = [
    *("trainer.device=cpu", "trainer.steps=2", "trainer.log_every=1", "trainer.save_every=100"),
    *(
        "trainer.qa_pairs_per_clip=8",
        "trainer.packing=none",
        "motion.width=64",
        "motion.code_dim=64",
        "motion.keypoints=false",
    ),
    *("optim.lr.language_model=1e-4", "language.vocab_size=2000", "objective.token_phrase_contrastive=0"),
    "trainer.bf16=false",
]
_SHAPE = ["language.hidden_size=512", "language.layers=8", "language.heads=8", "language.kv_heads=4"]
_SHAPE += ["language.intermediate_size=1376"]
_WIDE = ["language.hidden_size=1024", "language.layers=5", "language.heads=8", "language.kv_heads=8"]
_WIDE += ["language.intermediate_size=2816"]
_CHECKPOINTING = "trainer.gradient_checkpointing=true"
_LORA = ["lora.rank=16", "lora.merge=true"]

CASES: dict[str, list[str]] = {
    "full, wide": [*_WIDE, "trainer.batch_size=1", "data.words=2"],
    "full": [*_SHAPE, "trainer.batch_size=1", "data.words=12"],
    "full, checkpointing": [*_SHAPE, _CHECKPOINTING, "trainer.batch_size=2", "data.words=12"],
    "full, long rows": [*_SHAPE, "trainer.batch_size=1", "trainer.qa_pairs_per_clip=2", "data.words=120"],
    "full, fused attention": [
        *_SHAPE,
        "trainer.attention=sdpa",
        "trainer.batch_size=1",
        "trainer.qa_pairs_per_clip=2",
        "data.words=120",
    ],
    "full, packed": [*_SHAPE, "trainer.packing=shared_prefix", "trainer.batch_size=4", "data.words=8"],
    "full, bf16": [*_SHAPE, "trainer.bf16=true", "trainer.batch_size=1", "data.words=12"],
    "LoRA": [*_SHAPE, *_LORA, "trainer.batch_size=2", "data.words=12"],
    "LoRA, checkpointing": [*_SHAPE, *_LORA, _CHECKPOINTING, "trainer.batch_size=2", "data.words=12"],
}
"""Overrides of each case; ``data.words`` is the length of the made-up answers."""


class Clips:
    """Make clips of one length with eight questions each, whose answers have a given number of words."""

    def __init__(self, words: int) -> None:
        self.words = words

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, object]:
        import numpy as np

        from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS

        joints = np.zeros((120, 22, 3), np.float32)
        for joint in range(1, 22):
            joints[:, joint] = joints[:, PARENTS[joint]] + CANONICAL_OFFSETS[joint]
        joints[:, 20, 1] += 0.3 * np.sin(np.arange(120) / (3 + index))
        answer = " ".join(f"word{(index * 7 + k) % 90}" for k in range(self.words))
        return {
            "joints": joints,
            "dimensions": 3,
            "qa_pairs": [(f"question {k}?", answer) for k in range(8)],
            "source": "-",
        }


def config_of(overrides: list[str]):
    """Return the settings of a case, and the number of words of its answers."""
    from vimonet.training.config import make_config

    words = [int(o.partition("=")[2]) for o in overrides if o.startswith("data.words=")]
    with tempfile.TemporaryDirectory() as folder:
        kept = [o for o in overrides if not o.startswith("data.words=")]
        return make_config({}, [*_BASE, "trainer.max_tokens=4096", f"output={folder}/run", *kept]), words[-1]


def resident(peak: bool = False) -> int:
    """Read the resident bytes of this process, now or the peak since the last reset."""
    name = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def measure(overrides: list[str]) -> int:
    """Train a case; return the peak bytes above those before the model is built."""
    train(
        [*overrides, "language.hidden_size=48", "language.heads=2", "language.kv_heads=2", "trainer.steps=1"],
        tiny=True,
    )
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    return train(overrides) - before


def train(overrides: list[str], tiny: bool = False) -> int:
    """Run the trainer; return the peak resident bytes."""
    import gc

    from transformers import TrainerCallback

    from vimonet.training.run_folder import Run
    from vimonet.training.stages.instruct import run_instruct

    config, words = config_of([*overrides, *(["data.words=2", "trainer.batch_size=1"] if tiny else [])])
    seen = []

    class Watch(TrainerCallback):
        def on_train_end(self, *args: object, **options: object) -> None:
            seen.append(resident(peak=True))

    opened = Run.callbacks
    Run.callbacks = lambda self: [*opened(self), Watch()]  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            config.output = f"{folder}/run"
            run_instruct(config, Clips(words))
    finally:
        Run.callbacks = opened  # type: ignore[method-assign]
    gc.collect()
    return seen[0]


def predict(overrides: list[str]) -> int:
    """Return the bytes that the plan predicts."""
    from vimonet.training.data.collator import Collator
    from vimonet.training.data.sampling import QAPairSampler
    from vimonet.training.joint_training import assemble
    from vimonet.training.planner.memory import Batch, cost_of
    from vimonet.training.planner.meta_model import build_on_meta, describe
    from vimonet.training.planner.planning import Devices, how, prepare

    config, words = config_of(overrides)
    # The vocabulary depends on the data, so a model of minimal size is assembled to get it.
    small, _ = config_of(
        [*overrides, "language.hidden_size=48", "language.heads=2", "language.kv_heads=2", "language.layers=1"]
    )
    _, processor = assemble(small, Clips(words))
    config.language.vocab_size = len(processor.tokenizer)
    collate = Collator(
        processor.tokenizer,
        processor.feature_extractor,
        chat_template=str(processor.chat_template),
        max_tokens=config.trainer.max_tokens,
        packing=config.trainer.packing,
    )
    drawn = QAPairSampler(Clips(words), config.trainer.qa_pairs_per_clip, config.seed)
    samples = [drawn[i] for i in range(32)]
    size = config.trainer.batch_size
    batches = [Batch.of(collate(samples[i : i + size])) for i in range(0, 32, size)]
    largest = max(batches, key=lambda batch: batch.rows * batch.tokens)
    model = prepare(config, build_on_meta(describe(config)), "instruct")
    return cost_of(model, largest, how(config, Devices(gpus=0))).peak


def run(work: str, overrides: list[str]) -> int:
    """Run `measure` or `predict` in a process of its own."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, __file__, "--work", work, *overrides]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cases", nargs="+", choices=list(CASES), default=list(CASES), metavar="CASE", help=", ".join(CASES)
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per case")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print({"measure": measure, "predict": predict}[options.work[0]](options.work[1:]))
        return
    for case in options.cases:
        predicted, measured = run("predict", CASES[case]), run("measure", CASES[case])
        row = {"case": case, "predicted_gib": predicted / 2**30, "measured_gib": measured / 2**30}
        row["ratio"] = predicted / measured
        if options.json:
            print(json.dumps(row), flush=True)
        else:
            figures = f"predicted {row['predicted_gib']:6.3f} GiB   measured {row['measured_gib']:6.3f} GiB"
            print(f"{case:34} {figures}   ratio {row['ratio']:.3f}", flush=True)


if __name__ == "__main__":
    main()
