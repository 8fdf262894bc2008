from __future__ import annotations

from research.vimos_open.corpus_labels import action_phrase


def test_direction_is_never_taken_from_a_label() -> None:
    assert {action_phrase("bnr", label) for label in ("walk-left", "walk-right", "walk-back", "walk")} == {"walk"}


def test_a_side_left_to_a_field_must_be_known() -> None:
    assert action_phrase("kinder_gator", "wave their hand", "left") == "wave the left hand"
    assert action_phrase("kinder_gator", "wave their hand", None) is None


def test_corpora_share_phrases_for_the_same_movement() -> None:
    assert action_phrase("penn_action_2d", "squat") == action_phrase("utd_mhad", "squat with both arms stretched out")
    assert action_phrase("bnr", "wave-right-hand") == action_phrase("kinder_gator", "wave their hand", "right")
