"""Write the contexts of training prompts, with parts dropped at random, so that a model can do without any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vimonet.model.action_recognition import ActionRecogniser, Recognised
from vimonet.model.prompt_context import write_comparison, write_context
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.training.data import Sample, Video
from vimonet.training.data.sampling import rng_of
from vimonet.video import VideoFrames

TOKENS = "tokens"
"""Name of the clips' tokens among the parts of a prompt that can be dropped."""


class ContextWriter:
    """Write the context of a sample as inference does.

    Args:
        parts: parts that the model reads (``context`` of its config).
        recogniser: names actions; a copy that training does not change, so that a sample gives the same text.
        seen_text: function from key frames to the names of what is seen in them; None without an image classifier.
    """

    def __init__(
        self,
        parts: tuple[str, ...],
        recogniser: ActionRecogniser | None = None,
        seen_text: Callable[[Any], str] | None = None,
    ) -> None:
        self.parts, self.recogniser, self.seen_text = parts, recogniser, seen_text
        self._seen: dict[Video, str] = {}

    def __call__(
        self,
        sample: Sample,
        features: NDArray[np.float32] | None,
        frames: VideoFrames | None = None,
        beside: NDArray[np.float32] | None = None,
    ) -> str:
        """Write the context of a sample without the parts in ``sample["dropped"]``.

        Args:
            sample: the sample.
            features: features of its motion; None without.
            frames: key frames of its video; None without.
            beside: features of the clip that its questions compare it with; None without. With it, no part of
                the context is dropped.
        """
        if "beside" in sample and features is not None and beside is not None:
            both = (sample, features), (sample["beside"], beside)
            named = [self._actions(values, one.get("dimensions", 3)) for one, values in both]
            return write_comparison([facts for one, _ in both if (facts := self._facts(one)) is not None], named)
        held = [part for part in self.parts if part not in sample.get("dropped", ())]
        joints, video, dimensions = sample.get("joints"), sample.get("video"), sample.get("dimensions", 3)
        found = self._facts(sample) if "facts" in held else None
        actions = self._actions(features, dimensions) if "actions" in held else ()
        seen = str(sample.get("seen") or "")
        if seen and joints is None and "seen" in self.parts:
            held = [*held, "seen"]  # nothing else is shown
        if "seen" in held and video is not None and frames is not None and self.seen_text is not None:
            if video not in self._seen:
                self._seen[video] = self.seen_text(frames)
            seen = self._seen[video]
        return write_context(held, facts=found, actions=actions, seen=seen)

    def _facts(self, sample: Sample) -> Facts | None:
        joints, dimensions = sample.get("joints"), sample.get("dimensions", 3)
        if joints is None:
            return None
        return measure(Motion(joints, confidence=sample.get("confidence"), dimensions=dimensions))

    def _actions(self, features: NDArray[np.float32] | None, dimensions: int) -> tuple[Recognised, ...]:
        if features is None or self.recogniser is None:
            return ()
        return tuple(self.recogniser(torch.from_numpy(features), dimensions))


def draw_dropped(parts: tuple[str, ...], probability: float, *key: int | str) -> tuple[str, ...]:
    """Draw the parts of a prompt to drop, the clips' tokens among them; at least one is kept.

    Args:
        parts: parts that the model reads.
        probability: probability of dropping each part.
        key: key of the random generator (seed, epoch, index).
    """
    every = (TOKENS, *parts)
    rng = rng_of(*key, "context")
    dropped = [part for part, chance in zip(every, rng.random(len(every)), strict=True) if chance < probability]
    if len(dropped) == len(every):
        dropped.pop(int(rng.integers(len(dropped))))
    return tuple(dropped)
