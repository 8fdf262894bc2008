"""Define `Motion`, the common representation of movement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vimonet.motion.skeleton import JOINT_NAMES, MIRROR
from vimonet.utils.errors import InputError

FPS = 20.0
"""Frames per second of every loaded motion (the rate of HumanML3D)."""

# Diagonal of a body's bounding box, m: from a curled-up toddler to a giant with a raised arm.
_PLAUSIBLE_SIZE = (0.25, 4.5)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Hold one moving body on the 22-joint skeleton.

    Attributes:
        joints: float32 [T, 22, 3], metres, Y up, right-handed; +X is the body's left when it faces +Z.
        fps: frames per second; always 20 after loading.
        name: name of the recording (the file's stem).
        source: format of the source (``bvh``, ``asf/amc``, ``amass``, ``humanml3d``, ``joints``, ``coco17`` ...).
        source_fps: frames per second of the source.
        confidence: float32 [T, 22] in 0..1, 0 for a joint that was not seen; None when every joint was seen.
        dimensions: 3, or 2 for keypoints of an image: then z = 0, y is up and the median visible torso
            (pelvis to neck) measures 0.5.
        notes: findings and changes of loading, one phrase each (a dropped T-pose frame, interpolated joints ...).
        details: facts about the source for `recording_info` (skeleton family, unit, up axis, frame count ...).

    Raises:
        InputError: wrong shape, no frame, a value that is not finite at a seen joint, or a body of an impossible size.
    """

    joints: NDArray[np.float32]
    fps: float = FPS
    name: str = "motion"
    source: str = "array"
    source_fps: float = FPS
    confidence: NDArray[np.float32] | None = None
    dimensions: int = 3
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the arrays, and give unseen joints a finite position."""
        joints = np.ascontiguousarray(_as_float32(self.joints, self.name, "joints"))
        if joints.ndim != 3 or joints.shape[1:] != (len(JOINT_NAMES), 3):
            raise InputError(f"{self.name}: joints have shape {list(joints.shape)}; expected [frames, 22, 3].")
        if joints.shape[0] == 0:
            raise InputError(f"{self.name}: the recording has no frames; at least one is needed.")
        if self.dimensions not in (2, 3):
            raise InputError(f"{self.name}: dimensions is {self.dimensions}; expected 2 or 3.")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{self.name}: fps is {self.fps}; expected a positive number of frames per second.")
        confidence = self.confidence
        if confidence is not None:
            confidence = np.ascontiguousarray(_as_float32(confidence, self.name, "confidence"))
            if confidence.shape != joints.shape[:2]:
                raise InputError(
                    f"{self.name}: confidence has shape {list(confidence.shape)}; expected {list(joints.shape[:2])}, "
                    "one value per frame and joint."
                )
            confidence = np.clip(np.nan_to_num(confidence, nan=0.0), 0.0, 1.0)
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(joints).all(axis=2))
        seen = np.ones_like(finite) if confidence is None else confidence > 0
        if not finite[seen].all():
            frame, joint = np.argwhere(seen & ~finite)[0]
            raise InputError(
                f"{self.name}: the {JOINT_NAMES[joint].replace('_', ' ')} is not a finite number in frame {frame + 1} "
                f"of {joints.shape[0]}; every seen joint needs three finite coordinates."
            )
        if not finite.all():
            joints = fill_unseen(joints, finite)
        _check_size(joints, seen, self.name)
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "confidence", confidence)

    def __len__(self) -> int:
        return self.frames

    def __repr__(self) -> str:
        return f"Motion({self.name!r}, {self.frames} frames, {self.duration:.2f} s, {self.dimensions}D, {self.source})"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.joints.shape[0])

    @property
    def duration(self) -> float:
        """Length in seconds: frames / fps."""
        return self.frames / self.fps

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool [T, 22]: where the joint was seen."""
        if self.confidence is None:
            return np.ones(self.joints.shape[:2], dtype=bool)
        return self.confidence > 0

    def window(self, start: int, end: int) -> Motion:
        """Cut out frames ``start`` to ``end`` (exclusive) as a motion; bounds are clipped to the recording.

        Raises:
            InputError: the window holds no frame.
        """
        start, end = max(0, int(start)), min(self.frames, int(end))
        if end <= start:
            raise InputError(f"{self.name}: the window {start}..{end} holds no frame of {self.frames}.")
        confidence = None if self.confidence is None else self.confidence[start:end]
        return replace(self, joints=self.joints[start:end], confidence=confidence)

    def mirrored(self) -> Motion:
        """Mirror the movement: x negated, left and right joints exchanged."""
        joints = self.joints[:, MIRROR] * np.array([-1, 1, 1], dtype=np.float32)
        confidence = None if self.confidence is None else self.confidence[:, MIRROR]
        return replace(self, joints=joints, confidence=confidence)

    def named(self, name: str) -> Motion:
        """Return the same movement under another name."""
        return replace(self, name=name)


def fill_unseen(joints: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give unseen joints a plausible, finite place.

    In time, an unseen stretch is interpolated linearly between the frames that were seen and held at the ends. A
    joint never seen takes the place of its parent (the pelvis: of the mean of what was seen, else the origin).

    Args:
        joints: [T, 22, 3]; values where ``seen`` is False are ignored.
        seen: bool [T, 22].

    Returns:
        float32 [T, 22, 3], finite wherever a seen value was finite.
    """
    from vimonet.motion.skeleton import PARENTS

    filled = np.array(joints, dtype=np.float32)
    time = np.arange(filled.shape[0])
    for joint in np.flatnonzero(~seen.all(axis=0)):
        where = seen[:, joint]
        if where.any():
            for axis in range(3):
                filled[:, joint, axis] = np.interp(time, time[where], filled[where, joint, axis])
        elif joint == 0:
            hips = [j for j in (1, 2) if seen[:, j].any()]
            others = hips or [j for j in range(1, filled.shape[1]) if seen[:, j].any()]
            if not others:
                filled[:, 0] = 0.0
            else:
                values = np.where(seen[:, others, None], filled[:, others], 0.0).sum(axis=(0, 1))
                filled[:, 0] = values / max(1, int(seen[:, others].sum()))
        else:
            filled[:, joint] = filled[:, PARENTS[joint]]
    return filled


def _as_float32(array: ArrayLike, name: str, what: str) -> NDArray[np.float32]:
    try:
        values = np.asarray(array)
        if values.dtype == object or values.dtype.kind in "USOVcmM":
            raise TypeError
        with np.errstate(over="ignore"):  # a value beyond float32 becomes inf, which the finite check then names
            return values.astype(np.float32, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name}: {what} are not an array of numbers; expected a regular numeric array.") from None


def _check_size(joints: NDArray[np.float32], seen: NDArray[np.bool_], name: str) -> None:
    """Refuse coordinates that cannot be metres, which a wrong unit would cause silently."""
    whole = seen.sum(axis=1) >= 6
    if not whole.any():
        return
    values, mask = joints[whole], seen[whole][:, :, None]
    spread = np.where(mask, values, -np.inf).max(axis=1) - np.where(mask, values, np.inf).min(axis=1)
    size = float(np.median(np.linalg.norm(spread.astype(np.float64), axis=1)))
    if not _PLAUSIBLE_SIZE[0] <= size <= _PLAUSIBLE_SIZE[1]:
        raise InputError(
            f"{name}: the body measures {size:.3g} m across, which no body does; give coordinates in metres, "
            "or load with unit= ('m', 'cm', 'mm', 'inch' or metres per unit)."
        )
