"""Build the model of a training config on the meta device, without reading weights.

Parts that exist are read from their folders. The shape of a missing part comes from the config of the stage that will
write it, from the ``vimonet compose`` command in ``run.sh`` beside that config, or from a table of published shapes.
"""

from __future__ import annotations

import inspect
import json
import shlex
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM

from vimonet.model import LanguageBindVideoConfig, MotionVQVAEConfig, ViMoNetConfig, ViMoNetForConditionalGeneration
from vimonet.model.towers.languagebind import is_languagebind
from vimonet.model.towers.video_towers import clip_frames
from vimonet.training.config import TrainingConfig, VideoConfig, load_config
from vimonet.training.stages import stage_names
from vimonet.training.stages.motion_tokenizer import feature_dim, vqvae_config
from vimonet.training.stages.pretrain_lm import language_shape
from vimonet.utils.errors import InputError


def _llama(width: int, inner: int, layers: int, heads: int, kv_heads: int, vocabulary: int, **more: Any) -> Any:
    return {
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocabulary,
        **more,
    }


def _qwen(generation: int, *shape: int, tied: bool) -> Any:
    head = {"head_dim": 128} if generation == 3 else {}
    return {**_llama(*shape), "model_type": f"qwen{generation}", "tie_word_embeddings": tied, **head}


LANGUAGE_MODELS: dict[str, dict[str, Any]] = {
    "lmsys/vicuna-7b-v1.5": _llama(4096, 11008, 32, 32, 32, 32000),
    "lmsys/vicuna-13b-v1.5": _llama(5120, 13824, 40, 40, 40, 32000),
    "meta-llama/Llama-3.1-8B-Instruct": _llama(4096, 14336, 32, 32, 8, 128256),
    "meta-llama/Llama-3.2-1B-Instruct": _llama(2048, 8192, 16, 32, 8, 128256, tie_word_embeddings=True),
    "meta-llama/Llama-3.2-3B-Instruct": _llama(3072, 8192, 28, 24, 8, 128256, tie_word_embeddings=True),
    "Qwen/Qwen2.5-0.5B-Instruct": _qwen(2, 896, 4864, 24, 14, 2, 151936, tied=True),
    "Qwen/Qwen2.5-1.5B-Instruct": _qwen(2, 1536, 8960, 28, 12, 2, 151936, tied=True),
    "Qwen/Qwen2.5-3B-Instruct": _qwen(2, 2048, 11008, 36, 16, 2, 151936, tied=True),
    "Qwen/Qwen2.5-7B-Instruct": _qwen(2, 3584, 18944, 28, 28, 4, 152064, tied=False),
    "Qwen/Qwen3-0.6B": _qwen(3, 1024, 3072, 28, 16, 8, 151936, tied=True),
    "Qwen/Qwen3-1.7B": _qwen(3, 2048, 6144, 28, 16, 8, 151936, tied=True),
    "Qwen/Qwen3-4B": _qwen(3, 2560, 9728, 36, 32, 8, 151936, tied=True),
    "Qwen/Qwen3-8B": _qwen(3, 4096, 12288, 36, 32, 8, 151936, tied=False),
}
"""Published shapes (config.json of the hub id), for planning offline."""

_VIT_L: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
}
VIDEO_TOWERS: dict[str, dict[str, Any]] = {
    "LanguageBind/LanguageBind_Video_merge": {"model_type": "languagebind_video", **_VIT_L},
    "openai/clip-vit-large-patch14": {"model_type": "clip_vision_model", **_VIT_L},
    "openai/clip-vit-base-patch16": {"model_type": "clip_vision_model", "patch_size": 16},
    "google/siglip2-base-patch16-224": {"model_type": "siglip_vision_model", "patch_size": 16},
    "facebook/dinov2-base": {"model_type": "dinov2", "image_size": 518, "patch_size": 14},
    "MCG-NJU/videomae-base": {"model_type": "videomae"},
}
"""Published shapes of video towers; fields that are absent have the defaults of the family, a ViT-B."""


def describe(config: TrainingConfig, config_path: str | Path | None = None, stage: str = "instruct") -> Any:
    """Return the config of the model that training with `config` would build.

    Args:
        config: settings of the run.
        config_path: file of the settings; configs beside it give the shapes of models that do not exist yet.
        stage: ``pretrain-lm`` for the language model alone, else a whole ViMoNet.

    Returns:
        A `ViMoNetConfig`, or the language model's config.

    Raises:
        InputError: a part of unknown shape.
    """
    stages = _Stages(config_path)
    if stage == "pretrain-lm":
        return _language(config, stages)
    video = config.video
    while config.model:
        if (Path(config.model) / "config.json").is_file():
            return _with_video(ViMoNetConfig.from_pretrained(config.model), video)
        earlier = stages.pop(config.model)
        if earlier is None:
            if (command := stages.composed(config.model)) is not None:
                return _composed(command)
            if config.language.checkpoint:
                break
            raise InputError(
                f"model {config.model!r} does not exist yet, so its shape is unknown; name its parts: "
                "language.checkpoint=..., and video.checkpoint=... if it has a video tower."
            )
        config, video = earlier, video if video.checkpoint else earlier.video
    motion = config.motion
    made = stages.pop(motion.checkpoint)
    if (Path(motion.checkpoint) / "config.json").is_file() and motion.checkpoint:
        tower = MotionVQVAEConfig.from_pretrained(motion.checkpoint)
    else:
        shape = motion if made is None else made.motion
        tower = vqvae_config(shape, feature_dim(shape.features))
    described = ViMoNetConfig(
        text_config=_language(config, stages),
        motion_config=tower,
        keypoint_config=vqvae_config(motion, feature_dim("keypoints")) if motion.keypoints else None,
        projector=config.projector.kind,
        projector_queries=config.projector.queries,
        projector_time=config.projector.time,
    )
    return _with_video(described, video)


def build_on_meta(described: Any) -> Any:
    """Build the model of a config, its parameters on the meta device."""
    with torch.device("meta"):
        if isinstance(described, ViMoNetConfig):
            return ViMoNetForConditionalGeneration(described)
        return AutoModelForCausalLM.from_config(described)


class _Stages:
    """Find the configs beside a config file by their output folder; each is returned once, so that no cycle loops."""

    def __init__(self, config_path: str | Path | None) -> None:
        self._found: dict[Path, TrainingConfig] = {}
        recipe = Path(str(config_path)).with_name("run.sh")
        self._recipe = recipe.read_text("utf-8") if recipe.is_file() else ""
        beside = [] if config_path is None else sorted(Path(config_path).parent.glob("*.yaml"))
        for path in beside:
            if path.stem in stage_names() and path != Path(str(config_path)):
                found = load_config(path)
                self._found[Path(found.output)] = found

    def composed(self, folder: str) -> dict[str, str] | None:
        """Find the options of the ``vimonet compose`` in ``run.sh`` that writes `folder`."""
        for line in self._recipe.splitlines():
            _, found, command = line.partition("vimonet compose ")
            words = shlex.split(command, comments=True) if found else []
            options = dict(zip(words[::2], words[1::2], strict=False))
            if options and Path(options.get("-o", options.get("--output", ""))) == Path(folder):
                return options
        return None

    def pop(self, folder: str) -> TrainingConfig | None:
        """Return and forget the config whose output is `folder`."""
        return self._found.pop(Path(folder), None)


def _composed(options: dict[str, str]) -> ViMoNetConfig:
    """Return the config of the model that `vimonet compose` will build with `options`."""
    tokenizer = options.get("--motion-tokenizer", "")
    known = bool(tokenizer) and (Path(tokenizer) / "config.json").is_file()
    dim = feature_dim("humanml3d")
    motion = MotionVQVAEConfig.from_pretrained(tokenizer) if known else MotionVQVAEConfig(input_dim=dim)
    described = ViMoNetConfig(
        text_config=_shape(options["--llm"], LANGUAGE_MODELS, "--llm of vimonet compose"),
        motion_config=motion if tokenizer else None,
        projector=options.get("--projector", "linear"),  # type: ignore[arg-type]
        video_projector=options.get("--video-projector", "mlp"),  # type: ignore[arg-type]
    )
    video = VideoConfig(
        checkpoint=options.get("--video", ""),
        frames=int(options.get("--video-frames", 8)),
        pooling=options.get("--video-pooling", "spatial"),  # type: ignore[arg-type]
        tokens=int(options.get("--video-tokens", 256)),
    )
    return _with_video(described, video)


def _with_video(described: ViMoNetConfig, video: VideoConfig) -> ViMoNetConfig:
    """Add the video tower of `video` to a config that has none."""
    if video.checkpoint and described.video_config is None:
        described.video_config = _shape(video.checkpoint, VIDEO_TOWERS, "video.checkpoint")
        described.video_frames = clip_frames(described.video_config) or video.frames
        described.video_pooling, described.video_tokens = video.pooling, video.tokens
    return described


def _language(config: TrainingConfig, stages: _Stages) -> Any:
    """Return the language model's config: of its checkpoint, of the stage that will train it, or of a new model."""
    language = config.language
    if language.checkpoint:
        made = stages.pop(language.checkpoint)
        if made is None or (Path(language.checkpoint) / "config.json").is_file():
            return _shape(language.checkpoint, LANGUAGE_MODELS, "language.checkpoint")
        language = made.language
    return language_shape(language, language.vocab_size)


def _shape(source: str, known: dict[str, dict[str, Any]], key: str) -> Any:
    """Read the config of a folder, or take the published shape of a known model."""
    settings = Path(source) / "config.json"
    if settings.is_file():
        try:
            fields = json.loads(settings.read_text("utf-8"))
            if known is VIDEO_TOWERS and is_languagebind(fields):
                vision = {"num_attention_heads": 16, **(fields.get("vision_config") or fields)}
                names = inspect.signature(LanguageBindVideoConfig).parameters
                return LanguageBindVideoConfig(**{name: vision[name] for name in names if name in vision})
            config: Any = AutoConfig.from_pretrained(source)
        except (OSError, ValueError, json.JSONDecodeError) as error:
            raise InputError(
                f"{settings}: not the config of a transformers model ({str(error).splitlines()[0][:120]})."
            ) from None
        return getattr(config, "vision_config", None) or config if known is VIDEO_TOWERS else config
    for name, shape in known.items():
        if source.lower() in (name.lower(), name.partition("/")[2].lower()):
            fields = dict(shape)
            return AutoConfig.for_model(fields.pop("model_type"), **fields)
    raise InputError(
        f"{key} {source!r}: no folder with a config.json, and not among the known shapes ({', '.join(known)}); "
        "download its config.json into a folder and name that."
    )


_BLOCK, _OUTER = 64, 256
"""Weights per scale, and scales per second-level scale (double quantisation)."""


class _Linear(torch.autograd.Function):
    """Multiply by a packed weight, which is dequantised for each product and freed after it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: Tensor, shape: torch.Size) -> Tensor:
        ctx.shape, ctx.dtype = shape, x.dtype
        ctx.save_for_backward(packed)
        return F.linear(x, torch.empty(shape, dtype=x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] @ torch.empty(ctx.shape, dtype=grads[0].dtype), None, None


class Linear4bit(nn.Linear):
    """Linear layer in NF4 with double quantisation (QLoRA, arXiv 2305.14314): 4.127 bits per weight."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        self.shape = layer.weight.shape
        count = layer.weight.numel()
        held = count // 2 + -(-count // _BLOCK) + 4 * -(-count // (_BLOCK * _OUTER))
        self.weight = nn.Parameter(torch.empty(held, dtype=torch.uint8, device=layer.weight.device), False)

    def forward(self, input: Tensor) -> Tensor:
        """Map [..., in_features] to [..., out_features]."""
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        out = _Linear.apply(input.to(dtype), self.weight, self.shape)
        return out if self.bias is None else out + self.bias.to(dtype)


def quantise(language_model: Any) -> None:
    """Replace all linear layers by 4-bit ones, except the head."""
    head = language_model.get_output_embeddings()
    for module in list(language_model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear and child is not head:
                setattr(module, name, Linear4bit(child))
