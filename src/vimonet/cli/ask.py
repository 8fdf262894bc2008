"""Implement `vimonet ask`: answer questions about recordings."""

from __future__ import annotations

import argparse
import contextlib
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from vimonet.cli import shared
from vimonet.cli.shared import one_line, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer, MotionAssistant
    from vimonet.inference.assistant import Assistant
    from vimonet.motion import Motion

_NOTES = 4
"""Lines of evidence in a drawing."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    ask = commands.add_parser(
        "ask",
        help="answer a question about a recording",
        usage="%(prog)s [options] RECORDING [RECORDING ...] QUESTION [QUESTION ...]",
        description="Answer questions about a recording, or about several at once. Recordings come first: a file, "
        "'sample:NAME' or '-'. A video given with a motion shows the same scene on the same clock. A video given alone "
        "is read as frames by a model with a video tower, and as the movement of the person in it.",
    )
    ask.add_argument("recording", metavar="RECORDING", help="motion or video file, '-' for standard input, sample:NAME")
    ask.add_argument("questions", nargs="+", metavar="QUESTION", help="further recordings, then one or more questions")
    shared.add_flag(ask, "--frames", "default: the number in the model's config")
    shared.add_flag(ask, "--output", "a drawing of the movement with the answer (.png, .gif, .mp4)", metavar="OUT.png")
    ask.add_argument("--attention", metavar="OUT.png", help="also draw the temporal attention of the (last) answer")
    shared.add_flag(ask, "--answer-policy")
    ask.add_argument("--facts", action="store_true", help="also print the facts measured on the recording")
    ask.add_argument(
        "--evidence",
        action="store_true",
        help="print every measurement that bears on the question, not only contradictions; -o marks their spans",
    )
    shared.add_leaving_out(ask)
    endpoint = ask.add_argument_group("a language model behind an endpoint", "it reads the motion as text")
    shared.add_flag(endpoint, "--base-url")
    shared.add_flag(endpoint, "--llm-model")
    endpoint.add_argument(
        "--key-env",
        default="OPENAI_API_KEY",
        metavar="VAR",
        help="environment variable with the endpoint's key (default: %(default)s)",
    )
    shared.add_flag(endpoint, "--motion-as", choices=("facts", "series"))
    shared.add_common(ask, "one object per question")
    ask.set_defaults(run=_ask)


def _ask(args: argparse.Namespace) -> int:
    output, attention = _image_outputs(args)
    recordings, questions = _split([args.recording, *args.questions])
    everyone = args.person == shared.EVERYONE
    if everyone and (len(recordings) > 1 or attention is not None):
        raise InputError("--person all answers about everyone in one recording, without --attention.")
    clips = read_clips(args, recordings)
    if output is not None and len(clips.motions) != 1:
        raise InputError(f"-o draws one movement, and {len(clips.motions)} are given; leave -o out.")
    motion = clips.motions[0] if len(clips.motions) == 1 else clips.motions or None
    video: Any = (clips.videos[0] if len(clips.videos) == 1 else clips.videos) or None
    shown: list[Any] = list(clips.motions) if everyone else [motion]
    asked = [(question, one, video) for question in questions for one in shown]
    options: dict[str, Any] = {"evidence": args.evidence, "answer_policy": args.answer_policy}
    if args.leave_out:
        if args.base_url:
            raise InputError("flags such as --no-facts need a model on this machine; leave them or --base-url out.")
        options["leave_out"] = args.leave_out
    answers = clips.assistant.ask_batch(asked, frames=args.frames, **options)
    named: Any = recordings[0] if len(recordings) == 1 else recordings
    for (question, one, _), answer in zip(asked, answers, strict=True):
        if answer.error:
            raise InputError(answer.error)
        whose = {"person": one.details.get("person", 1)} if everyone else {}
        if args.json:
            print_json({"file": named, "question": question, **whose, **answer.to_dict()})
            continue
        if everyone:
            print(shared.bold(f"person {whose['person']}"), end="  ")
        shared.print_answer(answer, all_evidence=args.evidence)
    for note in clips.notes:
        print(f"vimonet: {one_line(note)}", file=sys.stderr)
    if args.facts:
        _print_facts(clips.motions, answers, to_stderr=args.json)
    # An image shows the last of several questions.
    below = f"{answer.text}  ({shared.detail(answer)})"
    if output is not None:
        _draw(output, clips.motions[0], question, below, answer, all_evidence=args.evidence)
        print(f"wrote {output}", file=sys.stderr)
    if attention is not None:
        from vimonet.inference.attention import draw_attention

        found = cast("Assistant", clips.assistant).attention(question, motion, video, frames=args.frames)
        draw_attention(found, attention, title=question, subtitle=below)
        print(f"wrote {attention}", file=sys.stderr)
    return 0


def _print_facts(motions: list[Motion], answers: list[Answer], *, to_stderr: bool) -> None:
    from vimonet.motion.kinematics import measure

    known = {id(answer.clip.motion): answer.facts for answer in answers if answer.clip is not None}
    for motion in motions:
        shared.print_facts(known.get(id(motion)) or measure(motion), to_stderr=to_stderr)
    if not motions:
        print("nothing was measured: there is no movement", file=sys.stderr)


def _draw(output: Path, motion: Motion, question: str, below: str, answer: Answer, *, all_evidence: bool) -> None:
    """Draw the movement with question and answer, and on request all evidence: a line each, contradictions first.

    The spans of evidence are marked: a band in a strip, rings at the joints, bars in a row of their own.
    """
    from vimonet.evidence import AGREES, CONTRADICTS
    from vimonet.motion.render import Event, Mark, events_of, render
    from vimonet.motion.render.body_drawing import MARK, MUTED

    evidence = sorted(answer.evidence, key=lambda item: item.verdict != CONTRADICTS) if all_evidence else []
    spans = [span for item in evidence for span in item.spans]
    bars = [Event("evidence", span.label, span.start, span.end, MARK) for span in spans if span.label]
    inks = {AGREES: (30, 120, 80), CONTRADICTS: (190, 40, 50)}
    notes = [(f"{item.verdict}: {item.measured}", inks.get(item.verdict, MUTED)) for item in evidence[:_NOTES]]
    if len(evidence) > _NOTES:
        notes.append((f"and {len(evidence) - _NOTES} more", MUTED))
    render(
        motion,
        output,
        title=question,
        subtitle=below,
        window=None if all_evidence else (answer.start, answer.end),
        events=[*bars, *events_of(motion, answer.facts)],
        marks=[Mark(span.start, span.end, span.joints) for span in spans],
        notes=notes,
        progress=True,
    )


class Clips(NamedTuple):
    """Hold the assistant, its inputs, and notes on inputs that could not be read."""

    assistant: MotionAssistant
    motions: list[Motion]
    videos: list[str]
    notes: list[str]


def _image_outputs(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Check the files of -o and --attention before any work."""
    if args.output is None and args.attention is None:
        return None, None
    from vimonet.motion.render import check_output

    output, attention = (None if path is None else check_output(path) for path in (args.output, args.attention))
    if attention is not None and attention.suffix.lower() != ".png":
        raise InputError(f"{attention}: attention is drawn as .png; give such a name.")
    if attention is not None and args.base_url:
        raise InputError("--attention needs a model on this machine: an endpoint does not give its attention.")
    return output, attention


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """Split arguments into recordings (the first, and the files that follow it) and questions."""
    count = 1
    while count < len(given) and (given[count] == "-" or given[count].startswith("sample:") or _is_file(given[count])):
        count += 1
    recordings, questions = given[:count], given[count:]
    if not questions:
        raise InputError(f"there is no question after {recordings[-1]}; give one, in quotation marks.")
    from vimonet.motion.io.loading import names_a_file

    if names_a_file(questions[0]):
        raise InputError(f"{questions[0]}: no such file; questions follow the recordings.")
    if recordings.count("-") > 1:
        raise InputError("standard input holds one recording; give '-' once.")
    return recordings, questions


def read_clips(args: argparse.Namespace, recordings: list[str]) -> Clips:
    """Read recordings for the model: videos as frames where it has a video tower, else as tracked movement.

    Args:
        args: flags of the command; ``base_url`` and ``llm_model`` are None for the model on this machine.
        recordings: names as given.

    Raises:
        InputError: a recording cannot be read.
    """
    from vimonet.motion.io.loading import path_of
    from vimonet.video import is_video, probe

    videos = [name for name in recordings if is_video(Path(path_of(name)))]
    everyone = args.person == shared.EVERYONE
    motions = [one for name in recordings if name not in videos for one in shared.load_people(args, name)]
    if args.base_url and len(recordings) - len(videos) > 1:
        raise InputError("an endpoint reads one movement; give one recording.")
    # Tracking a person takes as long as loading torch and the model, so both run at once where tracking is certain.
    early = args.own_process and videos and not motions and shared.sees_nothing(args)
    with ProcessPoolExecutor(1, get_context("spawn")) if early else contextlib.nullcontext() as pool:
        jobs = [] if pool is None else [pool.submit(shared.load_people, args, name) for name in videos]
        assistant = _asked(args)
        tracked = [one for job in jobs for one in job.result()]
    config = assistant.config
    sees = getattr(config, "video_config", None) is not None
    notes = [f"{one.name}: {note}." for one in motions for note in shared.people_notes(one, everyone=everyone)]
    if everyone and videos:  # its pictures show all of them at once
        motions = tracked or shared.load_people(args, videos[0])
        notes += [f"{videos[0]}: {note}." for one in motions for note in shared.people_notes(one, everyone=True)]
        return Clips(assistant, motions, [], notes)
    if sees and (motions or getattr(config, "keypoint_config", None) is None):
        notes += [f"{name}: {note}." for name in videos for note in probe(path_of(name)).notes()]
    if videos and motions and not sees:
        notes.append(f"{videos[0]}: this model sees no video; it answered from the movement alone.")
    elif videos and not motions:
        if not sees:
            motions = tracked or [shared.load_motion(args, name) for name in videos]
            notes += _unseen(videos, motions)
        elif getattr(config, "keypoint_config", None) is not None:
            for name in videos:
                try:
                    motions.append(shared.load_motion(args, name))
                    notes += _unseen([name], motions[-1:])
                except InputError as error:
                    notes.append(f"{str(error).rstrip('.')}; answered from its frames alone.")
    return Clips(assistant, motions, [path_of(name) for name in videos] if sees else [], notes)


def _unseen(videos: list[str], motions: list[Motion]) -> list[str]:
    """Note the parts of the tracked people that each video does not show."""
    from vimonet.motion.pose import unseen

    return [f"{name}: {note}." for name, one in zip(videos, motions, strict=True) for note in unseen(one.notes)]


def _asked(args: argparse.Namespace) -> MotionAssistant:
    """Load the local model, or connect to the one at --base-url."""
    if not args.base_url and not args.llm_model:
        return shared.assistant(args)
    if not (args.base_url and args.llm_model):
        raise InputError(
            "--base-url and --llm-model belong together; give the address of an endpoint and its model's name."
        )
    from vimonet.llm.endpoint import Endpoint, Settings, default_cache
    from vimonet.llm.remote_assistant import RemoteAssistant

    endpoint = Endpoint(Settings(args.base_url, args.llm_model, key_env=args.key_env, cache=default_cache()))
    return RemoteAssistant(endpoint, level=args.motion_as)


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists() and not Path(text).is_dir()  # also a pipe, <(cat walk.bvh)
    except (OSError, ValueError):  # a question too long, or with characters no file name has
        return False
