"""Plan a training run: memory per device, FLOPs, time, and changes under which it fits.

The model is built on the meta device, so that a 7B plan takes seconds and no memory. Assumptions (lengths of rows,
utilisation of the device) are named in the plan and can be given.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vimonet.model import ViMoNetConfig
from vimonet.model.projectors import count_tokens
from vimonet.model.towers.video_towers import feature_grid
from vimonet.training.config import TrainingConfig
from vimonet.training.data.sampling import TOKENS_PER_QA_PAIR
from vimonet.training.parameters import cast_parameters, param_groups, with_lora
from vimonet.training.planner.memory import GRADIENTS, OPTIMISER, WEIGHTS, Batch, Cost, Step, cost_of
from vimonet.training.planner.meta_model import build_on_meta, describe, quantise
from vimonet.training.trainer import clips_of_process
from vimonet.utils.errors import InputError

GIB = 2**30

PEAKS: dict[str, float] = {
    "b200": 2250.0,
    "h200": 989.0,
    "h100": 989.0,
    "h100-pcie": 756.0,
    "a100": 312.0,
    "l40s": 362.0,
    "rtx4090": 165.0,
    "l4": 121.0,
}
"""Stated bf16 peaks in TFLOP/s, dense, of the vendor's data sheets."""

SHARDINGS = {
    "none": (),
    "zero2": (GRADIENTS, OPTIMISER),
    "zero3": (WEIGHTS, GRADIENTS, OPTIMISER),
    "fsdp": (WEIGHTS, GRADIENTS, OPTIMISER),
}
"""Categories that the devices divide among themselves (ZeRO, arXiv 1910.02054); the rest every device has whole."""

PLANNED_STAGES = ("pretrain-lm", "align", "instruct")
_SCORED = 0.25


@dataclass(frozen=True)
class Devices:
    """Devices that a run is planned for.

    Attributes:
        gpus: number of GPUs; 0 for a CPU.
        memory: of each, in GiB.
        sharding: key of `SHARDINGS`.
        name: key of `PEAKS`; empty where `peak` says it all.
        peak: bf16 peak of one device in TFLOP/s; None for that of `name`.
        utilisation: part of the peak that is reached.
        reserve: GiB of a GPU that no tensor can have: the CUDA context, workspaces of cuBLAS, buffers of NCCL.
    """

    gpus: int = 1
    memory: float = 80.0
    sharding: str = "none"
    name: str = "h100"
    peak: float | None = None
    utilisation: float = 0.35
    reserve: float = 1.5

    def __post_init__(self) -> None:
        if self.gpus < 0 or self.memory <= 0:
            raise InputError(f"{self.gpus} GPUs of {self.memory} GiB: give numbers above 0 (--gpus 0 for a CPU).")
        if self.sharding not in SHARDINGS:
            raise InputError(f"sharding {self.sharding!r} is not known; it can be {', '.join(SHARDINGS)}.")
        if self.peak is None and self.name not in PEAKS and self.gpus:
            raise InputError(
                f"device {self.name!r} is not known ({', '.join(PEAKS)}); give its bf16 peak with --peak-tflops."
            )
        if not 0 < self.utilisation <= 1:
            raise InputError(f"utilisation is {self.utilisation}; it must be above 0 and at most 1.")

    @property
    def count(self) -> int:
        """Return the number of processes of the run."""
        return max(1, self.gpus)

    @property
    def tflops(self) -> float | None:
        """Return the bf16 peak of one device in TFLOP/s; None on a CPU without --peak-tflops."""
        return self.peak if self.peak is not None else PEAKS.get(self.name) if self.gpus else None

    @property
    def outside(self) -> float:
        """Return the GiB of a device that tensors cannot use."""
        return self.reserve if self.gpus else 0.0


@dataclass(frozen=True)
class Rows:
    """Lengths that depend on the data; None for the most that the config allows.

    Attributes:
        tokens: of a row.
        rows: of a micro-batch.
        scored: tokens of a row that are learnt.
        frames: of a motion clip.
    """

    tokens: int | None = None
    rows: int | None = None
    scored: int | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Plan:
    """Needs of a run.

    Attributes:
        batch, cost: one micro-batch on one device.
        devices: what it was planned for.
        accumulation: micro-batches of a step.
        steps: of the run.
        changes: overrides of the config, and ``--sharding``, under which this was planned.
    """

    batch: Batch
    cost: Cost
    devices: Devices
    accumulation: int
    steps: int
    changes: tuple[str, ...] = field(default=())

    @property
    def gib(self) -> float:
        """Peak memory of one device, what tensors cannot have included."""
        return self.cost.peak / GIB + self.devices.outside

    @property
    def fits(self) -> bool:
        """Whether it does."""
        return self.gib <= self.devices.memory

    @property
    def tokens_per_step(self) -> int:
        """Tokens of an optimiser step over all devices, padding included."""
        return self.batch.rows * self.batch.tokens * self.accumulation * self.devices.count

    @property
    def step_seconds(self) -> float | None:
        """Time of an optimiser step at the assumed utilisation."""
        peak = self.devices.tflops
        return None if peak is None else self.cost.flops * self.accumulation / (peak * 1e12 * self.devices.utilisation)

    @property
    def hours(self) -> float | None:
        """Time of the run."""
        return None if self.step_seconds is None else self.step_seconds * self.steps / 3600


def make_plan(
    config: TrainingConfig,
    devices: Devices,
    *,
    stage: str = "instruct",
    config_path: str | Path | None = None,
    rows: Rows | None = None,
) -> Plan:
    """Plan a run.

    Args:
        config: its settings.
        devices: what it is to run on.
        stage: ``pretrain-lm``, ``align`` or ``instruct``.
        config_path: see `vimonet.training.planner.meta_model.describe`.
        rows: lengths, where they are known.

    Raises:
        InputError: a stage that is not planned, a batch that does not divide, parts of unknown shape.
    """
    if stage not in PLANNED_STAGES:
        raise InputError(f"stage {stage!r} cannot be planned; it can be {', '.join(PLANNED_STAGES)}.")
    described = describe(config, config_path, stage)
    batch = micro_batch(config, described, devices, rows or Rows(), stage)
    return Plan(
        batch=batch,
        cost=cost_of(prepare(config, build_on_meta(described), stage), batch, how(config, devices)),
        devices=devices,
        accumulation=config.trainer.accumulation,
        steps=config.trainer.steps,
    )


def prepare(config: TrainingConfig, model: Any, stage: str) -> Any:
    """Prepare a model on the meta device as its stage trains it: adapters, frozen parts, dtypes, checkpointing."""
    rates = config.optim.lr
    whole = model
    if stage != "pretrain-lm":
        lora = stage == "instruct" and config.lora.rank > 0
        cast_parameters(model, config, adapted=lora)
        if lora and config.lora.quantize != "none":
            quantise(model.language_model)
        whole = with_lora(model, config) if lora else model
        for name, parts in param_groups(whole, rates).items():
            if not getattr(rates, name):
                for part in parts:
                    part.requires_grad_(False)
    whole.train()
    if stage != "pretrain-lm":
        for name, parts in param_groups(whole, rates).items():
            for part in parts:
                part.train(bool(getattr(rates, name)))
    if config.trainer.gradient_checkpointing:
        # The trainer's kind, not reentrant, keeps the same; but on tensors without data it leaves what it has computed
        # again in reference cycles. There is no state of a random generator either.
        whole.activation_checkpointing_enable({"use_reentrant": True, "preserve_rng_state": False})
    return whole


def how(config: TrainingConfig, devices: Devices) -> Step:
    """Settle how the trainer would run a step on such devices."""
    attention = config.trainer.attention
    if attention == "auto":
        attention = "sdpa" if devices.gpus else "eager"
    several = devices.count > 1
    divided = SHARDINGS[devices.sharding] if several else ()
    return Step(
        attention=attention,
        bf16=config.trainer.bf16,
        accumulating=config.trainer.accumulation > 1,
        shares={name: 1 / devices.count for name in divided},
        checkpointing=config.trainer.gradient_checkpointing,
        buckets=several and not divided,
    )


def micro_batch(config: TrainingConfig, described: Any, devices: Devices, rows: Rows, stage: str) -> Batch:
    """Shape a micro-batch: lengths as given, else the most that the config allows."""
    trainer = config.trainer
    samples = clips_of_process(trainer, devices.count)
    frames = min(rows.frames or config.motion.max_frames, config.motion.max_frames)
    clips: dict[str, tuple[int, int]] = {}
    taken = 0
    copies = trainer.qa_pairs_per_clip if trainer.packing == "none" else 1
    if isinstance(described, ViMoNetConfig):
        streams = config.data.get("streams", "all")
        filmed = bool(config.data.get("random_views")) and described.keypoint_config is not None
        if (filmed or described.motion_config is not None) and streams != "video":
            clips["keypoint" if filmed else "motion"] = (samples * copies, frames)
            attentive = described.projector == "attentive"
            taken += described.projector_queries if attentive else -(-frames // described.ratio)
        if described.video_config is not None and streams != "motion":
            clips["video"] = (samples * copies, described.video_frames)
            grid = feature_grid(described.video_config, described.video_frames)
            taken += count_tokens(described.video_pooling, grid, described.video_tokens)
    if taken + 2 > trainer.max_tokens:
        raise InputError(
            f"the clips of a sample become {taken} tokens, and trainer.max_tokens is {trainer.max_tokens}: no "
            "question fits behind them."
        )
    tokens = rows.tokens or trainer.max_tokens
    count = rows.rows or _rows(trainer.packing, samples, trainer.qa_pairs_per_clip, taken, tokens)
    scored = rows.scored or max(1, round(_SCORED * (tokens - min(taken, tokens - 1))))
    return Batch(count, tokens + -tokens % 8, count * min(scored, tokens), **clips)


def _rows(packing: str, samples: int, qa_pairs: int, taken: int, tokens: int) -> int:
    if packing == "none":
        return samples * qa_pairs
    if packing == "multi_sample":
        return -(-samples * min(tokens, taken + qa_pairs * TOKENS_PER_QA_PAIR) // tokens)
    return samples


def ways_to_fit(config: TrainingConfig, plan: Plan, **settings: Any) -> list[Plan]:
    """Find plans that fit, nearest to what was asked for first; `settings` as of `make_plan`.

    Changes that leave the results as they are (checkpointing, smaller micro-batches, sharding) are tried alone, then
    one after the other, and only then with those that change what is trained.
    """
    same, other = _changes(config, plan.devices)
    tries = [[change] for change in same] + [same[:n] for n in range(2, len(same) + 1)]
    tries += [[*same, *other[:n]] for n in range(1, len(other) + 1)]
    found: list[Plan] = []
    for changes in tries:
        if found and len(changes) > 1:
            break
        tried = _under(config, plan.devices, changes, settings)
        found += [tried] if tried is not None and tried.fits else []
    return found


def _changes(config: TrainingConfig, devices: Devices) -> tuple[list[str], list[str]]:
    """List possible changes: with the same results, and with others."""
    trainer, same, other = config.trainer, [], []
    if not trainer.gradient_checkpointing:
        same.append("trainer.gradient_checkpointing=true")
    most = trainer.batch_size // devices.count
    if trainer.accumulation < most:
        same.append(f"trainer.accumulation={most}")
    if devices.gpus > 1 and devices.sharding == "none":
        same.append("--sharding fsdp")
    if config.optim.lr.language_model and not config.lora.rank:
        other.append("lora.rank=64")
    if config.language.dtype == "float32":
        other.append("language.dtype=bfloat16")
    if config.optim.lr.language_model and config.lora.quantize == "none":
        other.append("lora.quantize=nf4")
    return same, other


def _under(config: TrainingConfig, devices: Devices, changes: list[str], settings: dict[str, Any]) -> Plan | None:
    """Plan under changes; None where they cannot be made."""
    config = copy.deepcopy(config)
    for change in changes:
        if change == "--sharding fsdp":
            devices = replace(devices, sharding="fsdp")
            continue
        key, value = change.split("=")
        branch, leaf = key.split(".")
        parsed: Any = {"true": True}.get(value, int(value) if value.isdigit() else value)
        setattr(getattr(config, branch), leaf, parsed)
    if config.lora.quantize != "none" and not config.lora.rank:
        return None
    try:
        return replace(make_plan(config, devices, **settings), changes=tuple(changes))
    except InputError:
        return None
