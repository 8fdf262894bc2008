"""Say in words what an image classifier sees in a video: objects and places, which joints cannot tell.

    seen_text(frames)     # "seen: ballplayer .29, racket .24"

The names are those of ImageNet's 1,000 classes (Russakovsky et al., 2015), with their mean probability over key frames.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import torch

from vimonet.model.towers.efficientnet_lite import EfficientNetLiteModel
from vimonet.model.towers.video_towers import family_of, image_side, load_video_tower
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, as_video_frames
from vimonet.motion.kinematics.categories import SEEN
from vimonet.utils.errors import InputError
from vimonet.weights import PARTS

_FRAMES = 8
_NAMES = 5
NOTHING = "seen: nothing that has a name"
"""Text of a video in which no class is likely."""


def seen_text(frames: Any, classifier: EfficientNetLiteModel | None = None) -> str:
    """Name what is seen in a video, most likely first.

    Args:
        frames: images uint8 [N, H, W, 3], or a video as in `as_video_frames`; 8 of them over the whole span are read.
        classifier: the image tower of a model, in eval mode; None: the one that ``vimonet fetch mini`` fetched.

    Returns:
        ``seen: NAME .PP, ...``: at most 5 names with a probability above `SEEN`; `NOTHING` where there is none.

    Raises:
        InputError: no classifier is fetched, or `frames` is no video.
    """
    likely = sorted(seen(frames, classifier).items(), key=lambda item: -item[1])
    named = [f"{name} {f'{value:.2f}'.lstrip('0')}" for name, value in likely[:_NAMES] if SEEN.decide(value)]
    return f"seen: {', '.join(named)}" if named else NOTHING


def seen(frames: Any, classifier: EfficientNetLiteModel | None = None) -> dict[str, float]:
    """Compute the mean probability of every name over the key frames of a video; arguments as in `seen_text`."""
    model = _fetched() if classifier is None else classifier
    weight = model.fc.weight
    values = _processor(model).pixels(as_video_frames(frames, _FRAMES).images)
    with torch.no_grad():
        logits = model(values.to(weight)).logits
    probabilities: dict[str, float] = {}
    for name, value in zip(class_names(model), logits.float().softmax(-1).mean(0).tolist(), strict=True):
        probabilities[name] = probabilities.get(name, 0.0) + value  # two classes are called "crane"
    return probabilities


def class_names(model: EfficientNetLiteModel) -> list[str]:
    """Return the plain name of every class: the first of its synonyms, in lower case.

    Raises:
        InputError: the model's classes have no names.
    """
    labels: Any = model.config.id2label or {}
    names = [str(labels[index]).split(",")[0].strip().lower() for index in range(len(labels))]
    if not names or re.fullmatch(r"label_\d+", names[0]):
        raise InputError("the image tower's classes have no names; run 'vimonet fetch mini', which has them.")
    return names


@lru_cache(maxsize=1)
def _fetched() -> EfficientNetLiteModel:
    model = load_video_tower(PARTS[1])
    if not isinstance(model, EfficientNetLiteModel):
        raise InputError(f"{PARTS[1]}: a {model.config.model_type}, not the image tower; run 'vimonet fetch mini'.")
    return model


def _processor(model: EfficientNetLiteModel) -> ViMoNetVideoProcessor:
    family = family_of(model.config)
    return ViMoNetVideoProcessor(image_side(model.config), family.mean, family.std, family.fit, family.resample)
