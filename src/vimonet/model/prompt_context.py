"""Write the context of a prompt: what is measured, recognised and seen, as text beside the tokens of the clips.

Tokens carry what no rule names; facts carry how far, how often, when and which side; class names of an image classifier
carry what a hand holds and where the video is set. `ViMoNetConfig.context` lists the parts that a model reads; training
drops each at random, so that a model answers from any of them, and what each contributes can be measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from vimonet.model.action_recognition import Recognised

if TYPE_CHECKING:
    from vimonet.motion.kinematics import Facts

NOTHING: Final = "You are asked about a movement, but nothing is shown."
_OPENING = "You see one person move. Answer from this."
_TWO = "You see two clips, the first and the second, each of one person. Answer from this."
_COMPARED = """
duration, moves, speed, turns, posture, steps, jumps, falls, hands, repeats, highest hand over the floor
""".strip().split(", ")
"""Topics of the facts that are set side by side for two clips: all of them would fill a prompt twice."""


def write_context(
    parts: Iterable[str],
    *,
    facts: Facts | None = None,
    actions: Sequence[Recognised] = (),
    seen: str = "",
    clip: bool = True,
) -> str:
    """Write the context of one prompt.

    Args:
        parts: parts to hold, out of `CONTEXT_PARTS` of the configuration.
        facts: measured facts; None without a motion.
        actions: recognised actions in order of time.
        seen: line of `vimonet.model.seen.seen_text`; empty without a video.
        clip: whether the question is about a clip; if not, the context says so.
    """
    held = set(parts)
    lines = []
    if "actions" in held and actions:
        lines.append(f"looks like: {'; then '.join(map(_named, actions))}")
    if "seen" in held and seen:
        lines.append(seen)
    if "facts" in held and facts is not None:
        lines += facts.lines()
    if not lines:
        return _OPENING if clip else NOTHING
    return "\n".join([_OPENING, *lines])


def write_comparison(facts: Sequence[Facts], actions: Sequence[Sequence[Recognised]]) -> str:
    """Write the context of a question about two clips: topic by topic, what holds for the first and for the second."""
    lines = [_beside("looks like", ["; then ".join(map(_named, spans)) for spans in actions])] if all(actions) else []
    tables = [dict(line.partition(": ")[::2] for line in one.lines()) for one in facts]
    for topic in _COMPARED:
        if any(topic in table for table in tables):
            lines.append(_beside(topic, [table.get(topic, "not measured") for table in tables]))
    return "\n".join([_TWO, *lines])


def _beside(topic: str, values: Sequence[str]) -> str:
    return f"{topic}: first {values[0]}; second {values[1]}"


def _named(span: Recognised) -> str:
    names = ", ".join(f"{action} {100 * share:.0f}%" for action, share in span.actions)
    return f"{names} ({span.start:.1f}-{span.end:.1f} s)"
