"""Write a recording as one JSON document: joints, path, measured bars, plots, actions, facts, answers.

Numbers are rounded and packed (base64 of little-endian int16), so that a minute of movement stays below 0.5 MB.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import FPS, Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.joint_angles import JOINTS
from vimonet.motion.render import events_of
from vimonet.motion.render.body_drawing import CHEST, HAND_RADIUS, HEAD_RADIUS, LIMBS, TRUNK, first_facing, floor_height
from vimonet.motion.skeleton import INDEX, JOINT_NAMES, PARENTS

FORMAT = "vimonet-page/1"
"""Name and version of the document's layout; the page refuses another."""

FIGURE = {
    "limbs": [[INDEX[a], INDEX[b], ra, rb, a.split("_")[0]] for a, b, ra, rb, _ in LIMBS],
    "trunk": [[INDEX[a], INDEX[b], ra, rb] for a, b, ra, rb in TRUNK],
    "chest": [INDEX[name] for name in CHEST],
    "head": HEAD_RADIUS,
    "hand": HAND_RADIUS,
}
"""Figure that `motion.render` draws, for the page: joints and radii, m."""

_MILLIMETRE = 0.001
_LARGEST = 32_767
_LIMB_ENDS = ("left hand", "right hand", "left foot", "right foot")
_MARKS = {
    "left hand": ("left_wrist",),
    "right hand": ("right_wrist",),
    "left foot": ("left_ankle",),
    "right foot": ("right_ankle",),
    "turn": ("left_shoulder", "right_shoulder"),
    "fall": ("pelvis", "head"),
    "jump": ("left_ankle", "right_ankle"),
}
"""Row of a bar, or limb that repeats -> joints that the page marks."""
_LIMBS = {
    "left arm": ("left_wrist",),
    "right arm": ("right_wrist",),
    "both arms": ("left_wrist", "right_wrist"),
    "left leg": ("left_ankle",),
    "right leg": ("right_ankle",),
    "both legs": ("left_ankle", "right_ankle"),
}


def write_document(
    motion: Motion,
    *,
    facts: Facts | None = None,
    actions: Iterable[Any] = (),
    answers: Sequence[Mapping[str, Any]] = (),
    model: str = "",
) -> dict[str, Any]:
    """Describe a recording for the page, JSON-ready.

    Args:
        motion: the whole recording.
        facts: its facts, if they are measured already.
        actions: spans with ``start``, ``end`` (s) and ``actions`` ((phrase, probability), the likeliest first), as
            `Assistant.actions` recognises them.
        answers: answers given so far: ``Answer.to_dict()`` with the key ``question``.
        model: name of the model that answered.

    Returns:
        A mapping; `docs/page.md` lists its keys.
    """
    facts = facts or measure(motion)
    document = _poses(motion) | {
        "bars": bars(motion, facts),
        "plots": plots(motion, facts),
        "actions": [_action(span) for span in actions],
        "facts": facts.lines(),
        "notes": list(motion.notes),
        "health": [str(line) for line in motion.details.get("health", ())],
        "answers": [dict(answer) for answer in answers],
        "model": model,
        "film": None,
    }
    if motion.details.get("picture") is not None:
        document["picture"] = [round(float(value), 5) for value in motion.details["picture"]]
    return document


def thumbnail(motion: Motion, start: float = 0.0, end: float | None = None, poses: int = 3) -> dict[str, Any]:
    """Describe a few evenly spaced poses of a stretch (s), as a document without measurements."""
    last = (motion.frames - 1) / motion.fps
    times = np.linspace(start, last if end is None else min(end, last), 2 * poses + 1)[1::2]
    frames = np.clip(np.rint(times * motion.fps).astype(int), 0, motion.frames - 1)
    confidence = None if motion.confidence is None else motion.confidence[frames]
    few = replace(motion, joints=motion.joints[frames], confidence=confidence)
    return _poses(few) | {
        "floor": round(floor_height(motion), 4),
        "bars": [],
        "plots": [],
        "actions": [],
        "answers": [],
    }


def film_document(name: str, seconds: float) -> dict[str, Any]:
    """Describe a film without joints, as a document of no frames."""
    empty: dict[str, Any] = {key: [] for key in ("bars", "plots", "actions", "facts", "notes", "health", "answers")}
    about = {"source": "video", "source_fps": 0.0, "fps": FPS, "frames": 0, "duration": round(seconds, 3), "film": None}
    body = {
        "joint_names": list(JOINT_NAMES),
        "bones": [],
        "figure": FIGURE,
        "root": "",
        "joints": "",
        "joint_scale": 1.0,
    }
    place = {"dimensions": 2, "seen": None, "floor": 0.0, "facing": [0.0, 0.0, 1.0]}
    return {"format": FORMAT, "name": name, "model": "", **about, **body, **place, **empty}


def _poses(motion: Motion) -> dict[str, Any]:
    """Describe the movement itself: rate, joints, floor, and how to draw the body."""
    root = motion.joints[:, :1]
    limbs, limb_scale = _packed(motion.joints - root, _MILLIMETRE)
    return {
        "format": FORMAT,
        "name": motion.name,
        "source": motion.source,
        "source_fps": round(float(motion.source_fps), 3),
        "fps": motion.fps,
        "frames": motion.frames,
        "duration": round(motion.duration, 3),
        "dimensions": motion.dimensions,
        "joint_names": list(JOINT_NAMES),
        "bones": [[joint, int(parent)] for joint, parent in enumerate(PARENTS) if parent >= 0],
        "figure": FIGURE,
        "root": base64.b64encode(np.round(root, 4).astype("<f4").tobytes()).decode(),
        "joints": limbs,
        "joint_scale": limb_scale,
        "seen": None if motion.confidence is None else _packed_bits(motion.seen),
        "floor": round(floor_height(motion), 4),
        "facing": [round(float(value), 4) for value in first_facing(motion)],
    }


def bars(motion: Motion, facts: Facts) -> list[dict[str, Any]]:
    """List what is measured over time: events, steps, pauses and getting up, in rows.

    Each bar has ``row``, ``label``, ``start`` and ``end`` (s), and ``joints`` to mark; a step starts and ends at its
    foot strike.
    """
    again = facts.repetitions
    found = [
        _bar(
            event.row,
            event.label,
            event.start,
            event.end,
            _LIMBS.get(again.limb, ()) if event.row == "repeats" and again is not None else _MARKS.get(event.row, ()),
        )
        for event in events_of(motion, facts)
    ]
    found += [
        _bar("steps", f"{step.side} foot", step.time, step.time, _MARKS[f"{step.side} foot"])
        for step in facts.steps or ()
    ]
    if facts.moments is not None:
        found += [_bar("pause", "pause", start, end) for start, end in facts.moments.pauses]
        found += [_bar("gets up", "gets up", start, end, ("pelvis",)) for start, end in facts.moments.rises]
    return sorted(found, key=lambda bar: (bar["start"], bar["end"]))


def plots(motion: Motion, facts: Facts) -> list[dict[str, Any]]:
    """List what can be plotted over time: joint angles, lean of the trunk, speeds, height of the pelvis.

    Each plot has ``name``, ``group``, ``unit``, ``joints`` to mark, ``scale`` and ``values`` (packed int16; value times
    scale). A 2D recording has none, because angles in a picture are those of the view.
    """
    if facts.held is None:
        return []
    track = facts.held.track
    out = [
        _plot(name, "joint angles", "°", track.angles[:, k], 0.1, (name.replace(" ", "_"),))
        for k, name in enumerate(JOINTS)
        if name in facts.held.angles
    ]
    out += [
        _plot("lean forward", "trunk", "°", track.forward, 0.1, ("neck",)),
        _plot("lean to the left", "trunk", "°", track.sideways, 0.1, ("neck",)),
        _plot("height of the pelvis", "trunk", "m", motion.joints[:, 0, 1] - floor_height(motion), 0.001, ("pelvis",)),
        _plot("pelvis over the ground", "speeds", "m/s", track.pace, 0.001, ("pelvis",)),
    ]
    limbs = ("left arm", "right arm", "left leg", "right leg")
    out += [
        _plot(name, "speeds", "m/s", track.limb_speed[:, k], 0.001, _MARKS[name])
        for k, name in enumerate(_LIMB_ENDS)
        if facts.seen.get(limbs[k], True)
    ]
    return out


def _bar(row: str, label: str, start: float, end: float, joints: Sequence[str] = ()) -> dict[str, Any]:
    return {"row": row, "label": label, "start": round(start, 3), "end": round(end, 3), "joints": list(joints)}


def _plot(
    name: str, group: str, unit: str, values: NDArray[Any], scale: float, joints: Sequence[str]
) -> dict[str, Any]:
    packed, scale = _packed(values, scale)
    return {"name": name, "group": group, "unit": unit, "joints": list(joints), "scale": scale, "values": packed}


def _action(span: Any) -> dict[str, Any]:
    names = [{"label": str(phrase), "confidence": round(float(share), 3)} for phrase, share in span.actions]
    return {"start": round(float(span.start), 3), "end": round(float(span.end), 3), "names": names}


def _packed(values: NDArray[Any], scale: float) -> tuple[str, float]:
    """Pack numbers as int16 in units of `scale`, coarser where the largest would not fit; return the scale used."""
    numbers = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scale = max(scale, float(np.abs(numbers).max(initial=0.0)) / _LARGEST)
    return base64.b64encode(np.rint(numbers / scale).astype("<i2").tobytes()).decode(), scale


def _packed_bits(flags: NDArray[np.bool_]) -> str:
    """Pack booleans eight to a byte, the first in the lowest bit."""
    return base64.b64encode(np.packbits(flags.ravel(), bitorder="little").tobytes()).decode()
