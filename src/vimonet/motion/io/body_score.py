"""Choose the layout of points that come without names by what a body obeys.

The number of points alone tells little: 17 are COCO's or Human3.6M's, 22 SMPL's or LAFAN1's, 24 SMPL's in its own order
or MuJoCo's, 25 OpenPose's or Kinect's. In the right layout bones keep their length, left and right are alike, the
proportions are a person's, and the head lies opposite to the feet, seen from the pelvis. Of left-handed coordinates,
toes, knees and forearms point to the back.
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
_KNEES_BENT: Final = 0.15  # m from the line between hip and ankle, both knees: Kinect's straight ones bend back by less
_FOREARMS_LEVEL: Final = 0.2  # m over the ground that both forearms together reach at least
_UPRIGHT: Final = 0.85  # of the trunk's length: sensors lose the knees and hands of people who bend
_FRONT_SHARE: Final = (0.1, 0.3)  # least share of frames that tell the front; where forearms decide alone
_BACK: Final = (-0.5, -0.3, -0.8)  # most cosine to the front of knees that point back; of forearms, too; of these alone
_SWAPPED: Final = 0.2  # least share of the frames that tell the front, to the front and to the back alike
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


def detect_mirroring(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, *, toes: bool
) -> tuple[bool, str | None]:
    """Detect left-handed coordinates: bodies whose toes, or knees and forearms, point to the back.

    Args:
        joints: [T, 22, 3], Y up, metres.
        confidence: [T, 22] in 0..1, or None.
        toes: whether toes are measured, which then decide; else knees and forearms do (knees of depth sensors bend
            either way).

    Returns:
        Whether the named left and right are exchanged, and a note where this is uncertain.
    """
    values = joints.astype(np.float64)
    seen = np.ones(values.shape[:2], dtype=bool) if confidence is None else confidence > 0
    seen = seen & np.asarray(seen[:, [1, 2, 16, 17]].all(axis=1))[:, None]
    least, alone = (max(1.0, share * len(values)) for share in _FRONT_SHARE)
    if toes:
        ahead = values[:, 10] - values[:, 7] + values[:, 11] - values[:, 8]
        raised = values[:, 12, 1] - values[:, 0, 1] > 0.2
        front = _to_front(values, ahead, 0.1, raised & seen[:, [7, 8, 10, 11]].all(axis=1))
        return len(front) >= least and float(front.mean()) < _BACK[0], None
    trunk = values[:, 12] - values[:, 0]
    upright = trunk[:, 1] > _UPRIGHT * norm(trunk)
    bend = _bend(values[:, 1], values[:, 4], values[:, 7]) + _bend(values[:, 2], values[:, 5], values[:, 8])
    knees = _to_front(values, bend, _KNEES_BENT, upright & seen[:, [4, 5, 7, 8]].all(axis=1))
    reach = values[:, 20] - values[:, 18] + values[:, 21] - values[:, 19]
    hang = (values[:, [20, 21], 1] < values[:, [12], 1]).all(axis=1)
    arms = _to_front(values, reach, _FOREARMS_LEVEL, upright & hang & seen[:, [18, 19, 20, 21]].all(axis=1))
    by_arms = float(arms.mean()) if len(arms) >= least else None
    if len(knees) < least:
        back = len(arms) >= alone and by_arms is not None and by_arms < _BACK[2]
        return back, None if back else _swapped(arms, alone)
    back = float(knees.mean()) < _BACK[0]
    if back and by_arms is not None and by_arms >= _BACK[1]:
        return False, (
            "left and right are uncertain: knees bend to the back and forearms point to the front of what is named so; "
            "kept as named"
        )
    return back, None if back else _swapped(np.concatenate([knees, arms]), alone)


def _to_front(
    values: NDArray[np.float64], ahead: NDArray[np.float64], clear: float, use: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Measure cosines [F], over the ground, of a vector [T, 3] to the front that the named left and right make.

    The F frames are those of ``use`` [T] in which the vector is longer than ``clear`` m over the ground.
    """
    left = (values[:, 1] - values[:, 2]) + (values[:, 16] - values[:, 17])
    reach = norm(ahead[:, [0, 2]])
    length = reach * norm(left[:, [0, 2]])
    use = use & (reach > clear) & (length > 1e-6)
    return np.asarray((ahead[use, 2] * left[use, 0] - ahead[use, 0] * left[use, 2]) / length[use])


def _swapped(front: NDArray[np.float64], least: float) -> str | None:
    """Note sides that change places, by cosines [F] to the front: depth sensors swap them of people who turn away."""
    back = float((front < _BACK[0]).mean()) if len(front) >= least else 0.0
    if back <= _SWAPPED or float((front > -_BACK[0]).mean()) <= _SWAPPED:
        return None
    return (
        f"left and right change places: in {100 * back:.0f} % of the frames that show it, knees and forearms point to "
        "the back of what is named so, as depth sensors see people who turn away; kept as named"
    )


def _bend(hip: NDArray[np.float64], knee: NDArray[np.float64], ankle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far a knee is from the line between hip and ankle, [T, 3], m."""
    line = ankle - hip
    share = ((knee - hip) * line).sum(axis=1) / np.maximum((line**2).sum(axis=1), 1e-9)
    return np.asarray(knee - hip - share[:, None] * line)
