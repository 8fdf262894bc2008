from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bones import bone_lengths

from vimonet.motion.skeleton import (
    CANONICAL_LENGTHS,
    CANONICAL_OFFSETS,
    JOINT_NAMES,
    LEFT_RIGHT,
    LEG_LENGTH,
    MIRROR,
    PARENTS,
    T_POSE,
    extent,
    floor_height,
    leg_length,
    percentile,
    retarget,
    whole,
)


def moving(frames: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sway = np.cumsum(rng.normal(0, 0.01, (frames, 22, 3)), axis=0)
    joints = T_POSE + sway
    joints[..., 1] += 0.95
    return joints.astype(np.float32)


def test_tree_and_mirror_agree() -> None:
    assert len(JOINT_NAMES) == len(PARENTS) == 22
    assert all(parent < joint for joint, parent in enumerate(PARENTS))
    for left, right in LEFT_RIGHT:
        assert JOINT_NAMES[left].replace("left", "right") == JOINT_NAMES[right]
        assert MIRROR[left] == right
        assert MIRROR[right] == left
        np.testing.assert_allclose(CANONICAL_OFFSETS[left] * [-1, 1, 1], CANONICAL_OFFSETS[right])


def test_retarget_gives_canonical_lengths_and_keeps_limb_directions() -> None:
    source = moving() * 1.3
    result = retarget(source)
    np.testing.assert_allclose(bone_lengths(result), np.broadcast_to(CANONICAL_LENGTHS, (40, 22)), atol=1e-5)
    for joint in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 18, 19, 20, 21):
        parent = PARENTS[joint]
        before, after = source[:, joint] - source[:, parent], result[:, joint] - result[:, parent]
        cosine = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
        assert cosine.min() > 0.9999, JOINT_NAMES[joint]


def test_retarget_twice_changes_nothing_and_batches_equal_singles() -> None:
    batch = np.stack([moving(seed=s) * (1 + 0.1 * s) for s in range(4)])
    once = retarget(batch)
    np.testing.assert_allclose(retarget(once), once, atol=2e-6)
    for one, clip in zip(once, batch, strict=True):
        np.testing.assert_allclose(retarget(clip), one, atol=1e-6)


def test_retarget_forgets_size_and_keeps_path_in_leg_lengths() -> None:
    source = moving()
    source += np.linspace(0, 2, 40)[:, None, None] * np.array([0, 0, 1], dtype=np.float32)
    small, large = retarget(source * 0.6), retarget(source)
    np.testing.assert_allclose(small[:, 0] - small[:1, 0], large[:, 0] - large[:1, 0], atol=1e-4)
    travelled = (large[-1, 0] - large[0, 0]) / LEG_LENGTH
    np.testing.assert_allclose(travelled, (source[-1, 0] - source[0, 0]) / leg_length(source), atol=1e-4)


def test_retarget_puts_the_floor() -> None:
    source = moving() + np.array([0, 3, 0], dtype=np.float32)
    assert floor_height(retarget(source)) == pytest.approx(0, abs=1e-5)
    kept = retarget(source, floor=None)
    assert kept[0, 0, 1] == pytest.approx(source[0, 0, 1] * LEG_LENGTH / leg_length(source), rel=1e-3)


def test_retarget_survives_collapsed_bones() -> None:
    source = moving()
    source[:, 10], source[:, 11] = source[:, 7], source[:, 8]  # feet on the ankles
    source[:, 3] = source[:, 6] = source[:, 0]  # a spine without joints
    source[:, 13] = source[:, 9]
    result = retarget(source)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(bone_lengths(result), np.broadcast_to(CANONICAL_LENGTHS, (40, 22)), atol=1e-5)
    forward = result[:, 10] - result[:, 7]
    assert (forward[:10, 2] > 0.05).all(), "a foot without length points where the hips face"
    assert np.isfinite(retarget(np.zeros((3, 22, 3)))).all()


def test_retarget_of_kinect_removes_high_hips(shared: Path) -> None:
    data = np.load(shared / "labelled" / "utd_mhad.npz")
    entry = json.loads((shared / "labelled" / "index.json").read_text())["utd_mhad"][0]
    joints = data["joints"][entry["start"] : entry["start"] + entry["frames"]] * float(data["scale"])
    result = retarget(joints)
    np.testing.assert_allclose(
        bone_lengths(result)[:, 1:3], np.broadcast_to(CANONICAL_LENGTHS[1:3], (len(joints), 2)), atol=1e-5
    )
    assert abs(np.median(result[:, 0, 1]) - 0.95) < 0.12, "a standing person's pelvis"


def test_fast_reductions_equal_those_of_numpy() -> None:
    joints = moving()
    np.testing.assert_array_equal(extent(joints), np.ptp(joints, axis=1))
    assert extent(joints[:1, :1]).tolist() == [[0.0, 0.0, 0.0]]
    finite = np.random.default_rng(1).random((5, 22, 4)) > 0.3
    for width in (1, 2, 3, 4):
        np.testing.assert_array_equal(whole(finite[..., :width]), finite[..., :width].all(axis=2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_percentiles_are_numpys_to_the_bit(dtype: type) -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 20, 101, 400):
        x = rng.normal(0, 3, length).astype(dtype)
        for percent in (5, 10, 50, 75, 90, 95):
            assert percentile(x, percent) == float(np.percentile(x, percent))
