"""The two stages of the paper: alignment of the translators, then joint instruction tuning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from vimonet.model import (
    MotionFeatureExtractor,
    MotionVQVAE,
    ViMoNetConfig,
    ViMoNetForConditionalGeneration,
    ViMoNetProcessor,
    add_video_tower,
    build_model,
    build_processor,
    build_video_processor,
    count_parameters,
    get_parts,
    lora_config,
)
from vimonet.training.config import LearningRates, TrainingConfig
from vimonet.training.data.collator import Collator
from vimonet.training.data.frame_cache import FrameCache
from vimonet.training.data.sampling import ReadableSamples, TurnSampler, rng_of, seed_everything
from vimonet.training.precision import hold, quantization
from vimonet.training.run_folder import Run
from vimonet.training.stages.motion_tokenizer import feature_dim, fit_feature_extractor, samples_of, vqvae_config
from vimonet.training.stages.pretrain_lm import check_folder, load_or_make_language_model
from vimonet.training.token_alignment import PhraseAlignment
from vimonet.training.trainer import AnswerTrainer
from vimonet.utils.errors import InputError


def run_align(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Stage 1: train the translators, the language model frozen (towers too, unless they are given a rate).

    Args:
        config: settings; ``language.checkpoint`` and ``motion.checkpoint`` name the parts to be joined (or ``model``
            a whole one).
        dataset, validation: samples (see vimonet.training.data.sampling); None asks vimonet.vimos.training_samples.

    Returns:
        The output folder: a ViMoNet model with its processor.

    Raises:
        InputError: a rate for the language model, which this stage leaves alone.
    """
    if config.learning_rate.language_model:
        raise InputError(
            "stage align leaves the language model alone: set learning_rate.language_model=0, or run stage instruct."
        )
    return _run("align", config, dataset, validation)


def run_instruct(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Stage 2: translators, language model (LoRA, or in full with ``lora.rank`` 0), towers with a rate of their own.

    Args:
        config: settings; ``model`` is the output of stage 1, or parts are joined as there.
        dataset, validation: as in :func:`run_align`.

    Returns:
        The output folder: a ViMoNet model with its processor; with LoRA and ``lora.merge`` off, a PEFT adapter with
            the processor.
    """
    return _run("instruct", config, dataset, validation)


def _run(stage: str, config: TrainingConfig, dataset: Any, validation: Any) -> Path:
    lora = stage == "instruct" and config.lora.rank > 0
    if lora and not config.model and not config.lora.merge:
        raise InputError(
            "an adapter needs the model it adapts: set model to the output of stage align, or lora.merge=true."
        )
    if config.lora.quantize != "none" and not (lora and config.model):
        raise InputError(
            "lora.quantize is for adapters on a whole model: stage instruct, with model and lora.rank set."
        )
    _check_parts(config)
    run = Run(config, stage)
    seed_everything(config.seed)
    dataset, validation = samples_of(config, dataset, validation)
    model, processor = assemble(config, dataset)
    hold(model, config, adapted=lora)
    dataset, validation = _readable(model, dataset), _readable(model, validation)
    whole: Any = with_lora(config, model) if lora else model
    schedule = config.schedule
    head = model.get_output_embeddings()
    assert head is not None
    phrases = tuple(getattr(dataset, "actions", ())) if config.objective.alignment else ()
    alignment = PhraseAlignment(model, processor.tokenizer, phrases) if phrases else None
    trainer = AnswerTrainer(
        config,
        whole,
        run.folder,
        head=head,
        parts=parts_by_rate(whole, config.learning_rate),
        train_dataset=TurnSampler(
            dataset, schedule.turns_per_clip, config.seed, dropout=config.objective.modality_dropout
        ),
        eval_dataset=TurnSampler(validation, schedule.turns_per_clip, config.seed) if validation is not None else None,
        data_collator=Collator(
            processor.tokenizer,
            processor.feature_extractor,
            fold_questions=processor.fold_questions,
            chat_template=str(processor.chat_template),
            max_tokens=schedule.max_tokens,
            packing=schedule.packing,
            phrases=phrases,
            frame_processor=processor.video_processor,
            video_frames=_frames(config, run, processor, dataset, validation),
        ),
        alignment=alignment,
        callbacks=run.callbacks(),
    )
    if trainer.spread:
        _check_spread(config)
    trainable = sum(p.numel() for p in whole.parameters() if p.requires_grad)
    parameters = count_parameters(whole)
    run.train(trainer)
    state = trainer.consolidated_state()  # by all processes; the main one writes
    if lora and config.lora.merge:
        whole = whole.merge_and_unload()

    def save(folder: Path) -> None:
        save_model(whole, folder, state)
        processor.save_pretrained(folder)

    return run.finish(save, {"clips": len(dataset), "parameters": parameters, "trainable_parameters": trainable})


def parts_by_rate(model: Any, rates: LearningRates) -> dict[str, list[torch.nn.Module]]:
    """Modules of a ViMoNet model (or of PEFT's around one) by the name of the learning rate they train at."""
    parts = {name: [part] for name, part in get_parts(model).items()}
    if not rates.translators:
        each = dict(parts["translators"][0].named_children())
        parts["keypoint_translator"] = [each.pop("keypoint")] if "keypoint" in each else []
        parts["translators"] = list(each.values())
    return parts


def _readable(model: ViMoNetForConditionalGeneration, samples: Any) -> Any:
    """`samples` as far as the model has towers for their motions."""
    reads = {"motion": model.vimonet.motion_tower is not None, "keypoints": model.vimonet.keypoint_tower is not None}
    return samples if samples is None or all(reads.values()) else ReadableSamples(samples, **reads)


def save_model(model: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write a model folder, all in the dtype of its language model, as `compose` does; or an adapter's, as it is.

    Args:
        model: a `ViMoNetForConditionalGeneration`, or PEFT's with an adapter on it.
        folder: to write into.
        state: the whole of its weights, where it is spread over processes; None: its own.
    """
    if isinstance(model, PreTrainedModel):
        language_model: Any = model.language_model
        dtype = language_model.dtype
        state = model.state_dict() if state is None else state
        state = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
        model.config.dtype = dtype
    model.save_pretrained(folder, state_dict=state)


def _frames(
    config: TrainingConfig, run: Run, processor: ViMoNetProcessor, dataset: Any, validation: Any
) -> FrameCache | None:
    """The frames of the samples' videos, where they have any."""
    clips = [clip for samples in (dataset, validation) for clip in getattr(samples, "videos", ())]
    if not clips:
        return None
    if processor.video_processor is None:
        raise InputError(
            "the data has video and the model sees none: set video.checkpoint to a vision or video model, or "
            "data.streams=motion."
        )
    return FrameCache(config.video.cache or run.folder / "frames", clips, processor.video_processor)


def _check_parts(config: TrainingConfig) -> None:
    """Look for the folders that are named before any data is read: that can take minutes."""
    if config.video.checkpoint:
        check_folder(
            config.video.checkpoint, "video.checkpoint", "a vision or video model of transformers, or a hub id"
        )
    if config.model:
        check_folder(config.model, "model", "the output of stage align or instruct")
        return
    if config.language.checkpoint:
        check_folder(
            config.language.checkpoint, "language.checkpoint", "the output of 'vimonet train language', or a hub id"
        )
    if config.motion.checkpoint:
        check_folder(config.motion.checkpoint, "motion.checkpoint", "the output of 'vimonet train tokenizer'")


def _check_spread(config: TrainingConfig) -> None:
    """Refuse what needs whole weights in every process, which FSDP and ZeRO do not have."""
    asked = {
        "lora.merge": config.lora.rank and config.lora.merge,
        "lora.quantize": config.lora.quantize != "none",
        "objective.alignment": config.objective.alignment,
    }
    for key, value in asked.items():
        if value:
            raise InputError(
                f"{key} cannot be had with weights spread over processes; use configs/accelerate/gpu.yaml."
            )


def with_lora(config: TrainingConfig, model: ViMoNetForConditionalGeneration) -> Any:
    """`model` under the adapters of ``lora``; parts that train in full beside them are saved with them."""
    from peft import get_peft_model

    rates = config.learning_rate
    settings = lora_config(config.lora.rank, config.lora.alpha, config.lora.dropout, targets=config.lora.targets)
    settings.modules_to_save = [
        name for name in get_parts(model) if name != "language_model" and getattr(rates, name)
    ] or None
    wrapped = get_peft_model(model, settings)
    # A path relative to this working directory would be found from no other; a hub id stays as it is.
    base = Path(config.model)
    wrapped.peft_config["default"].base_model_name_or_path = str(base.resolve()) if base.is_dir() else config.model
    return wrapped


def assemble(config: TrainingConfig, dataset: Any) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """The model to be trained and its processor: ``config.model`` as it is, or language model and towers joined.

    A ``config.model`` without a video tower gets that of ``video.checkpoint``, if there is one.

    Args:
        config: settings.
        dataset: samples for feature statistics, and for the vocabulary where there is no language model yet.

    Raises:
        InputError: a folder that holds no such part.
    """
    if config.model:
        wanted = "the output of stage align or instruct, or of 'vimonet compose'"
        model = load_part(ViMoNetForConditionalGeneration, config.model, "model", wanted, **quantization(config))
        processor = load_part(ViMoNetProcessor, config.model, "model", wanted)
        if not config.video.checkpoint or model.config.video_config is not None:
            return model, processor
        with _sentences("video"):
            model = add_video_tower(model, processor.tokenizer, config.video.checkpoint, **_video_settings(config))
        return model, build_processor(
            model.config,
            processor.tokenizer,
            processor.feature_extractor,
            fold_questions=processor.fold_questions,
            video_processor=build_video_processor(model.config, config.video.checkpoint),
        )
    texts = None if config.language.checkpoint else turns_of(dataset, config.motion.statistics_clips, config.seed)
    language_model, tokenizer = load_or_make_language_model(config, texts)
    motion = config.motion
    tower: MotionVQVAE | None = None
    fitted = fit_feature_extractor(motion, dataset, config.seed)
    if motion.checkpoint:
        wanted = "the output of 'vimonet train tokenizer'"
        tower = load_part(MotionVQVAE, motion.checkpoint, "motion.checkpoint", wanted)
        extractor = load_part(MotionFeatureExtractor, motion.checkpoint, "motion.checkpoint", wanted)
        if extractor.keypoint_mean is None:
            extractor.keypoint_mean, extractor.keypoint_std = fitted.keypoint_mean, fitted.keypoint_std
    else:
        extractor = fitted
    settings = ViMoNetConfig(
        text_config=language_model.config,
        motion_config=tower.config if tower is not None else vqvae_config(motion, feature_dim(motion.features)),
        keypoint_config=vqvae_config(motion, feature_dim("keypoints")) if motion.keypoints else None,
        projector=config.translator.kind,  # type: ignore[arg-type]
        projector_queries=config.translator.queries,
        projector_time=config.translator.time,
        **_video_settings(config),
    )
    source = config.video.checkpoint or None
    with _sentences("video"):
        model = build_model(settings, tokenizer, language_model=language_model, motion_tower=tower, video_tower=source)
    frames = build_video_processor(model.config, source) if source else None
    return model, build_processor(model.config, tokenizer, extractor, video_processor=frames)


def _video_settings(config: TrainingConfig) -> dict[str, Any]:
    """Fields of the model's config about video."""
    video = config.video
    fit = None if video.fit == "auto" else video.fit
    return {
        "video_frames": video.frames,
        "video_pooling": video.pooling,
        "video_tokens": video.tokens,
        "video_fit": fit,
    }


@contextlib.contextmanager
def _sentences(branch: str) -> Iterator[None]:
    """What cannot be put together is the user's to mend: their settings do not fit each other."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{branch}: {str(error).splitlines()[0]}") from error


def turns_of(dataset: Any, clips: int, seed: int) -> list[dict[str, str]]:
    """Questions and answers of at most `clips` samples."""
    order = rng_of(seed, "vocabulary").permutation(len(dataset))[:clips]
    turns = [turn for index in order for turn in dataset[int(index)]["turns"]]
    return [{"question": question or "", "answer": answer} for question, answer in turns]


def load_part(kind: Any, path: str, key: str, wanted: str, **options: Any) -> Any:
    """Load a model, processor or tokenizer of class `kind`.

    Raises:
        InputError: `path`, which the setting `key` names, does not hold what is `wanted`.
    """
    try:
        return kind.from_pretrained(path, **options)
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{key} {path!r} cannot be loaded ({first}); it should be {wanted}.") from error
