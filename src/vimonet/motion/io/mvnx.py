"""Read MVNX, the XML that Xsens MVN (Movella) exports: positions of 23 segments, metres, Z up."""

from __future__ import annotations

import io
import re
from typing import Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.joint_finding import find_joints
from vimonet.motion.io.limits import MAX_JOINTS
from vimonet.motion.io.people import Sighting, choose_person, describe_people
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register, usable
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

_START: Final = re.compile(rb"(?:<\?xml[^>]*>)?\s*(?:<!--.*?-->\s*)*<mvnx\b", re.DOTALL)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read an MVNX file; calibration poses at its start (frames of another type than ``normal``) are left out.

    Args:
        content: the file.
        fps: frames/s, to override the subject's ``frameRate``.
        layout: not used, since the segments have labels.

    Raises:
        InputError: XML that is damaged or declares entities, no segments, no frame of positions, another width.
    """
    name, data = content.name, content.text
    if re.search(rb"<!(DOCTYPE|ENTITY)", data, re.IGNORECASE):
        raise InputError(f"{name}: the XML declares a document type or entities, which MVNX does not; export it again.")
    subjects: list[tuple[str, float, list[str], list[NDArray[np.float64]]]] = []
    skipped = 0
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(data), events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "subject":
                    subjects.append((element.get("label", ""), float(element.get("frameRate", "nan")), [], []))
            elif tag == "segment" and subjects:
                subjects[-1][2].append(element.get("label", ""))
            elif tag == "frame" and subjects:
                if element.get("type", "normal") != "normal":
                    skipped += 1
                elif (place := _position(element)) is not None:
                    subjects[-1][3].append(place)
                element.clear()
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{name}: the MVNX is damaged or truncated ({plain(error)}); export it again.") from None
    with_frames = {k + 1: len(one[3]) for k, one in enumerate(subjects) if one[2] and one[3]}
    if not with_frames:
        raise InputError(f"{name}: no frame holds positions; export the MVNX with the position of the segments.")
    notes = [f"{skipped} calibration poses at the start left out"] if skipped else []
    chosen = choose_person(with_frames, min(with_frames), "by subject", name, notes, content.person)
    _, rate, labels, frames = subjects[chosen - 1]
    if fps is None and not rate > 0:
        raise InputError(f"{name}: the subject has no frameRate; give the rate with --fps.")
    width = 3 * len(labels)
    if len(labels) > MAX_JOINTS or {len(frame) for frame in frames} != {width}:
        raise InputError(
            f"{name}: a frame does not hold the {width} numbers of {len(labels)} segments; export it again."
        )
    positions = np.array(frames).reshape(len(frames), len(labels), 3)
    if not usable(positions).all():
        raise InputError(f"{name}: a position is not a finite number; export the recording again.")
    return Recording(
        positions=positions,
        names=tuple(plain(label) for label in labels),
        fps=check_fps(rate if fps is None else fps, name),
        format="mvnx",
        family="xsens",
        mapping=find_joints(labels, name, given=content.joint_map),
        unit=1.0,
        up="Z",
        notes=notes,
        details=describe_people(
            {k: Sighting(count, 0, count - 1) for k, count in with_frames.items()}, len(frames), chosen
        ),
    )


def _position(frame: ElementTree.Element) -> NDArray[np.float64] | None:
    """Parse the positions of one frame, or None if it has none."""
    for child in frame:
        if child.tag.rpartition("}")[2] == "position":
            return np.array([float(word) for word in (child.text or "").split()])
    return None


register(Reader("mvnx", "Xsens MVNX", (".mvnx",), lambda content: bool(_START.match(content.head)), read))
