from __future__ import annotations

import numpy as np
import pytest
from tiny import tiny_motion
from transformers import AutoFeatureExtractor

from vimonet.model import MotionFeatureExtractor
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM, body_features
from vimonet.utils.errors import InputError


def test_3d_and_2d_apart_and_padded():
    extractor = MotionFeatureExtractor()
    data = extractor([tiny_motion(30), tiny_motion(17, dimensions=2), tiny_motion(9, seed=1)], return_tensors="pt")
    assert data["motion_values"].shape == (2, 32, BODY_DIM) and data["motion_mask"].sum(1).tolist() == [30, 9]
    assert data["keypoint_values"].shape == (1, 20, KEYPOINT_DIM) and data["keypoint_mask"].sum(1).tolist() == [17]
    assert data["motion_values"][1, 9:].abs().max() == 0


def test_only_what_is_there():
    assert set(MotionFeatureExtractor()(tiny_motion(8))) == {"motion_values", "motion_mask"}


def test_normalised_by_mean_and_std():
    clip = tiny_motion(20)
    raw = body_features(clip.joints, None, 3)
    mean, std = raw.mean(0), raw.std(0) + 1
    got = MotionFeatureExtractor(mean=mean, std=std).extract(clip)
    np.testing.assert_allclose(got, (raw - mean) / std, rtol=1e-5, atol=1e-6)


def test_an_array_is_one_clip_a_list_many():
    extractor, array = MotionFeatureExtractor(), tiny_motion(12).joints
    assert extractor(array)["motion_mask"].shape == (1, 12)
    assert extractor([array, array])["motion_mask"].shape == (2, 12)


@pytest.mark.parametrize("features", ["body", "humanml3d"])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6])
def test_a_very_short_clip_makes_whole_tokens(features, frames):
    extractor = MotionFeatureExtractor(features=features)
    values = extractor.extract(tiny_motion(frames))
    assert len(values) >= 4 and np.isfinite(values).all()
    assert extractor.num_tokens(len(values)) == -(-len(values) // 4)


def test_humanml3d_features_have_263_numbers():
    assert MotionFeatureExtractor(features="humanml3d").extract(tiny_motion(20)).shape == (19, 263)


def test_too_long_is_refused_with_both_lengths():
    with pytest.raises(InputError, match=r"clip: 70 frames .* window of 64"):
        MotionFeatureExtractor(max_frames=64)(tiny_motion(70, name="clip"))


def test_saves_and_loads_bit_equal(tmp_path):
    rng = np.random.default_rng(0)
    mean = rng.normal(size=BODY_DIM).astype(np.float32)
    extractor = MotionFeatureExtractor(mean=mean, std=mean**2 + 1, max_frames=64, queries=5)
    extractor.save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert isinstance(loaded, MotionFeatureExtractor) and loaded.queries == 5 and loaded.max_frames == 64
    np.testing.assert_array_equal(loaded.mean, mean)
    clip = tiny_motion(20)
    np.testing.assert_array_equal(loaded.extract(clip), extractor.extract(clip))


def test_unseen_joints_reach_the_features():
    clip = tiny_motion(20)
    confidence = np.ones((20, 22), np.float32)
    confidence[:, [18, 20]] = 0
    extractor = MotionFeatureExtractor()
    assert not np.array_equal(extractor.extract_joints(clip.joints, confidence), extractor.extract_joints(clip.joints))


def test_unknown_features():
    with pytest.raises(ValueError, match="'body' or 'humanml3d'"):
        MotionFeatureExtractor(features="smpl")


@pytest.mark.parametrize("dimensions", [3, 2])
def test_windows_have_the_features_of_clips_cut_out(dimensions: int):
    motion, extractor = tiny_motion(150, dimensions=dimensions), MotionFeatureExtractor()
    bounds = [(0, 60), (0, 150), (30, 90), (90, 150)]
    for (start, end), values in zip(bounds, extractor.extract_windows(motion, bounds), strict=True):
        np.testing.assert_array_equal(values, extractor.extract(motion.window(start, end)))
