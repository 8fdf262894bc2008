"""`vimonet train` and `vimonet eval`: one config file each, with overrides."""

from __future__ import annotations

import argparse

STAGES = ("language", "tokenizer", "align", "instruct", "evaluator")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands."""
    train = commands.add_parser("train", help="train a stage from a config file")
    train.add_argument("stage", choices=STAGES, help="language model, motion tokenizer (VQ-VAE), stage 1, stage 2")
    train.set_defaults(run=_train)
    evaluate = commands.add_parser("eval", help="score on held-out questions, with intervals and the blind score")
    evaluate.set_defaults(run=_eval)
    for command in (train, evaluate):
        command.add_argument("--config", required=True, metavar="FILE.yaml", help="see configs/")
        command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted keys of the config")


def _train(args: argparse.Namespace) -> int:
    from vimonet.training import main as train

    train(args.stage, args.config, args.overrides)
    return 0


def _eval(args: argparse.Namespace) -> int:
    from vimonet.bench import main as evaluate

    evaluate(args.config, args.overrides)
    return 0
