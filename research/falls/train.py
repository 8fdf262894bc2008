"""Train the fall classifier of `vimonet.motion.kinematics.falling` and write its weights.

    python -m research.falls.train --root RECORDINGS --poses FILM_POSES [-o falling.json]

A network of eight hidden units whose weights are all positive, after each measure was turned to the side that speaks
for a fall: with two dozen real falls to learn from, anything freer learns the sources instead of falling.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional

from research.falls.material import Sample, films, ordinary, synthetic, upfall
from vimonet.motion.kinematics import falling

WEIGHT: Final = {"upfall": 4.0, "gmdcsa24": 6.0, "synthetic": 0.5, "synthetic>2d": 0.7}
"""How much a sample of a source counts; 1 for the others. Real falls are few."""
FREE: Final = ("fight_surv", "gmdcsa24", "intel_samples", "anyv2v_demo")
"""Films whose licence lets weights learn from them."""
HIDDEN, STEPS, DECAY, FALLS_SHARE = 8, 1500, 2e-5, 0.3


@dataclass(frozen=True)
class Table:
    """Hold the drops of many movements: features [N, F], whether each is a fall [N], source and group of each."""

    features: np.ndarray
    fall: np.ndarray
    source: np.ndarray
    group: np.ndarray


def table(samples: Iterable[Sample]) -> Table:
    """Measure the drops; of a fall the largest drop within its time counts as it, its other drops are left out."""
    rows: list[tuple[np.ndarray, bool, str, str]] = []
    for sample in samples:
        motion = sample.motion
        found = falling.drops(motion.joints, motion.confidence, motion.fps, motion.dimensions == 2)
        if sample.fall is None:
            rows += [(drop.features, False, sample.source, sample.group) for drop in found]
            continue
        start, end = sample.fall
        inside = [drop for drop in found if start - 1.0 <= drop.frame / motion.fps <= end + 0.5]
        if inside:
            best = max(inside, key=lambda drop: drop.height * drop.speed)
            rows.append((best.features, True, sample.source, sample.group))
    features, fall, source, group = zip(*rows, strict=True)
    return Table(np.array(features), np.array(fall), np.array(source), np.array(group))


def may_teach(sample: Sample) -> bool:
    """Tell whether a sample may teach: train split, a stated licence, and certain to show no unlabelled fall."""
    film = sample.name.startswith("clips/")
    return sample.split == "train" and (not film or sample.source in FREE) and sample.label != "fight"


def fit(data: Table) -> dict[str, Any]:
    """Fit the network; return its weights."""
    torch.manual_seed(0)
    x = data.features * np.array(list(falling.FEATURES.values()))
    middle, spread = np.median(x, axis=0), x.std(axis=0) + 1e-3
    z = torch.tensor(np.clip((x - middle) / spread, -3, 3), dtype=torch.float32)
    y = torch.tensor(data.fall, dtype=torch.float32)
    weight = np.array([WEIGHT.get(source, 1.0) for source in data.source])
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


def score(weights: dict[str, Any], features: np.ndarray) -> np.ndarray:
    """Give the probability [N] of each drop [N, F]."""
    net = {key: np.array(value) for key, value in weights.items()}
    x = np.clip((features * np.array(list(falling.FEATURES.values())) - net["middle"]) / net["spread"], -3, 3)
    return 1 / (1 + np.exp(-(np.tanh(x @ net["hidden"] + net["hidden_bias"]) @ net["out"] + net["out_bias"])))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("-o", "--output", type=Path, default=Path(falling.__file__).with_suffix(".json"))
    args = parser.parse_args(argv)
    every = itertools.chain(
        upfall(args.root), films(args.root, args.poses), synthetic("train"), ordinary("train", args.root)
    )
    data = table(sample for sample in every if may_teach(sample))
    weights = fit(data)
    sources = sorted({str(source).removesuffix(">2d") for source in data.source})
    card = {
        "what": "probability that a fast drop of the body is a fall",
        "trained_by": "python -m research.falls.train",
        "learned_from": sources,
        "falls": int(data.fall.sum()),
        "other_drops": int((~data.fall).sum()),
        "licence": "CC BY-NC 4.0: some of the recordings are non-commercial",
        "features": list(falling.FEATURES),
        "threshold": args.threshold,
        "weights": weights,
    }
    args.output.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{args.output}: {card['falls']} falls and {card['other_drops']} other drops of {', '.join(sources)}")


if __name__ == "__main__":
    main()
