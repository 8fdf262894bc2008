from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_world import LEFT, RIGHT, body

from vimonet.bench.controls import freeze, reverse, under_condition
from vimonet.language import has_side, mirror_text
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("the left hand", "the right hand"),
        ("Left, then RIGHT", "Right, then LEFT"),
        ("turns clockwise", "turns counterclockwise"),
        ("counterclockwise", "clockwise"),
        ("anti-clockwise", "clockwise"),
        ("stands upright, brightly", "stands upright, brightly"),
        ("leftwards", "rightwards"),
    ],
)
def test_mirror_text(text: str, mirrored: str) -> None:
    assert mirror_text(text) == mirrored


def test_a_text_naming_both_sides_does_not_depend_on_the_mirror() -> None:
    assert has_side("the left arm") and has_side("left, then left, then right")
    assert not has_side("left and right equally") and not has_side("upright") and not has_side("")


def test_mirrored_asks_only_what_has_a_side(items: list[Item]) -> None:
    asked = under_condition("mirrored", items)
    assert {q.item.kind for q in asked} == {"raised"} and len(asked) == 12
    rise = np.ptp(asked[0].motion.joints[:, :, 1], axis=0)  # item 0 raises the left
    assert rise[RIGHT] > 0.3 > rise[LEFT]
    assert asked[0].question == "Which hand is raised?"


def test_mirrored_turns_the_side_a_question_names(items: list[Item]) -> None:
    one = replace(items[0], question="With the left hand up, which side does it wave?")
    both = replace(items[0], question="Is it the left or the right hand?")
    assert "right hand up" in under_condition("mirrored", [one])[0].question
    assert under_condition("mirrored", [both])[0].question == both.question


def test_blind_has_no_movement(items: list[Item]) -> None:
    assert all(q.motion is None for q in under_condition("blind", items))


def test_shuffled_takes_another_recording_and_is_repeatable(items: list[Item]) -> None:
    asked = under_condition("shuffled", items, seed=3)
    owner = {id(item.motion): item.recording for item in items}
    assert len(asked) == len(items)
    assert all(owner[id(q.motion)] != q.item.recording for q in asked)
    assert [id(q.motion) for q in asked] == [id(q.motion) for q in under_condition("shuffled", items, seed=3)]
    assert [id(q.motion) for q in asked] != [id(q.motion) for q in under_condition("shuffled", items, seed=4)]


def test_shuffled_never_mixes_2d_and_3d(items: list[Item]) -> None:
    flat = [replace(item, id=f"2d/{item.id}", motion=replace(item.motion, dimensions=2)) for item in items[:3]]
    asked = under_condition("shuffled", [*items, *flat])
    assert all(q.motion.dimensions == q.item.motion.dimensions for q in asked)
    assert len(asked) == len(items)  # the three share one recording: nothing to exchange them for


def test_frozen_and_reversed() -> None:
    motion = replace(body("left", walks=True), confidence=np.linspace(0, 1, 24 * 22, dtype=np.float32).reshape(24, 22))
    still, back = freeze(motion), reverse(motion)
    assert still.frames == motion.frames and np.ptp(still.joints, axis=0).max() == 0
    np.testing.assert_array_equal(still.joints[0], motion.joints[0])
    np.testing.assert_array_equal(still.confidence[5], motion.confidence[0])
    np.testing.assert_array_equal(back.joints, motion.joints[::-1])
    np.testing.assert_array_equal(back.confidence, motion.confidence[::-1])


def test_unknown_control(items: list[Item]) -> None:
    with pytest.raises(InputError, match=r"'deaf' is unknown.*blind"):
        under_condition("deaf", items)
