from __future__ import annotations

import numpy as np
import pytest

from vimonet.motion import LEFT_RIGHT, Motion
from vimonet.motion.motion import fill_unseen
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError


def body(frames: int = 5) -> np.ndarray:
    joints = np.repeat(T_POSE[None], frames, axis=0).copy()
    joints[:, :, 1] += 0.95
    joints[:, :, 2] += np.arange(frames)[:, None] * 0.05
    return joints


def test_properties() -> None:
    motion = Motion(body(50), name="walk")
    assert (motion.frames, motion.duration, len(motion)) == (50, 2.5, 50)
    assert motion.joints.dtype == np.float32
    assert motion.seen.all()
    assert "50 frames" in repr(motion)


def test_mirrored_exchanges_sides_and_returns() -> None:
    joints = body()
    joints[:, 20, 1] += 0.4  # the left wrist is up
    confidence = np.ones((5, 22), dtype=np.float32)
    confidence[:, 18] = 0
    motion = Motion(joints, confidence=confidence)
    mirror = motion.mirrored()
    assert mirror.joints[0, 21, 1] == pytest.approx(joints[0, 20, 1])
    assert mirror.joints[0, 21, 0] < 0 < mirror.joints[0, 20, 0]
    assert mirror.confidence is not None
    assert (mirror.confidence[:, 19] == 0).all()
    assert (mirror.confidence[:, 18] == 1).all()
    np.testing.assert_array_equal(mirror.mirrored().joints, motion.joints)
    for left, right in LEFT_RIGHT:
        np.testing.assert_allclose(mirror.joints[:, left], motion.joints[:, right] * [-1, 1, 1])


def test_window_clips_and_refuses_nothing() -> None:
    motion = Motion(body(10))
    np.testing.assert_array_equal(motion.window(-3, 4).joints, motion.joints[:4])
    assert motion.window(8, 99).frames == 2
    with pytest.raises(InputError, match="no frame"):
        motion.window(10, 20)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((5, 21, 3)), r"\[5, 21, 3\]; expected \[frames, 22, 3\]"),
        (np.zeros((0, 22, 3)), "no frames"),
        (np.zeros((22, 3)), "expected"),
        (body() * 100, "unit"),
        (body() / 100, "unit"),
        (np.array([["a"]]), "numbers"),
        ([[1, 2], [3]], "numbers"),
        (np.full((3, 22, 3), 1e300), "not a finite"),
    ],
)
def test_refuses(joints: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Motion(joints, name="x")  # type: ignore[arg-type]


def test_names_the_joint_that_is_not_finite() -> None:
    joints = body()
    joints[3, 18] = np.nan
    with pytest.raises(InputError, match="left elbow is not a finite number in frame 4 of 5"):
        Motion(joints)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("far", [2e4, -1e12, 1e25, 3e38])
def test_no_coordinate_overflows(far: float, dimensions: int) -> None:
    from vimonet.motion.features import NormalisedFeatures

    joints = body(60)
    joints[3, 20, 0] = far
    with pytest.raises(InputError, match=r"left wrist is \S+ km from the origin in frame 4 of 60"):
        Motion(joints, dimensions=dimensions)
    confidence = np.ones((60, 22), dtype=np.float32)
    confidence[3, 20] = 0
    motion = Motion(joints, confidence=confidence, dimensions=dimensions)
    with np.errstate(all="raise"):
        for kind in ("humanml3d", "body"):
            assert np.isfinite(NormalisedFeatures(features=kind).extract(motion)).all()


def test_unseen_joints_become_finite() -> None:
    joints = body(5)
    joints[1:4, 20] = np.nan
    joints[:, 10] = np.inf
    confidence = np.ones((5, 22), dtype=np.float32)
    confidence[1:4, 20] = 0
    confidence[:, 10] = 0
    motion = Motion(joints, confidence=confidence)
    assert np.isfinite(motion.joints).all()
    np.testing.assert_allclose(motion.joints[2, 20], (joints[0, 20] + joints[4, 20]) / 2, atol=1e-6)
    np.testing.assert_array_equal(motion.joints[:, 10], motion.joints[:, 7])


def test_fill_unseen_with_nothing_seen_is_finite() -> None:
    filled = fill_unseen(np.full((3, 22, 3), np.nan, dtype=np.float32), np.zeros((3, 22), dtype=bool))
    assert np.isfinite(filled).all()
