"""Define the settings of all training stages: one tree, one docstring per key.

Each stage declares the keys it reads (`vimonet.training.stages`); any other key is an error. ``vimonet train STAGE
--help-config`` prints the docstrings.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vimonet.training.stages import find_stage, stage_names
from vimonet.utils.errors import InputError
from vimonet.utils.settings import Count, NonNegative, Share, fill, keys_of, matches, parse_override, read_mapping


@dataclass
class LanguageConfig:
    """Language model: an existing checkpoint, or a new one of the shape given here."""

    checkpoint: str = ""
    """Folder or hub id of a causal language model; empty: a new one."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of a language model that is frozen or has adapters; trained weights are float32."""
    architecture: str = "llama"
    """Model type of transformers for a new language model."""
    hidden_size: Count = 256
    """Width of a new language model."""
    layers: Count = 6
    """Transformer blocks of a new language model."""
    heads: Count = 4
    """Attention heads of a new language model."""
    kv_heads: Count = 4
    """Key/value heads; fewer than heads: grouped-query attention."""
    intermediate_size: Count = 768
    """Width inside the feed-forward blocks."""
    max_positions: Count = 1024
    """Longest text in tokens."""
    dropout: Share = 0.0
    """Dropout of attention weights."""
    vocab_size: Count = 4096
    """Largest vocabulary of the byte-level BPE trained on the corpus."""
    lowercase: bool = False
    """Lowercase every text in the tokenizer; answers are then in lower case too."""
    supervise: Literal["all", "answer"] = "all"
    """Tokens that the loss covers: questions and answers (all), or answers only."""


@dataclass
class MotionConfig:
    """Motion features and the towers that read them."""

    checkpoint: str = ""
    """Folder of a motion tokenizer; empty: a new tower of the shape below."""
    features: Literal["body", "humanml3d"] = "body"
    """Features per frame: body (nano) or humanml3d (263 numbers, for released weights)."""
    max_frames: Count = 196
    """Longest clip in frames at 20 frames/s."""
    width: Count = 256
    """Channels of the convolutions."""
    code_dim: Count = 256
    """Channels of a motion token."""
    num_codes: Count = 512
    """Codebook entries."""
    depth: Count = 3
    """Residual blocks per resolution."""
    down_t: Count = 2
    """Number of stride-2 convolutions in time: 2 makes one token of 4 frames."""
    quantizer: Literal["ema_reset", "residual", "fsq"] = "ema_reset"
    """Quantizer of the VQ-VAE; ema_reset is T2M-GPT's."""
    keypoints: bool = True
    """Add a tower for 2D keypoints."""
    lift_width: Count = 128
    """Channels of the 2D-to-3D lifter."""
    window: Count = 64
    """Frames of the random spans that the tokenizer is trained on."""
    velocity_weight: NonNegative = 0.5
    """Weight of the loss on frame-to-frame differences."""
    statistics_clips: Count = 2000
    """Clips over which the features' mean and standard deviation are computed."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further keys of MotionVQVAEConfig, for example {commitment_weight: 0.02}."""


@dataclass
class VideoConfig:
    """Video tower: an existing vision or video model, its frames and its token budget."""

    checkpoint: str = ""
    """Folder or hub id of a vision or video model; empty: no video tower is added."""
    frames: Count = 8
    """Key frames of a clip; VideoMAE, ViViT and LanguageBind have a fixed number of their own."""
    pooling: Literal["spatial", "temporal", "attentive", "none"] = "spatial"
    """Pooling of patches to tokens; none: every patch is a token."""
    tokens: Count = 256
    """Token budget of a clip."""
    fit: Literal["auto", "crop", "stretch", "pad"] = "auto"
    """Fitting of frames to the tower's square input; auto: as the tower was trained."""
    cache: str = ""
    """Folder of decoded frames, which runs may share; empty: in <output>.partial, removed at the end."""


@dataclass
class ProjectorConfig:
    """Projectors from tower features to language-model inputs."""

    kind: Literal["linear", "mlp", "attentive"] = "mlp"
    """Projector: linear, mlp, or attentive (learned queries)."""
    queries: Count = 16
    """Tokens per clip of an attentive projector."""
    time: bool = True
    """Add a time embedding to each token (linear and mlp)."""


@dataclass
class RetrievalConfig:
    """Text side and shared space of the text-motion encoder; ``motion`` gives the shape of its towers."""

    embedding_dim: Count = 128
    """Dimensions of the shared space."""
    width: Count = 128
    """Width of the transformers over motion tokens and over words."""
    layers: Count = 2
    """Blocks of each transformer."""
    heads: Count = 4
    """Attention heads of each transformer."""
    vocab_size: Count = 1024
    """Largest vocabulary of the byte-level BPE trained on the captions."""
    max_text_tokens: Count = 64
    """Longest text in tokens."""
    temperature: NonNegative = 0.1
    """Temperature of InfoNCE, by which cosines are divided."""
    dropout: Share = 0.1
    """Dropout of the transformers."""


@dataclass
class LoraSettings:
    """Low-rank adapters on the language model (arXiv 2106.09685)."""

    rank: int = 0
    """Rank of the adapters; 0 trains the language model in full."""
    alpha: Count = 16
    """Scale of the adapters."""
    dropout: Share = 0.05
    """Dropout on the adapters' input."""
    targets: list[str] = field(default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj"])
    """Layers that get an adapter."""
    start: str = ""
    """Folder of an adapter of the same base model, rank and targets to go on from; empty: begin anew."""
    merge: bool = False
    """Merge the adapter into the weights and save a whole model."""
    quantize: Literal["none", "nf4"] = "none"
    """Quantise the adapted language model to 4 bits (QLoRA, arXiv 2305.14314; needs a GPU)."""


@dataclass
class LearningRates:
    """Peak learning rate of each part; 0 freezes the part and keeps it in eval mode."""

    motion_tower: NonNegative = 0.0
    """Rate of the motion tower (the VQ-VAE's encoder)."""
    keypoint_tower: NonNegative = 0.0
    """Rate of the 2D keypoint tower, or of its lifter."""
    video_tower: NonNegative = 0.0
    """Rate of the video tower."""
    projectors: NonNegative = 1e-3
    """Rate of the projectors (retrieval: of the motion head)."""
    keypoint_projector: NonNegative = 0.0
    """Rate of the keypoint projector alone, where projectors are frozen; the shared time embedding stays frozen."""
    language_model: NonNegative = 0.0
    """Rate of the language model or its adapters (retrieval: of the text side)."""


@dataclass
class OptimConfig:
    """Optimiser (AdamW) and its schedule."""

    lr: LearningRates = field(default_factory=LearningRates)
    warmup: NonNegative = 0.05
    """Share of the steps over which rates rise; a number of steps when 1 or more."""
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    """Schedule of the rates after warmup."""
    weight_decay: NonNegative = 0.01
    """Weight decay; biases and norms have none."""
    grad_clip: NonNegative = 1.0
    """Largest gradient norm; 0: none."""
    beta2: Share = 0.99
    """Second beta of AdamW."""


@dataclass
class ObjectiveConfig:
    """Losses of the modality groups (motion, keypoint, text, video, paired) and their weights."""

    weighting: Literal["equal", "proportional", "uncertainty"] = "equal"
    """Weights of the groups: equal, proportional to their tokens, or by uncertainty (arXiv 1705.07115)."""
    group_weights: dict[str, float] = field(default_factory=dict)
    """Further factor per group; 1 where absent."""
    first_token: NonNegative = 1.0
    """Weight of the first token of an answer, which decides yes or no, a side or a count; other tokens have 1."""
    number_tokens: NonNegative = 1.0
    """Weight of an answer's tokens that hold a digit; a first token with a digit has the larger of both weights."""
    token_phrase_contrastive: NonNegative = 0.0
    """Weight of the loss that aligns motion tokens with the phrase of the labelled action; 0: none."""
    modality_dropout: Share = 0.0
    """Probability of dropping the motion or the video of a sample that has both."""
    context_dropout: Share = 0.0
    """Probability of dropping each part of a prompt (clip tokens, and the parts of the model's context)."""


@dataclass
class TrainerConfig:
    """Run: steps, batches, device, logging and checkpoints."""

    steps: Count = 1000
    """Optimiser steps."""
    batch_size: Count = 32
    """Clips of one step, over all processes and accumulation."""
    accumulation: Count = 1
    """Micro-batches per step and process."""
    qa_pairs_per_clip: Count = 8
    """Question-answer pairs drawn per clip and epoch (pretrain-lm: texts that share a row)."""
    max_tokens: Count = 1024
    """Longest row in tokens; question-answer pairs that do not fit are dropped."""
    packing: Literal["shared_prefix", "multi_sample", "none"] = "shared_prefix"
    """Rows: a clip with its questions (shared_prefix), several clips (multi_sample), or a row per question (none)."""
    group_by_length: bool = True
    """Batch clips of similar length together."""
    bf16: bool = True
    """Use bfloat16 autocast."""
    attention: Literal["auto", "eager", "sdpa", "flash"] = "auto"
    """Attention kernel; auto: eager on a CPU, sdpa on a GPU; flash only with packing none."""
    compile: bool = False
    """Compile the transformer blocks (half a minute; a CPU core then trains a quarter faster)."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: more time, far less memory (arXiv 1604.06174)."""
    workers: int = 0
    """Data loader processes."""
    threads: int = 0
    """Torch threads per process; 0: torch's choice."""
    log_every: Count = 20
    """Steps between two lines of training_log.jsonl."""
    save_every: Count = 500
    """Steps between two checkpoints; a multiple of log_every."""
    eval_every: int = 0
    """Steps between two held-out losses; 0: never."""
    device: Literal["auto", "cpu"] = "auto"
    """Device; auto: a GPU if one is present."""
    report: list[str] = field(default_factory=list)
    """Further loggers: tensorboard, wandb."""


@dataclass
class TrainingConfig:
    """All settings of one training run."""

    output: str = ""
    """Output folder, written when training is done; <output>.partial holds checkpoints until then."""
    overwrite: bool = False
    """Replace an existing output folder."""
    resume: bool = True
    """Continue an interrupted run found in <output>.partial; false: start anew."""
    seed: int = 0
    """Seed of weights, order of samples and augmentation."""
    model: str = ""
    """ViMoNet folder to start from; empty: join language.checkpoint and motion.checkpoint."""
    data: dict[str, Any] = field(default_factory=dict)
    """Arguments of the stage's dataset function, for example {dataset: data/vimos-open, split: train}."""
    validation: dict[str, Any] = field(default_factory=dict)
    """Arguments of the held-out dataset, where they differ from data; {}: no held-out data."""
    reader: str = ""
    """Folder of the question reader whose readings stand behind the questions; empty: none do."""
    language: LanguageConfig = field(default_factory=LanguageConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    video: VideoConfig = field(default_factory=VideoConfig)
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    lora: LoraSettings = field(default_factory=LoraSettings)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain dictionaries, ready for JSON."""
        return _plain(self)


def clips_of_process(trainer: TrainerConfig, processes: int) -> int:
    """Compute the clips per micro-batch and process.

    Raises:
        InputError: ``batch_size`` is not a multiple of processes x accumulation.
    """
    clips, rest = divmod(trainer.batch_size, processes * trainer.accumulation)
    if rest or not clips:
        raise InputError(
            f"trainer.batch_size is {trainer.batch_size}; it must be a multiple of processes x accumulation "
            f"({processes} x {trainer.accumulation})."
        )
    return clips


def load_config(path: str | Path, overrides: Iterable[str] = (), stage: str | None = None) -> TrainingConfig:
    """Read a YAML file and apply ``dotted.key=value`` overrides (values are YAML).

    Args:
        path: YAML file.
        overrides: applied in their order.
        stage: name of the stage whose keys are allowed; None: all keys.

    Raises:
        InputError: missing or malformed file, unknown key, value of the wrong type, key that the stage does not read.
    """
    return make_config(read_mapping(Path(path)), overrides, origin=str(path), stage=stage)


def make_config(
    tree: Mapping[str, Any], overrides: Iterable[str] = (), origin: str = "configuration", stage: str | None = None
) -> TrainingConfig:
    """Build the tree from nested mappings and overrides; see :func:`load_config`."""
    config = TrainingConfig()
    for source, values in [(origin, tree), *((f"override {text!r}", parse_override(text)) for text in overrides)]:
        for key in fill(config, values, source):
            if stage is not None and not matches(key, find_stage(stage).reads):
                _refuse(key, stage, source)
    _validate(config, origin)
    return config


def describe_keys(stage: str) -> str:
    """Describe the keys that a stage reads: name, type, default and docstring, two lines per key."""
    reads = find_stage(stage).reads
    return "\n".join(
        f"{key.name}: {key.kind} (default: {_shown(key.default)})\n    {key.help}"
        for key in keys_of(TrainingConfig)
        if not key.branch and matches(key.name, reads)
    )


def _refuse(key: str, stage: str, origin: str) -> None:
    readers = [name for name in stage_names() if matches(key, find_stage(name).reads)]
    raise InputError(
        f"{origin}: stage {stage} does not read '{key}'; it is read by {', '.join(readers)}. Leave it out "
        f"(vimonet train {stage} --help-config lists the keys)."
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if value == "" else str(value)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {name: _plain(inner) for name, inner in vars(value).items()}
    return copy.deepcopy(value)


def _validate(config: TrainingConfig, origin: str) -> None:
    """Raise InputError for incompatible values."""
    lr, lora, trainer = config.optim.lr, config.lora, config.trainer
    if lr.keypoint_projector and (lr.projectors or lora.rank):
        raise InputError(
            f"{origin}: 'optim.lr.keypoint_projector' is for frozen projectors without adapters; set "
            "optim.lr.projectors=0 and lora.rank=0."
        )
    for name in trainer.report:
        if name not in ("tensorboard", "wandb"):
            raise InputError(f"{origin}: 'trainer.report' has {name!r}; it can hold tensorboard, wandb.")
    if trainer.attention == "flash" and trainer.packing != "none":
        raise InputError(
            f"{origin}: 'trainer.attention' flash has no mask for rows that several questions share; set "
            "trainer.packing=none or trainer.attention=sdpa."
        )
    if lora.quantize != "none" and not lora.rank:
        raise InputError(f"{origin}: 'lora.quantize' needs adapters to train; set lora.rank above 0.")
    if lora.quantize != "none" and lora.merge:
        raise InputError(f"{origin}: 'lora.merge' cannot merge adapters into 4-bit weights; set lora.merge=false.")
    if trainer.save_every % trainer.log_every:
        # Otherwise the first mean logged after a resume would average other steps than in an uninterrupted run.
        raise InputError(
            f"{origin}: 'trainer.save_every' ({trainer.save_every}) must be a multiple of 'trainer.log_every' "
            f"({trainer.log_every})."
        )
