"""Train the fall classifier of `vimonet.motion.kinematics.falling` and write its weights.

    python -m research.falls.train --root RECORDINGS --poses FILM_POSES [-o falling.json]

A network of eight hidden units whose weights are all positive, after each measure was turned to the side that speaks
for a fall: with two dozen real falls to learn from, anything freer learns the sources instead of falling. A cross-
validation grouped by person, film and recording, over the teaching material alone, sets the threshold.
"""

from __future__ import annotations

import argparse
import itertools
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import numpy as np
import torch
from torch.nn import functional

from research.falls.material import Sample, films, ordinary, synthetic, upfall
from vimonet.motion import Motion
from vimonet.motion.kinematics import falling

WEIGHT: Final = {"upfall": 1.5, "gmdcsa24": 2.5, "synthetic": 0.3, "synthetic>2d": 0.5}
"""How much a fall of a source counts. Real falls are few."""
FREE: Final = ("fight_surv", "gmdcsa24", "intel_samples", "anyv2v_demo")
"""Films whose licence lets weights learn from them."""
VARIANTS: Final = {"upfall": 6, "gmdcsa24": 6, "synthetic": 2, "synthetic>2d": 2}
"""How many varied copies of a fall teach beside it: see `varied`."""
FALSE_PER_HOUR: Final = 1.0
"""False alarms per hour of the cross-validation at which the threshold is set."""
HIDDEN, STEPS, DECAY, FALLS_SHARE = 8, 1500, 3e-3, 0.3
FOLDS: Final = 5
_LEGS = [4, 5, 7, 8, 10, 11]
_FOLD_OF: Final = {"upfall/1": 0, "upfall/10": 1, "gmdcsa24/s1": 2, "gmdcsa24/s2": 3}  # people who really fall


@dataclass(frozen=True)
class Table:
    """Hold the drops of many movements: features [N, F], whether each is a fall [N], source and group of each."""

    features: np.ndarray
    fall: np.ndarray
    source: np.ndarray
    group: np.ndarray

    def rows(self, kept: np.ndarray) -> Table:
        """Keep the rows where `kept` [N] is true."""
        return Table(self.features[kept], self.fall[kept], self.source[kept], self.group[kept])


def table(samples: Iterable[Sample], *, variants: bool = True) -> Table:
    """Measure the drops; of a fall the largest drop within its time counts as it, its other drops are left out."""
    rows: list[tuple[np.ndarray, bool, str, str]] = []
    for sample in samples:
        if sample.fall is None:
            rows += [(drop.features, False, sample.source, sample.group) for drop in _drops(sample)]
            continue
        copies = VARIANTS.get(sample.source, 0) if variants else 0
        for one in (sample, *(varied(sample, number) for number in range(copies))):
            drop = the_fall(one)
            if drop is not None:
                rows.append((drop.features, True, sample.source, sample.group))
    features, fall, source, group = zip(*rows, strict=True)
    return Table(np.array(features), np.array(fall), np.array(source), np.array(group))


def the_fall(sample: Sample) -> falling.Drop | None:
    """Find the drop that is the sample's fall: the largest within its time."""
    assert sample.fall is not None
    start, end = sample.fall
    inside = [drop for drop in _drops(sample) if start - 1.0 <= drop.frame / sample.motion.fps <= end + 0.5]
    return max(inside, key=lambda drop: drop.height * drop.speed, default=None)


def _drops(sample: Sample) -> list[falling.Drop]:
    motion = sample.motion
    return falling.drops(motion.joints, motion.confidence, motion.fps, motion.dimensions == 2)


def varied(sample: Sample, number: int) -> Sample:
    """Vary a fall: its pace, how steeply the camera looks, and what of the body the detector loses on the way down."""
    assert sample.fall is not None
    motion, rng = sample.motion, np.random.default_rng(zlib.crc32(f"{sample.name}{number}".encode()))
    pace = float(np.exp(rng.uniform(np.log(0.8), np.log(1.3))))
    start, end = sample.fall
    joints = motion.joints.copy()
    seen = np.ones(joints.shape[:2], np.float32) if motion.confidence is None else motion.confidence.copy()
    if motion.dimensions == 2:
        joints[..., 1] *= rng.uniform(0.75, 1.05)
    if rng.random() < 0.5:
        lost = start + 0.6 * (end - start) + rng.uniform(0.0, 1.0)
        seen[round(lost * motion.fps) : round((lost + rng.uniform(0.2, 1.5)) * motion.fps)] = 0.0
    if motion.dimensions == 2 and rng.random() < 0.3:
        seen[round(0.5 * (start + end) * motion.fps) :, _LEGS] = 0.0
    # A copy may measure what no whole body does: it is measured here, and never read as a recording.
    copy = SimpleNamespace(joints=joints, confidence=seen, fps=motion.fps * pace, dimensions=motion.dimensions)
    return replace(sample, motion=cast(Motion, copy), fall=(start / pace, end / pace))


def may_teach(sample: Sample) -> bool:
    """Tell whether a sample may teach: train split, a stated licence, and certain to show no unlabelled fall."""
    film = sample.name.startswith("clips/")
    return sample.split == "train" and (not film or sample.source in FREE) and sample.label != "fight"


def fold_of(group: str) -> int:
    """Assign a person, film or recording to a fold: each who really falls to one of its own."""
    return _FOLD_OF.get(group, zlib.crc32(group.encode()) % FOLDS)


def fit(data: Table) -> dict[str, Any]:
    """Fit the network; return its weights."""
    torch.manual_seed(0)
    x = data.features * np.array(list(falling.FEATURES.values()))
    # A few absurd values (a body detected in one point) must not set the scale of what is measured.
    x = np.clip(x, *np.percentile(x, [2, 98], axis=0))
    middle, spread = np.median(x, axis=0), np.maximum(x.std(axis=0), 1e-2)
    z = torch.tensor(np.clip((x - middle) / spread, -3, 3), dtype=torch.float32)
    y = torch.tensor(data.fall, dtype=torch.float32)
    weight = np.array(
        [WEIGHT.get(source, 1.0) if fall else 1.0 for source, fall in zip(data.source, data.fall, strict=True)]
    )
    for value, share in ((True, FALLS_SHARE), (False, 1 - FALLS_SHARE)):
        weight[data.fall == value] *= share / weight[data.fall == value].sum()
    w = torch.tensor(weight, dtype=torch.float32)
    draw = torch.Generator().manual_seed(0)
    hidden = (torch.randn(z.shape[1], HIDDEN, generator=draw) * 0.3 - 1.5).requires_grad_()
    bias = torch.linspace(-2, 2, HIDDEN).requires_grad_()
    out, out_bias = torch.full((HIDDEN,), 0.5).requires_grad_(), torch.tensor(-1.0).requires_grad_()
    optimizer = torch.optim.Adam([hidden, bias, out, out_bias], lr=0.03)
    for _ in range(STEPS):
        up, down = functional.softplus(hidden), functional.softplus(out)
        score = torch.tanh(z @ up + bias) @ down + out_bias
        loss = (w * functional.binary_cross_entropy_with_logits(score, y, reduction="none")).sum()
        loss = loss + DECAY * ((up**2).sum() + (down**2).sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    plain = {
        "middle": middle,
        "spread": spread,
        "hidden": functional.softplus(hidden).detach().numpy(),
        "hidden_bias": bias.detach().numpy(),
        "out": functional.softplus(out).detach().numpy(),
        "out_bias": out_bias.detach().numpy(),
    }
    return {key: np.round(np.asarray(value, np.float64), 4).tolist() for key, value in plain.items()}


def without_folds(data: Table) -> list[dict[str, Any]]:
    """Fit the network without each fold in turn."""
    fold = np.array([fold_of(group) for group in data.group])
    return [fit(data.rows(fold != number)) for number in range(FOLDS)]


@dataclass(frozen=True)
class Validation:
    """Hold what a cross-validation grouped by person, film and recording shows on the teaching material.

    Attributes:
        threshold: probability at which movement without a fall raises `FALSE_PER_HOUR` false alarms per hour.
        found: {source: (falls found at the threshold, falls)}.
        hours: of movement that is no fall, real and generated (what is hard to tell from a fall).
    """

    threshold: float
    found: dict[str, tuple[int, int]]
    hours: float


def cross_validate(samples: list[Sample], nets: list[dict[str, Any]]) -> Validation:
    """Score each sample by the network that has not seen its group, and set the threshold."""
    falls: dict[str, list[float]] = {}
    others: list[float] = []
    seconds = 0.0
    for sample in samples:
        net = nets[fold_of(sample.group)]
        if sample.fall is not None:
            drop = the_fall(sample)
            falls.setdefault(sample.source, []).append(alarm(net, drop) if drop else 0.0)
        else:
            seconds += sample.motion.duration
            others += [alarm(net, drop) for drop in _drops(sample)]
    hours = seconds / 3600
    threshold = float(np.sort(others)[::-1][round(FALSE_PER_HOUR * hours)])
    found = {source: (int((np.array(p) > threshold).sum()), len(p)) for source, p in falls.items()}
    return Validation(threshold, found, hours)


def score(weights: dict[str, Any], features: np.ndarray) -> np.ndarray:
    """Give the probability [N] of each drop [N, F]."""
    net = {key: np.array(value) for key, value in weights.items()}
    x = np.clip((features * np.array(list(falling.FEATURES.values())) - net["middle"]) / net["spread"], -3, 3)
    return 1 / (1 + np.exp(-(np.tanh(x @ net["hidden"] + net["hidden_bias"]) @ net["out"] + net["out_bias"])))


def alarm(weights: dict[str, Any], drop: falling.Drop) -> float:
    """Give the probability that counts for an alarm: 0 for a drop that is not sure and comes up again."""
    probability = float(score(weights, drop.features[None])[0])
    return probability if probability >= falling.SURE or drop.rises < falling.RISES else 0.0


def teaching_samples(root: Path, poses: Path) -> list[Sample]:
    """Read everything that may teach."""
    every = itertools.chain(upfall(root), films(root, poses), synthetic("train"), ordinary("train", root))
    return [sample for sample in every if may_teach(sample)]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, default=Path(falling.__file__).with_suffix(".json"))
    args = parser.parse_args(argv)
    samples = teaching_samples(args.root, args.poses)
    data = table(samples)
    checked = cross_validate(samples, without_folds(data))
    sources = sorted({str(source).removesuffix(">2d") for source in data.source})
    card = {
        "what": "probability that a fast drop of the body is a fall",
        "trained_by": "python -m research.falls.train",
        "learned_from": sources,
        "falls": sum(sample.fall is not None for sample in samples),
        "other_drops": int((~data.fall).sum()),
        "licence": "CC BY-NC 4.0: some of the recordings are non-commercial",
        "validation": {
            "how": f"{FOLDS} folds by person, film and recording, over the teaching material alone",
            "hours_without_a_fall": round(checked.hours, 2),
            "false_alarms_per_hour": FALSE_PER_HOUR,
            "falls_found": {source: f"{found} of {falls}" for source, (found, falls) in checked.found.items()},
        },
        "features": list(falling.FEATURES),
        "threshold": round(checked.threshold, 3),
        "weights": fit(data),
    }
    args.output.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{args.output}: {card['falls']} falls and {card['other_drops']} other drops of {', '.join(sources)}")
    print(json.dumps(card["validation"], indent=1), "threshold", card["threshold"])


if __name__ == "__main__":
    main()
