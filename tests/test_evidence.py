"""Evidence: every topic with an answer that agrees and one that contradicts, and the annotator as a second opinion."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml

from research.vimos_open.synthesis import generate
from vimonet.evidence import (
    AGREES,
    CONTRADICTS,
    NOT_CLAIMED,
    NOT_MEASURABLE,
    TOPICS,
    Evidence,
    contradiction,
    examine,
)
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.projection import project
from vimonet.motion.skeleton import INDEX
from vimonet.samples import sample_path


@cache
def sample(name: str) -> Motion:
    return load(sample_path(name))


@cache
def facts(name: str) -> Facts:
    return measure(sample(name))


def topics(found: tuple[Evidence, ...]) -> list[str]:
    return [item.topic for item in found]


# recording, question, an answer that agrees, one that contradicts, topic, truth in the record
CASES = [
    ("turn_left", "Which way does the person turn?", "left", "right", "turn", "left"),
    ("walk", "Which way does she turn?", "does not turn", "to the left", "turn", "does not turn"),
    ("turn_right", "By how many degrees does he turn?", "about 120 degrees to the right", "45 degrees", "turn", ""),
    ("turn_left", "Does the person turn to the left?", "yes", "no", "turn", "left"),
    ("turn_left", "Does the person turn to the right?", "No, to the left.", "Yes.", "turn", "left"),
    ("walk", "In which direction does he travel?", "forward", "backwards", "direction", "forward"),
    ("wave_right", "Does he move to another place?", "no", "yes", "direction", "in place"),
    ("walk", "How far does the person walk?", "about 4 metres", "half a metre", "distance", "4.2 m"),
    ("squats", "How far does he go?", "stays in place", "5 metres", "distance", ""),
    ("walk", "How fast does she walk?", "0.8 m/s", "5 m/s", "speed", ""),
    ("wave_right", "How fast is he?", "does not travel", "at running pace", "speed", "does not travel"),
    ("walk", "How many steps does the person take?", "eight", "3", "steps", "8"),
    ("raise_left", "How many steps are there?", "0", "6 steps", "steps", "0"),
    ("raise_left", "Which hand is raised?", "left hand", "the right one", "raised hand", "left hand"),
    ("walk", "Which hand is raised?", "neither hand", "both hands", "raised hand", "neither hand"),
    ("wave_right", "Is the right hand raised?", "yes", "no", "raised hand", "right hand"),
    ("raise_left", "Which arm is more active?", "left arm", "right arm", "arms", "left arm"),
    ("squats", "Which leg moves more?", "both equally", "left leg", "legs", "both equally"),
    ("raise_left", "Does the right arm move?", "no", "yes", "limb", "no"),
    ("sit", "What is the posture at the end?", "sitting", "lying", "posture", "sitting"),
    ("walk", "Does the person sit?", "no", "yes", "posture", "no"),
    ("squats", "Does he crouch at any time?", "yes", "no", "posture", "yes"),
    ("jumps", "Does the person jump?", "yes", "no", "jump", "yes"),
    ("jumps", "How high does the person jump?", "20 cm", "1.5 m", "jump", "0.22 m"),
    ("fall", "Does the person fall?", "Yes, she does", "no", "fall", "yes"),
    ("squats", "How often is the movement repeated?", "5 times", "twelve times", "count", "5"),
    ("jumps", "How many times does he jump?", "three times", "4", "count", "3"),
    ("jumps", "Does the person jump more than once?", "yes", "no", "count", "3"),
    ("walk", "What is the person doing?", "walking forward", "walking backward", "direction", ""),
    ("turn_left", "Describe the movement.", "walking and turning left", "turning right", "turn", ""),
    ("wave_right", "What is happening?", "waving the right hand", "waving the left hand", "limb", ""),
    ("squats", "What is she doing?", "doing squats", "sitting down", "posture", ""),
    ("walk", "What does he do?", "walking", "running", "gait", ""),
]


@pytest.mark.parametrize(("name", "question", "right", "wrong", "topic", "truth"), CASES)
def test_agrees_and_contradicts(name: str, question: str, right: str, wrong: str, topic: str, truth: str) -> None:
    agreeing, contradicting = examine(question, right, sample(name)), examine(question, wrong, sample(name))
    found = next(item for item in agreeing if item.topic == topic)
    assert found.verdict == AGREES, found
    if truth:
        assert found.truth == truth
    assert CONTRADICTS in [item.verdict for item in contradicting], contradicting
    assert contradiction(question, right, facts(name)) is False
    assert contradiction(question, wrong, facts(name)) is True


def test_every_topic_is_among_the_cases() -> None:
    assert set(TOPICS) == {case[4] for case in CASES}


def test_evidence_names_time_joint_and_amount() -> None:
    (found,) = examine("Which hand is raised?", "right hand", sample("raise_left"))
    assert "left raised above the head 0.8-3.3 s (2.5 s), down at the end, right not raised" in found.measured
    (span,) = found.spans
    assert span.joints == ("left_wrist",) and (round(span.start, 1), round(span.end, 1)) == (0.8, 3.3)
    assert found.values["left_wrist_over_shoulder_m"] == pytest.approx(0.40, abs=0.01)
    assert found.to_dict()["spans"][0]["joints"] == ["left_wrist"] and found.to_dict()["verdict"] == CONTRADICTS


def test_joints_of_every_span_exist_and_times_lie_inside() -> None:
    for name, question, right, *_ in CASES:
        for item in examine(question, right, sample(name)):
            for span in item.spans:
                assert set(span.joints) <= set(INDEX), (question, span)
                assert -0.2 <= span.start <= span.end <= sample(name).duration + 0.2, (question, span)


def test_times_are_those_of_the_recording() -> None:
    whole = sample("walk_turn_wave")
    half = whole.window(120, whole.frames)
    (found,) = examine("Which hand is raised?", "left hand", half, offset=6.0)
    assert "7.6-11.2 s" in found.measured and found.spans[0].start == pytest.approx(7.5, abs=0.1)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What colour is the shirt?", "red"),
        ("What is in the background?", "a house"),
        ("Who is this?", "a dancer"),
        ("Is it raining?", "no"),
        ("Does the person clap?", "yes"),
        ("What does the person do after turning left?", "cannot tell"),
        ("Which of these does not happen: turning left, sitting down or waving?", "turning left"),
        ("Does the person return to the start?", "yes"),
        ("", ""),
        ("???", "!!!"),
        ("Which way does the person turn?", "cannot tell"),
        ("Which way does the person turn?", "blue"),
        ("Does the person turn left or right?", "yes"),
        ("What is the person doing?", "not turning left"),
        ("Is the person turning left at the end?", "no"),
    ],
)
def test_what_cannot_be_checked_is_neither(question: str, answer: str) -> None:
    assert contradiction(question, answer, facts("turn_left")) is None


def test_declining_claims_nothing_but_the_fact_is_shown() -> None:
    (found,) = examine("Which way does the person turn?", "cannot tell", sample("turn_left"))
    assert found.verdict == NOT_CLAIMED and found.truth == "left"


def test_near_a_threshold_nothing_is_called_wrong() -> None:
    near = replace(facts("walk"), net_turn=25.0)
    for answer in ("left", "right", "does not turn"):
        (found,) = examine("Which way does the person turn?", answer, near)
        assert found.verdict == NOT_MEASURABLE and "25 degrees" in found.measured
    (found,) = examine("Does he fall?", "yes", replace(facts("sit"), peak_drop_speed=1.1))
    assert found.verdict == NOT_MEASURABLE


def test_a_walk_around_a_bend_may_be_called_forward() -> None:
    # It ends to the left of where it began, but the person walks forward all the time: both can be meant.
    (found,) = examine("Which way does the person go?", "forward", sample("turn_left"))
    assert found.verdict == NOT_MEASURABLE and "travels forward, ends 2.7 m left" in found.measured
    assert contradiction("Which way does the person go?", "right", facts("turn_left")) is True


def test_two_dimensions_tell_less() -> None:
    flat = sample("squats_coco17")
    for question in ("How far does he go?", "What is the posture?", "Does he jump?"):
        (found,) = examine(question, "left", flat)
        assert found.verdict == NOT_MEASURABLE and found.measured.startswith("not measurable")
    assert contradiction("How often is it repeated?", "5", flat) is False


@pytest.mark.parametrize(
    ("question", "answer", "name", "azimuth", "wanted"),
    [
        ("Which way does he move?", "stays in place", "walk", 90.0, True),
        ("Which way does he move?", "stays in place", "squats", 0.0, False),
        ("Which way does he move?", "forward", "squats", 0.0, True),
        ("Which way does he move?", "backward", "walk", 90.0, None),  # which way along the body, a picture leaves open
        ("Does he move to another place?", "no", "walk", 90.0, True),
        ("Does he move to another place?", "no", "squats", 0.0, False),
        ("Does he walk forward?", "yes", "squats", 0.0, True),
        ("Does he stay in place?", "no", "squats", 0.0, None),  # not asked as a way
        ("Which way does he turn?", "left", "wave_right", 0.0, True),
        ("Does he turn?", "no", "wave_right", 0.0, False),
        ("Does he turn?", "yes", "wave_right", 90.0, None),  # from the side the widths tell nothing
    ],
)
def test_a_picture_tells_of_way_and_turn(
    question: str, answer: str, name: str, azimuth: float, wanted: bool | None
) -> None:
    film = project(sample(name), azimuth, 0.0, 8.0)
    assert contradiction(question, answer, film) is wanted


def test_what_a_picture_tells_is_said_as_of_the_picture() -> None:
    (found,) = examine("Which way does she move?", "forward", project(sample("walk"), 90.0, 0.0, 8.0))
    assert "across the picture" in found.measured and found.truth == ("moves across the picture to the left")


def test_limbs_that_are_not_seen() -> None:
    motion = sample("raise_left")
    seen = np.ones((motion.frames, 22), dtype=np.float32)
    seen[:, [INDEX["left_elbow"], INDEX["left_wrist"]]] = 0.0
    half = Motion(joints=motion.joints, fps=motion.fps, name="half", confidence=seen)
    found = examine("Which hand is raised?", "left hand", half)
    assert found[0].verdict == NOT_MEASURABLE and "not seen: left arm" in found[0].measured
    assert contradiction("Which arm moves more?", "left arm", half) is None


def test_open_questions_without_a_claim_show_what_was_measured() -> None:
    (found,) = examine("What is the person doing?", "dancing", sample("turn_left"))
    assert found.topic == "movement" and found.verdict == NOT_CLAIMED and "89 degrees" in found.measured


def test_two_predicates_are_denied_together() -> None:
    # "No" to "sits down and jumps" is right when one of them does not happen.
    assert contradiction("Does he jump and sit?", "no", facts("jumps")) is False
    assert contradiction("Does he jump and sit?", "yes", facts("jumps")) is True


def test_the_annotator_agrees() -> None:
    """What the annotator calls right is never a contradiction, what it calls wrong never agrees; most is checked."""
    from vimonet.vimos.annotators.kinematic import from_facts
    from vimonet.vimos.wordings import WORDINGS

    nanos = yaml.safe_load(resources.files("vimonet.vimos").joinpath("wordings.yaml").read_text("utf-8"))
    rng = random.Random(0)
    made = ("run", "walk_backward", "turn_in_place", "bow", "kneel", "lie_down", "punch", "kick", "side_step", "crawl")
    measured = [facts(name) for name in ("walk", "turn_right", "jumps", "fall", "sit", "raise_left", "walk_turn_wave")]
    measured += [measure(generate(action, seed=2)[0]) for action in made]
    checked: Counter[tuple[str, bool | None]] = Counter()
    for known in measured:
        for asked in from_facts(known):
            if asked.form not in nanos:  # what people ask beyond them is the model's to read, not evidence's
                continue
            words = [*WORDINGS[asked.form]["seen"], *WORDINGS[asked.form]["unseen"]]
            for wording in rng.sample(words, 3):
                question = wording.format(who="the person", **asked.slots)
                right = contradiction(question, asked.answer, known)
                assert right is not True, (question, asked.answer, examine(question, asked.answer, known))
                checked[asked.form, right] += 1
                for option in asked.options:
                    if option != asked.answer:
                        found = examine(question, option, known)
                        assert contradiction(question, option, known) is not False, (question, option, found)
    for form in (
        "turn",
        "displacement",
        "raised_hand",
        "posture_end",
        "steps",
        "fact_yes_no",
        "jump_count",
    ):
        share = checked[form, False] / (checked[form, False] + checked[form, None])
        assert share > 0.85, (form, share)


def test_what_a_movement_is_is_never_denied() -> None:
    for action in ("walk", "run", "turn_walking", "wave", "squats", "sit_down", "fall", "kick", "clap", "bow", "crawl"):
        for seed in range(3):
            motion, truth = generate(action, seed=seed)
            known = measure(motion)
            assert contradiction("What is the person doing?", truth["phrase"], known) is not True, truth["phrase"]
            assert contradiction(f"Is the person {truth['phrase']}?", "yes", known) is not True, truth["phrase"]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_picture_marks_the_moment(tmp_path: Path, suffix: str) -> None:
    from PIL import Image

    from vimonet.cli.ask import _draw
    from vimonet.inference.answer import Answer, MeasuredClip
    from vimonet.motion.render.body_drawing import MARK

    motion = sample("jumps").window(10, 40)
    question = "When does the person jump?"
    answer = Answer("at 0.7 s", question=question, clip=MeasuredClip(motion), all_evidence=True)
    marked, plain = (tmp_path / f"{name}{suffix}" for name in ("marked", "plain"))
    for path, evidence in ((marked, True), (plain, False)):
        _draw(path, motion, question, answer.text, answer, all_evidence=evidence)

    def near_mark(path: Path) -> int:
        with Image.open(path) as image:
            image.seek(8 if suffix == ".gif" else 0)
            off = np.abs(np.asarray(image.convert("RGB"), dtype=int) - np.array(MARK)).max(axis=-1)
        return int((off < 24).sum())

    assert near_mark(marked) > 200 and near_mark(plain) == 0


def test_a_short_moment_gets_a_pose() -> None:
    from vimonet.motion.render import Mark
    from vimonet.motion.render.strip import pose_frames

    motion = sample("jumps")
    marks = [Mark(2.8, 3.2), Mark(4.5, 4.9)]
    frames = pose_frames(motion, 6, marks)
    assert len(frames) == 6 and (frames[0], frames[-1]) == (0, motion.frames - 1)
    for mark in marks:
        assert ((frames >= mark.start * motion.fps) & (frames <= mark.end * motion.fps)).any()
