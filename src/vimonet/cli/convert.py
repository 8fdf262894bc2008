"""Implement `vimonet convert`: convert released weights of other projects to the format of this one."""

from __future__ import annotations

import argparse
from typing import Any

from vimonet.cli.shared import add_flag

SOURCES = ("motionllm", "t2m-gpt", "motiongpt", "video-llava", "languagebind")
_MOTION = ("t2m-gpt", "motiongpt")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "convert",
        help="convert released weights of T2M-GPT, MotionGPT, MotionLLM, Video-LLaVA, LanguageBind",
        description="Convert released weights and account for every key. No code in a file is executed.",
    )
    parser.add_argument("source", choices=SOURCES, metavar="SOURCE", help=", ".join(SOURCES))
    parser.add_argument("files", nargs="+", metavar="FILE", help=".safetensors, .pth, .bin or .ckpt files, or folders")
    add_flag(parser, "--output", "a new folder", required=True, metavar="DIR")
    parser.add_argument("--keys", action="store_true", help="print every key (DIR/conversion.txt lists them too)")
    language = parser.add_argument_group("motionllm")
    language.add_argument("--base", metavar="DIR", help="folder of Vicuna-7B v1.5; needed without lit_model.pth")
    language.add_argument("--tokenizer", metavar="DIR", help="folder of Vicuna's tokenizer (default: --base)")
    language.add_argument(
        "--adapter", action="store_true", help="keep the LoRA as a PEFT adapter instead of merging it"
    )
    add_flag(language, "--video", "LanguageBind's, which makes one model that answers questions")
    add_flag(language, "--system", "text before USER:, needs --video")
    language.add_argument("--lora-alpha", type=float, metavar="A", help="alpha of the LoRA (default: 16)")
    language.add_argument("--heads", type=int, metavar="N", help="attention heads (default: one per 128 channels)")
    motion = parser.add_argument_group("t2m-gpt, motiongpt")
    motion.add_argument(
        "--mean", metavar="FILE.npy", help="mean of the features that the tokenizer was trained on, [263]"
    )
    motion.add_argument("--std", metavar="FILE.npy", help="standard deviation of these features, [263]")
    parser.set_defaults(run=_convert)


def _convert(args: argparse.Namespace) -> int:
    from vimonet.model.conversion import convert
    from vimonet.model.model_card import write_card
    from vimonet.utils.errors import InputError

    options: dict[str, Any] = {
        "base": args.base,
        "tokenizer": args.tokenizer,
        "adapter": args.adapter or None,
        "alpha": args.lora_alpha,
        "heads": args.heads,
        "video": args.video,
        "system": args.system,
        "mean": args.mean,
        "std": args.std,
    }
    options = {name: value for name, value in options.items() if value is not None}
    statistics = {"mean", "std"}
    allowed = {"motionllm": options.keys() - statistics, **dict.fromkeys(_MOTION, statistics)}
    if wrong := sorted(options.keys() - allowed.get(args.source, set())):
        raise InputError(f"--{wrong[0].replace('alpha', 'lora-alpha')} has no meaning for {args.source}; leave it out.")
    if "video" in options:
        from vimonet.model.conversion import import_motionllm

        conversion = import_motionllm(args.files, options.pop("video"), args.output, **options)
    else:
        if "system" in options:
            raise InputError("--system needs --video; give both or neither.")
        conversion = convert(args.source, args.files, args.output, **options)
    record = {
        "stage": "convert",
        "command": args.command_line,
        "parts": {f"released weights ({args.source})": ", ".join(args.files)},
    }
    write_card(conversion.folder, record, name=conversion.folder.name)
    for line in conversion.lines(keys=args.keys):
        print(line)
    if args.source in _MOTION and "mean" not in options:
        print("no --mean and --std: the features are not scaled as the tokenizer expects; give both before you use it")
    print(f"written: {conversion.folder}")
    return 0
