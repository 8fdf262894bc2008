from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.corpus_labels import action_phrase
from research.vimos_open.sources import load_clips
from vimonet.motion.skeleton import INDEX

_NOSE, _NECK, _PELVIS = INDEX["head"], INDEX["neck"], INDEX["pelvis"]


@pytest.mark.parametrize(
    ("source", "splits"),
    [
        ("jhmdb_2d", {"train": 433, "test": 88}),
        ("ground_guide_2d", {"train": 71, "val": 14, "test": 15}),
        ("sbu_interaction", {"train": 456, "test": 108}),
    ],
)
def test_the_split_of_a_corpus_is_kept(shared: Path, source: str, splits: dict[str, int]) -> None:
    assert Counter(clip.split for clip in load_clips(shared, (source,))) == splits


@pytest.mark.parametrize("source", ["jhmdb_2d", "posetrainer_2d", "ground_guide_2d", "pushfit_2d", "penn_action_2d"])
def test_image_keypoints_stand_upright_with_a_torso_of_half_a_unit(shared: Path, source: str) -> None:
    clips = load_clips(shared, (source,))
    torso = [np.median(np.linalg.norm(c.motion.joints[:, _NECK] - c.motion.joints[:, _PELVIS], axis=1)) for c in clips]
    assert np.median(torso) == pytest.approx(0.5, abs=0.02)
    if source != "pushfit_2d":
        up = [np.median(c.motion.joints[:, _NECK, 1] - c.motion.joints[:, _PELVIS, 1]) for c in clips]
        assert np.mean(np.array(up) > 0) > 0.8, "y points up"


def test_points_are_matched_by_name(shared: Path) -> None:
    """Ground guides face the camera: their left is to the right. Legs and head were not recorded."""
    clip = next(c for c in load_clips(shared, ("ground_guide_2d",)) if c.id == "ground_guide_2d/chris_attention_0")
    joints, seen = clip.motion.joints, clip.motion.seen
    assert np.median(joints[:, INDEX["left_shoulder"], 0] - joints[:, INDEX["right_shoulder"], 0]) > 0.2
    assert not seen[:, [INDEX["left_knee"], INDEX["right_ankle"]]].any()
    assert seen[:, [INDEX["left_wrist"], INDEX["right_elbow"]]].all()
    assert clip.motion.duration == pytest.approx(478 / 30, abs=0.05)


def test_both_people_of_a_scene_stay_in_one_split(shared: Path) -> None:
    clips = load_clips(shared, ("sbu_interaction",))
    assert len({clip.recording for clip in clips}) == len(clips) // 2
    splits: dict[str, set[str]] = {}
    for clip in clips:
        splits.setdefault(clip.recording, set()).add(clip.split)
    assert all(len(found) == 1 for found in splits.values())
    assert not any(clip.side_known for clip in clips), "facing is unsure, and with it left and right"


def test_labels_of_two_people_name_what_the_one_does() -> None:
    assert action_phrase("sbu_interaction", "push another person with both hands") == "push with both hands"
    assert action_phrase("sbu_interaction", "be kicked at by another person") == "get kicked at"
    assert action_phrase("sbu_interaction", "walk away from another person") == "walk"
    assert action_phrase("jhmdb_2d", "catch") == "catch a ball"
    assert action_phrase("jhmdb_2d", "do pull-ups") == action_phrase("penn_action_2d", "pullup")
