"""The training set: many drawn samples kept in one file, served as (clip, a few questions) with answers balanced."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vimonet.errors import InputError
from vimonet.vimos import sources as real
from vimonet.vimos.questions import CANNOT_TELL
from vimonet.vimos.samples import Pool, make_sample
from vimonet.vimos.schema import Clip
from vimonet.vimos.synthetic import synthetic_clips
from vimonet.vimos.wordings import ask

FORMAT = 2
"""Raised whenever samples would come out differently: a cache of another number is built anew."""

_MILLIMETRES = 1000.0 / 0.5  # int16 steps of half a millimetre reach 16 m

FORM_WEIGHTS = {
    **{"action": 5.0, "caption": 1.2, "yes_no": 3.0, "fact_yes_no": 2.0, "limb_moves": 0.4},
    **{"displacement": 1.5, "distance": 0.5, "turn": 1.2, "turn_amount": 0.4, "speed": 1.2},
    **{"raised_hand": 1.5, "more_active_arm": 2.5, "more_active_leg": 0.8, "arms_or_legs": 0.3},
    **{"posture_start": 0.5, "posture_end": 0.5, "posture": 0.4},
    **{"count": 1.2, "steps": 1.5, "duration": 0.3, "when": 1.0},
    **{"first": 2.0, "last": 2.0, "after": 1.5, "before": 1.5, "order": 2.5, "order_yes_no": 1.5},
    "unknowable": 0.4,
}
"""How often each form is asked, relative to the others."""

Choice = tuple[str, str, dict[str, str], bool]  # form, answer, slots, closed set of answers


class TrainingSet:
    """Map-style dataset of clips with questions (protocol of `vimonet.training.data`).

    Args:
        joints: [N, 22, 3] int16, steps of half a millimetre: all clips one after another.
        confidence: [N, 22] uint8, 0..255.
        rows: per clip ``start``, ``frames``, ``dimensions``, ``source``, ``questions``.
        turns: questions drawn per clip and epoch.
        seed: of the draws.
        noise: whether sensor-like jitter is added to 3D joints.
    """

    def __init__(
        self,
        joints: NDArray[np.int16],
        confidence: NDArray[np.uint8],
        rows: list[dict[str, Any]],
        turns: int,
        seed: int,
        noise: bool,
    ) -> None:
        self.joints, self.confidence, self.rows = joints, confidence, rows
        self.turns, self.seed, self.noise, self.epoch = turns, seed, noise, 0
        self.lengths = np.array([row["frames"] for row in rows])
        self._weights = _balance(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def set_epoch(self, epoch: int) -> None:
        """Draw the questions, wordings and noise of `epoch`."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        rng = random.Random(f"{self.seed}/{self.epoch}/{index}")
        span = slice(row["start"], row["start"] + row["frames"])
        joints = self.joints[span].astype(np.float32) / np.float32(_MILLIMETRES)
        confidence = self.confidence[span].astype(np.float32) / 255
        if self.noise and row["dimensions"] == 3:
            joints = _jitter(joints, rng)
        # Weighted drawing without replacement: the largest u ** (1 / w) win (Efraimidis and Spirakis, 2006).
        keys = [rng.random() ** (1.0 / max(w, 1e-6)) for w in self._weights[index]]
        chosen = sorted(range(len(keys)), key=lambda i: -keys[i])[: self.turns]
        rng.shuffle(chosen)
        turns = []
        for i in chosen:
            form, answer, slots, _ = row["questions"][i]
            turns.append((ask(form, rng, **slots), answer))
        return {
            "joints": joints,
            "confidence": None if confidence.min(initial=1.0) > 0.99 else confidence,
            "dimensions": row["dimensions"],
            "turns": turns,
            "source": row["source"],
        }


def _jitter(joints: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    level = rng.choice((0.0, 0.0, 0.004, 0.008, 0.015))
    if level == 0:
        return joints
    noise = np.random.default_rng(rng.randrange(2**32)).standard_normal(joints.shape).astype(np.float32)
    smooth = (noise + np.roll(noise, 1, 0) + np.roll(noise, 2, 0)) / 1.7
    return joints + np.float32(level) * smooth


def _balance(rows: list[dict[str, Any]]) -> list[list[float]]:
    """Weight of every question so that, form by form, no answer is right more often than it must be."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    closed: dict[tuple[str, str], bool] = {}

    def key_of(question: Choice) -> tuple[str, str]:
        form, _, slots, _ = question
        return form, slots.get("do", slots.get("limb", "")) if form in (
            "yes_no",
            "fact_yes_no",
            "when",
            "limb_moves",
        ) else ""

    for row in rows:
        for question in row["questions"]:
            key = key_of(question)
            counts.setdefault(key, Counter())[question[1]] += 1
            closed[key] = closed.get(key, False) or question[3]
    factor: dict[tuple[tuple[str, str], str], float] = {}
    for key, counter in counts.items():
        total = sum(counter.values())
        if closed[key]:
            share = total / len(counter)
            # "cannot tell" is easily learnt (a limb is missing, a clip is over at once): it gets no more room than it
            # has.
            mass = {answer: min(share, n if answer == CANNOT_TELL else 12.0 * n) for answer, n in counter.items()}
            # Where one answer is rare, the others are asked less rather than the rare clips worn out.
            limit = 2.0 * min(mass.values()) if len(counter) == 2 else float("inf")
            if key[0] in ("yes_no", "fact_yes_no") and len(counter) == 1:
                limit = 0.0  # an action only ever denied (or affirmed) would teach the word, not the movement
            for answer, n in counter.items():
                factor[key, answer] = min(mass[answer], limit) / n
        else:
            typical = total / len(counter)
            for answer, n in counter.items():
                factor[key, answer] = min(6.0, (typical / n) ** 0.6)
    weights = []
    for row in rows:
        per_form = Counter(question[0] for question in row["questions"])
        weights.append([FORM_WEIGHTS[q[0]] * factor[key_of(q), q[1]] / per_form[q[0]] ** 0.5 for q in row["questions"]])
    return weights


def training_samples(
    split: str = "train",
    *,
    count: int = 24000,
    sources: Sequence[str] | None = None,
    root: str | None = None,
    seed: int = 0,
    turns: int = 8,
    noise: bool = True,
    cache: str = "data/vimos",
    processes: int = 2,
) -> TrainingSet:
    """Draw `count` samples of a split, or read them from the cache of the same settings.

    Args:
        split: ``train`` or ``val``.
        count: number of samples.
        sources: corpora to draw from; None for all that are there.
        root: data folder, None for the one beside a working checkout.
        seed: of the samples; the questions of an epoch are drawn with it too.
        turns: questions per clip and epoch.
        noise: jitter 3D joints as sensors do.
        cache: folder of built sets.
        processes: workers that build.

    Raises:
        InputError: no data, or an unknown source or split.
    """
    if split not in ("train", "val"):
        raise InputError(f"split '{split}' cannot be trained on; choose train or val.")
    names = tuple(sources or (*real.SOURCES_3D, *real.SOURCES_2D, "synthetic"))
    recorded = [name for name in names if name != "synthetic"]
    folder = str(real.default_root()) if root is None and recorded else root
    settings = {"format": FORMAT, "split": split, "count": count, "sources": sorted(names), "seed": seed}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    path = Path(cache) / f"{split}-{digest}"
    if not (path / "rows.json").is_file():
        _build(path, folder, names, split, count, seed, processes)
    arrays = np.load(path / "arrays.npz", allow_pickle=False)
    rows = json.loads((path / "rows.json").read_text(encoding="utf-8"))
    for row in rows:
        row["questions"] = [tuple(q) for q in row["questions"]]
    return TrainingSet(arrays["joints"], arrays["confidence"], rows, turns, seed, noise)


def clips_of(split: str, names: Sequence[str], root: str | None = None) -> list[Clip]:
    """Clips of a split of the named sources, the synthetic ones included."""
    recorded = tuple(name for name in names if name != "synthetic")
    clips = [c for c in real.load_clips(root, recorded) if c.split == split] if recorded else []
    if "cmu" in names:
        clips += [c for c in real.captioned_windows(root) if c.split == split]
    if "synthetic" in names:
        clips += synthetic_clips(split)
    return clips


_POOL: Pool | None = None


def _start(folder: str | None, names: tuple[str, ...], split: str) -> None:
    global _POOL
    os.environ["OMP_NUM_THREADS"] = "1"
    _POOL = Pool(clips_of(split, names, folder))


def _draw(index_seed: tuple[int, int]) -> tuple[NDArray[np.int16], NDArray[np.uint8], dict[str, Any]] | None:
    index, seed = index_seed
    assert _POOL is not None
    rng = random.Random(f"vimos/{seed}/{index}")
    sample = make_sample(_POOL, rng)
    if sample is None or not sample.questions:
        return None
    motion = sample.motion
    joints = motion.joints - motion.joints[:1, :1] * np.array([1, 0, 1], np.float32)
    steps = np.clip(np.rint(joints * _MILLIMETRES), -32767, 32767).astype(np.int16)
    seen = (
        np.full(joints.shape[:2], 255, np.uint8)
        if motion.confidence is None
        else np.rint(motion.confidence * 255).astype(np.uint8)
    )
    questions = [(q.form, q.answer, q.slots, bool(q.options)) for q in sample.questions]
    return (
        steps,
        seen,
        {"frames": motion.frames, "dimensions": motion.dimensions, "source": sample.source, "questions": questions},
    )


def _build(
    path: Path, folder: str | None, names: tuple[str, ...], split: str, count: int, seed: int, processes: int
) -> None:
    # What cannot be read is said here: a pool whose workers fail to start would start new ones for ever.
    clips_of(split, names, folder)
    joints, confidence, rows, start = [], [], [], 0
    with multiprocessing.get_context("spawn").Pool(processes, _start, (folder, names, split)) as workers:
        drawn = workers.imap(_draw, ((i, seed) for i in range(count)), chunksize=50)
        for sample in tqdm(drawn, total=count, desc=f"drawing {split} samples", unit="sample"):
            if sample is None:
                continue
            steps, seen, row = sample
            joints.append(steps)
            confidence.append(seen)
            rows.append({"start": start, **row})
            start += row["frames"]
    if not rows:
        raise InputError(f"{folder}: no sample could be drawn from {', '.join(names)} ({split}).")
    path.mkdir(parents=True, exist_ok=True)
    part = path / "arrays.part.npz"
    np.savez(part, joints=np.concatenate(joints), confidence=np.concatenate(confidence))
    os.replace(part, path / "arrays.npz")
    (path / "rows.part").write_text(json.dumps(rows), encoding="utf-8")
    os.replace(path / "rows.part", path / "rows.json")  # written last: its presence says the cache is whole
