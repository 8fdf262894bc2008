"""Views: what is project_items is the same each time, and an assistant that loses sides from behind is found out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_world import FakeAnswer, Observer, make_items

from benchmarks.views import VIEWS, compare_views, project_items, project_view
from vimonet.motion import Motion


def hands() -> list:
    return [item for item in make_items(n=8) if item.form == "raised"]


def test_a_film_is_the_same_for_the_same_view_and_seed() -> None:
    motion = hands()[0].motion.named("a")
    one, again, other = project_view(motion, "side"), project_view(motion, "side"), project_view(motion, "side", seed=1)
    assert one is not None and again is not None and other is not None and one.dimensions == 2
    np.testing.assert_array_equal(one.joints, again.joints)
    assert not np.array_equal(one.joints, other.joints)
    joints = np.zeros((8, 22, 3), np.float32)
    joints[:, :, 2] = np.linspace(-1, 1, 22)  # a body that points at the camera
    assert project_view(Motion(joints), "front") is None


def test_items_about_one_motion_share_a_film() -> None:
    pair = hands()[:1] * 2
    first, second = project_items([pair[0], replace(pair[1], id="b")], "low")
    assert first.motion is second.motion


class Flat(Observer):
    """Sees 3D; of keypoints always says the left hand."""

    def _answer(self, question: str, motion: Motion | None) -> FakeAnswer:
        if motion is not None and motion.dimensions == 2:
            return FakeAnswer("the left hand")
        return super()._answer(question, motion)


def test_an_assistant_blind_to_keypoints_loses_half_and_flips_nothing() -> None:
    items = hands()
    scores = compare_views(Flat(), items, samples=50)
    assert [score.view for score in scores] == list(VIEWS)
    for score in scores:
        assert score.n == len(items) and score.solid == 1.0 and score.flat == 0.5
        assert score.loss == pytest.approx(0.5) and score.flipped == 0.0 and score.sided == len(items)
        assert score.loss_interval.low <= score.loss <= score.loss_interval.high


def test_an_assistant_that_reads_heights_off_keypoints_flips_with_them() -> None:
    front = compare_views(Observer(), hands(), samples=50)[0]
    # Lost wrists and exchanged sides of the made-up detector cost some.
    assert front.view == "front" and front.flat >= 0.75 and front.loss <= 0.25 and front.flipped == 1.0
