"""Give transformers this model's classes, which the package vimonet holds (pip install vimonet)."""

from vimonet.model import (
    MotionFeatureExtractor,
    ViMoNetConfig,
    ViMoNetForConditionalGeneration,
    ViMoNetModel,
    ViMoNetProcessor,
    ViMoNetVideoProcessor,
)

__all__ = [
    "MotionFeatureExtractor",
    "ViMoNetConfig",
    "ViMoNetForConditionalGeneration",
    "ViMoNetModel",
    "ViMoNetProcessor",
    "ViMoNetVideoProcessor",
]
