"""Train a stage, or plan a run: `vimonet train`, one config file each, with overrides."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

STAGES = ("language", "tokenizer", "align", "lift", "instruct", "evaluator")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    train = commands.add_parser("train", help="train a stage from a config file")
    train.add_argument(
        "stage",
        choices=(*STAGES, "plan"),
        help="language model, motion tokenizer (VQ-VAE), stage 1, stage 2, evaluator; plan: what a run would need",
    )
    train.set_defaults(run=_train)
    _add_plan(train.add_argument_group("plan", "memory and time of a run, before it is started; no weights are read"))
    train.add_argument("--config", required=True, metavar="FILE.yaml", help="see configs/")
    train.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted keys of the config")


def _add_plan(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stage", dest="planned", metavar="STAGE", help="language, align or instruct (default: by the file's name)"
    )
    group.add_argument("--gpus", type=int, default=1, metavar="N", help="0: a CPU (default: 1)")
    group.add_argument("--gpu-memory", type=float, default=80.0, metavar="GIB", help="of each (default: 80)")
    group.add_argument(
        "--sharding", default="none", help="none, zero2, zero3 or fsdp: what GPUs divide (default: none)"
    )
    group.add_argument(
        "--device", default="h100", help="whose bf16 peak is taken, such as h200, a100, rtx4090 (default: h100)"
    )
    group.add_argument("--peak-tflops", type=float, metavar="X", help="bf16 peak of one device, instead of --device")
    group.add_argument(
        "--utilisation", type=float, default=0.35, metavar="X", help="part of the peak reached (default: 0.35)"
    )
    group.add_argument(
        "--reserve", type=float, default=1.5, metavar="GIB", help="of a GPU, not for tensors (default: 1.5)"
    )
    group.add_argument("--rows", type=int, metavar="N", help="rows of a micro-batch (default: the most there can be)")
    group.add_argument("--row-tokens", type=int, metavar="N", help="tokens of a row (default: schedule.max_tokens)")
    group.add_argument(
        "--scored", type=int, metavar="N", help="learnt tokens of a row (default: a quarter of its text)"
    )
    group.add_argument("--within", type=float, default=24.0, metavar="H", help="tokens/s needed to be done in H hours")
    group.add_argument("--json", action="store_true", help="one JSON object")


def _train(args: argparse.Namespace) -> int:
    if args.stage == "plan":
        return _plan(args)
    from vimonet.training import main as train

    train(args.stage, args.config, args.overrides)
    _leave_group()
    return 0


def _leave_group() -> None:
    """Of several processes: part while the interpreter stands; left to its end, a thread of gloo's may abort it.

    Only after success: a process that failed must not wait for those that still talk.
    """
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _plan(args: argparse.Namespace) -> int:
    from vimonet.training import load_config
    from vimonet.training.planner.plan import Devices, Rows, make_plan, ways_to_fit
    from vimonet.training.planner.plan_report import as_dict, as_text

    devices = Devices(
        gpus=args.gpus,
        memory=args.gpu_memory,
        sharding=args.sharding,
        name=args.device,
        peak=args.peak_tflops,
        utilisation=args.utilisation,
        reserve=args.reserve,
    )
    config = load_config(args.config, args.overrides)
    name = Path(args.config).stem
    settings = {
        "stage": args.planned or (name if name in STAGES else "instruct"),
        "config_path": args.config,
        "rows": Rows(tokens=args.row_tokens, rows=args.rows, scored=args.scored),
    }
    plan = make_plan(config, devices, **settings)
    ways = [] if plan.fits else ways_to_fit(config, plan, **settings)
    print(json.dumps(as_dict(plan, ways)) if args.json else as_text(plan, ways, args.within))
    return 0
