"""A plan as a person reads it, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from vimonet.training.planner.plan import GIB, Plan


def as_dict(plan: Plan, ways: Sequence[Plan] = ()) -> dict[str, Any]:
    """Everything in the plan, in bytes, seconds and FLOPs; `ways` are the plans that would fit."""
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
    """Tables of memory and time, what was assumed, and whether it fits."""
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
    parts = {**cost.parts, "outside tensors (context, workspaces)": devices.outside * GIB}
    lines += [f"  {name:38} {size / GIB:9.3f}" for name, size in parts.items() if size >= GIB / 1000]
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
