"""Configuration of the whole model: a language model, motion and video towers, and the projectors between them.

Notable choices:

- the language model is any causal LM transformers knows, by its own config;
- a tower's config is the config of the VQ-VAE whose encoder it is, so a trained motion tokenizer drops in unchanged;
- what an answer needs beyond weights (the caption question, the calibration temperature) travels here, with the
  weights.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Literal, get_args

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig, SubConfigSpec
from transformers.models.auto.configuration_auto import AutoConfig

from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.weights import WEIGHTS

Projector = Literal["linear", "mlp", "attentive"]
VideoProjector = Literal["linear", "mlp"]
Pooling = Literal["spatial", "temporal", "attentive", "none"]
Fit = Literal["crop", "stretch", "pad"]
PolicyName = Literal["calibrated", "raw"]

MOTION_TOKEN = "<|motion|>"
KEYPOINT_TOKEN = "<|keypoints|>"
USER_TOKEN = "<|user|>"
ASSISTANT_TOKEN = "<|assistant|>"
END_TOKEN = "<|end|>"
PAD_TOKEN = "<|pad|>"
SPECIAL_TOKENS = (PAD_TOKEN, END_TOKEN, USER_TOKEN, ASSISTANT_TOKEN, MOTION_TOKEN, KEYPOINT_TOKEN)
VIDEO_TOKEN = "<|video|>"
"""Apart from the others: only the tokenizer of a model with a video tower has it, as one token more."""

_OLD_NAMES = {
    "translator": "projector",
    "translator_queries": "projector_queries",
    "translator_heads": "projector_heads",
    "translator_time": "projector_time",
    "video_translator": "video_projector",
    "video_translator_norm": "video_projector_norm",
}
"""Fields as versions before 0.2 saved them."""

CLASSES_FILE = "vimonet_classes.py"
"""Imports the classes from the installed package, for users who load a folder with ``trust_remote_code=True``. Without
the package transformers answers: "Run `pip install vimonet`"."""


def auto_map(**classes: str) -> dict[str, str]:
    """Name the class of each Auto class as ``config.json`` and ``processor_config.json`` do."""
    return {auto: f"{Path(CLASSES_FILE).stem}.{name}" for auto, name in classes.items()}


class HubClass:
    """Keep transformers from copying our source files into a saved folder, which gets `CLASSES_FILE` instead."""

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = None) -> None:
        """Leave the class as it is; transformers calls this after a load with ``trust_remote_code=True``."""


_OLD_THRESHOLDS = {"action_floor": "action", "caption_floor": "caption", "picture_floor": "keypoints_2d"}
"""Keys of configs written before 0.2 -> keys of `abstention_thresholds`."""


@strict
class ViMoNetConfig(HubClass, PreTrainedConfig):
    """Configuration of [`ViMoNetForConditionalGeneration`].

    Attributes:
        text_config: any causal language model (a config or a dict with ``model_type``; Llama where none is named).
        motion_config: the VQ-VAE whose encoder reads 3D motion features; None for a model that reads none.
        keypoint_config: the same for 2D keypoint features; None for a model that reads none.
        projector: ``linear`` (paper, for motion), ``mlp`` (paper, for video) or ``attentive`` (learned queries).
        projector_queries: language tokens per clip of an attentive projector; the others give one per 4 frames.
        projector_time: whether every token of a ``linear`` or ``mlp`` projector carries its place in time.
        projector_heads: attention heads of an attentive projector.
        motion_token_id: placeholder that one translated 3D feature replaces.
        keypoint_token_id: placeholder that one translated 2D feature replaces.
        video_config: a vision or video backbone of transformers, or LanguageBind; None for a model that sees no video.
        video_layer: hidden state of the video tower that is read, as in ``hidden_states``; None for its family's own
            (-2 for CLIP and LanguageBind, the output for others).
        video_frames: key frames of a clip, where the tower leaves the choice.
        video_fit: how pictures become square: ``crop``, ``stretch`` or ``pad``; None as the tower was trained.
        video_pooling: ``spatial``, ``temporal``, ``attentive``, or ``none`` (the paper's line: every patch a token).
        video_tokens: most tokens of a clip; exactly so many with attentive pooling; without meaning for ``none``.
        video_projector: ``mlp`` (paper) or ``linear``.
        video_projector_norm: whether it normalises its input first; released projectors do not.
        video_token_id: placeholder that one translated video feature replaces.
        confidence_temperature: divides the logits before a confidence is read off them; fitted on validation answers.
        abstention_thresholds: confidence below which the calibrated answer policy puts words aside: ``action`` for the
            name of an action, ``caption`` for a sentence about one, ``keypoints_2d`` for any other answer about 2D
            keypoints; likewise fitted, 0 takes every one.
        answer_policy: ``calibrated`` or ``raw``, where an asker names none: see `vimonet.inference.answer_policy`.
        caption_question: what ``caption`` asks; the wording captions were trained on.
        tie_word_embeddings: follows the language model.
    """

    model_type = "vimonet"
    sub_configs_defaults = {
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
        "motion_config": SubConfigSpec(config_class=MotionVQVAEConfig, optional=True),
        "keypoint_config": SubConfigSpec(config_class=MotionVQVAEConfig, optional=True),
        "video_config": SubConfigSpec(config_class=AutoConfig, model_type="clip_vision_model", optional=True),
    }

    text_config: Any = None
    motion_config: Any = None
    keypoint_config: Any = None
    projector: Projector = "linear"
    projector_queries: int = 16
    projector_heads: int = 8
    projector_time: bool = False
    motion_token_id: int | None = None
    keypoint_token_id: int | None = None
    video_config: Any = None
    video_layer: int | None = None
    video_frames: int = 8
    video_fit: Fit | None = None
    video_pooling: Pooling = "spatial"
    video_tokens: int = 256
    video_projector: VideoProjector = "mlp"
    video_projector_norm: bool = True
    video_token_id: int | None = None
    confidence_temperature: float = 1.0
    abstention_thresholds: Any = None
    answer_policy: PolicyName = "calibrated"
    caption_question: str = "Describe the movement."
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Resolve the parts and let the language model decide about tied embeddings."""
        for old, new in _OLD_NAMES.items():
            if old in kwargs:
                setattr(self, new, kwargs.pop(old))
        thresholds = {"action": 0.0, "caption": 0.0, "keypoints_2d": 0.0} | (self.abstention_thresholds or {})
        for old, name in _OLD_THRESHOLDS.items():
            thresholds[name] = kwargs.pop(old, thresholds[name])
        self.abstention_thresholds = thresholds
        super().__post_init__(**kwargs)
        # The language model ties its own embeddings; said here too, because saving looks at this level.
        self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))
        model = "ViMoNetForConditionalGeneration"
        self.auto_map = auto_map(
            AutoConfig="ViMoNetConfig",
            AutoFeatureExtractor="MotionFeatureExtractor",
            AutoModel="ViMoNetModel",
            AutoModelForCausalLM=model,
            AutoModelForImageTextToText=model,
            AutoModelForMultimodalLM=model,
            AutoProcessor="ViMoNetProcessor",
        )

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Save config.json, and `CLASSES_FILE` beside it."""
        super().save_pretrained(save_directory, *args, **kwargs)
        shutil.copyfile(WEIGHTS / CLASSES_FILE, Path(save_directory) / CLASSES_FILE)

    @property
    def ratio(self) -> int:
        """Frames per motion token (4 for T2M-GPT's topology)."""
        part = self.motion_config or self.keypoint_config
        return int(part.ratio) if part is not None else 4

    def validate_architecture(self) -> None:
        """Raise ValueError for parts that cannot work together."""
        if self.projector not in get_args(Projector):
            raise ValueError(f"projector is {self.projector!r}; expected one of {', '.join(get_args(Projector))}.")
        if self.projector_queries < 1:
            raise ValueError(f"projector_queries is {self.projector_queries}; an attentive projector needs at least 1.")
        for name in ("video_tokens", "video_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.confidence_temperature <= 0:
            raise ValueError(f"confidence_temperature is {self.confidence_temperature}; it must be positive.")
        if self.answer_policy not in get_args(PolicyName):
            raise ValueError(
                f"answer_policy is {self.answer_policy!r}; expected one of {', '.join(get_args(PolicyName))}."
            )
        for name, threshold in self.abstention_thresholds.items():
            if name not in _OLD_THRESHOLDS.values():
                known = ", ".join(_OLD_THRESHOLDS.values())
                raise ValueError(f"abstention_thresholds has no key {name!r}; it has {known}.")
            if not 0 <= threshold <= 1:
                raise ValueError(f"abstention_thresholds: {name} is {threshold}; it must lie between 0 and 1.")
        if self.motion_config and self.keypoint_config and self.motion_config.ratio != self.keypoint_config.ratio:
            raise ValueError(
                f"The motion tower makes one token of {self.motion_config.ratio} frames and the keypoint tower of "
                f"{self.keypoint_config.ratio}; both must be equal."
            )
