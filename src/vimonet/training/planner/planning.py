"""Plan a training run: memory per device, FLOPs, time, and changes that make it fit.

The model is built on the meta device, so the plan of a 7B model takes seconds and no memory. Row lengths and device
utilisation are assumptions, which the caller can set.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vimonet.model import ViMoNetConfig
from vimonet.model.projectors import count_tokens
from vimonet.model.towers.video_towers import feature_grid
from vimonet.training.config import TrainingConfig, clips_of_process
from vimonet.training.data.sampling import TOKENS_PER_QA_PAIR
from vimonet.training.parameters import cast_parameters, param_groups, with_lora
from vimonet.training.planner.memory import GRADIENTS, OPTIMISER, WEIGHTS, Batch, Cost, Step, cost_of
from vimonet.training.planner.meta_model import build_on_meta, describe, quantise
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
"""Dense bf16 peaks in TFLOP/s, from the vendor's data sheets."""

SHARDINGS = {
    "none": (),
    "zero2": (GRADIENTS, OPTIMISER),
    "zero3": (WEIGHTS, GRADIENTS, OPTIMISER),
    "fsdp": (WEIGHTS, GRADIENTS, OPTIMISER),
}
"""Categories that are sharded over the devices (ZeRO, arXiv 1910.02054); each device holds all others in full."""

PLANNED_STAGES = ("pretrain-lm", "align", "instruct")
_SCORED = 0.25


@dataclass(frozen=True)
class Devices:
    """Devices that a run is planned for.

    Attributes:
        gpus: number of GPUs; 0 for a CPU.
        memory: memory of each device, GiB.
        sharding: key of `SHARDINGS`.
        name: key of `PEAKS`; not read if `peak` is given.
        peak: bf16 peak of one device, TFLOP/s; None: the one of `name`.
        utilisation: share of the peak that training reaches.
        reserve: memory of a GPU that is unavailable to tensors, GiB: CUDA context, cuBLAS workspaces, NCCL buffers.
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
            raise InputError(f"sharding {self.sharding!r} is unknown; it can be {', '.join(SHARDINGS)}.")
        if self.peak is None and self.name not in PEAKS and self.gpus:
            raise InputError(
                f"device {self.name!r} is unknown ({', '.join(PEAKS)}); give its bf16 peak with --peak-tflops."
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
        """Return the memory of a device that is unavailable to tensors, GiB."""
        return self.reserve if self.gpus else 0.0


@dataclass(frozen=True)
class Rows:
    """Lengths that depend on the data; None: the largest that the config allows.

    Attributes:
        tokens: tokens per row.
        rows: rows per micro-batch.
        scored: learnt tokens per row.
        frames: frames per motion clip.
    """

    tokens: int | None = None
    rows: int | None = None
    scored: int | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Plan:
    """Memory and time that a run needs.

    Attributes:
        batch, cost: shape and cost of one micro-batch on one device.
        devices: devices of the run.
        accumulation: micro-batches per step.
        steps: steps of the run.
        changes: config overrides and ``--sharding`` that the plan assumes.
    """

    batch: Batch
    cost: Cost
    devices: Devices
    accumulation: int
    steps: int
    changes: tuple[str, ...] = field(default=())

    @property
    def gib(self) -> float:
        """Return the peak memory of one device including the reserve, GiB."""
        return self.cost.peak / GIB + self.devices.outside

    @property
    def fits(self) -> bool:
        """Tell whether the run fits into the memory of its devices."""
        return self.gib <= self.devices.memory

    @property
    def tokens_per_step(self) -> int:
        """Count the tokens of an optimiser step over all devices, padding included."""
        return self.batch.rows * self.batch.tokens * self.accumulation * self.devices.count

    @property
    def step_seconds(self) -> float | None:
        """Return the time of an optimiser step (s) at the assumed utilisation; None without a known peak."""
        peak = self.devices.tflops
        return None if peak is None else self.cost.flops * self.accumulation / (peak * 1e12 * self.devices.utilisation)

    @property
    def hours(self) -> float | None:
        """Return the time of the run (h); None without a known peak."""
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
        config: settings of the run.
        devices: devices of the run.
        stage: ``pretrain-lm``, ``align`` or ``instruct``.
        config_path: see `vimonet.training.planner.meta_model.describe`.
        rows: known lengths.

    Raises:
        InputError: a stage without a plan, a batch size that does not divide, parts of unknown shape.
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
    """Prepare a meta model as its stage trains it: adapters, frozen parts, dtypes, checkpointing."""
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
        # The trainer's non-reentrant kind keeps the same tensors, but with fake tensors its recomputed ones stay alive
        # in reference cycles. Fake tensors have no random state to preserve.
        whole.activation_checkpointing_enable({"use_reentrant": True, "preserve_rng_state": False})
    return whole


def how(config: TrainingConfig, devices: Devices) -> Step:
    """Return the settings of a training step on `devices`."""
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
    """Compute the shape of a micro-batch; unknown lengths are the largest that the config allows."""
    trainer = config.trainer
    samples = clips_of_process(trainer, devices.count)
    frames = min(rows.frames or config.motion.max_frames, config.motion.max_frames)
    clips: dict[str, tuple[int, int]] = {}
    taken = 0
    copies = trainer.qa_pairs_per_clip if trainer.packing == "none" else 1
    if isinstance(described, ViMoNetConfig):
        streams = config.data.get("streams", "all")
        projected = bool(config.data.get("random_views")) and described.keypoint_config is not None
        if (projected or described.motion_config is not None) and streams != "video":
            clips["keypoint" if projected else "motion"] = (samples * copies, frames)
            attentive = described.projector == "attentive"
            taken += described.projector_queries if attentive else -(-frames // described.ratio)
        if described.video_config is not None and streams != "motion":
            clips["video"] = (samples * copies, described.video_frames)
            grid = feature_grid(described.video_config, described.video_frames)
            taken += count_tokens(described.video_pooling, grid, described.video_tokens)
    if taken + 2 > trainer.max_tokens:
        raise InputError(
            f"the clips of a sample become {taken} tokens, which leaves no room for a question in "
            f"trainer.max_tokens={trainer.max_tokens}; raise it."
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
    """Find plans that fit, those with the smallest changes first; `settings` are arguments of `make_plan`.

    Changes that do not affect the result (checkpointing, smaller micro-batches, sharding) are tried alone, then
    together, then with changes that do affect it.
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
    """List changes that keep the result, and changes that affect it."""
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
    """Plan with changes; None if they are impossible."""
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
