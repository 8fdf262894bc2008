"""The model: towers, translators, language model, processor. Importing it registers the Auto classes.

Knows nothing of datasets.
"""

from __future__ import annotations

from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.feature_extraction_auto import AutoFeatureExtractor
from transformers.models.auto.modeling_auto import AutoModel, AutoModelForCausalLM, AutoModelForMultimodalLM
from transformers.models.auto.processing_auto import AutoProcessor

from vimonet.model.configuration_vimonet import SPECIAL_TOKENS, VIDEO_TOKEN, ViMoNetConfig
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration, ViMoNetModel
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, MotionVQVAE
from vimonet.model.processing_vimonet import ViMoNetProcessor, add_special_tokens, build_processor, normalise_question
from vimonet.model.surgery import add_lifter, add_video, build_model, count_parameters, get_parts, lora_config
from vimonet.model.towers.languagebind import LanguageBindVideoConfig, LanguageBindVideoModel
from vimonet.model.towers.video_towers import VideoTower, load_video_tower
from vimonet.model.video_processing_vimonet import FrameProcessor, build_frame_processor

AutoConfig.register("languagebind_video", LanguageBindVideoConfig)
AutoModel.register(LanguageBindVideoConfig, LanguageBindVideoModel)
AutoConfig.register("vimonet", ViMoNetConfig)
AutoConfig.register("motion_vqvae", MotionVQVAEConfig)
AutoModel.register(ViMoNetConfig, ViMoNetModel)
AutoModel.register(MotionVQVAEConfig, MotionVQVAE)
AutoModelForCausalLM.register(ViMoNetConfig, ViMoNetForConditionalGeneration)
AutoModelForMultimodalLM.register(ViMoNetConfig, ViMoNetForConditionalGeneration)
AutoFeatureExtractor.register(ViMoNetConfig, MotionFeatureExtractor)
AutoProcessor.register(ViMoNetConfig, ViMoNetProcessor)

__all__ = [
    "SPECIAL_TOKENS",
    "VIDEO_TOKEN",
    "FrameProcessor",
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
    "VideoTower",
    "add_lifter",
    "add_special_tokens",
    "add_video",
    "build_frame_processor",
    "build_model",
    "build_processor",
    "count_parameters",
    "get_parts",
    "load_video_tower",
    "lora_config",
    "normalise_question",
]
