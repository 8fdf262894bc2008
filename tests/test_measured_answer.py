"""Questions in people's own words: what they are about, and what a measurement answers where it decides."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from research.vimos_open.synthesis import generate
from vimonet.evidence import contradiction, measured_answer
from vimonet.evidence.topics import counts_things, of_question
from vimonet.language import mentions, normalise_question
from vimonet.motion import load
from vimonet.motion.kinematics import Facts, measure
from vimonet.samples import sample_path


@cache
def facts(name: str) -> Facts:
    return measure(load(sample_path(name)))


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    return shared.parent / "cases"


ASKED = [
    ("Which way did she turn, left or right?", ["turn"]),
    ("Did he spin round to his left?", ["turn"]),
    ("Has she rotated at all?", ["turn"]),
    ("By what angle does the man turn?", ["turn"]),
    ("Does anybody pivot to the right here?", ["turn"]),
    ("How many turns did she make?", ["count"]),
    ("Has the person fallen down?", ["fall"]),
    ("Did she fall?", ["fall"]),
    ("Did grandpa just fall over?", ["fall"]),
    ("Is this a fall?", ["fall"]),
    ("Has he collapsed?", ["fall"]),
    ("Does he jump?", ["jump"]),
    ("Has she leapt into the air?", ["jump"]),
    ("Is anyone hopping?", ["jump"]),
    ("How high does she jump?", ["jump"]),
    ("How many squats?", ["count"]),
    ("How many squats did I do?", ["count"]),
    ("How many jumps are there?", ["count"]),
    ("How many hops can you see?", ["count"]),
    ("How many kicks does he throw?", ["count"]),
    ("How many waves?", ["count"]),
    ("How many claps were that?", ["count"]),
    ("How many punches does she throw?", ["count"]),
    ("How many times does he do it?", ["count"]),
    ("How often is the exercise done?", ["count"]),
    ("How many reps did I get?", ["count"]),
    ("How many repetitions?", ["count"]),
    ("How many steps did she take?", ["steps"]),
    ("How many paces are that?", ["steps"]),
    ("How many strides does he make?", ["steps"]),
    ("How far did I walk?", ["distance"]),
    ("How many metres does she cover?", ["distance"]),
    ("What distance does the man travel?", ["distance"]),
    ("How fast is he?", ["speed"]),
    ("At what speed does she go?", ["speed"]),
    ("How quickly does the woman move?", ["speed"]),
    ("Which way does he go?", ["direction"]),
    ("Where is she heading?", ["direction"]),
    ("Does the person move forward?", ["direction"]),
    ("Is she walking backwards?", ["direction"]),
    ("Did he step to the left?", ["direction"]),
    ("Does he move somewhere else?", ["direction"]),
    ("Is he running?", ["gait"]),
    ("Was she walking?", ["gait"]),
    ("Has the man been jogging?", ["gait"]),
    ("Which hand goes up?", ["raised hand"]),
    ("Does she lift her left arm?", ["raised hand"]),
    ("Are both hands raised?", ["raised hand"]),
    ("Is his right arm above his head?", ["raised hand"]),
    ("Which arm moves more?", ["arms"]),
    ("Which leg is more active?", ["legs"]),
    ("Does the left leg move?", ["limb"]),
    ("Is he sitting?", ["posture"]),
    ("Does she kneel?", ["posture"]),
    ("Did the person crouch?", ["posture"]),
    ("Does he lie on the ground?", ["posture"]),
    ("Is she standing or sitting at the end?", ["posture"]),
]
UNMEASURED = [
    *("How many dogs are there?", "How many people are there?", "How many dolls does she hold?"),
    *("How many doors are open?", "How many areas are marked?", "How many inches tall is he?"),
    *("How many steps on the stairs are there?", "How many steps of the ladder?", "How many persons move?"),
    *("How many handbags does she carry?", "Count the chairs.", "How many fallacies are in it?"),
    *("What colour is the shirt?", "Who is this?", "Is it raining?", "Is she happy?", "What is his name?"),
    *("Where is the camera?", "Does he like turnips?", "Is there hope?", "What does the sign say?", "How old is she?"),
    *("Is the music loud?", "Does she wear glasses?", "Is that a fallacy?"),
]


@pytest.mark.parametrize(("question", "topics"), ASKED)
def test_topic_of_peoples_own_words(question: str, topics: list[str]) -> None:
    assert of_question(normalise_question(question).rstrip("?.")) == topics


@pytest.mark.parametrize("question", UNMEASURED)
def test_no_measure_bears_on_it(question: str) -> None:
    assert of_question(normalise_question(question).rstrip("?.")) == []
    assert contradiction(question, "10", facts("squats")) is None
    assert measured_answer(question, facts("squats")) is None


@pytest.mark.parametrize(
    "question", ["How many dogs are there?", "How many dolls?", "How many doors?", "How many steps on the stairs?"]
)
def test_things_are_counted_in_every_wording(question: str) -> None:
    assert counts_things(normalise_question(question).rstrip("?"))
    assert not counts_things("how many steps are there") and not counts_things("how many squats")


@pytest.mark.parametrize(
    ("sample", "question", "answer"),
    [
        ("squats", "How many squats?", "5"),
        ("squats", "How many waves?", None),
        ("squats", "How many kicks?", None),
        ("jumps", "How many jumps?", "3"),
        ("jumps", "How many squats?", None),
        ("wave_right", "How many claps?", None),
        ("wave_right", "How many punches?", None),
        ("turn_left", "Is the person turning in place?", None),
        ("walk", "How many steps does he take?", "8"),
        ("fall", "Has the person fallen down?", "yes"),
        ("walk", "Did she fall?", "no"),
        ("walk", "Does the person move forward?", "yes"),
        ("walk", "Is the person walking backwards?", "no"),
        ("walk", "Does the person walk in place?", "no"),
        ("wave_right", "Does the person walk in place?", "no"),
        ("walk", "Is the person running?", "no"),
        ("walk", "Does the person walk forward and juggle?", None),
        ("jumps", "Does the person jump over a fence?", None),
        ("walk", "Does the person jump over a fence?", "no"),
        ("turn_left", "Which way does the person turn?", "left"),
        ("turn_left", "Does he turn to the right?", "no"),
        ("turn_left", "By how many degrees does he turn?", "90 degrees to the left"),
        ("raise_left", "Which hand is raised?", "left hand"),
        ("walk", "How far does the person walk?", "4.2 m"),
        ("walk", "What is the person doing?", None),
        ("wave_right", "Which hand is raised?", "right hand"),
        ("wave_right", "What colour is the shirt of the person who raises the left hand?", None),
        ("wave_right", "Does the person who raises the left hand wear a hat?", None),
        ("turn_left", "What is on the table behind the person who turns left?", None),
        ("squats_coco17", "Does the person move forward?", None),
    ],
)
def test_a_measurement_decides(sample: str, question: str, answer: str | None) -> None:
    assert measured_answer(question, facts(sample)) == answer


def test_real_walk(cases: Path) -> None:
    walk = measure(load(cases / "07-forward-yes-no-contradicts-measurement" / "walk.bvh"))
    told = {
        "Does the person move forward?": "yes",
        "Does the person go forward?": "yes",
        "Does the person walk in place?": "no",
        "Is the person walking backwards?": "no",
        "Does the person move backward?": "no",
    }
    assert {question: measured_answer(question, walk) for question in told} == told
    assert contradiction("Does the person walk in place?", "yes", walk) is True
    for question in ("List all actions with time stamps.", "What is the step length?", "What is the knee angle?"):
        assert measured_answer(question, walk) is None


def test_real_walk_on_a_treadmill(cases: Path) -> None:
    walk = measure(load(cases / "15-in-place-walk-steps-doubled" / "walk_inplace.bvh"))
    assert measured_answer("Does the person walk in place?", walk) == "yes"
    assert measured_answer("Does the person walk forward?", walk) == "no"
    assert measured_answer("How many squats?", walk) is None and measured_answer("How many kicks?", walk) is None


def test_a_run_is_not_called_a_walk() -> None:
    run = measure(generate("run", seed=1)[0])
    assert measured_answer("Does the person walk forward?", run) is None
    assert measured_answer("Does the person move forward?", run) == "yes"


def test_a_word_is_matched_whole_in_every_inflection() -> None:
    for form in ("bend", "bends", "bending", "bent"):
        assert mentions(r"\bbend~", f"does he {form} over")
    for form in ("raise", "raises", "raised", "raising"):
        assert mentions(r"\braise~", f"she {form} it")
    assert mentions(r"\bstep~", "stepping") and mentions(r"\bcarry~", "carried") and mentions(r"\bfall~", "fallen")
    assert not mentions(r"\bturn~", "turnips") and not mentions(r"\bhop~", "hope")
