"""An evaluator small enough to build in a test, with random weights."""

from __future__ import annotations

import torch
from tiny import tiny_tokenizer

from vimonet.model import MotionFeatureExtractor
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.retrieval.modeling_text_motion import MotionTextConfig, MotionTextModel
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

_SHAPE = {"width": 16, "depth": 1}


def tiny_evaluator(*, keypoints: bool = True, seed: int = 0) -> TextMotionEncoder:
    """One layer of width 32, vectors of 24, windows of at most 64 frames."""
    torch.manual_seed(seed)
    config = MotionTextConfig(
        motion_config={"input_dim": BODY_DIM, **_SHAPE},
        keypoint_config={"input_dim": KEYPOINT_DIM, **_SHAPE} if keypoints else None,
        code_dim=16,
        vocab_size=400,
        width=32,
        layers=1,
        embedding_dim=24,
    )
    return TextMotionEncoder(MotionTextModel(config), MotionFeatureExtractor(max_frames=64), tiny_tokenizer())
