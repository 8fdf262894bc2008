from __future__ import annotations

import pytest

from vimonet.language import mirror_text
from vimonet.vimos.action_labels import action_phrase, participle, third_person


@pytest.mark.parametrize(
    ("base", "ing", "s"),
    [
        ("wave the right hand", "waving the right hand", "waves the right hand"),
        ("run", "running", "runs"),
        ("sit down", "sitting down", "sits down"),
        ("walk and turn left", "walking and turning left", "walks and turns left"),
        ("crawl on hands and knees", "crawling on hands and knees", "crawls on hands and knees"),
        ("lie down", "lying down", "lies down"),
        ("squat", "squatting", "squats"),
        ("carry an object", "carrying an object", "carries an object"),
        ("punch", "punching", "punches"),
        ("box", "boxing", "boxes"),
        ("bench press", "bench pressing", "bench presses"),
        ("kneel", "kneeling", "kneels"),
    ],
)
def test_inflection(base: str, ing: str, s: str) -> None:
    assert participle(base) == ing
    assert third_person(base) == s


def test_mirrored_swaps_every_side_and_is_its_own_inverse() -> None:
    text = "Turn left, then draw a circle counterclockwise with the right hand."
    assert mirror_text(text) == "Turn right, then draw a circle clockwise with the left hand."
    assert mirror_text(mirror_text(text)) == text
    assert mirror_text("leftover brightness") == "leftover brightness"


def test_direction_is_never_taken_from_a_label() -> None:
    assert {action_phrase("bnr", label) for label in ("walk-left", "walk-right", "walk-back", "walk")} == {"walk"}


def test_a_side_left_to_a_field_must_be_known() -> None:
    assert action_phrase("kinder_gator", "wave their hand", "left") == "wave the left hand"
    assert action_phrase("kinder_gator", "wave their hand", None) is None


def test_corpora_share_phrases_for_the_same_movement() -> None:
    assert action_phrase("penn_action_2d", "squat") == action_phrase("utd_mhad", "squat with both arms stretched out")
    assert action_phrase("bnr", "wave-right-hand") == action_phrase("kinder_gator", "wave their hand", "right")
