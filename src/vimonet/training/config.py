"""One tree of settings for every stage: YAML file, then dotted overrides from the command line.

A stage reads the branches it needs; a key that does not exist is an error that names the nearest one that does.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vimonet.utils.errors import InputError

STAGES = ("language", "tokenizer", "align", "lift", "instruct", "evaluator")


@dataclass
class LanguageConfig:
    """The language model: an existing checkpoint, or a new one of the shape given here."""

    checkpoint: str = ""
    dtype: str = "float32"
    architecture: str = "llama"
    hidden_size: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 4
    intermediate_size: int = 768
    max_positions: int = 1024
    dropout: float = 0.0
    vocab_size: int = 4096
    lowercase: bool = False
    supervise: str = "all"


@dataclass
class MotionConfig:
    """Motion features and the towers that read them."""

    checkpoint: str = ""
    features: str = "body"
    max_frames: int = 196
    width: int = 256
    code_dim: int = 256
    num_codes: int = 512
    depth: int = 3
    down_t: int = 2
    quantizer: str = "ema_reset"
    keypoints: bool = True
    lift_width: int = 128
    window: int = 64
    velocity_weight: float = 0.5
    statistics_clips: int = 2000
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class VideoConfig:
    """The tower that sees: an existing vision or video model, and how much of it the language model reads."""

    checkpoint: str = ""
    frames: int = 8
    pooling: str = "spatial"
    tokens: int = 256
    fit: str = "auto"
    cache: str = ""


@dataclass
class TranslatorConfig:
    """What turns tower features into language-model inputs."""

    kind: str = "mlp"
    queries: int = 16
    time: bool = True


@dataclass
class EvaluatorConfig:
    """Text side and shared space of the text-motion evaluator; its towers are those of ``motion``."""

    embedding_dim: int = 128
    width: int = 128
    layers: int = 2
    heads: int = 4
    vocab_size: int = 1024
    max_text_tokens: int = 64
    temperature: float = 0.1
    dropout: float = 0.1


@dataclass
class LoraSettings:
    """Low-rank adapters on the language model (arXiv 2106.09685); rank 0 trains it in full.

    With ``quantize`` the language model beneath them is held in 4 bits (QLoRA, arXiv 2305.14314).
    """

    rank: int = 0
    alpha: int = 16
    dropout: float = 0.05
    targets: list[str] = field(default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj"])
    merge: bool = False
    quantize: str = "none"


@dataclass
class LearningRates:
    """Peak learning rate of each part; 0 freezes the part and keeps it in eval mode.

    ``keypoint_translator`` is for frozen ``translators``: that of 2D keypoints alone, without the clock that all share.
    """

    motion_tower: float = 0.0
    keypoint_tower: float = 0.0
    video_tower: float = 0.0
    translators: float = 1e-3
    keypoint_translator: float = 0.0
    language_model: float = 0.0


@dataclass
class ObjectiveConfig:
    """How the losses of the modality cells (motion, keypoint, text, video, paired) are put together."""

    weighting: str = "equal"
    cell_weights: dict[str, float] = field(default_factory=dict)
    alignment: float = 0.0
    modality_dropout: float = 0.0


@dataclass
class ScheduleConfig:
    """Optimiser, batches, and what is written when."""

    steps: int = 1000
    batch_size: int = 32
    accumulation: int = 1
    turns_per_clip: int = 8
    max_tokens: int = 1024
    packing: str = "questions"
    warmup: float = 0.05
    decay: str = "cosine"
    weight_decay: float = 0.01
    clip: float = 1.0
    beta2: float = 0.99
    bf16: bool = True
    attention: str = "auto"
    compile: bool = False
    gradient_checkpointing: bool = False
    group_by_length: bool = True
    workers: int = 0
    threads: int = 0
    log_every: int = 20
    save_every: int = 500
    eval_every: int = 0
    device: str = "auto"
    report: list[str] = field(default_factory=list)


@dataclass
class TrainingConfig:
    """Everything one training run depends on."""

    output: str = ""
    overwrite: bool = False
    resume: bool = True
    seed: int = 0
    model: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    video: VideoConfig = field(default_factory=VideoConfig)
    translator: TranslatorConfig = field(default_factory=TranslatorConfig)
    evaluator: EvaluatorConfig = field(default_factory=EvaluatorConfig)
    lora: LoraSettings = field(default_factory=LoraSettings)
    learning_rate: LearningRates = field(default_factory=LearningRates)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain dictionaries, ready for JSON."""
        return dataclasses.asdict(self)


_CHOICES: dict[str, tuple[str, ...]] = {
    "language.supervise": ("all", "answer"),
    "language.dtype": ("float32", "bfloat16", "float16"),
    "lora.quantize": ("none", "nf4"),
    "motion.features": ("body", "humanml3d"),
    "motion.quantizer": ("ema_reset", "residual", "fsq"),
    "video.pooling": ("spatial", "temporal", "attentive", "none"),
    "video.fit": ("auto", "crop", "stretch", "pad"),
    "translator.kind": ("linear", "mlp", "attentive"),
    "objective.weighting": ("equal", "proportional", "uncertainty"),
    "schedule.decay": ("cosine", "linear", "constant"),
    "schedule.device": ("auto", "cpu"),
    "schedule.attention": ("auto", "eager", "sdpa", "flash"),
    "schedule.packing": ("questions", "rows", "none"),
}
_REPORTS = ("tensorboard", "wandb")
_POSITIVE = [
    "schedule.steps",
    "schedule.batch_size",
    "schedule.accumulation",
    "schedule.turns_per_clip",
    "schedule.max_tokens",
    "schedule.log_every",
    "schedule.save_every",
    "motion.window",
    "motion.max_frames",
    "motion.lift_width",
    "video.frames",
    "video.tokens",
    "language.hidden_size",
    "language.layers",
    "language.heads",
]


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> TrainingConfig:
    """Read a YAML file and apply ``dotted.key=value`` overrides (values are read as YAML).

    Raises:
        InputError: missing or malformed file, unknown key (names the nearest), value of the wrong kind.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read this configuration ({_reason(error)}); give a YAML file.") from error
    try:
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise InputError(f"{path}{line}: this is not valid YAML; indent with spaces and write 'key: value'.") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a configuration is a mapping of keys to values, not a {type(tree).__name__}.")
    return make_config(tree, overrides, origin=str(path))


def make_config(
    tree: Mapping[str, Any], overrides: Iterable[str] = (), origin: str = "configuration"
) -> TrainingConfig:
    """Build the tree from nested mappings and overrides; see :func:`load_config`."""
    config = TrainingConfig()
    _fill(config, tree, "", origin)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise InputError(f"override {override!r}: write it as key=value, for example schedule.steps=100.")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"override {override!r}: the value after '=' is not valid YAML.") from error
        nested: Any = parsed
        for part in reversed(key.strip().split(".")):
            nested = {part: nested}
        _fill(config, nested, "", f"override {override!r}")
    _validate(config, origin)
    return config


def _fill(node: Any, tree: Mapping[str, Any], prefix: str, origin: str) -> None:
    """Write `tree` into the dataclass `node`, merging free-form dictionaries key by key."""
    hints = typing.get_type_hints(type(node))
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        if key not in hints:
            raise InputError(f"{origin}: unknown key '{dotted}'; {_nearest(dotted)}")
        current = getattr(node, key)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                first = dataclasses.fields(current)[0].name
                raise InputError(f"{origin}: '{dotted}' holds further keys, for example {dotted}.{first}=...")
            _fill(current, value, f"{dotted}.", origin)
        elif isinstance(current, dict):
            if value is not None and not isinstance(value, Mapping):
                raise InputError(f"{origin}: '{dotted}' is a mapping of keys to values, not {value!r}.")
            setattr(node, key, _merge(current, value or {}))
        else:
            setattr(node, key, _convert(value, hints[key], dotted, origin))


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` updated with `new`, mappings inside mappings merged too."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _convert(value: Any, kind: Any, dotted: str, origin: str) -> Any:
    """Return `value` as `kind`, forgiving what YAML reads oddly (1e-3 is a string to it)."""
    wanted = getattr(kind, "__name__", str(kind)) if not isinstance(kind, types.GenericAlias) else "list"
    wrong = InputError(f"{origin}: '{dotted}' is {value!r}; a value of type {wanted} is needed.")
    if kind is bool:
        if not isinstance(value, bool):
            raise wrong
        return value
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise wrong
        try:
            number = float(value)
        except ValueError as error:
            raise wrong from error
        if kind is int:
            if number != int(number):
                raise wrong
            return int(number)
        return number
    if kind is str:
        if value is None:
            return ""
        if isinstance(value, (dict, list)):
            raise wrong
        return str(value)
    if not isinstance(value, list):
        raise wrong
    return [str(item) for item in value]


def _validate(config: TrainingConfig, origin: str) -> None:
    for dotted, choices in _CHOICES.items():
        value = _get(config, dotted)
        if value not in choices:
            raise InputError(f"{origin}: '{dotted}' is {value!r}; it can be {', '.join(choices)}.")
    for dotted in _POSITIVE:
        if _get(config, dotted) < 1:
            raise InputError(f"{origin}: '{dotted}' is {_get(config, dotted)}; it must be at least 1.")
    for name in dataclasses.asdict(config.learning_rate):
        if _get(config, f"learning_rate.{name}") < 0:
            raise InputError(f"{origin}: 'learning_rate.{name}' is negative; give 0 to freeze the part.")
    if config.learning_rate.keypoint_translator and (config.learning_rate.translators or config.lora.rank):
        raise InputError(
            f"{origin}: 'learning_rate.keypoint_translator' is for frozen translators without adapters; set "
            "learning_rate.translators=0 and lora.rank=0."
        )
    if not 0 <= config.objective.modality_dropout <= 1:
        raise InputError(f"{origin}: 'objective.modality_dropout' is a probability; it must be from 0 to 1.")
    schedule = config.schedule
    for name in schedule.report:
        if name not in _REPORTS:
            raise InputError(f"{origin}: 'schedule.report' has {name!r}; it can hold {', '.join(_REPORTS)}.")
    if schedule.attention == "flash" and schedule.packing != "none":
        raise InputError(
            f"{origin}: 'schedule.attention' flash has no mask for rows that several questions share; set "
            "schedule.packing=none, or schedule.attention=sdpa."
        )
    if config.lora.quantize != "none" and not config.lora.rank:
        raise InputError(f"{origin}: 'lora.quantize' needs adapters to train; set lora.rank above 0.")
    if config.lora.quantize != "none" and config.lora.merge:
        raise InputError(f"{origin}: 'lora.merge' would add adapters into 4-bit weights; set lora.merge=false.")
    if schedule.save_every % schedule.log_every:
        # Otherwise the first logged mean after a resume would cover other steps than without the interruption.
        raise InputError(
            f"{origin}: 'schedule.save_every' ({schedule.save_every}) must be a multiple of 'schedule.log_every' "
            f"({schedule.log_every})."
        )


def _get(config: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        config = getattr(config, part)
    return config


def _known_keys(node: Any = None, prefix: str = "") -> list[str]:
    node = TrainingConfig() if node is None else node
    keys: list[str] = []
    for item in dataclasses.fields(node):
        value = getattr(node, item.name)
        keys.append(f"{prefix}{item.name}")
        if dataclasses.is_dataclass(value):
            keys += _known_keys(value, f"{prefix}{item.name}.")
    return keys


def _nearest(dotted: str) -> str:
    known = _known_keys()
    close = difflib.get_close_matches(dotted, known, n=1, cutoff=0.6)
    if not close:
        # The right name under the wrong branch: compare the last part alone.
        by_leaf = {key.rpartition(".")[2]: key for key in reversed(known)}
        leaf = difflib.get_close_matches(dotted.rpartition(".")[2], by_leaf, n=1, cutoff=0.6)
        close = [by_leaf[leaf[0]]] if leaf else []
    if close:
        return f"did you mean '{close[0]}'?"
    return f"the branches are {', '.join(key for key in known if '.' not in key)}."


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not UTF-8 text"
