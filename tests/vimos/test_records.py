from __future__ import annotations

import numpy as np
import pytest
from vimos_world import record, swaying

from vimonet.utils.errors import InputError
from vimonet.vimos.parquet import Instruction, distinct, from_row, same_words, to_row, to_table


def round_trip(made):
    return from_row(to_table([to_row(made)]).to_pylist()[0])


def test_a_record_comes_back_from_its_row_within_half_a_step():
    made = record(1)
    back = round_trip(made)
    assert np.abs(back.motion.joints - made.motion.joints).max() <= 0.00026
    assert back.instructions == made.instructions
    assert back.captions == made.captions
    assert back.actions == made.actions
    assert back.provenance == made.provenance
    assert (back.id, back.source, back.recording, back.split, back.licence) == (
        made.id,
        "made",
        "made/train-1",
        "train",
        "CC0",
    )


def test_confidence_dimensions_and_a_far_reach_are_kept():
    motion = swaying(2)
    far = motion.joints + np.array([40, 0, 0], np.float32)
    confidence = np.ones(far.shape[:2], np.float32)
    confidence[:, 20] = 0
    made = record(2, motion=type(motion)(far, confidence=confidence, name="far"))
    back = round_trip(made)
    assert (back.motion.confidence[:, 20] == 0).all() and (back.motion.confidence[:, 0] == 1).all()
    assert np.abs(back.motion.joints - far)[:, :20].max() < 0.001  # 41 m in int16: 1.3 mm steps


def test_a_row_of_video_alone_has_no_motion():
    back = round_trip(record(3, motion=None, video="video/a.mp4", video_span=(1.0, 2.5)))
    assert back.motion is None and back.video == "video/a.mp4" and back.video_span == (1.0, 2.5)


def test_joints_that_do_not_fill_their_frames_are_refused():
    row = to_row(record(1))
    with pytest.raises(InputError, match="do not fill 41 frames"):
        from_row({**row, "frames": 41})


def test_a_moment_ends_when_it_begins():
    asked = Instruction("k", "turn", "When?", "now", start=1.25)
    assert to_row(record(1, instructions=(asked,)))["instructions"][0]["end"] == 1.25


def test_a_question_is_asked_once_and_a_disputed_one_not_at_all():
    def asked(question, answer):
        return Instruction("k", "f", question, answer)

    made = record(1, instructions=(asked("Who?", "a"), asked("who", "a"), asked("Why?", "a"), asked("Why", "b")))
    assert [(i.question, i.answer) for i in distinct(made).instructions] == [("Who?", "a")]


def test_same_words_ignores_case_and_punctuation_but_not_words():
    assert same_words("Does he turn LEFT?") == same_words("does he  turn left")
    assert same_words("Does he turn left?") != same_words("Does he turn right?")
