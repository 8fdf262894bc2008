"""Complete the joints of a source to all 22: interpolate between seen joints, extrapolate beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.motion import fill_unseen
from vimonet.motion.skeleton import INDEX, JOINT_NAMES, T_POSE, median, norm, whole

_COINCIDENT_SHARE = 0.02  # of the trunk; closer joints coincide
# Share of the canonical pelvis-neck height at which spine1, spine2 and spine3 lie.
_SPINE_SHARES = tuple(float((T_POSE[j, 1]) / T_POSE[12, 1]) for j in (3, 6, 9))
# CMU and Bandai-Namco end the second spine bone at mid chest: the third joint lies at 45 % of the rest to the neck.
_LAST_SPINE_SHARE = 0.45
_COLLAR_SHARE = 0.37  # from spine3 to the shoulder, as measured on CMU's clavicles
_PELVIS_LIFT = 0.12  # pelvis above the line between the hips, share of hips-neck
_NECK_LIFT = 0.12  # neck above the line between the shoulders, share of hips-shoulders


class _Body:
    """Hold positions [T, 22, 3] and confidences [T, 22] being filled."""

    def __init__(self, frames: int) -> None:
        self.joints = np.zeros((frames, 22, 3), dtype=np.float64)
        self.confidence = np.zeros((frames, 22), dtype=np.float64)
        self.have: set[str] = set()
        self.seen = False  # whether every point of the source is seen in every frame

    def get(self, joint: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        index = INDEX[joint]
        return self.joints[:, index], self.confidence[:, index]

    def put(self, joint: str, place: NDArray[np.float64], confidence: NDArray[np.float64]) -> None:
        index = INDEX[joint]
        self.joints[:, index], self.confidence[:, index] = place, confidence
        self.have.add(joint)

    def between(self, joint: str, a: str, b: str, share: float) -> None:
        (pa, ca), (pb, cb) = self.get(a), self.get(b)
        self.put(joint, pa + share * (pb - pa), np.minimum(ca, cb))


def complete(
    positions: NDArray[Any],
    mapping: dict[str, int],
    confidence: NDArray[np.float32] | None,
    *,
    partial: bool,
    dimensions: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, list[str]]:
    """Fill the 22 joints.

    Args:
        positions: [T, J, 3].
        mapping: {joint name: index into J}, of ``map_joints``.
        confidence: [T, J] or None (all seen).
        partial: return confidence; joints that are neither seen nor interpolated from seen ones get 0.
        dimensions: 3, or 2, where toes are not extrapolated because the direction of a foot in the image is unknown.

    Returns:
        Joints float32 [T, 22, 3], confidence float32 [T, 22] (None unless ``partial``), names of interpolated joints in
        skeleton order.
    """
    frames = positions.shape[0]
    body = _Body(frames)
    points = np.asarray(positions, dtype=np.float64)
    weights = np.ones(points.shape[:2]) if confidence is None else np.asarray(confidence, dtype=np.float64)
    if partial:
        weights = np.where(whole(np.isfinite(points)), weights, 0.0)
        points = np.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0)
    for joint, index in mapping.items():
        if joint in INDEX and not joint.startswith("spine"):
            body.put(joint, points[:, index], weights[:, index])
    measured = set(body.have)
    body.seen = bool((weights > 0).all())
    _complete_trunk_ends(body, mapping, points, weights)
    measured |= _complete_spine(body, mapping, points, weights)
    near = _COINCIDENT_SHARE * (median(norm(body.get("neck")[0] - body.get("pelvis")[0])) or 1.0)
    for side in ("left", "right"):
        # A collar that coincides with spine, neck or shoulder is no measurement.
        collar, others = f"{side}_collar", ("spine3", "neck", f"{side}_shoulder")
        if collar not in body.have or any(_coincident(body, collar, other, near) for other in others):
            body.between(collar, "spine3", f"{side}_shoulder", _COLLAR_SHARE)
            measured.discard(collar)
    if not body.confidence[:, INDEX["head"]].any() and "head" not in body.have:
        (neck, cn), (pelvis, cp) = body.get("neck"), body.get("pelvis")
        body.put("head", neck + 0.2 * (neck - pelvis), np.zeros(frames) if partial else np.minimum(cn, cp))
    for side in ("left", "right"):
        if f"{side}_foot" not in body.have or _coincident(body, f"{side}_foot", f"{side}_ankle", near):
            measured.discard(f"{side}_foot")
            _extrapolate_foot(body, side, dimensions, partial)
    invented = [joint for joint in JOINT_NAMES if joint not in measured]
    joints = body.joints.astype(np.float32)
    if not partial:
        return joints, None, invented
    seen = body.confidence > 0
    return fill_unseen(joints, seen), body.confidence.astype(np.float32), invented


def _complete_trunk_ends(
    body: _Body, mapping: dict[str, int], points: NDArray[np.float64], weights: NDArray[np.float64]
) -> None:
    """Place the pelvis from hips, neck from shoulders (or the other way round), head from ears, eyes or nose."""
    have_hips = {"left_hip", "right_hip"} <= body.have
    have_shoulders = {"left_shoulder", "right_shoulder"} <= body.have

    def middle(a: str, b: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        (pa, ca), (pb, cb) = body.get(a), body.get(b)
        return (pa + pb) / 2, np.minimum(ca, cb)

    if have_hips and have_shoulders:
        hips, ch = middle("left_hip", "right_hip")
        shoulders, cs = middle("left_shoulder", "right_shoulder")
        spine = np.where((cs > 0)[:, None] & (ch > 0)[:, None], shoulders - hips, 0.0)
        if "pelvis" not in body.have:
            body.put("pelvis", hips + _PELVIS_LIFT * spine, ch)
        if "neck" not in body.have:
            body.put("neck", shoulders + _NECK_LIFT * spine, cs)
    elif have_hips and "pelvis" not in body.have:
        body.put("pelvis", *middle("left_hip", "right_hip"))
    elif have_shoulders and "neck" not in body.have:
        body.put("neck", *middle("left_shoulder", "right_shoulder"))
    if "head" in body.have:
        return
    place = np.zeros((len(points), 3))
    confidence = np.zeros(len(points))
    for group in (("nose",), ("left_eye", "right_eye"), ("left_ear", "right_ear")):  # the last visible group wins
        if all(part in mapping for part in group):
            index = [mapping[part] for part in group]
            seen = np.asarray((weights[:, index] > 0).all(axis=1))
            place = np.where(seen[:, None], points[:, index].mean(axis=1), place)
            confidence = np.where(seen, weights[:, index].min(axis=1), confidence)
    if confidence.any():
        body.put("head", place, confidence)


def _complete_spine(
    body: _Body, mapping: dict[str, int], points: NDArray[np.float64], weights: NDArray[np.float64]
) -> set[str]:
    """Place spine1..3 on the source's spine, and return the measured ones."""
    (pelvis, cp), (neck, cn) = body.get("pelvis"), body.get("neck")
    trunk = median(norm(neck - pelvis)) or 1.0
    chain = [(pelvis, cp)]
    for name in ("spine1", "spine2", "spine3"):
        if name in mapping:
            place, confidence = points[:, mapping[name]], weights[:, mapping[name]]
            apart = [median(norm(place - other)) for other in (chain[-1][0], neck)]
            if min(apart) > _COINCIDENT_SHARE * trunk:  # CMU's LowerBack coincides with the hips
                chain.append((place, confidence))
    inner = sorted(chain[1:], key=lambda entry: median(((entry[0] - pelvis) * (neck - pelvis)).sum(axis=1)))
    if len(inner) == 3:
        for name, (place, confidence) in zip(("spine1", "spine2", "spine3"), inner, strict=True):
            body.put(name, place, confidence)
        return {"spine1", "spine2", "spine3"}
    if len(inner) == 2:
        body.put("spine1", *inner[0])
        body.put("spine2", *inner[1])
        body.put("spine3", inner[1][0] + _LAST_SPINE_SHARE * (neck - inner[1][0]), np.minimum(inner[1][1], cn))
        return {"spine1", "spine2"}
    if len(inner) == 1:  # along the bent line pelvis - spine - neck
        knot = median(norm(inner[0][0] - pelvis))
        knot /= knot + median(norm(neck - inner[0][0]))
    for name, share in zip(("spine1", "spine2", "spine3"), _SPINE_SHARES, strict=True):
        if not inner:
            body.between(name, "pelvis", "neck", share)
            continue
        place, confidence = inner[0]
        if share <= knot:
            body.put(name, pelvis + share / knot * (place - pelvis), np.minimum(cp, confidence))
        else:
            part = (share - knot) / (1 - knot)
            body.put(name, place + part * (neck - place), np.minimum(confidence, cn))
    return set()


def _coincident(body: _Body, a: str, b: str, near: float) -> bool:
    """Test whether two joints lie in one place where both are seen, to `near` in the source's unit."""
    (pa, ca), (pb, cb) = body.get(a), body.get(b)
    both = np.ones(1, bool) if body.seen and {a, b} <= body.have else (ca > 0) & (cb > 0)
    if both.all():
        return median(norm(pa - pb)) < near
    return not both.any() or median(norm(pa[both] - pb[both])) < near


def _extrapolate_foot(body: _Body, side: str, dimensions: int, partial: bool) -> None:
    """Place a foot at right angles to the shin, in the direction of the hips; in 2D on the ankle, unseen."""
    ankle, confidence = body.get(f"{side}_ankle")
    if dimensions == 2:
        body.put(f"{side}_foot", ankle.copy(), np.zeros_like(confidence))
        return
    knee, _ = body.get(f"{side}_knee")
    shin = ankle - knee
    length = np.linalg.norm(shin, axis=1, keepdims=True)
    down = shin / np.maximum(length, 1e-9)
    lateral = body.get("left_hip")[0] - body.get("right_hip")[0]
    trunk = body.get("neck")[0] - body.get("pelvis")[0]
    forward = np.cross(lateral, trunk)
    forward -= (forward * down).sum(axis=1, keepdims=True) * down
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    place = ankle + length * (0.32 * forward + 0.13 * down)
    body.put(f"{side}_foot", place, np.zeros_like(confidence) if partial else confidence)
