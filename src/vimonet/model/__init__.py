"""Build, load and run the model: towers, projectors, language model, processor; register them as Auto classes."""

from __future__ import annotations

from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.feature_extraction_auto import AutoFeatureExtractor
from transformers.models.auto.modeling_auto import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMultimodalLM,
)
from transformers.models.auto.processing_auto import AutoProcessor
from transformers.models.auto.video_processing_auto import AutoVideoProcessor

from vimonet.model.build import build_model
from vimonet.model.configuration_vimonet import SPECIAL_TOKENS, VIDEO_TOKEN, ViMoNetConfig
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration, ViMoNetModel
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, MotionVQVAE
from vimonet.model.processing_vimonet import ViMoNetProcessor, add_special_tokens, build_processor, normalise_question
from vimonet.model.surgery import add_lifter, add_video_tower, count_parameters, get_parts, lora_config
from vimonet.model.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from vimonet.model.towers.languagebind import LanguageBindVideoConfig, LanguageBindVideoModel
from vimonet.model.towers.video_towers import VideoTower, load_video_tower
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, build_video_processor

# exist_ok: `vimonet.utils.auto_classes` may have registered the names already.
for _config in (ViMoNetConfig, MotionVQVAEConfig, LanguageBindVideoConfig, EfficientNetLiteConfig):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
AutoModel.register(LanguageBindVideoConfig, LanguageBindVideoModel)
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel)
AutoModel.register(MotionVQVAEConfig, MotionVQVAE)
AutoModel.register(ViMoNetConfig, ViMoNetModel)
for _auto in (AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForMultimodalLM):
    _auto.register(ViMoNetConfig, ViMoNetForConditionalGeneration)
AutoFeatureExtractor.register(ViMoNetConfig, MotionFeatureExtractor, exist_ok=True)
AutoVideoProcessor.register(ViMoNetConfig, ViMoNetVideoProcessor)
AutoProcessor.register(ViMoNetConfig, ViMoNetProcessor, exist_ok=True)

__all__ = [
    "SPECIAL_TOKENS",
    "VIDEO_TOKEN",
    "EfficientNetLiteConfig",
    "EfficientNetLiteModel",
    "LanguageBindVideoConfig",
    "LanguageBindVideoModel",
    "MotionEncoder",
    "MotionFeatureExtractor",
    "MotionVQVAE",
    "MotionVQVAEConfig",
    "ViMoNetConfig",
    "ViMoNetForConditionalGeneration",
    "ViMoNetModel",
    "ViMoNetProcessor",
    "ViMoNetVideoProcessor",
    "VideoTower",
    "add_lifter",
    "add_special_tokens",
    "add_video_tower",
    "build_model",
    "build_processor",
    "build_video_processor",
    "count_parameters",
    "get_parts",
    "load_video_tower",
    "lora_config",
    "normalise_question",
]
