"""Write what happens in a recording as subtitles: SubRip (.srt) and WebVTT (.vtt), which players show over the film.

cues = timed_cues(assistant.caption(motion), assistant.actions(motion))
write_subtitles(cues, "walk.srt")
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.motion.kinematics import Facts

FORMATS: Final = (".srt", ".vtt")
_LEAST: Final = 0.04  # s, a frame of a film: a shorter cue would never be shown
_SLIVER: Final = 0.2  # s: a shorter piece between two changes joins its neighbour, if nothing is lost
_UPRIGHT: Final = ("standing", "unknown", "airborne")


class Cue(NamedTuple):
    """Hold a line of text and the interval it is about, s."""

    start: float
    end: float
    text: str


def timed_cues(
    answer: Answer, actions: Iterable[Any] = (), seen: tuple[float, float] = (0.0, float("inf"))
) -> list[Cue]:
    """List what happens and when, in order of time: actions, and measured events beside them.

    Args:
        answer: caption of the recording; its windows are the cues of a model that names no actions.
        actions: spans of `Assistant.actions`.
        seen: when the person is in view, s; nothing is told of the time before and after.
    """
    cues = [Cue(span.start, span.end, span.actions[0][0]) for span in actions]
    if not cues:
        told = [part for part in answer.windows or (answer,) if part.provenance != "withheld"]
        cues = [Cue(part.start, part.end, part.text) for part in told]
    if answer.facts is not None:
        cues += measured_cues(answer.facts)
    first, last = seen
    return sorted(
        Cue(max(start, first), min(end, last), text) for start, end, text in cues if start < last and end > first
    )


def measured_cues(facts: Facts) -> list[Cue]:
    """List the measured events of a recording in words, in order of time."""
    found = []
    for turn in facts.turns or ():
        side = "left" if turn.degrees > 0 else "right"
        found.append(Cue(turn.start, turn.end, f"turns {abs(turn.degrees):.0f} degrees to the {side}"))
    found += [Cue(hand.start, hand.end, f"{hand.side} hand raised") for hand in facts.raised_hands]
    for posture in facts.posture or ():
        if posture.label not in _UPRIGHT:
            found.append(Cue(posture.start, posture.end, f"{posture.label} {posture.detail}".strip()))
    found += [Cue(jump.start, jump.end, f"jumps, {100 * jump.height:.0f} cm") for jump in facts.jumps or ()]
    found += [Cue(fall.start, fall.end, "falls") for fall in facts.falls or ()]
    found += [Cue(swing.start, swing.end, f"kicks, {swing.side} leg") for swing in facts.leg_swings or () if swing.kick]
    if facts.moments is not None:
        found += [Cue(start, end, "pauses") for start, end in facts.moments.pauses]
        found += [Cue(start, end, "gets up") for start, end in facts.moments.rises]
    return sorted(found)


def check_subtitles(path: str | os.PathLike[str]) -> Path:
    """Check the name of a file of subtitles before any work.

    Raises:
        InputError: an unknown suffix, or a folder that does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: subtitles are written as .srt or .vtt; give a name that ends so.")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: it cannot be written; give a file in a folder that exists.")
    return path


def write_subtitles(cues: Sequence[Cue], path: str | os.PathLike[str]) -> Path:
    """Write cues to ``.srt`` or ``.vtt``.

    WebVTT holds a cue for each action, which may overlap. Players of SubRip show one cue at a time, so there the time
    is cut wherever something begins or ends, and each cue lists what goes on.

    Raises:
        InputError: as `check_subtitles`.
    """
    path = check_subtitles(path)
    write_text(path, srt_text(cues) if path.suffix.lower() == ".srt" else vtt_text(cues))
    return path


def srt_text(cues: Sequence[Cue]) -> str:
    """Write cues as SubRip, none of which overlap."""
    blocks = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}"
        for number, (start, end, text) in enumerate(one_at_a_time(cues), start=1)
    ]
    return "\n\n".join(blocks) + "\n"


def vtt_text(cues: Sequence[Cue]) -> str:
    """Write cues as WebVTT, in order of their start."""
    blocks = ["WEBVTT"]
    for start, end, text in sorted(map(_shown, cues)):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{escaped}")
    return "\n\n".join(blocks) + "\n"


def one_at_a_time(cues: Sequence[Cue]) -> list[Cue]:
    """Cut the time wherever a cue begins or ends; each piece lists the texts that go on, in order of their start."""
    shown = sorted(map(_shown, cues))
    bounds = sorted({bound for cue in shown for bound in (cue.start, cue.end)})
    pieces: list[tuple[float, float, tuple[str, ...]]] = []
    for start, end in pairwise(bounds):
        texts = tuple(dict.fromkeys(cue.text for cue in shown if cue.start < end and cue.end > start))
        if pieces and pieces[-1][1] == start and pieces[-1][2] == texts:
            pieces[-1] = (pieces[-1][0], end, texts)
        elif texts:
            pieces.append((start, end, texts))
    whole: list[tuple[float, float, tuple[str, ...]]] = []
    for k, (start, end, texts) in enumerate(pieces):
        before = whole[-1] if whole and whole[-1][1] == start else None
        after = pieces[k + 1] if k + 1 < len(pieces) and pieces[k + 1][0] == end else None
        beside = {text for piece in (before, after) if piece is not None for text in piece[2]}
        if end - start >= _SLIVER or not set(texts) <= beside:
            whole.append((start, end, texts))
        elif before is not None:
            whole[-1] = (before[0], end, before[2])
        else:
            pieces[k + 1] = (start, pieces[k + 1][1], pieces[k + 1][2])
    return [Cue(start, end, "\n".join(texts)) for start, end, texts in whole]


def _shown(cue: Cue) -> Cue:
    """Round to milliseconds, give a cue of no length that of a frame, and keep text to lines that end no cue."""
    start = round(max(cue.start, 0.0), 3)
    words = " ".join("".join(c if c.isprintable() else " " for c in cue.text).split())
    return Cue(start, round(max(cue.end, start + _LEAST), 3), words.replace("-->", "->"))


def _clock(seconds: float, point: str) -> str:
    whole = round(1000 * seconds)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"
