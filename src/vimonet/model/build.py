"""Build a ViMoNet model from a pretrained language model, a video tower and a motion tokenizer.

The parts keep their weights; the projectors between them are new and need stage `align`. The chat template and the end
of an answer are those of the language model's family.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.chat_templates import add_special_tokens, choose_chat
from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, VIDEO_TOKEN, ViMoNetConfig
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, MotionVQVAE
from vimonet.model.processing_vimonet import ViMoNetProcessor, build_processor
from vimonet.model.towers.video_towers import VideoTower, clip_frames, load_video_tower
from vimonet.model.video_processing_vimonet import build_video_processor
from vimonet.utils.errors import InputError, first_line
from vimonet.weights import part_source

Place = str | PathLike[str]


def build_model(
    config: ViMoNetConfig,
    tokenizer: PreTrainedTokenizerBase,
    *,
    language_model: PreTrainedModel | str | PathLike[str] | None = None,
    motion_tower: MotionVQVAE | MotionEncoder | str | PathLike[str] | None = None,
    keypoint_tower: MotionVQVAE | MotionEncoder | str | PathLike[str] | None = None,
    video_tower: VideoTower | PreTrainedModel | str | PathLike[str] | None = None,
) -> ViMoNetForConditionalGeneration:
    """Build a model whose token ids, vocabulary and end of sequence agree with the tokenizer.

    Args:
        config: shapes of the new parts; given parts bring their own config.
        tokenizer: gets ViMoNet's special tokens if it lacks them.
        language_model: a causal LM, or its folder or hub id; its embeddings grow to the tokenizer's size. None: new
            from ``config.text_config``.
        motion_tower, keypoint_tower: a VQ-VAE or encoder, or the folder or hub id of a VQ-VAE; None: new.
        video_tower: a vision or video backbone, or its folder or hub id (see `load_video_tower`). None: new from
            ``config.video_config``, or no tower if that is None too.

    Returns:
        The model in the default dtype.

    Raises:
        InputError: a video tower that cannot be loaded.
    """
    config = copy.deepcopy(config)
    backbone = _backbone(video_tower)
    if backbone is not None:
        config.video_config = backbone.config
    has_video = config.video_config is not None
    if has_video:
        config.video_frames = clip_frames(config.video_config) or config.video_frames
    add_special_tokens(tokenizer, video=has_video)
    if isinstance(language_model, (str, PathLike)):
        language_model = AutoModelForCausalLM.from_pretrained(part_source(language_model))
    towers = {"motion": _encoder(motion_tower), "keypoint": _encoder(keypoint_tower)}
    for name, tower in towers.items():
        if tower is not None:
            setattr(config, f"{name}_config", tower.config)
    if language_model is not None:
        if int(language_model.config.vocab_size) < len(tokenizer):
            language_model.resize_token_embeddings(len(tokenizer))
        config.text_config = language_model.config
        config.tie_word_embeddings = bool(getattr(language_model.config, "tie_word_embeddings", False))
    else:
        config.text_config.vocab_size = len(tokenizer)
    config.motion_token_id = tokenizer.convert_tokens_to_ids(MOTION_TOKEN)  # type: ignore[assignment]
    config.keypoint_token_id = tokenizer.convert_tokens_to_ids(KEYPOINT_TOKEN)  # type: ignore[assignment]
    if has_video:
        config.video_token_id = tokenizer.convert_tokens_to_ids(VIDEO_TOKEN)  # type: ignore[assignment]
    part: Any
    for part in (config, config.text_config):
        part.eos_token_id, part.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        part.bos_token_id = tokenizer.bos_token_id

    model = ViMoNetForConditionalGeneration(config)
    if language_model is not None:
        model.language_model.load_state_dict(language_model.state_dict())
    for name, tower in towers.items():
        if tower is not None:
            getattr(model.vimonet, f"{name}_tower").load_state_dict(tower.state_dict())
    if backbone is not None and model.vimonet.video_tower is not None:
        # A tower drops unused parts of a backbone (V-JEPA 2's predictor).
        target = model.vimonet.video_tower.backbone
        wanted, state = target.state_dict(), backbone.state_dict()
        target.load_state_dict({name: state[name] for name in wanted})
    for generation in (model.generation_config, model.language_model.generation_config):
        generation.eos_token_id, generation.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        generation.bos_token_id = tokenizer.bos_token_id
    return model


def _encoder(tower: Any) -> MotionEncoder | None:
    """Return the encoder of a VQ-VAE, of a saved VQ-VAE, or the encoder itself."""
    if tower is None or isinstance(tower, MotionEncoder):
        return tower
    return (MotionVQVAE.from_pretrained(tower) if isinstance(tower, (str, PathLike)) else tower).encoder


def _backbone(tower: Any) -> PreTrainedModel | None:
    """Return the backbone of a video tower, of a saved one, or the backbone itself."""
    if isinstance(tower, (str, PathLike)):
        return load_video_tower(tower)
    return tower.backbone if isinstance(tower, VideoTower) else tower


@dataclass(frozen=True)
class Composed:
    """A composed model.

    Attributes:
        model, processor: for training and inference.
        chat: family of the chat template.
        end: token that ends an answer.
        added: tokens that were added to the tokenizer -> ids.
        grown: rows that were added to the embeddings.
    """

    model: ViMoNetForConditionalGeneration
    processor: ViMoNetProcessor
    chat: str
    end: str
    added: dict[str, int]
    grown: int

    def save(self, folder: Place) -> None:
        """Save model and processor for `vimonet.load` and ``vimonet train``."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)


def compose(
    llm: Place,
    *,
    video: Place | None = None,
    motion_tokenizer: Place | None = None,
    motion_towers: tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor] | None = None,
    projector_weights: Place | None = None,
    chat: str = "auto",
    system: str = "",
    dtype: str = "auto",
    seed: int = 0,
    **settings: Any,
) -> Composed:
    """Compose a model from saved parts.

    Args:
        llm: folder or hub id of a causal language model with its tokenizer, or one of `vimonet.weights.PARTS`.
        video: folder or hub id of a vision or video backbone (see `load_video_tower`); None: no video tower.
        motion_tokenizer: folder of a VQ-VAE with its feature extractor (``vimonet train motion-tokenizer``, or
            ``vimonet convert t2m-gpt --mean --std``); None: no motion tower.
        motion_towers: a ViMoNet model and its processor, whose trained motion and keypoint towers and feature extractor
            are taken instead of a tokenizer's.
        projector_weights: folder of a released projector (``vimonet convert motionllm`` or ``video-llava``) for the
            video tower; ``video_pooling`` is then ``none`` unless given.
        chat, system: see `choose_chat`.
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for the language model's dtype.
        seed: seed of the new parts.
        **settings: fields of `ViMoNetConfig` (``projector``, ``video_tokens`` ...).

    Raises:
        InputError: a part that cannot be loaded, no tower, or settings that do not fit.
    """
    from vimonet.model.conversion.convert_video_llava import load_projector  # that package composes, too

    if video is None and motion_tokenizer is None and motion_towers is None:
        raise InputError("name a video tower, a motion tokenizer or both; a model with neither reads text only.")
    if motion_tokenizer is not None and motion_towers is not None:
        raise InputError("give --motion-tokenizer or --motion-towers, not both: each brings a motion tower.")
    # Small parts first: an error in them should not wait for a large model to load.
    tower: MotionVQVAE | MotionEncoder | None = None
    keypoint_tower: MotionEncoder | None = None
    extractor: MotionFeatureExtractor | None = None
    if motion_tokenizer is not None:
        tower, extractor = _load_motion(motion_tokenizer)
    elif motion_towers is not None:
        body, extractor = motion_towers[0].vimonet, motion_towers[1].feature_extractor
        tower, keypoint_tower = body.motion_tower, body.keypoint_tower
    backbone = None if video is None else load_video_tower(video)
    projector = None
    if projector_weights is not None:
        if video is None:
            raise InputError("--projector-weights: there is no video tower whose features it reads; add --video.")
        projector, kind = load_projector(projector_weights)
        settings = {"video_pooling": "none", **settings, "video_projector": kind, "video_projector_norm": False}
    language_model, tokenizer = _load_language_model(llm, dtype)
    name, template, end = choose_chat(tokenizer, chat, system)
    before, rows, ends = set(tokenizer.get_vocab()), int(language_model.config.vocab_size), _ends(language_model)
    torch.manual_seed(seed)
    try:
        config = ViMoNetConfig(text_config=language_model.config, **settings)
        with _default_dtype(language_model.dtype):
            model = build_model(
                config,
                tokenizer,
                language_model=language_model,
                motion_tower=tower,
                keypoint_tower=keypoint_tower,
                video_tower=backbone,
            )
        if projector is not None:
            model.vimonet.translators.video.translator.load_state_dict(projector)  # type: ignore[union-attr]
    except RuntimeError as error:
        raise InputError(f"{projector_weights}: does not fit between {video} and {llm} ({_shapes(error)}).") from None
    except (ValueError, StrictDataclassError) as error:
        raise InputError(f"the parts cannot be joined: {first_line(error.__cause__ or error)}") from None
    for parameter in model.parameters():
        # Loaded parts have dtypes of their own. Buffers keep theirs: rotary frequencies need float32.
        parameter.data = parameter.data.to(language_model.dtype)
    frames = None if video is None else build_video_processor(model.config, video)
    processor = build_processor(model.config, tokenizer, extractor, fold_questions=False, video_processor=frames)
    processor.chat_template = template
    tokenizer.eos_token = end
    _set_ends(model, tokenizer, ends)
    ids = {token: index for token, index in tokenizer.get_vocab().items() if token not in before}
    added = dict(sorted(ids.items(), key=lambda item: item[1]))
    grown = int(model.config.text_config.vocab_size) - rows
    return Composed(model.eval(), processor, name, end, added, grown)


def _load_motion(source: Place) -> tuple[MotionVQVAE, MotionFeatureExtractor]:
    try:
        kind = PreTrainedConfig.get_config_dict(source)[0].get("model_type")
        if kind != MotionVQVAEConfig.model_type:
            raise ValueError(f"its model type is {kind!r}, not {MotionVQVAEConfig.model_type!r}")
        tower = _whole(MotionVQVAE, source)
    except (OSError, ValueError) as error:
        wanted = "give the output of 'vimonet train motion-tokenizer' or of 'vimonet convert t2m-gpt'"
        raise InputError(
            f"{source}: no motion tokenizer can be loaded from this folder ({first_line(error)}); {wanted}."
        ) from None
    try:
        return tower, MotionFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError):
        raise InputError(
            f"{source}: preprocessor_config.json is missing, which holds the mean and standard deviation of the "
            "tokenizer's features; convert it again with --mean and --std."
        ) from None


def _load_language_model(source: Place, dtype: str) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    kinds = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}
    if dtype != "auto" and dtype not in kinds:
        raise InputError(f"dtype {dtype!r} is not known; use auto, {', '.join(kinds)}.")
    source = part_source(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = _whole(AutoModelForCausalLM, source, dtype=kinds.get(dtype, "auto"))
    except (OSError, ValueError) as error:
        what = "no language model can be loaded from it" if Path(source).is_dir() else "neither a folder nor on the hub"
        raise InputError(f"{source}: {what} ({first_line(error)}).") from None
    if not tokenizer.is_fast:
        raise InputError(
            f"{source}: its tokenizer has no tokenizer.json; save it with a newer version of transformers."
        )
    return model, tokenizer


def _whole(kind: Any, source: Place, **options: Any) -> Any:
    """Load a model; ValueError if tensors are missing, which transformers would initialise at random."""
    model, report = kind.from_pretrained(source, output_loading_info=True, **options)
    if lacking := sorted(report["missing_keys"]):
        raise ValueError(f"the weights lack {len(lacking)} tensors, such as {lacking[0]}")
    return model


def _ends(language_model: Any) -> list[int]:
    """Return the ids of the language model's own end-of-sequence tokens."""
    ids = language_model.generation_config.eos_token_id
    return [] if ids is None else [int(index) for index in (ids if isinstance(ids, (list, tuple)) else [ids])]


def _set_ends(model: ViMoNetForConditionalGeneration, tokenizer: Any, others: list[int]) -> None:
    """Set the end token of answers; generation also stops at the language model's own end tokens."""
    end = int(tokenizer.eos_token_id)
    part: Any
    for part in (model.config, model.config.text_config):
        part.eos_token_id = end
    stops = list(dict.fromkeys([end, *others]))
    for generation in (model.generation_config, model.language_model.generation_config):
        generation.eos_token_id = stops if len(stops) > 1 else end


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _shapes(error: RuntimeError) -> str:
    """Return the line of a load error about the first tensor of a wrong shape."""
    return next((line.strip() for line in str(error).splitlines() if "size mismatch" in line), first_line(error))
