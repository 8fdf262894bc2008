"""The text-motion evaluator: retrieval metrics of the benchmark, and what `vimonet search` ranks by."""

from __future__ import annotations

from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModel

from vimonet.retrieval.caption_overlap import may_describe, overlap
from vimonet.retrieval.encoder import Evaluator, shipped_evaluator, split
from vimonet.retrieval.modeling_text_motion import MotionTextConfig, MotionTextModel, info_nce

AutoConfig.register("motion_text", MotionTextConfig, exist_ok=True)
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
