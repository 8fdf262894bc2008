"""`vimonet convert`: weights that others released, in the form they are used in here."""

from __future__ import annotations

import argparse
from typing import Any

SOURCES = ("motionllm", "t2m-gpt", "motiongpt", "video-llava", "languagebind")
_MOTION = ("t2m-gpt", "motiongpt")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "convert",
        help="convert released weights of T2M-GPT, MotionGPT, MotionLLM, Video-LLaVA, LanguageBind",
        description="Convert released weights; says what became of every key. Nothing in a file is executed.",
    )
    parser.add_argument("source", choices=SOURCES, metavar="SOURCE", help=", ".join(SOURCES))
    parser.add_argument("files", nargs="+", metavar="FILE", help=".safetensors, .pth, .bin or .ckpt files, or folders")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="new folder")
    parser.add_argument("--keys", action="store_true", help="print every key (they also stand in DIR/conversion.txt)")
    language = parser.add_argument_group("motionllm")
    language.add_argument("--base", metavar="DIR", help="folder of Vicuna-7B v1.5, where no lit_model.pth is given")
    language.add_argument("--tokenizer", metavar="DIR", help="folder of Vicuna's tokenizer (default: --base)")
    language.add_argument("--adapter", action="store_true", help="keep the LoRA as a PEFT adapter, do not merge it")
    language.add_argument(
        "--video", metavar="NAME", help="LanguageBind's folder or hub id: make one model that is asked"
    )
    language.add_argument("--system", metavar="TEXT", help="with --video: what stands before USER: in its prompts")
    language.add_argument("--lora-alpha", type=float, default=None, metavar="A", help="of the LoRA (default: 16)")
    language.add_argument("--heads", type=int, default=None, help="attention heads (default: of 128 numbers each)")
    motion = parser.add_argument_group("t2m-gpt, motiongpt")
    motion.add_argument("--mean", metavar="FILE.npy", help="mean of the features the tokenizer was trained on [263]")
    motion.add_argument("--std", metavar="FILE.npy", help="their deviation")
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
        raise InputError(f"--{wrong[0].replace('alpha', 'lora-alpha')} has no meaning for {args.source}.")
    if "video" in options:
        from vimonet.model.conversion import import_motionllm

        conversion = import_motionllm(args.files, options.pop("video"), args.output, **options)
    else:
        if "system" in options:
            raise InputError("--system goes with --video.")
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
        print("no --mean and --std: features are not scaled as the tokenizer expects; give them before you use it")
    print(f"written: {conversion.folder}")
    return 0
