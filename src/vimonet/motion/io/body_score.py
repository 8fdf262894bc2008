"""Choose the layout of points that come without names by what a body obeys.

The number of points alone tells little: 17 are COCO's or Human3.6M's, 22 SMPL's or LAFAN1's, 24 SMPL's in its own order
or MuJoCo's, 25 OpenPose's or Kinect's. In the right layout bones keep their length, left and right are alike, the
proportions are a person's, and the head lies opposite to the feet, seen from the pelvis.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.limits import NO_BODY
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.motion.skeleton import INDEX, T_POSE, extent, median, norm, percentile
from vimonet.utils.errors import InputError

_COMMONEST = "coco17 body25 mediapipe33 penn13 coco18 humanml3d22 smpl24 zed34 zed38 smplh52 smplx55"
COMMONEST: Final[dict[int, str]] = {len(LAYOUTS[layout]): layout for layout in _COMMONEST.split()}
"""Layout that is meant by a number of points unless the body says otherwise."""

_FRAMES: Final = 60  # looked at, evenly over the clip
_SEEN_MEASURES: Final = 7  # of the measured lengths: a body seen in part decides nothing
# On 340 clips of ten collections right layouts cost .01 to .32 (Kinect's noisiest the most), wrong ones .19 to .76, and
# at least .14 more than the right one of the same clip.
_FITS: Final = 0.27
_STILL_FITS: Final = 0.40  # the commonest layout of its count, where nothing fits better
_MARGIN: Final = 0.08
_ALONE: Final = (33, 34, 38)  # numbers of points that one program writes, always in one order
_FULL: Final = {"variation": 0.3, "flat variation": 1.0, "asymmetry": 0.5, "proportions": 1.0}
"""Values that cost 1: spread (p90 - p10) / (p90 + p10) of lengths, log ratios of left to right, and to an adult."""
_BONES: Final = (
    *(("left_hip", "left_knee"), ("right_hip", "right_knee"), ("left_knee", "left_ankle")),
    *(("right_knee", "right_ankle"),),
    *(("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist")),
    *(("right_elbow", "right_wrist"), ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")),
    *(("pelvis", "neck"), ("neck", "head"), ("left_hip", "pelvis"), ("pelvis", "right_hip")),
    *(("left_shoulder", "neck"), ("neck", "right_shoulder"), ("pelvis", "spine1"), ("spine1", "neck")),
    *(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear")),
)
_MEASURES: Final = (*((index,) for index in range(12)), *((12, 13), (14, 15), (16, 17), (18,), (19,), (20,), (21,)))
"""Bones whose lengths are added: of a point between two others the way by it, since its share of it varies."""
_BY_WAY: Final = [index for index, measure in enumerate(_MEASURES) if len(measure) == 2]
_PAIRS: Final = ((0, 1), (2, 3), (4, 5), (6, 7))
_POINTS: Final = tuple(dict.fromkeys(point for bone in _BONES for point in bone))
_ENDS: Final = np.array([[_POINTS.index(a), _POINTS.index(b)] for a, b in _BONES])


def _adult(a: str, b: str) -> float:
    if a in INDEX and b in INDEX:
        return float(np.linalg.norm(T_POSE[INDEX[a]] - T_POSE[INDEX[b]]))
    return 0.05 if a == "nose" else 0.10


_LENGTHS: Final = np.array([sum(_adult(*_BONES[bone]) for bone in measure) for measure in _MEASURES])


class Fit(NamedTuple):
    """Hold how badly points fit a layout: 0 for a perfect body, 1 for none.

    Attributes:
        layout: key of ``LAYOUTS``.
        cost: mean of the four costs below.
        variation: change of bone lengths over time.
        asymmetry: left against right limbs.
        proportions: lengths of the bones against each other.
        folded: share of frames in which head and feet lie on the same side of the pelvis.
    """

    layout: str
    cost: float
    variation: float
    asymmetry: float
    proportions: float
    folded: float

    @property
    def fits(self) -> bool:
        """Whether the points form a body."""
        return self.cost <= _FITS

    @property
    def still_fits(self) -> bool:
        """Whether they may form one, if nothing fits better."""
        return self.cost <= _STILL_FITS


@lru_cache
def _columns(layout: str) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """List the two columns of a layout (or one twice) whose mean is each of the body's points, and what is missing."""
    found = map_joints(LAYOUTS[layout])
    instead = {
        "pelvis": ("left_hip", "right_hip"),
        "neck": ("left_shoulder", "right_shoulder"),
        "head": ("left_ear", "right_ear") if "left_ear" in found else ("nose",),
    }
    columns = []
    for point in _POINTS:
        parts = (point,) if point in found else instead.get(point, ())
        columns.append([found[part] for part in parts if part in found])
    first, second = (np.array([parts[end] if parts else 0 for parts in columns]) for end in (0, -1))
    return first, second, np.array([not parts for parts in columns])


@lru_cache
def candidates(count: int) -> tuple[str, ...]:
    """List the layouts of a number of points, the commonest first."""
    found = [layout for layout, names in LAYOUTS.items() if len(names) == count]
    return tuple(sorted(found, key=lambda layout: layout != COMMONEST.get(count)))


def looked_at(frames: int) -> slice:
    """Choose the frames of a recording that tell its layout, evenly over it."""
    return slice(None, None, max(1, -(-frames // _FRAMES)))


def choose_layout(
    points: NDArray[np.float64], seen: NDArray[np.bool_], name: str, *, flat: bool = False
) -> tuple[str, str | None]:
    """Choose the layout of points without names.

    Args:
        points: [T, J, 3]; J is the length of at least one layout. Only `looked_at` frames are read.
        seen: [T, J].
        name: for messages.
        flat: points of a picture.

    Returns:
        A key of ``LAYOUTS``, and a note on the choice where there was one.

    Raises:
        InputError: no layout fits clearly better than the others.
    """
    some = candidates(points.shape[1])
    commonest = some[0]
    alone = len(some) == 1 and points.shape[1] in COMMONEST
    if alone and (flat or points.shape[1] in _ALONE):
        return commonest, None
    chosen = looked_at(len(points))
    values, known = points[chosen], seen[chosen]
    values = np.where(known[..., None], values, 0.0)
    size = extent(values).max(axis=1)
    lost = (values == 0).all(axis=2).mean(axis=1) > 0.5  # of padding, the pelvis alone may be kept
    known = known & ((size > NO_BODY * percentile(size, 90)) & ~lost)[:, None]
    fits = sorted((one for one in (fit(values, known, layout, flat=flat) for layout in some) if one), key=_cost)
    if len(fits) < len(some) and (len(some) == 1 or points.shape[1] in COMMONEST):
        return commonest, None
    if len(fits) < len(some):
        raise InputError(
            f"{name}: too little of the body is seen to tell the order of {points.shape[1]} points without names; give "
            f"the layout with --format {' or '.join(some)}, or the joints' names."
        )
    best, second = fits[0], fits[1] if len(fits) > 1 else None
    clear = second is None or second.cost - best.cost >= _MARGIN
    if best.layout == COMMONEST.get(points.shape[1]):  # bodies in a picture may be seen from any side
        taken = flat or (clear and best.still_fits)
    else:
        taken = clear and best.fits
    if taken and alone and best.fits:
        return commonest, None
    if taken:
        runner_up = f"; {second.layout} at {second.cost:.2f}" if second else ""
        badly = "" if flat or best.fits else " badly"
        return best.layout, f"layout {best.layout} by the shape of the body: fits{badly} at {best.cost:.2f}{runner_up}"
    listed = ", ".join(f"{one.layout} {one.cost:.2f}" for one in fits)
    raise InputError(
        f"{name}: {points.shape[1]} points without names form no body in any known layout, or in several "
        f"({listed}; 0 is a perfect body, 1 is none); give the layout with --format {' or '.join(some)}, "
        "or the joints' names."
    )


def _cost(one: Fit) -> float:
    return one.cost


def fit(points: NDArray[np.float64], seen: NDArray[np.bool_], layout: str, *, flat: bool = False) -> Fit | None:
    """Measure how badly points fit a layout; None where too little of the body is seen.

    Args:
        points: [T, J, 3], finite.
        seen: [T, J].
        layout: key of ``LAYOUTS``.
        flat: points of a picture, whose bones shorten as they turn.
    """
    first, second, missing = _columns(layout)
    body = (points[:, first].astype(np.float64) + points[:, second]) / 2
    known = seen[:, first] & seen[:, second]
    body[:, missing], known[:, missing] = 0.0, False
    steps = norm(body[:, _ENDS[:, 0]] - body[:, _ENDS[:, 1]])
    steps[~(known[:, _ENDS[:, 0]] & known[:, _ENDS[:, 1]])] = np.nan
    bones = steps[:, [measure[0] for measure in _MEASURES]]
    bones[:, _BY_WAY] += steps[:, [_MEASURES[index][1] for index in _BY_WAY]]
    ordered, count = np.sort(bones, axis=0), np.isfinite(bones).sum(axis=0)  # unseen ones last
    enough = count >= max(1, 0.05 * len(bones))
    if enough.sum() < _SEEN_MEASURES:
        return None
    low, middle, high = (
        ordered[np.maximum(share * (count - 1), 0).astype(int), np.arange(len(count))] for share in (0.1, 0.5, 0.9)
    )
    spread = (high - low) / np.maximum(high + low, 1e-12)
    variation = np.minimum(1, spread[enough] / _FULL["flat variation" if flat else "variation"]).mean()
    ratio = np.log(np.maximum(high if flat else middle, 1e-9) / _LENGTHS)
    sides = [abs(ratio[a] - ratio[b]) / _FULL["asymmetry"] for a, b in _PAIRS if enough[a] and enough[b]]
    asymmetry = np.minimum(1, sides).mean() if sides else 0.5
    off = np.abs(ratio - median(ratio[enough]))[enough] / _FULL["proportions"]
    costs = (float(variation), float(asymmetry), float(np.minimum(1, off).mean()), _folded(body, known))
    return Fit(layout, float(np.mean(costs)), *costs)


def _folded(body: NDArray[np.float64], known: NDArray[np.bool_]) -> float:
    """Measure how far heads and feet lie on one side of the pelvis: 0 opposite (beyond 120 degrees), 1 within 60."""
    head, pelvis, left, right = (_POINTS.index(point) for point in ("head", "pelvis", "left_ankle", "right_ankle"))
    use = known[:, [head, pelvis, left, right]].all(axis=1)
    if not use.any():
        return 0.5
    up = (body[:, head] - body[:, pelvis])[use]
    down = ((body[:, left] + body[:, right]) / 2 - body[:, pelvis])[use]
    length = norm(up) * norm(down)
    cosine = (up * down).sum(axis=1) / np.maximum(length, 1e-12)
    return float(np.clip(cosine + 0.5, 0, 1).mean())
