"""Turn labelled points in space, as TRC, C3D and CSV files hold them, into joints: joint centres, or skin markers.

Skin markers of Plug-in Gait and its kin become joint centres: hips by the regression of Harrington et al. 2007
(doi:10.1016/j.jbiomech.2006.02.003), knees, ankles, elbows and wrists between the lateral and the medial marker.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.joint_finding import find_joints, with_given
from vimonet.motion.io.people import Sighting, choose_person, describe_people
from vimonet.motion.io.readers import Content, Recording, usable
from vimonet.motion.joint_names import map_joints, missing_essential
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

# Labels without side, upper case, letters and digits only; the first that a file has counts.
_LATERAL: Final[dict[str, tuple[str, ...]]] = {
    "knee": ("KNE", "KNEE", "KNEEL", "LFC", "FLE", "LKNE", "KNEESTUDY"),
    "ankle": ("ANK", "ANKLE", "ANKL", "LM", "LMAL", "FAL", "ANKLESTUDY"),
    "elbow": ("ELB", "ELBOW", "ELBL", "LEL", "LHE", "HLE", "LELBOWSTUDY"),
    "wrist": ("WRA", "WRIA", "RSP", "WRL", "WRI", "WRIST", "LWRISTSTUDY"),
}
_MEDIAL: Final[dict[str, tuple[str, ...]]] = {
    "knee": ("KNM", "KNEM", "KNEEM", "MFC", "FME", "MKNE", "KNED", "MKNEESTUDY"),
    "ankle": ("MED", "ANM", "ANKM", "MM", "MMA", "TAM", "MANKLESTUDY"),
    "elbow": ("ELM", "ELBM", "MEL", "MHE", "HME", "MELBOWSTUDY"),
    "wrist": ("WRB", "WRIB", "USP", "WRM", "MWRISTSTUDY"),
}
_HALF_WIDTH: Final = {"knee": 0.05, "ankle": 0.035, "elbow": 0.0, "wrist": 0.0}  # m from a lateral marker to the centre
_SINGLE: Final[dict[str, tuple[str, ...]]] = {
    "foot": ("TOE", "MT2", "FM2", "HLX", "TOESTUDY"),
    "shoulder": ("SHO", "ACR", "SAE", "AC", "SHOULDERSTUDY"),
    "heel": ("HEE", "HEEL", "FCC", "CAL", "CALCSTUDY"),
}
_SHOULDER_DEPTH: Final = 0.05  # m from the acromion down to the centre
_PELVIS: Final = {"ASIS": ("ASI", "ASIS", "IAS", "ASISSTUDY"), "PSIS": ("PSI", "PSIS", "IPS", "PSISSTUDY")}
_HEAD: Final = ("LFHD", "RFHD", "LBHD", "RBHD")
_NECK: Final = ("C7", "CLAV", "CV7", "SJN", "C7STUDY")


def from_markers(
    points: NDArray[Any],
    labels: Sequence[str],
    content: Content,
    *,
    fps: float,
    format: str,
    unit: float | None,
    up: str | None = None,
    notes: Sequence[str] = (),
) -> Recording:
    """Build a recording of labelled points.

    Args:
        points: [T, K, 3], NaN where a point is not seen.
        labels: K labels; ``Name:label`` tells several subjects apart.
        content: the file, with the user's joint map and person.
        fps: frames/s.
        format: format of the recording.
        unit: metres per unit; None detects it.
        up: up axis; None detects it.
        notes: earlier notes.

    Raises:
        InputError: no frames, no point seen, or neither joints nor a known marker set among the labels.
    """
    name, remarks = content.name, list(notes)
    values = np.asarray(points, dtype=np.float64)
    if not len(values):
        raise InputError(f"{name}: there are no frames of points; at least one is needed.")
    values = np.where(usable(values).all(axis=2, keepdims=True), values, np.nan)
    subjects = _subjects(labels, values, content, remarks)
    columns, people = subjects
    values, words = values[:, columns], [re.split(r"[:|]", labels[column])[-1].strip() for column in columns]
    found = with_given(map_joints(words), words, content.joint_map, name)
    if missing_essential(found):
        centres = _joint_centres(values * (unit or 1.0), words)
        if missing_essential(dict.fromkeys(centres, 0)):
            find_joints(words, name, given=content.joint_map)  # refuses, with the map to fill in
        words = list(centres)
        values = np.stack(list(centres.values()), axis=1) / (unit or 1.0)
        found = {joint: index for index, joint in enumerate(words)}
        remarks.append("joint centres computed from skin markers (hips by Harrington 2007)")
    seen = np.isfinite(values).all(axis=2) & (values != 0).any(axis=2)
    if not seen[:, sorted(set(found.values()))].any():
        raise InputError(f"{name}: no point is seen in any frame; expected a person in at least one.")
    return Recording(
        positions=values,
        names=tuple(words),
        fps=check_fps(fps, name),
        format=format,
        confidence=seen.astype(np.float32),
        mapping=found,
        unit=unit,
        up=up,
        partial=True,
        notes=remarks,
        details=people,
    )


def _subjects(
    labels: Sequence[str], values: NDArray[np.float64], content: Content, notes: list[str]
) -> tuple[list[int], dict[str, Any]]:
    """Choose the columns of one subject, by the prefix of the labels; unlabelled points (``*12``) belong to none."""
    columns: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        if not label.startswith("*"):
            columns[label.rpartition(":")[0]].append(index)
    bodies = [group for group in columns.values() if len(group) >= 12] or list(columns.values())
    if not bodies:
        raise InputError(f"{content.name}: none of its points has a label; name them in the program that wrote it.")
    everyone = {}
    for k, group in enumerate(bodies):
        hidden: NDArray[np.bool_] = np.asarray(np.isnan(values[:, group]).any(axis=2))
        shown = np.flatnonzero(~hidden.all(axis=1))
        everyone[k + 1] = Sighting(len(shown), *(int(shown[end]) if len(shown) else 0 for end in (0, -1)))
    frames = {number: one.frames for number, one in everyone.items()}
    chosen = choose_person(frames, 1, "by the prefix of the labels", content.name, notes, content.person)
    return bodies[chosen - 1], describe_people(everyone, len(values), chosen)


def _joint_centres(values: NDArray[np.float64], labels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Compute joint centres [T, 3], m, from skin markers [T, K, 3], m."""
    marker = {re.sub(r"[^A-Z0-9]", "", label.upper()): values[:, index] for index, label in enumerate(labels)}

    def pick(side: str, names: Sequence[str]) -> NDArray[np.float64] | None:
        return next((marker[side + one] for one in names if side + one in marker), None)

    found = _hips(marker)
    if not found:
        return {}
    left = found["left_hip"] - found["right_hip"]
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    neck = [marker[one] for one in _NECK if one in marker]
    head = [marker[one] for one in _HEAD if one in marker]
    if neck:
        found["neck"] = np.mean(neck, axis=0)
    if head:
        found["head"] = np.mean(head, axis=0)
    for side, letter, inwards in (("left", "L", -left), ("right", "R", left)):
        for joint, lateral in _LATERAL.items():
            outer, inner = pick(letter, lateral), pick(letter, _MEDIAL[joint])
            if outer is not None:
                found[f"{side}_{joint}"] = (
                    outer + _HALF_WIDTH[joint] * inwards if inner is None else (outer + inner) / 2
                )
        for joint, names in _SINGLE.items():
            if (place := pick(letter, names)) is not None:
                found[f"{side}_{joint}"] = place
        if f"{side}_shoulder" in found and "neck" in found:
            down = (found["left_hip"] + found["right_hip"]) / 2 - found["neck"]
            down = down / np.linalg.norm(down, axis=1, keepdims=True)
            found[f"{side}_shoulder"] = found[f"{side}_shoulder"] + _SHOULDER_DEPTH * down
    return found


def _hips(marker: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Compute the hip centres, m, from the four markers of the pelvis, or three with the sacrum's (Harrington 2007)."""
    front = [next((marker[s + one] for one in _PELVIS["ASIS"] if s + one in marker), None) for s in "LR"]
    back = [next((marker[s + one] for one in _PELVIS["PSIS"] if s + one in marker), None) for s in "LR"]
    if marker.get("SACR") is not None:
        back = [marker["SACR"]] * 2
    if front[0] is None or front[1] is None or back[0] is None or back[1] is None:
        return {}
    middle, behind = (front[0] + front[1]) / 2, (back[0] + back[1]) / 2
    width = np.linalg.norm(front[0] - front[1], axis=1, keepdims=True)
    depth = np.linalg.norm(middle - behind, axis=1, keepdims=True)
    left = (front[0] - front[1]) / width
    forward = (middle - behind) - ((middle - behind) * left).sum(axis=1, keepdims=True) * left
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    up = np.cross(forward, left)
    centre = middle + (-0.24 * depth - 0.0099) * forward + (-0.30 * width - 0.0109) * up
    aside = (0.33 * width + 0.0073) * left
    return {"left_hip": centre + aside, "right_hip": centre - aside}
