from __future__ import annotations

import pytest

from vimonet.language import mirror_text
from vimonet.vimos.action_labels import participle, third_person


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
