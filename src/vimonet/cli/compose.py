"""Implement `vimonet compose`: build an untrained model from parts that others trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from vimonet.cli.shared import add_flag
from vimonet.weights import model_source

_CHATS = ("auto", "llama3", "qwen", "vicuna", "motionllm", "vimonet")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compose",
        help="join a language model, a video tower and a motion tokenizer into an untrained model",
        description="Join trained parts (folders or hub ids) by new projectors, which need training.",
    )
    parser.add_argument("--llm", required=True, metavar="NAME", help="causal language model")
    add_flag(parser, "--video", "LanguageBind is one of them")
    parser.add_argument("--motion-tokenizer", metavar="NAME", help="motion VQ-VAE with its feature statistics")
    parser.add_argument(
        "--motion-towers", metavar="NAME", help="ViMoNet model whose motion and keypoint towers are used (nano)"
    )
    parser.add_argument("--projector-weights", metavar="DIR", help="released video projector, from 'vimonet convert'")
    add_flag(parser, "--output", "a new folder", required=True, metavar="DIR")
    parser.add_argument("--chat", choices=_CHATS, default="auto", help="chat template (default: by the tokenizer)")
    add_flag(parser, "--system", default="")
    parser.add_argument("--dtype", default="auto", help="float32, bfloat16 or float16 (default: the language model's)")
    add_flag(parser, "--seed", "it initialises the new projectors")
    between = parser.add_argument_group("projectors")
    between.add_argument(
        "--projector", choices=("linear", "mlp", "attentive"), help="projector of motion (default: linear)"
    )
    between.add_argument(
        "--projector-queries", type=int, metavar="N", help="tokens of an attentive projector (default: 16)"
    )
    between.add_argument(
        "--projector-time", action="store_true", default=None, help="add a time embedding to every motion token"
    )
    between.add_argument(
        "--video-projector", choices=("mlp", "linear", "attentive"), help="projector of video (default: mlp)"
    )
    between.add_argument(
        "--video-pooling",
        choices=("spatial", "temporal", "attentive", "none"),
        help="pooling of video tokens (default: spatial)",
    )
    between.add_argument("--video-tokens", type=int, metavar="N", help="token budget of a video (default: 256)")
    between.add_argument("--video-frames", type=int, metavar="N", help="key frames of a video (default: 8)")
    parser.add_argument(
        "--context",
        nargs="+",
        choices=("actions", "facts", "seen"),
        default=(),
        help="what the prompt holds as text beside the clips' tokens (default: nothing)",
    )
    parser.set_defaults(run=_compose)


def _compose(args: argparse.Namespace) -> int:
    from vimonet.model.build import compose
    from vimonet.model.hub import load_pretrained
    from vimonet.model.model_card import write_card
    from vimonet.model.surgery import count_parameters
    from vimonet.model.weight_files import new_folder

    names = (
        "projector",
        "projector_queries",
        "projector_time",
        "video_projector",
        "video_pooling",
        "video_tokens",
        "video_frames",
    )
    settings = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    with new_folder(args.output) as folder:
        composed = compose(
            args.llm,
            video=args.video,
            motion_tokenizer=args.motion_tokenizer,
            motion_towers=None if args.motion_towers is None else load_pretrained(model_source(args.motion_towers)),
            projector_weights=args.projector_weights,
            chat=args.chat,
            system=args.system,
            dtype=args.dtype,
            seed=args.seed,
            context=list(args.context),
            **settings,
        )
        composed.save(folder)
        parts = {
            "language model": args.llm,
            "video tower": args.video,
            "motion tokenizer": args.motion_tokenizer,
            "motion towers": args.motion_towers,
            "video projector": args.projector_weights,
        }
        record = {
            "stage": "compose",
            "command": args.command_line,
            "parts": {name: part for name, part in parts.items() if part},
            "parameters": count_parameters(composed.model),
            "seed": args.seed,
        }
        write_card(folder, record, name=Path(args.output).name)
    for name, count in count_parameters(composed.model).items():
        new = name == "translators" and (args.projector_weights is None or args.motion_tokenizer is not None)
        print(f"{name:>15}  {count:>15,} parameters{'  (new, untrained)' if new else ''}")
    print(f"chat template: {composed.chat}; an answer ends with {composed.end}")
    tokens = ", ".join(f"{token} {index}" for token, index in composed.added.items()) or "none"
    print(f"tokens added: {tokens}; embeddings grew by {composed.grown} rows")
    if frames := composed.processor.video_processor:
        print(f"a video is {frames.num_frames} frames and {frames.num_tokens(frames.num_frames)} tokens")
    print(f"written: {args.output}")
    return 0
