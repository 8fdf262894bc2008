"""An untrained ViMoNet of a language model, a video tower and a motion tokenizer that others trained.

The parts keep their weights; the translators between them are new, and stage 1 of training is what they need. The
language model is talked to in its family's own form, and ends its answers as it always did.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers.configuration_utils import PreTrainedConfig

from vimonet.model.chat_templates import choose_chat
from vimonet.model.configuration_vimonet import ViMoNetConfig
from vimonet.model.conversion.llava_projector import load_projector
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionVQVAE
from vimonet.model.processing_vimonet import ViMoNetProcessor, build_processor
from vimonet.model.surgery import build_model
from vimonet.model.towers.video_towers import load_video_tower
from vimonet.model.video_processing_vimonet import build_video_processor
from vimonet.utils.errors import InputError

Place = str | os.PathLike[str]


@dataclass(frozen=True)
class Composed:
    """A composed model.

    Attributes:
        model, processor: as training and asking want them.
        chat: family of the chat template.
        end: token that ends an answer.
        added: tokens that the tokenizer did not have, with their ids.
        grown: rows the embeddings grew by.
    """

    model: ViMoNetForConditionalGeneration
    processor: ViMoNetProcessor
    chat: str
    end: str
    added: dict[str, int]
    grown: int

    def save(self, folder: Place) -> None:
        """Write model and processor as `vimonet.load` and ``vimonet train`` read them."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)


def compose(
    llm: Place,
    *,
    video: Place | None = None,
    motion_tokenizer: Place | None = None,
    video_projector: Place | None = None,
    chat: str = "auto",
    system: str = "",
    dtype: str = "auto",
    seed: int = 0,
    **settings: Any,
) -> Composed:
    """Compose a model.

    Args:
        llm: folder or hub id of a causal language model with its tokenizer.
        video: of a vision or video backbone (see `load_video_tower`); None for a model that sees no video.
        motion_tokenizer: of a VQ-VAE with its feature extractor (``vimonet train tokenizer``, or ``vimonet convert
            t2m-gpt --mean --std``); None for a model that reads no motion.
        video_projector: of a released projector (``vimonet convert motionllm`` or ``video-llava``), which becomes the
            video's translator; every patch a token (``video_pooling`` ``none``) unless said otherwise.
        chat, system: see `choose_chat`.
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``: the language model's.
        seed: of the new parts.
        **settings: fields of `ViMoNetConfig` (``translator``, ``video_tokens`` ...).

    Raises:
        InputError: a part that cannot be loaded, neither tower named, or settings that do not fit.
    """
    if video is None and motion_tokenizer is None:
        raise InputError("name a video tower, a motion tokenizer or both; a model with neither reads text only.")
    # The small parts first: what is wrong with them should not cost the time a large one takes to load.
    tower, extractor = (None, None) if motion_tokenizer is None else _load_motion(motion_tokenizer)
    backbone = None if video is None else load_video_tower(video)
    projector = None
    if video_projector is not None:
        if video is None:
            raise InputError("a video projector was named, and no video tower whose features it reads.")
        projector, kind = load_projector(video_projector)
        settings = {"video_pooling": "none", **settings, "video_translator": kind, "video_translator_norm": False}
    language_model, tokenizer = _load_language_model(llm, dtype)
    name, template, end = choose_chat(tokenizer, chat, system)
    before, rows, ends = set(tokenizer.get_vocab()), int(language_model.config.vocab_size), _ends(language_model)
    torch.manual_seed(seed)
    try:
        config = ViMoNetConfig(text_config=language_model.config, **settings)
        with _default_dtype(language_model.dtype):
            model = build_model(
                config, tokenizer, language_model=language_model, motion_tower=tower, video_tower=backbone
            )
        if projector is not None:
            model.vimonet.translators.video.translator.load_state_dict(projector)  # type: ignore[union-attr]
    except RuntimeError as error:
        raise InputError(f"{video_projector}: does not fit between {video} and {llm} ({_shapes(error)}).") from None
    except (ValueError, StrictDataclassError) as error:
        raise InputError(f"the parts cannot be joined: {_first(error.__cause__ or error)}") from None
    for parameter in model.parameters():
        # Parts bring their own dtype. Buffers keep theirs: rotary frequencies are float32 on purpose.
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
        wanted = "give the output of 'vimonet train tokenizer' or of 'vimonet convert t2m-gpt'"
        raise InputError(f"{source}: no motion tokenizer can be loaded from it ({_first(error)}); {wanted}.") from None
    try:
        return tower, MotionFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError):
        raise InputError(
            f"{source}: preprocessor_config.json is missing, so the mean and deviation of the tokenizer's features are "
            "not known; convert it again with --mean and --std."
        ) from None


def _load_language_model(source: Place, dtype: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kinds = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}
    if dtype != "auto" and dtype not in kinds:
        raise InputError(f"dtype {dtype!r} is not known; use auto, {', '.join(kinds)}.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = _whole(AutoModelForCausalLM, source, dtype=kinds.get(dtype, "auto"))
    except (OSError, ValueError) as error:
        what = "no language model can be loaded from it" if Path(source).is_dir() else "neither a folder nor on the hub"
        raise InputError(f"{source}: {what} ({_first(error)}).") from None
    if not tokenizer.is_fast:
        raise InputError(f"{source}: its tokenizer has no fast form (tokenizer.json); save it with a newer version.")
    return model, tokenizer


def _whole(kind: Any, source: Place, **options: Any) -> Any:
    """Load a model that lacks nothing: transformers would fill what is missing with random numbers.

    Raises:
        ValueError: the weights lack a tensor.
    """
    model, report = kind.from_pretrained(source, output_loading_info=True, **options)
    if lacking := sorted(report["missing_keys"]):
        raise ValueError(f"the weights lack {len(lacking)} tensors, such as {lacking[0]}")
    return model


def _ends(language_model: Any) -> list[int]:
    """Ids at which the language model stops of itself."""
    ids = language_model.generation_config.eos_token_id
    return [] if ids is None else [int(index) for index in (ids if isinstance(ids, (list, tuple)) else [ids])]


def _set_ends(model: ViMoNetForConditionalGeneration, tokenizer: Any, others: list[int]) -> None:
    """Answers end with the family's token; generation also stops where the language model always did."""
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
    """The line about the first tensor that does not fit."""
    return next((line.strip() for line in str(error).splitlines() if "size mismatch" in line), _first(error))


def _first(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


__all__ = ["Composed", "compose"]
