"""Implement `vimonet plan`: predict memory and time of a training run before it starts."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vimonet.cli.shared import add_flag

if TYPE_CHECKING:
    from vimonet.training.planner.planning import Plan


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "plan",
        help="predict memory and time of a training run",
        description="Predict memory and time of a training run from tensor shapes alone; no weights are read.",
    )
    parser.add_argument("stage", metavar="STAGE", help="pretrain-lm, align or instruct")
    add_flag(parser, "--config", required=True)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted keys of the config")
    option = parser.add_argument
    option("--gpus", type=int, default=1, metavar="N", help="number of GPUs, 0 for a CPU (default: 1)")
    option("--gpu-memory", type=float, default=80.0, metavar="GIB", help="memory of each device (default: 80)")
    option("--sharding", default="none", help="sharding over GPUs: none, zero2, zero3 or fsdp (default: none)")
    option("--gpu-type", default="h100", help="GPU that sets the bf16 peak: h200, a100, rtx4090 ... (default: h100)")
    option("--peak-tflops", type=float, metavar="X", help="bf16 peak of one device in TFLOP/s, instead of --gpu-type")
    option("--utilisation", type=float, default=0.35, metavar="X", help="reached fraction of the peak (default: 0.35)")
    option("--reserve", type=float, default=1.5, metavar="GIB", help="GPU memory kept from tensors (default: 1.5)")
    option("--micro-batch", type=int, metavar="N", help="rows of a micro-batch (default: the largest possible)")
    option("--row-tokens", type=int, metavar="N", help="tokens of a row (default: trainer.max_tokens)")
    option(
        "--scored", type=int, metavar="N", help="tokens of a row that enter the loss (default: a quarter of its text)"
    )
    option("--within", type=float, default=24.0, metavar="H", help="hours for which to print the throughput needed")
    add_flag(parser, "--json")
    parser.set_defaults(run=_plan)


def _plan(args: argparse.Namespace) -> int:
    from vimonet.cli.train import stage_of
    from vimonet.training import load_config
    from vimonet.training.planner.planning import Devices, Rows, make_plan, ways_to_fit

    devices = Devices(
        gpus=args.gpus,
        memory=args.gpu_memory,
        sharding=args.sharding,
        name=args.gpu_type,
        peak=args.peak_tflops,
        utilisation=args.utilisation,
        reserve=args.reserve,
    )
    stage = stage_of(args.stage)
    config = load_config(args.config, args.overrides, stage=stage)
    rows = Rows(tokens=args.row_tokens, rows=args.micro_batch, scored=args.scored)
    settings: dict[str, Any] = {"stage": stage, "config_path": args.config, "rows": rows}
    plan = make_plan(config, devices, **settings)
    ways = [] if plan.fits else ways_to_fit(config, plan, **settings)
    print(json.dumps(as_dict(plan, ways)) if args.json else as_text(plan, ways, args.within))
    return 0


def as_dict(plan: Plan, ways: Sequence[Plan] = ()) -> dict[str, Any]:
    """Convert a plan to JSON in bytes, seconds and FLOPs; `ways` are the plans that would fit."""
    return {
        "fits": plan.fits,
        "peak_bytes": plan.cost.peak,
        "peak_gib": round(plan.gib, 3),
        "parts_bytes": plan.cost.parts,
        "outside_gib": plan.devices.outside,
        "parameters": plan.cost.parameters,
        "trainable": plan.cost.trainable,
        "micro_batch": dataclasses.asdict(plan.batch),
        "accumulation": plan.accumulation,
        "tokens_per_step": plan.tokens_per_step,
        "flops_per_step": plan.cost.flops * plan.accumulation * plan.devices.count,
        "step_seconds": plan.step_seconds,
        "hours": plan.hours,
        "devices": dataclasses.asdict(plan.devices),
        "ways_to_fit": [{"changes": way.changes, "peak_gib": round(way.gib, 3), "hours": way.hours} for way in ways],
    }


def as_text(plan: Plan, ways: Sequence[Plan] = (), within: float = 24.0) -> str:
    """Write tables of memory and time, the assumptions, and whether the run fits."""
    devices, batch, cost = plan.devices, plan.batch, plan.cost
    kind = f"{devices.gpus} GPU{'s' if devices.gpus != 1 else ''}" if devices.gpus else "CPU"
    shared = f", {devices.sharding} over {devices.count}" if devices.count > 1 and devices.sharding != "none" else ""
    lines = [
        f"{cost.parameters / 1e6:,.1f} M parameters, {cost.trainable / 1e6:,.1f} M trained; {kind}{shared}",
        f"micro-batch on each: {batch.rows} rows of {batch.tokens} tokens, {batch.scored} of them learnt"
        + "".join(
            f", {count} {name} clips of {frames} frames"
            for name, (count, frames) in (("motion", batch.motion), ("2D", batch.keypoint), ("video", batch.video))
            if count
        ),
        "",
        f"{'memory of one device at its peak':40} {'GiB':>9}",
    ]
    parts = {**cost.parts, "outside tensors (context, workspaces)": devices.outside * 2**30}
    lines += [f"  {name:38} {size / 2**30:9.3f}" for name, size in parts.items() if size >= 2**30 / 1000]
    lines += [f"  {'sum':38} {plan.gib:9.3f}", ""]
    total = plan.tokens_per_step * plan.steps
    lines += [
        f"{'work':40}",
        f"  {'tokens of a step, padding included':38} {plan.tokens_per_step:9,}",
        f"  {'TFLOP of a step, all devices':38} {cost.flops * plan.accumulation * devices.count / 1e12:9,.1f}",
        f"  {f'tokens/s to be done in {within:g} h':38} {total / within / 3600:9,.0f}",
    ]
    if plan.step_seconds is None or plan.hours is None:
        lines.append("  no time: the bf16 peak of a CPU is not known here; give it with --peak-tflops")
    else:
        lines += [
            f"  {'tokens/s at the assumed utilisation':38} {plan.tokens_per_step / plan.step_seconds:9,.0f}",
            f"  {f'hours for {plan.steps:,} steps':38} {plan.hours:9.2f}",
            f"  assumed: {devices.utilisation:.0%} of {devices.tflops:g} TFLOP/s (--utilisation, --peak-tflops)",
        ]
    lines += ["", _verdict(plan, ways)]
    return "\n".join(lines)


def _verdict(plan: Plan, ways: Sequence[Plan]) -> str:
    memory = plan.devices.memory
    if plan.fits:
        return f"fits: {plan.gib:.1f} of {memory:g} GiB"
    lines = [f"DOES NOT FIT: {plan.gib:.1f} GiB are needed and there are {memory:g}."]
    for way in ways:
        hours = "" if way.hours is None else f", {way.hours:.2f} h"
        lines.append(f"  fits with {' '.join(way.changes)}: {way.gib:.1f} GiB{hours}")
    if not ways:
        lines.append("  No change known to the planner is enough: take a smaller model, or more or larger devices.")
    return "\n".join(lines)
