"""What one camera shows of a whole body: whether it leaves its place in the picture, which way, whether it turns over.

For joints tracked in a video, of which no 3D measure exists. A camera that pans moves the joints, and the answers with
them: they are about what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.kinematics.categories import ACROSS, KNEES_ASIDE, NEARER, SEEN_KEYPOINT
from vimonet.motion.kinematics.image_plane import ImagePlane, image_plane
from vimonet.motion.kinematics.preparation import ANKLE, HIP, KNEE, NECK, PELVIS
from vimonet.motion.kinematics.preparation import SIDES as BODY_SIDES
from vimonet.vimos.annotators.kinematic.closed_answers import DIRECTIONS, SIDES, YES_NO, verb_slots
from vimonet.vimos.types import Question


def from_picture(motion: Motion) -> Iterator[Question]:
    """Questions about way and turn that the image plane of a 2D Motion answers; none where the trunk is not seen."""
    plane = image_plane(motion)
    if plane is None:
        return
    evidence = {"across_torsos": round(plane.across, 2), "size_end_to_start": round(plane.nearer, 2)}
    if plane.travels is not None:
        moved = "yes" if plane.travels else "no"
        yield Question("yes_no", "fact_yes_no", moved, verb_slots("move to another place"), YES_NO, evidence)
        way = _way(plane, motion) if plane.travels else "stays in place"
        if way is not None:
            yield Question("displacement", "displacement", way, {}, DIRECTIONS, evidence)
    if plane.turns is not None:
        turned = "yes" if plane.turns else "no"
        yield Question("yes_no", "fact_yes_no", turned, verb_slots("turn"), YES_NO, {})
        if not plane.turns:
            yield Question("turn", "turn", "does not turn", {}, SIDES, {})


def _way(plane: ImagePlane, motion: Motion) -> str | None:
    """Which way, as the body sees it; None where that is not plain."""
    moves = ACROSS.decide(abs(plane.across))
    across = moves and abs(plane.across) > 2 * abs(plane.rise)
    resized = NEARER.decide(max(plane.nearer, 1.0 / max(plane.nearer, 1e-6)))
    if plane.shows in ("front", "back"):
        sign = 1 if plane.shows == "front" else -1
        if across and resized is False:
            return "left" if sign * plane.across > 0 else "right"
        if moves is False and resized:
            return "forward" if sign * (plane.nearer - 1) > 0 else "backward"
    if plane.shows == "side" and across and (ahead := _ahead(motion)):
        return "forward" if ahead * plane.across > 0 else "backward"
    return None


def _ahead(motion: Motion) -> int:
    """Of somebody seen from the side: 1 where knees bend to the picture's right, -1 to its left, 0 if not plain."""
    joints = motion.joints[..., :2]
    torso = max(float(np.median(np.linalg.norm(joints[:, NECK] - joints[:, PELVIS], axis=-1))), 1e-6)
    out = []
    for side in BODY_SIDES:
        hip, knee, ankle = HIP[side], KNEE[side], ANKLE[side]
        seen = slice(None)
        if motion.confidence is not None:
            seen = motion.confidence[:, [hip, knee, ankle]].min(axis=1) > SEEN_KEYPOINT.yes
        out.append((joints[seen, knee, 0] - 0.5 * (joints[seen, hip, 0] + joints[seen, ankle, 0])) / torso)
    bent = np.concatenate(out)
    middle = float(bent.mean()) if len(bent) else 0.0
    return 0 if KNEES_ASIDE.decide(abs(middle)) is False else 1 if middle > 0 else -1
