"""The text-motion evaluator: retrieval metrics of the benchmark, and what `vimonet search` ranks by."""

from __future__ import annotations

from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModel

from vimonet.model.evaluator.evaluator import Evaluator, shipped_evaluator, split
from vimonet.model.evaluator.modeling_motion_text import MotionTextConfig, MotionTextModel, info_nce
from vimonet.model.evaluator.overlap import may_describe, overlap

AutoConfig.register("motion_text", MotionTextConfig)
AutoModel.register(MotionTextConfig, MotionTextModel)

__all__ = [
    "Evaluator",
    "MotionTextConfig",
    "MotionTextModel",
    "info_nce",
    "may_describe",
    "overlap",
    "shipped_evaluator",
    "split",
]
