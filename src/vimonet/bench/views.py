"""Recordings as five cameras and a pose estimator would give them: what 2D keypoints lose against 3D, view by view."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vimonet.bench.predictions import own_words
from vimonet.bench.scoring.text_metrics import exact_match
from vimonet.language.mirroring import has_side, mirror_text
from vimonet.motion import Motion
from vimonet.motion.projection import detector_noise, project
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import Interval, bootstrap_interval, bootstrap_statistic
from vimonet.vimos.types import Item

VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "side": (90.0, 0.0),
    "back": (180.0, 0.0),
    "low": (35.0, -20.0),
    "high": (35.0, 40.0),
}
"""Name -> azimuth around the body from its front, elevation above the horizon, degrees."""
DISTANCE, NOISE = 4.0, 0.02  # metres to the camera; standard deviation of the keypoints, of two torsos

KINEMATIC = (
    *("displacement", "turn", "raised_hand", "speed", "more_active_arm", "more_active_leg", "arms_or_legs"),
    *("limb_moves", "fact_yes_no", "steps", "count", "when", "posture_start", "posture_end", "posture"),
)
"""Question forms measured on the joints and told by one camera: compared between 3D and 2D."""


@dataclass(frozen=True)
class ViewScore:
    """How one view does.

    Attributes:
        view: a key of VIEWS.
        n, recordings: items that could be filmed, and the recordings they are of.
        solid, flat: share of right answers on the 3D motion and on its keypoints.
        interval: 95 % interval of ``flat`` over recordings.
        loss: 1 - flat / solid; negative where 2D does better.
        loss_interval: its 95 % interval, the two answers to an item drawn together.
        flipped: of the keypoint answers that name a side, the share that names the other on the mirrored keypoints.
        sided: how many those are.
    """

    view: str
    n: int
    recordings: int
    solid: float
    flat: float
    interval: Interval
    loss: float
    loss_interval: Interval
    flipped: float
    sided: int


def film(motion: Motion, view: str, seed: int = 0, noise: float = NOISE) -> Motion | None:
    """The keypoints of a 3D motion from one of VIEWS; the same for the same name, view and seed.

    None where the body lies along the line of sight, so that no torso can be measured.
    """
    azimuth, elevation = VIEWS[view]
    rng = np.random.default_rng([seed, zlib.crc32(f"{motion.name}/{view}".encode())])
    try:
        return detector_noise(project(motion, azimuth, elevation, DISTANCE), rng, noise)
    except InputError:
        return None


def filmed(items: Sequence[Item], view: str, seed: int = 0) -> list[Item]:
    """The items whose motion can be filmed, about the keypoints; those about one motion share them."""
    films: dict[int, Motion | None] = {}
    found = []
    for item in items:
        key = id(item.motion)
        if key not in films:
            films[key] = film(item.motion, view, seed)
        flat = films[key]
        if flat is not None:
            found.append(replace(item, motion=flat))
    return found


def compare_views(assistant: Any, items: Sequence[Item], *, seed: int = 0, samples: int = 500) -> list[ViewScore]:
    """Ask items about their 3D motion and about its keypoints from every view.

    Args:
        assistant: has ``ask_batch([(question, motion), ...])``.
        items: about 3D motions.
        seed: of the noise and of the resampling.
        samples: bootstrap resamples behind an interval.
    """
    solid = dict(zip((item.id for item in items), _right(assistant, items), strict=True))
    return [_view(assistant, view, filmed(items, view, seed), solid, seed, samples) for view in VIEWS]


def _view(
    assistant: Any, view: str, items: Sequence[Item], solid: dict[str, float], seed: int, samples: int
) -> ViewScore:
    said = _said(assistant, [(item.question, item.motion) for item in items])
    flat = np.array([float(exact_match(text, item.answer)) for text, item in zip(said, items, strict=True)])
    whole = np.array([solid[item.id] for item in items])
    groups = [(item.source, item.recording) for item in items]

    def loss(chosen: Any) -> float:
        return 1.0 - float(flat[chosen].mean()) / max(float(whole[chosen].mean()), 1e-9)

    sided = [k for k, text in enumerate(said) if has_side(text)]
    asked = [(mirror_text(items[k].question), items[k].motion.mirrored()) for k in sided]
    turned = [exact_match(text, mirror_text(said[k])) for k, text in zip(sided, _said(assistant, asked), strict=True)]
    return ViewScore(
        view=view,
        n=len(items),
        recordings=len(set(groups)),
        solid=float(whole.mean()),
        flat=float(flat.mean()),
        interval=bootstrap_interval(flat, groups, seed, samples),
        loss=loss(np.arange(len(items))),
        loss_interval=bootstrap_statistic(loss, groups, seed, samples),
        flipped=float(np.mean(turned)) if turned else float("nan"),
        sided=len(turned),
    )


def _right(assistant: Any, items: Sequence[Item]) -> list[float]:
    said = _said(assistant, [(item.question, item.motion) for item in items])
    return [float(exact_match(text, item.answer)) for text, item in zip(said, items, strict=True)]


def _said(assistant: Any, asked: Sequence[tuple[str, Motion]]) -> list[str]:
    """The model's own words."""
    return [own_words(answer) for answer in assistant.ask_batch(asked)]


__all__ = ["KINEMATIC", "VIEWS", "ViewScore", "compare_views", "film", "filmed"]
