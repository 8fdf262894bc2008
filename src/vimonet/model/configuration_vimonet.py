"""Configure the whole model: language model, motion, keypoint and video towers, and their projectors.

- The language model is any causal LM of transformers, with its own config.
- A motion tower has the config of a VQ-VAE and is its encoder, so a trained motion tokenizer is used unchanged.
- Settings of answers (caption question, calibration temperature, abstention thresholds) are saved with the weights.
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
VideoProjector = Literal["linear", "mlp", "attentive"]
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
"""Special token that only the tokenizer of a model with a video tower has."""

CONTEXT_PARTS = ("actions", "facts", "seen")
"""Parts of a prompt's context, in the order of its text: recognised actions, measured facts, what is seen."""

READS_TEXT = frozenset(("actions", "facts"))
"""Parts that a question can be answered from without tokens: about a long recording, or two."""

_OLD_NAMES = {
    "translator": "projector",
    "translator_queries": "projector_queries",
    "translator_heads": "projector_heads",
    "translator_time": "projector_time",
    "video_translator": "video_projector",
    "video_translator_norm": "video_projector_norm",
}
"""Field names of configs written before 0.2 -> names."""

CLASSES_FILE = "vimonet_classes.py"
"""File that imports the classes from the installed package, for loading with ``trust_remote_code=True``; without the
package transformers reports: "Run `pip install vimonet`"."""


def auto_map(**classes: str) -> dict[str, str]:
    """Return the ``auto_map`` entry of ``config.json`` or ``processor_config.json``: Auto class -> class."""
    return {auto: f"{Path(CLASSES_FILE).stem}.{name}" for auto, name in classes.items()}


class HubClass:
    """Keep transformers from copying source files into a saved folder, which gets `CLASSES_FILE` instead."""

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = None) -> None:
        """Do nothing; transformers calls this after a load with ``trust_remote_code=True``."""


_OLD_THRESHOLDS = {"action_floor": "action", "caption_floor": "caption", "picture_floor": "keypoints_2d"}
"""Keys of configs written before 0.2 -> keys of `abstention_thresholds`."""


@strict
class ViMoNetConfig(HubClass, PreTrainedConfig):
    """Configuration of [`ViMoNetForConditionalGeneration`].

    Attributes:
        text_config: any causal language model (a config, or a dict with ``model_type``; default Llama).
        motion_config: VQ-VAE whose encoder reads 3D motion features; None: no motion tower.
        keypoint_config: the same for 2D keypoint features; None: no keypoint tower.
        projector: ``linear`` (paper, for motion), ``mlp`` (paper, for video) or ``attentive`` (learned queries).
        projector_queries: tokens per clip of an attentive projector; the others give one per `ratio` frames.
        projector_time: whether a ``linear`` or ``mlp`` projector adds a time embedding to its tokens.
        projector_heads: attention heads of an attentive projector.
        motion_token_id, keypoint_token_id, video_token_id: placeholders, each replaced by one projected feature.
        video_config: a vision or video backbone of transformers, or LanguageBind; None: no video tower.
        video_layer: hidden state of the video tower to read, an index of ``hidden_states``; None: the family's default
            (-2 for CLIP and LanguageBind, the output for others).
        video_frames: key frames of a clip; towers with a fixed number override it.
        video_fit: fitting of frames to a square, ``crop``, ``stretch`` or ``pad``; None: as the tower was trained.
        video_pooling: ``spatial``, ``temporal``, ``attentive``, or ``none`` (paper: every patch is a token).
        video_tokens: token budget of a clip; exact with attentive pooling, not read with ``none``.
        video_projector: ``mlp`` (paper), ``linear``, or ``attentive``: a linear layer first, then attentive pooling
            at the language model's width, which costs least (``video_pooling`` becomes ``attentive``).
        video_projector_norm: whether the video projector normalises its input; released projectors do not.
        confidence: how sure an answer is, ``mean`` or ``least`` of the probabilities of its tokens.
            ``least`` separates right from wrong better where an answer has tokens that are sure in any case.
        confidence_temperature: divisor of the logits before a confidence is computed; fitted on validation answers.
        abstention_thresholds: confidence below which the calibrated answer policy abstains, fitted on validation
            answers: ``action`` for the name of an action, ``caption`` for a sentence about one, ``keypoints_2d`` for
            any other answer about 2D keypoints; 0 never abstains.
        yes_no_weights: weights of the language model's log-odds of yes against no and of the matcher's (a logarithmic
            opinion pool); fitted on validation answers.
        answer_policy: default policy, ``calibrated`` or ``raw``; see `vimonet.inference.answer_policy`.
        action_phrases: action phrases that projected motion tokens are aligned with (stage ``align-tokens``), for
            `ActionRecogniser`; None: the tokens are not aligned.
        context: what the prompt holds as text beside the clips' tokens, out of `CONTEXT_PARTS`; empty for nano.
        compares: whether the model is good enough at questions about two motions to be offered for them; set when it is
            shipped (`scripts/ship_adapter.py --set compares=true`).
        frames_beside_motion: whether a prompt with a motion holds the tokens of video frames as well. False where these
            tokens were found to harm; names of what the image tower sees stay, if `context` holds ``seen``.
        language_dtype: ``bfloat16`` keeps the language model in bfloat16 on a machine with a GPU or a CPU that
            multiplies bfloat16, which halves its memory and the time of an answer; float32 elsewhere. None: as the
            other parts.
        caption_question: question of ``caption``, in the wording of the training data.
        tie_word_embeddings: copied from the language model.
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
    yes_no_weights: Any = (1.0, 1.0)
    answer_policy: PolicyName = "calibrated"
    action_phrases: Any = None
    context: Any = ()
    compares: bool = False
    frames_beside_motion: bool = True
    language_dtype: str | None = None
    confidence: str = "mean"
    caption_question: str = "Describe the movement."
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Resolve the sub-configs and old field names, and copy ``tie_word_embeddings`` from the language model."""
        for old, new in _OLD_NAMES.items():
            if old in kwargs:
                setattr(self, new, kwargs.pop(old))
        thresholds = {"action": 0.0, "caption": 0.0, "keypoints_2d": 0.0} | (self.abstention_thresholds or {})
        for old, name in _OLD_THRESHOLDS.items():
            thresholds[name] = kwargs.pop(old, thresholds[name])
        self.abstention_thresholds = thresholds
        super().__post_init__(**kwargs)
        if self.video_projector == "attentive":
            self.video_pooling = "attentive"
        # The language model ties its own embeddings; save_pretrained reads the flag at this level.
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
        """Save config.json and `CLASSES_FILE`."""
        super().save_pretrained(save_directory, *args, **kwargs)
        shutil.copyfile(WEIGHTS / CLASSES_FILE, Path(save_directory) / CLASSES_FILE)

    @property
    def ratio(self) -> int:
        """Return the frames per motion token (4 with T2M-GPT's architecture)."""
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
        weights = self.yes_no_weights
        if not isinstance(weights, list | tuple) or len(weights) != 2 or not all(0 <= w <= 10 for w in weights):
            raise ValueError(f"yes_no_weights is {weights}; expected two numbers of at most 10, none negative.")
        unknown = sorted(set(self.context) - set(CONTEXT_PARTS))
        if unknown:
            raise ValueError(f"context names {unknown[0]!r}; its parts are {', '.join(CONTEXT_PARTS)}.")
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
                f"The motion tower has {self.motion_config.ratio} frames per token and the keypoint tower "
                f"{self.keypoint_config.ratio}; both must be equal."
            )
