"""Read ``.skeleton`` files of NTU RGB+D (arXiv 1604.02808): Kinect v2 bodies, 25 joints, camera space, 30 frames/s."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.limits import MAX_FRAMES, MAX_PEOPLE
from vimonet.motion.io.people import Person, Tracked, describe_people, track_people
from vimonet.motion.io.readers import Content, Reader, Recording, register, usable
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

NTU_FPS: Final = 30.0
_JOINTS: Final = 25
_START: Final = re.compile(rb"\d+\s*\n\s*\d+\s*\n\s*\d{8,}(?:[ \t]+[-+.\deE]+){9}[ \t]*\r?\n\s*25\s")


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read a ``.skeleton`` file; the number of a person is the order of appearance of its body id.

    Args:
        content: the file: number of frames; per frame the number of bodies; per body a line that begins with its id,
            the number of joints, and a line per joint that begins with x, y, z in metres.
        fps: frames/s, to override Kinect's 30.
        layout: not used, since the format fixes the joints.

    Raises:
        InputError: the file is cut off, holds other than numbers, or no body.
    """
    notes: list[str] = []
    tracked = content.once(lambda: _everyone(content))
    points, chosen = tracked.follow(content.name, notes, content.person)
    return Recording(
        positions=points,
        names=LAYOUTS["kinect25"],
        fps=check_fps(NTU_FPS if fps is None else fps, content.name),
        format="ntu",
        confidence=(np.isfinite(points).all(axis=2) & (points != 0).any(axis=2)).astype(np.float32),
        family="kinect25",
        unit=1.0,
        up="Y",
        partial=True,
        notes=notes,
        details=describe_people(tracked.everyone, len(points), chosen, picture=False),
    )


def _everyone(content: Content) -> Tracked:
    """Parse the bodies of all frames."""
    name = content.name
    lines = content.text.decode("ascii", errors="replace").split("\n")
    position = 0
    bodies: dict[str, int] = {}

    def number(limit: int) -> int:
        nonlocal position
        word = lines[position].strip() if position < len(lines) else ""
        if not word.isdecimal() or len(word) > 9 or int(word) > limit:
            raise InputError(
                f"{name}: line {position + 1} should be a count up to {limit}; the file is damaged or cut off."
            )
        position += 1
        return int(word)

    people: list[list[Person]] = []
    for _ in range(number(MAX_FRAMES)):
        persons = []
        for _ in range(number(MAX_PEOPLE)):
            label = lines[position].split()[:1] if position < len(lines) else []
            if not label:
                raise InputError(f"{name}: line {position + 1} should begin with a body id; the file is cut off.")
            position += 1
            if number(_JOINTS) != _JOINTS:
                raise InputError(f"{name}: line {position} should be 25 joints; expected bodies of Kinect v2.")
            persons.append(
                Person(
                    _points(lines[position : position + _JOINTS], position, name),
                    bodies.setdefault(label[0], len(bodies) + 1),
                )
            )
            position += _JOINTS
        people.append(persons)
    return track_people(people, name)


def _points(lines: list[str], position: int, name: str) -> NDArray[np.float64]:
    try:
        values = np.array([[float(word) for word in line.split()[:3]] for line in lines])
    except ValueError:
        values = np.zeros(0)
    if values.shape != (_JOINTS, 3):
        raise InputError(
            f"{name}: lines {position + 1} to {position + _JOINTS} should be 25 joints; the file is cut off."
        )
    return np.where(usable(values), values, np.nan)


register(Reader("ntu", "NTU RGB+D skeleton", (".skeleton",), lambda content: bool(_START.match(content.head)), read))
