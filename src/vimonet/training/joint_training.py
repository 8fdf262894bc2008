"""Join language model, towers and projectors, and train them on question-answer pairs: stages align and instruct."""

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
)
from vimonet.training.config import LoraSettings, TrainingConfig
from vimonet.training.data.collator import Collator, FrameCache
from vimonet.training.data.sampling import ModalityFilter, QAPairSampler, rng_of, seed_everything
from vimonet.training.objective import TokenPhraseLoss
from vimonet.training.parameters import cast_parameters, param_groups, quantization, with_lora
from vimonet.training.run_folder import Run, check_attention
from vimonet.training.stages.motion_tokenizer import feature_dim, fit_feature_extractor, samples_of, vqvae_config
from vimonet.training.stages.pretrain_lm import check_folder, load_or_make_language_model
from vimonet.training.trainer import AnswerTrainer
from vimonet.utils.errors import InputError

JOINT_KEYS = (
    *("model", "language.dtype", "language.checkpoint", "language.architecture", "language.hidden_size"),
    *("language.layers", "language.heads", "language.kv_heads", "language.intermediate_size"),
    *("language.max_positions", "language.dropout", "language.vocab_size", "language.lowercase"),
    *("motion.checkpoint", "motion.features", "motion.max_frames", "motion.width", "motion.code_dim"),
    *("motion.num_codes", "motion.depth", "motion.down_t", "motion.quantizer", "motion.keypoints"),
    *("motion.statistics_clips", "motion.options", "video.*", "projector.*", "objective.*", "optim.lr.*"),
)
"""Keys that `train_jointly` reads, beside those of every run and of `AnswerTrainer`."""


def train_jointly(
    stage: str, config: TrainingConfig, dataset: Any, validation: Any, lora: LoraSettings | None = None
) -> Path:
    """Train a ViMoNet model on question-answer pairs, each part at its own rate.

    Args:
        stage: name of the stage.
        config: settings; ``language.checkpoint`` and ``motion.checkpoint`` name the parts to be joined, or ``model`` a
            whole one.
        dataset, validation: samples (`vimonet.training.data`); None calls ``vimonet.vimos.training_samples``.
        lora: adapters on the language model; None: its weights are trained in full or frozen.

    Returns:
        The output folder: a ViMoNet model with its processor; with adapters that are not merged, a PEFT adapter with
        the processor.

    Raises:
        InputError: parts, data or settings that do not go together.
    """
    check_attention(config)
    _check_parts(config)
    run = Run(config, stage)
    seed_everything(config.seed)
    qa_pairs = config.trainer.qa_pairs_per_clip
    dataset, validation = samples_of(config, dataset, validation, qa_pairs=qa_pairs)
    model, processor = assemble(config, dataset, lora)
    cast_parameters(model, config, adapted=lora is not None)
    dataset, validation = _readable(model, dataset), _readable(model, validation)
    whole: Any = model if lora is None else with_lora(model, config)
    head = model.get_output_embeddings()
    assert head is not None
    phrases = tuple(getattr(dataset, "actions", ())) if config.objective.token_phrase_contrastive else ()
    trainer = AnswerTrainer(
        config,
        whole,
        run.folder,
        head=head,
        parts=param_groups(whole, config.optim.lr),
        train_dataset=QAPairSampler(dataset, qa_pairs, config.seed, dropout=config.objective.modality_dropout),
        eval_dataset=None if validation is None else QAPairSampler(validation, qa_pairs, config.seed),
        data_collator=Collator(
            processor.tokenizer,
            processor.feature_extractor,
            fold_questions=processor.fold_questions,
            chat_template=str(processor.chat_template),
            max_tokens=config.trainer.max_tokens,
            packing=config.trainer.packing,
            phrases=phrases,
            frame_processor=processor.video_processor,
            video_frames=_frame_cache(config, run, processor, dataset, validation),
        ),
        objective=config.objective,
        token_phrase=TokenPhraseLoss(model, processor.tokenizer, phrases) if phrases else None,
        callbacks=run.callbacks(),
    )
    if trainer.is_sharded:
        _refuse_sharded(config, lora)
    trainable = sum(p.numel() for p in whole.parameters() if p.requires_grad)
    parameters = count_parameters(whole)
    run.train(trainer)
    state = trainer.consolidated_state()  # by all processes; the main one writes
    if lora is not None and lora.merge:
        whole = whole.merge_and_unload()

    def save(folder: Path) -> None:
        save_model(whole, folder, state)
        processor.save_pretrained(folder)

    return run.finish(save, {"clips": len(dataset), "parameters": parameters, "trainable_parameters": trainable})


def _readable(model: ViMoNetForConditionalGeneration, samples: Any) -> Any:
    """Filter `samples` by the towers that the model has for their motions."""
    reads = {"motion": model.vimonet.motion_tower is not None, "keypoints": model.vimonet.keypoint_tower is not None}
    return samples if samples is None or all(reads.values()) else ModalityFilter(samples, **reads)


def save_model(model: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write a model folder, all in the dtype of its language model, as `compose` does; or an adapter's, as it is.

    Args:
        model: a `ViMoNetForConditionalGeneration`, or PEFT's with an adapter on it.
        folder: to write into.
        state: all of its weights, where they are sharded over processes; None: its own.
    """
    if isinstance(model, PreTrainedModel):
        language_model: Any = model.language_model
        dtype = language_model.dtype
        state = model.state_dict() if state is None else state
        state = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
        model.config.dtype = dtype
    model.save_pretrained(folder, state_dict=state)


def _frame_cache(
    config: TrainingConfig, run: Run, processor: ViMoNetProcessor, dataset: Any, validation: Any
) -> FrameCache | None:
    """Cache the frames of the samples' videos, where they have any."""
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
            config.language.checkpoint, "language.checkpoint", "the output of 'vimonet train pretrain-lm', or a hub id"
        )
    if config.motion.checkpoint:
        check_folder(config.motion.checkpoint, "motion.checkpoint", "the output of 'vimonet train motion-tokenizer'")


def _refuse_sharded(config: TrainingConfig, lora: LoraSettings | None) -> None:
    """Refuse what needs whole weights in every process, which FSDP and ZeRO do not have."""
    asked = {
        "lora.merge": lora is not None and lora.merge,
        "lora.quantize": lora is not None and lora.quantize != "none",
        "objective.token_phrase_contrastive": config.objective.token_phrase_contrastive,
    }
    for key, value in asked.items():
        if value:
            raise InputError(
                f"{key} cannot be had with weights sharded over processes; use configs/accelerate/gpu.yaml."
            )


def assemble(
    config: TrainingConfig, dataset: Any, lora: LoraSettings | None = None
) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """Load the model to be trained and its processor, ``config.model``, or join language model and towers.

    A ``config.model`` without a video tower gets that of ``video.checkpoint``, if there is one.

    Args:
        config: settings.
        lora: adapters that will be added, for their ``quantize``.
        dataset: samples for feature statistics, and for the vocabulary where there is no language model yet.

    Raises:
        InputError: a folder that holds no such part.
    """
    if config.model:
        wanted = "the output of stage align or instruct, or of 'vimonet compose'"
        model = load_part(ViMoNetForConditionalGeneration, config.model, "model", wanted, **quantization(config, lora))
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
    texts = None if config.language.checkpoint else qa_pairs_of(dataset, config.motion.statistics_clips, config.seed)
    language_model, tokenizer = load_or_make_language_model(config, texts)
    motion = config.motion
    tower: MotionVQVAE | None = None
    fitted = fit_feature_extractor(motion, dataset, config.seed)
    if motion.checkpoint:
        wanted = "the output of 'vimonet train motion-tokenizer'"
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
        projector=config.projector.kind,  # type: ignore[arg-type]
        projector_queries=config.projector.queries,
        projector_time=config.projector.time,
        **_video_settings(config),
    )
    source = config.video.checkpoint or None
    with _sentences("video"):
        model = build_model(settings, tokenizer, language_model=language_model, motion_tower=tower, video_tower=source)
    frames = build_video_processor(model.config, source) if source else None
    return model, build_processor(model.config, tokenizer, extractor, video_processor=frames)


def _video_settings(config: TrainingConfig) -> dict[str, Any]:
    """Return the fields of the model's config about video."""
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
    """Turn a ValueError into an InputError: settings that do not fit each other are the user's to mend."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{branch}: {str(error).splitlines()[0]}") from error


def qa_pairs_of(dataset: Any, clips: int, seed: int) -> list[dict[str, str]]:
    """List the questions and answers of at most `clips` samples."""
    order = rng_of(seed, "vocabulary").permutation(len(dataset))[:clips]
    pairs = [pair for index in order for pair in dataset[int(index)]["qa_pairs"]]
    return [{"question": question or "", "answer": answer} for question, answer in pairs]


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
