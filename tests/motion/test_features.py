from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vimonet.motion.features.humanml3d_features import (
    HUMANML3D_DIM,
    bone_offsets,
    canonicalise,
    humanml3d_features,
    humanml3d_joints,
)
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS
from vimonet.utils.errors import InputError

# Largest difference between float32 and float64 of the reference itself (README of the golden files), and one step of
# float32 at 1.5 m, by which two correct float32 results may still differ.
STEP = 1.2e-7
TOLERANCE = {
    "root": (slice(0, 4), 7e-7),
    "local positions": (slice(4, 67), 2.5e-6 + 2 * STEP),
    "rotations": (slice(67, 193), 1.5e-5),
    "velocities": (slice(193, 259), 3e-6),
    "contacts": (slice(259, 263), 0.0),
}
CLIPS = (
    "cmu_01_02_climb",
    "cmu_02_01_walk",
    "cmu_02_03_run",
    "cmu_02_04_jump",
    "cmu_02_05_punch",
    "cmu_02_06_bend",
    "cmu_02_10_wash",
    "cmu_03_01_uneven",
    "cmu_05_02_pirouette",
    "cmu_05_06_cartwheel",
    "cmu_05_13_jetes",
    "cmu_06_08_sideways",
)


def person(frames: int = 40, seed: int = 0, swing: float = 0.3) -> np.ndarray:
    """A person [T, 22, 3] with swinging bones and a wandering root, made here."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 20
    joints = np.zeros((frames, 22, 3))
    joints[:, 0] = np.cumsum(rng.normal(0, 0.01, (frames, 3)), axis=0) + np.array([1.0, 1.0, -2.0])
    for joint in range(1, 22):
        offset = CANONICAL_OFFSETS[joint].astype(float)
        wave = offset / np.linalg.norm(offset) + swing * np.sin(
            2 * np.pi * (rng.uniform(0.2, 1, 3) * t + rng.random(3))
        )
        wave /= np.linalg.norm(wave, axis=-1, keepdims=True)
        joints[:, joint] = joints[:, PARENTS[joint]] + np.linalg.norm(offset) * wave
    return joints.astype(np.float32)


def turned(joints: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return joints @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def assert_equal_to_reference(ours: np.ndarray, reference: np.ndarray) -> None:
    assert ours.dtype == np.float32 and ours.shape == reference.shape
    for block, (part, tolerance) in TOLERANCE.items():
        error = np.abs(ours[:, part].astype(float) - reference[:, part]).max()
        assert error <= tolerance, f"{block}: {error:.2e} > {tolerance:.1e}"


@pytest.mark.parametrize("clip", CLIPS)
def test_equal_to_the_reference_on_real_motion(shared: Path, clip: str) -> None:
    golden = np.load(shared / "golden" / "hml263.npz", allow_pickle=False)
    joints, target = golden[f"{clip}/joints"], golden["target_offsets"]
    assert_equal_to_reference(humanml3d_features(joints, target), golden[f"{clip}/features"])
    np.testing.assert_allclose(canonicalise(joints, target), golden[f"{clip}/global_positions"], atol=2.8e-6, rtol=0)
    recovered = humanml3d_joints(golden[f"{clip}/features"])
    np.testing.assert_allclose(recovered, golden[f"{clip}/recovered"], atol=3.1e-6, rtol=0)


@pytest.mark.parametrize("case", ["T2", "T4", "yaw90", "yaw180", "lifted", "scaled", "float64_input", "still"])
def test_equal_to_the_reference_on_edge_cases(shared: Path, case: str) -> None:
    golden = np.load(shared / "golden" / "hml263_edge.npz", allow_pickle=False)
    ours = humanml3d_features(golden[f"{case}/joints"], golden["target_offsets"])
    assert_equal_to_reference(ours, golden[f"{case}/features"])


@pytest.mark.parametrize("case", ["T3", "antiparallel"])
def test_where_the_reference_gives_nan_we_give_numbers(shared: Path, case: str) -> None:
    golden = np.load(shared / "golden" / "hml263_edge.npz", allow_pickle=False)
    reference = golden[f"{case}/features"]
    assert np.isnan(reference).any()
    ours = humanml3d_features(golden[f"{case}/joints"], golden["target_offsets"])
    assert_a_motion(ours)


def test_equal_to_the_sample_of_the_data_set(shared: Path) -> None:
    golden = np.load(shared / "golden" / "hml263_repo_sample_012314.npz", allow_pickle=False)
    ours = humanml3d_features(golden["joints"], golden["target_offsets"])
    # One clip more than the tolerances were taken from, and larger: local positions reach 2.6e-6, velocities 3.9e-6.
    np.testing.assert_allclose(ours[:, :259], golden["features"][:, :259], atol=1.5e-5, rtol=0)
    np.testing.assert_array_equal(ours[:, 259:], golden["features"][:, 259:])
    np.testing.assert_allclose(humanml3d_joints(golden["shipped_features"]), golden["joints"], atol=3.1e-6, rtol=0)


def test_shipped_features_of_the_data_set(shared: Path) -> None:
    joints, vectors, target = (
        np.load(shared / "reference" / name, allow_pickle=False)
        for name in ("new_joints_012314.npy", "new_joint_vecs_012314.npy", "tgt_offsets_from_000021.npy")
    )
    ours = humanml3d_features(joints, target)
    error = np.abs(ours - vectors[: len(ours)])
    # What the reference itself differs by, because the published clip lacks its last frame.
    limits = [(slice(0, 4), 3.1e-4), (slice(4, 67), 6.9e-3), (slice(67, 193), 1.33e-2), (slice(193, 259), 4.2e-4)]
    assert all(error[:, part].max() <= limit for part, limit in limits)
    assert error[:, 259:].max() == 0
    assert error[:80, :259].max() <= 1e-5


def test_target_offsets_come_from_a_pose(shared: Path) -> None:
    golden = np.load(shared / "golden" / "hml263.npz", allow_pickle=False)
    np.testing.assert_allclose(bone_offsets(golden["target_joints_frame0"]), golden["target_offsets"], atol=1e-7)


@given(st.integers(2, 60), st.integers(0, 10_000), st.floats(0, 1.5), st.floats(0, 360))
@settings(max_examples=30, deadline=None)
def test_there_and_back(frames: int, seed: int, swing: float, degrees: float) -> None:
    joints = turned(person(frames, seed, swing), degrees)
    features = humanml3d_features(joints)
    assert_a_motion(features)
    placed = canonicalise(joints)[:-1]
    back = humanml3d_joints(features)
    # Pose and height come back exactly; the path does unless the yaw velocity wraps, or changes its sign for a frame in
    # which the quaternion of the facing does (peculiarities of the format).
    np.testing.assert_allclose(back[..., 1], placed[..., 1], atol=1e-5)
    np.testing.assert_allclose(bone_lengths(back), bone_lengths(placed), atol=1e-5)
    if np.abs(features[:, 0]).max() < 0.3 and len(set(np.sign(features[:, 0]))) == 1:
        np.testing.assert_allclose(back, placed, atol=1e-4)


def test_batches_equal_single_clips_and_keep_their_shape() -> None:
    clips = np.stack([person(seed=i) for i in range(42)]).reshape(6, 7, 40, 22, 3)
    together = humanml3d_features(clips)
    assert together.shape == (6, 7, 39, HUMANML3D_DIM)
    for i in range(6):
        for j in range(7):
            np.testing.assert_allclose(together[i, j], humanml3d_features(clips[i, j]), atol=1e-6)
    np.testing.assert_array_equal(humanml3d_joints(together)[2, 3], humanml3d_joints(together[2, 3]))
    np.testing.assert_allclose(canonicalise(clips)[5, 6], canonicalise(clips[5, 6]), atol=1e-6)


def test_input_is_left_alone() -> None:
    joints = person()
    before = joints.copy()
    humanml3d_features(joints, CANONICAL_OFFSETS)
    canonicalise(joints)
    np.testing.assert_array_equal(joints, before)


@given(st.floats(0, 360), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.0, 3.0))
@settings(max_examples=20, deadline=None)
def test_place_and_initial_facing_do_not_matter(degrees: float, x: float, z: float, height: float) -> None:
    joints = person().astype(np.float64)
    moved = turned(joints, degrees) + np.array([x, height, z])
    np.testing.assert_allclose(humanml3d_features(moved)[:, :259], humanml3d_features(joints)[:, :259], atol=5e-3)


def test_canonical_frame() -> None:
    placed = canonicalise(turned(person(), 137.0))
    assert placed[..., 1].min() == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(placed[0, 0, [0, 2]], 0.0, atol=1e-6)
    across = placed[0, 1] - placed[0, 2] + placed[0, 16] - placed[0, 17]  # to the body's left
    assert across[0] > 0 and across[2] == pytest.approx(0.0, abs=1e-5)


def test_retargeting_keeps_directions_and_takes_lengths() -> None:
    joints = person()
    target = bone_offsets(joints[0]) * 1.3
    placed = canonicalise(joints, target)
    np.testing.assert_allclose(
        bone_lengths(placed), np.broadcast_to(np.linalg.norm(target[1:], axis=-1), (40, 21)), atol=1e-6
    )
    np.testing.assert_allclose(placed, canonicalise(joints * 1.3), atol=1e-5)


@pytest.mark.parametrize("frames", [2, 3, 30])
def test_facing_exactly_backwards_gives_numbers(frames: int) -> None:
    joints = person(frames, swing=0.0)
    joints[:, 0] = [0, 1, 0]
    joints[1:] = joints[:1]
    joints = np.round(joints * 2000) / 2000  # as int16 positions are stored: the facing is -z to the last bit
    backwards = joints * [-1, 1, -1]
    assert_a_motion(humanml3d_features(backwards))
    assert_a_motion(humanml3d_features(backwards, canonical=False))
    np.testing.assert_allclose(canonicalise(backwards), canonicalise(joints), atol=1e-6)


def test_bones_opposed_to_their_rest_axis_give_rotations() -> None:
    joints = np.zeros((4, 22, 3))
    offsets = bone_offsets(person()[0])
    for joint in range(1, 22):
        joints[:, joint] = joints[:, PARENTS[joint]] - offsets[joint]
    assert_a_motion(humanml3d_features(joints, canonical=False))
    joints[:, 13] = joints[:, 9]  # and a bone of no length
    assert_a_motion(humanml3d_features(joints))


@pytest.mark.parametrize("degenerate", [np.zeros((5, 22, 3)), np.tile(np.arange(22.0)[:, None] * [0, 1, 0], (5, 1, 1))])
def test_degenerate_poses_give_numbers(degenerate: np.ndarray) -> None:
    for target in (None, CANONICAL_OFFSETS):
        assert np.isfinite(humanml3d_features(degenerate, target)).all()
        assert np.isfinite(canonicalise(degenerate, target)).all()


def test_long_recordings_are_smoothed_alike() -> None:
    joints = person(1100)
    # Beyond 1,024 frames another filter is used; the middle of a clip does not see where it ends.
    long, short = humanml3d_features(joints), humanml3d_features(joints[:1000])
    np.testing.assert_allclose(long[:800, 67:193], short[:800, 67:193], atol=1e-4)
    np.testing.assert_allclose(long[:800, 0], short[:800, 0], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 22, 3), (10, 21, 3), (22, 3), (5, 22, 2)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"joints|frames"):
        humanml3d_features(np.zeros(shape))


def test_wrong_features_and_offsets_are_refused() -> None:
    with pytest.raises(InputError, match="263"):
        humanml3d_joints(np.zeros((10, 262)))
    with pytest.raises(InputError, match=r"\[22, 3\]"):
        humanml3d_features(person(), np.zeros((21, 3)))


def assert_a_motion(features: np.ndarray) -> None:
    """Finite, and every 6D rotation two perpendicular unit vectors."""
    assert np.isfinite(features).all()
    columns = features[:, 67:193].reshape(-1, 2, 3).astype(np.float64)
    np.testing.assert_allclose(
        columns @ columns.transpose(0, 2, 1), np.broadcast_to(np.eye(2), (len(columns), 2, 2)), atol=1e-4
    )


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[..., 1:, :] - joints[..., PARENTS[1:], :], axis=-1)
