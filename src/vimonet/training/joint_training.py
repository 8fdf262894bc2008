"""Train language model, towers and projectors jointly on question-answer pairs: stages align and instruct."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from functools import partial
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
from vimonet.model.action_network import FOLDER as NETWORK
from vimonet.model.action_network import ActionNetwork
from vimonet.model.action_recognition import ActionRecogniser
from vimonet.model.configuration_vimonet import READS_TEXT
from vimonet.model.hub import load_network
from vimonet.model.question_reader import FOLDER, copy_reader
from vimonet.model.seen import seen_text
from vimonet.training.config import LoraSettings, TrainingConfig
from vimonet.training.data.collator import Collator, FrameCache
from vimonet.training.data.contexts import ContextWriter, draw_dropped
from vimonet.training.data.question_readings import FOLDS, FoldedReader
from vimonet.training.data.sampling import ModalityFilter, QAPairSampler, rng_of, seed_everything
from vimonet.training.objective import TokenPhraseLoss, digit_tokens
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
    *("reader", "motion.statistics_clips", "motion.options", "video.*", "projector.*", "objective.*", "optim.lr.*"),
)
"""Keys that `train_jointly` reads in addition to `RUN_KEYS` and `ANSWER_KEYS`."""


def train_jointly(
    stage: str, config: TrainingConfig, dataset: Any, validation: Any, lora: LoraSettings | None = None
) -> Path:
    """Train a ViMoNet model on question-answer pairs, each part at its own rate.

    Args:
        stage: name of the stage.
        config: settings; ``model`` names a whole model, or ``language.checkpoint`` and ``motion.checkpoint`` its parts.
        dataset, validation: samples (`vimonet.training.data`); None calls `training_samples`.
        lora: adapters on the language model; None: its weights are trained in full or frozen.

    Returns:
        The output folder with the processor and the model, or the PEFT adapter if it is not merged.

    Raises:
        InputError: parts, data or settings that do not fit together.
    """
    check_attention(config)
    _check_parts(config)
    run = Run(config, stage)
    seed_everything(config.seed)
    qa_pairs = config.trainer.qa_pairs_per_clip
    dataset, validation = samples_of(config, dataset, validation, qa_pairs=qa_pairs)
    model, processor = assemble(config, dataset, lora)
    network = load_network(config.model, processor.feature_extractor) if config.model else None
    cast_parameters(model, config, adapted=lora is not None)
    dataset, validation = _readable(model, dataset), _readable(model, validation)
    whole: Any = model if lora is None else with_lora(model, config)
    head = model.get_output_embeddings()
    assert head is not None
    phrases = tuple(getattr(dataset, "actions", ())) if config.objective.token_phrase_contrastive else ()
    parts = tuple(model.config.context)
    if config.data.get("comparisons") and not set(parts) >= READS_TEXT:
        raise InputError("data.comparisons needs a model whose config has actions and facts in `context`; set it to 0.")
    writer = _context_writer(model, processor, network) if parts else None
    context_dropout = config.objective.context_dropout
    drop_parts = partial(draw_dropped, parts, context_dropout) if parts else None
    trainer = AnswerTrainer(
        config,
        whole,
        run.folder,
        head=head,
        parts=param_groups(whole, config.optim.lr),
        train_dataset=QAPairSampler(
            dataset, qa_pairs, config.seed, dropout=config.objective.modality_dropout, drop_parts=drop_parts
        ),
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
            context=writer,
            question_reader=FoldedReader.open(config.reader) if config.reader else None,
        ),
        objective=config.objective,
        token_phrase=TokenPhraseLoss(model, processor.tokenizer, phrases) if phrases else None,
        digits=digit_tokens(processor.tokenizer),
        callbacks=run.callbacks(),
    )
    if trainer.is_sharded:
        _refuse_sharded(config, lora)
    trainable = sum(p.numel() for p in whole.parameters() if p.requires_grad)
    parameters = count_parameters(whole)
    run.train(trainer)
    state = trainer.consolidated_state()  # every process must call it, though only the main one saves
    if lora is not None and lora.merge:
        whole = whole.merge_and_unload()

    def save(folder: Path) -> None:
        save_model(whole, folder, state)
        processor.save_pretrained(folder)
        if config.reader:
            copy_reader(folder, Path(config.reader))
        if network is not None:
            network.save(folder / NETWORK)

    return run.finish(save, {"clips": len(dataset), "parameters": parameters, "trainable_parameters": trainable})


def _context_writer(
    model: ViMoNetForConditionalGeneration, processor: ViMoNetProcessor, network: ActionNetwork | None
) -> ContextWriter:
    """Make the writer of contexts, with a copy of the towers as they are before training."""
    recogniser = None
    if model.config.action_phrases and "actions" in model.config.context:
        recogniser = ActionRecogniser(model, processor.tokenizer, network).frozen()
    seen = None
    if "seen" in model.config.context and model.vimonet.video_tower is not None:
        classifier = copy.deepcopy(model.vimonet.video_tower.backbone).eval()
        seen = partial(seen_text, classifier=classifier)
    return ContextWriter(tuple(model.config.context), recogniser, seen)


def _readable(model: ViMoNetForConditionalGeneration, samples: Any) -> Any:
    """Drop the samples whose motion the model has no tower for."""
    reads = {"motion": model.vimonet.motion_tower is not None, "keypoints": model.vimonet.keypoint_tower is not None}
    return samples if samples is None or all(reads.values()) else ModalityFilter(samples, **reads)


def save_model(model: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Save a whole model in the dtype of its language model, or an adapter as it is.

    Args:
        model: a `ViMoNetForConditionalGeneration`, or a PEFT model around one.
        folder: output folder.
        state: gathered weights of a sharded model; None: the model's own.
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
    """Make a cache for the key frames of the samples' videos; None without videos."""
    clips = [clip for samples in (dataset, validation) for clip in getattr(samples, "videos", ())]
    if not clips:
        return None
    if processor.video_processor is None:
        raise InputError(
            "the data has video and the model has no video tower: set video.checkpoint to a vision or video model, or "
            "data.streams=motion."
        )
    return FrameCache(config.video.cache or run.folder / "frames", clips, processor.video_processor)


def _check_parts(config: TrainingConfig) -> None:
    """Check that the configured folders exist, before minutes are spent on reading data."""
    if config.video.checkpoint:
        check_folder(
            config.video.checkpoint, "video.checkpoint", "a vision or video model of transformers, or a hub id"
        )
    made = "the output of 'python -m research.mini.train_reader'"
    if config.reader:
        check_folder(config.reader, "reader", made)
        if not Path(config.reader, FOLDS).is_file():
            raise InputError(f"reader={config.reader}: no {FOLDS}; give {made}.")
    elif config.model and Path(config.model, FOLDER).is_dir():
        raise InputError(f"model={config.model} has a question reader: give {made} as 'reader', so that it is used.")
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
    """Raise InputError for settings that need whole weights in every process, unlike FSDP and ZeRO."""
    asked = {
        "lora.merge": lora is not None and lora.merge,
        "lora.quantize": lora is not None and lora.quantize != "none",
        "objective.token_phrase_contrastive": config.objective.token_phrase_contrastive,
    }
    for key, value in asked.items():
        if value:
            raise InputError(
                f"{key} does not work with weights sharded over processes; use configs/accelerate/gpu.yaml."
            )


def assemble(
    config: TrainingConfig, dataset: Any, lora: LoraSettings | None = None
) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """Load ``config.model`` and its processor, or build them from a language model and towers.

    A ``config.model`` without a video tower gets the one of ``video.checkpoint``, if set.

    Args:
        config: settings.
        dataset: samples for feature statistics, and for the vocabulary of a new language model.
        lora: adapters that will be added; only ``quantize`` is read.

    Raises:
        InputError: a checkpoint that does not hold the part.
    """
    if config.model:
        wanted = "the output of stage align or instruct, or of 'vimonet compose'"
        model = load_part(ViMoNetForConditionalGeneration, config.model, "model", wanted, **quantization(config, lora))
        processor = load_part(ViMoNetProcessor, config.model, "model", wanted)
        if not config.video.checkpoint or model.config.video_config is not None:
            return model, processor
        with _input_errors("video"):
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
        projector=config.projector.kind,
        projector_queries=config.projector.queries,
        projector_time=config.projector.time,
        **_video_settings(config),
    )
    source = config.video.checkpoint or None
    with _input_errors("video"):
        model = build_model(settings, tokenizer, language_model=language_model, motion_tower=tower, video_tower=source)
    frames = build_video_processor(model.config, source) if source else None
    return model, build_processor(model.config, tokenizer, extractor, video_processor=frames)


def _video_settings(config: TrainingConfig) -> dict[str, Any]:
    """Return the video fields of the model's config."""
    video = config.video
    fit = None if video.fit == "auto" else video.fit
    return dict(video_frames=video.frames, video_pooling=video.pooling, video_tokens=video.tokens, video_fit=fit)


@contextlib.contextmanager
def _input_errors(branch: str) -> Iterator[None]:
    """Raise a ValueError as an InputError that names the config branch: incompatible settings are a user error."""
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

    Args:
        kind: class with ``from_pretrained``.
        path: folder or hub id.
        key: setting that `path` comes from, for the error.
        wanted: description of a right value, for the error.
        options: keyword arguments of ``from_pretrained``.

    Raises:
        InputError: `path` cannot be loaded.
    """
    try:
        return kind.from_pretrained(path, **options)
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{key} {path!r} cannot be loaded ({first}); it should be {wanted}.") from error
