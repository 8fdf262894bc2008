"""What a body does in words, and when that stands in for the model's: movements whose truth is known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import pytest
import yaml

from vimonet.evidence import describe
from vimonet.evidence.topics import asks_action, asks_part, counts_things
from vimonet.inference.answer import MEASURED, MIXED, WITHHELD, MeasuredClip
from vimonet.inference.answer_policy import CANNOT_TELL, Decision, apply_fallback, calibrated, raw
from vimonet.language import normalise_question
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import facing
from vimonet.motion.projection import project
from vimonet.motion.skeleton import INDEX
from vimonet.samples import sample_path
from vimonet.vimos.wordings import WORDINGS

ARMS = tuple(INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("elbow", "wrist"))
LEGS = tuple(INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle"))


@cache
def sample(name: str) -> Motion:
    return load(sample_path(name))


@cache
def filmed(name: str, azimuth: float = 0.0) -> Motion:
    return project(sample(name), azimuth)


def hidden(motion: Motion, joints: tuple[int, ...]) -> Motion:
    confidence = np.ones((motion.frames, 22), np.float32) if motion.confidence is None else motion.confidence.copy()
    confidence[:, list(joints)] = 0
    return replace(motion, confidence=confidence)


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        ("walk", ["is upright", "moves forward by 4.2 m", "both hands at the side of the body"], ["turns", "in place"]),
        ("turn_left", ["turns to the left"], ["in place"]),
        ("wave_right", ["the right hand at head height", "repeats a movement of the right arm"], ["legs"]),
        ("raise_left", ["the left hand at head height", "mostly the left arm", "stands"], ["repeats"]),
        ("squats", ["goes up and down 5 times", "stays in place"], ["raises", "turns"]),
        ("jumps", ["leaves the ground 3 times"], ["goes up and down"]),
        ("sit", ["goes from standing to sitting"], ["moves forward"]),
        ("fall", ["to lying", "drops to the ground"], ["stays in place"]),
    ],
)  # fmt: skip
def test_a_movement_in_words(name: str, said: list[str], unsaid: list[str]) -> None:
    words = describe(sample(name))
    assert words is not None
    assert all(part in words for part in said) and not any(part in words for part in unsaid), words


def test_sides_follow_a_mirrored_movement() -> None:
    words, mirrored = describe(sample("wave_right")), describe(sample("wave_right").mirrored())
    assert (
        words and mirrored and "the right arm" in words and "the left arm" in mirrored and "right arm" not in mirrored
    )


@pytest.mark.parametrize("azimuth", [0.0, 180.0])
def test_keypoints_say_what_one_camera_shows(azimuth: float) -> None:
    words = describe(filmed("wave_right", azimuth))
    assert words and "the right hand at head height" in words and "stays in place" in words
    assert "leaves the ground" not in str(describe(filmed("jumps", azimuth))), "flight needs a floor"


def test_a_walk_past_the_camera_is_a_way_across_the_picture() -> None:
    # From its left side (azimuth 90) who walks ahead goes to the left of the picture, from the right side to the right.
    for azimuth, side in ((90.0, "left"), (-90.0, "right")):
        words = describe(filmed("walk", azimuth))
        assert words and f"across the picture to the {side}" in words, words


def test_hands_in_front_of_the_chest() -> None:
    """Still, arms bent: in 3D by the way ahead of the chest, from the front by lying between the shoulders."""
    joints = np.repeat(sample("squats").joints[:1], 60, axis=0).copy()
    ahead, down = facing(joints)[0], np.array([0.0, -1.0, 0.0])
    inward = 0.3 * (joints[0, INDEX["right_shoulder"]] - joints[0, INDEX["left_shoulder"]])
    for side, sign in (("left", 1), ("right", -1)):
        shoulder = joints[:, INDEX[f"{side}_shoulder"]]
        joints[:, INDEX[f"{side}_elbow"]] = shoulder + 0.25 * down + 0.1 * ahead
        joints[:, INDEX[f"{side}_wrist"]] = shoulder + 0.15 * down + 0.35 * ahead + sign * inward
    motion = Motion(joints)
    for view in (motion, project(motion)):
        words = describe(view)
        assert words and "keeps both hands in front of the chest" in words and "hardly moves" in words, words


def test_what_is_not_seen_is_said_and_nothing_is_made_up_of_it() -> None:
    words = describe(hidden(filmed("wave_right"), LEGS))
    assert words and "the legs are not seen" in words and not words.startswith("stands")
    assert "left arm" in str(describe(hidden(filmed("walk"), (INDEX["left_wrist"],))))
    hips = (INDEX["left_hip"], INDEX["right_hip"], *LEGS)
    assert "right arm" in str(describe(hidden(filmed("wave_right"), hips))), "a webcam shows no hips"
    assert describe(hidden(filmed("wave_right"), (*hips, *ARMS))) is None


def decide(question: str, answer: str, confidence: float, motion: Motion, **thresholds: float) -> Decision | None:
    return apply_fallback(question, answer, confidence, MeasuredClip(motion), thresholds)


def stands_in(question: str, answer: str, confidence: float = 0.9, motion: Motion | None = None, floor: float = 0.6):
    motion = sample("squats") if motion is None else motion
    return decide(question, answer, confidence, motion, action=floor, caption=floor)


def test_a_likely_answer_stands() -> None:
    assert stands_in("What is the person doing?", "squatting") is None
    assert stands_in("What is the person doing?", "squatting", 0.3, floor=0.0) is None
    assert stands_in("Which way does the person turn?", "left", 0.1) is None
    assert stands_in("Does the person jump?", "yes", 0.1) is None
    assert stands_in("What is the posture at the end?", "standing", 0.1) is None
    assert stands_in("Is the person walking or squatting?", "squatting", 0.1) is None


@pytest.mark.parametrize("question", ["What is the person doing?", "Describe the movement.", "Which exercise is it?"])
def test_of_an_unlikely_action_the_measures_are_said(question: str) -> None:
    assert stands_in(question, "dancing", 0.59) == (describe(sample("squats")), MEASURED)
    assert stands_in(question, "a person dances.", 0.59) == (describe(sample("squats")), MEASURED)
    assert stands_in(question, "cannot tell", 0.99) == (describe(sample("squats")), MEASURED)


def test_names_and_sentences_have_floors_of_their_own() -> None:
    clip, question = sample("squats"), "Describe the movement."
    assert decide(question, "a person squats.", 0.5, clip, action=0.8, caption=0.4) is None
    assert decide(question, "squatting", 0.5, clip, action=0.8, caption=0.4) == (describe(clip), MEASURED)


def test_of_a_part_or_of_more_than_joints_tell_nothing_is_said() -> None:
    for question in ("What does the person do after the jump?", "What happens at the end?", "What is under the cup?"):
        assert stands_in(question, "dancing", 0.5) == (CANNOT_TELL, WITHHELD)
        assert stands_in(question, "cannot tell", 0.5) is None


def test_what_the_limbs_in_view_do_not_show_is_not_taken() -> None:
    upper, lower = hidden(filmed("wave_right"), LEGS), hidden(filmed("walk"), ARMS)
    open_question = "What is the person doing?"
    assert stands_in(open_question, "waving the right hand", motion=upper) is None
    assert stands_in(open_question, "doing push-ups", motion=upper) == (describe(upper), MEASURED)
    assert stands_in(open_question, "walking", motion=lower) is None
    assert stands_in("Does the person squat?", "yes", motion=lower) is None, "legs show a squat"
    assert stands_in("Does the person do push-ups?", "yes", motion=upper) == (CANNOT_TELL, WITHHELD)
    assert stands_in("Does the person do push-ups?", "no", motion=upper) is None
    assert stands_in("Does the person turn to the left?", "yes", motion=upper) == ("no", MEASURED), "it shows its front"
    nothing = hidden(filmed("walk"), (*ARMS, *LEGS, INDEX["left_hip"], INDEX["right_hip"]))
    assert stands_in(open_question, "walking", motion=nothing) == (CANNOT_TELL, WITHHELD)


@pytest.mark.parametrize(
    ("question", "joints", "withheld"),
    [
        ("Which hand is raised?", ARMS, True),
        ("Which arm moves more?", (INDEX["left_wrist"],), True),
        ("Does the person raise the right hand?", (INDEX["left_wrist"],), False),
        ("Does the person raise the left hand?", (INDEX["left_wrist"],), True),
        ("Which leg moves more?", LEGS, True),
        ("Which hand is raised?", LEGS, False),
        ("How many steps does the person take?", LEGS, True),
    ],
)
def test_questions_about_limbs_need_them_in_view(question: str, joints: tuple[int, ...], withheld: bool) -> None:
    answer = "yes" if question.startswith("Does the person raise") else "right hand"
    found = stands_in(question, answer, motion=hidden(filmed("wave_right"), joints))
    assert found == ((CANNOT_TELL, WITHHELD) if withheld else None)


SLOTS = defaultdict(lambda: "walking", who="he")


def test_questions_of_the_dataset_are_told_apart() -> None:
    """By the dataset's own wordings: nearly all that ask for an action are known, hardly any other is taken for one."""
    share = {}
    for form, told in WORDINGS.items():
        if set(told["seen"]) & set(told["people"]):
            continue  # an intent in what people type, of which several ask for the action in part
        asked = [normalise_question(ask.format_map(SLOTS)) for ask in told["seen"] + told["unseen"]]
        share[form] = float(np.mean([asks_action(question) and not asks_part(question) for question in asked]))
    assert share.pop("action") > 0.85 and share.pop("caption") > 0.95
    share.pop("activity")  # asks for the kind of what is done
    assert max(share.values()) < 0.2 and np.mean(list(share.values())) < 0.03, share


def test_joints_in_a_picture_deny_what_they_do_not_show() -> None:
    wave, walk = filmed("wave_right"), filmed("walk", 90.0)
    assert stands_in("Which hand is raised?", "left hand", motion=wave) == ("right hand", MEASURED)
    assert stands_in("Which hand is raised?", "right hand", motion=wave) is None
    assert stands_in("Is the left hand raised?", "yes", motion=wave) == ("no", MEASURED)
    assert stands_in("Which arm moves more?", "left arm", motion=wave) == ("right arm", MEASURED)
    assert stands_in("Which way does the person move?", "forward", motion=wave) == ("stays in place", MEASURED)
    assert stands_in("Does the person move to another place?", "no", motion=walk) == ("yes", MEASURED)
    across = ("moves across the picture to the left", MEASURED)
    assert stands_in("Which way does the person move?", "stays in place", motion=walk) == across
    assert stands_in("Which way does the person move?", "backward", motion=walk) is None, "a picture leaves it open"
    recorded = sample("wave_right")
    assert stands_in("Which hand is raised?", "left hand", motion=recorded) is None, "in 3D the words stand here"


def test_a_guess_about_joints_in_a_picture_is_not_taken() -> None:
    def guess(question: str, answer: str, confidence: float = 0.2, motion: Motion | None = None) -> object:
        return decide(question, answer, confidence, motion or filmed("wave_right"), keypoints_2d=0.3)

    assert guess("Which comes first, the plank or the dog?", "left foot") == (CANNOT_TELL, WITHHELD)
    assert guess("Is she happy?", "yes") == (CANNOT_TELL, WITHHELD)
    assert guess("Is she happy?", "no", 0.4) is None
    assert guess("Which hand is raised?", "right hand") is None, "the joints bear it out"
    assert guess("How many times is it repeated?", "4") is None, "a number can be nearly right"
    assert guess("What is the person doing?", "waving the right hand") is None, "that has a floor of its own"
    assert guess("Is she happy?", "yes", motion=sample("wave_right")) is None, "in 3D the words stand"
    way = "Which way does the person move?"
    (told, source), (other, _) = (guess(way, "forward", motion=filmed("walk", a)) for a in (90.0, 270.0))
    assert {told, other} == {
        f"moves across the picture to the {side}" for side in ("left", "right")
    } and source == MEASURED, "the picture shows a way"
    assert guess(way, "forward", 0.4, motion=filmed("walk", 90.0)) is None
    assert guess("Does the person move forward?", "yes", motion=filmed("walk", 90.0)) == (CANNOT_TELL, WITHHELD)


@pytest.mark.parametrize(
    ("question", "answer", "taken"),
    [
        ("Which comes first, the plank or the downward dog?", "right foot", False),
        ("Does he lean forward or backward?", "right side", False),
        ("Is the person standing or sitting?", "sits", True),
        ("Does the person lean forward or backward?", "neither", True),
        ("Is the arm or the leg moved more, and how often?", "3", True),
        ("Does the person stop once or more than once?", "no", True),
        ("Is the way forward or backward?", "stays in place", True),
        ("How is the pose?", "right side", True),
    ],
)
def test_an_unsure_answer_that_is_not_offered_is_not_taken(question: str, answer: str, taken: bool) -> None:
    picture, body = filmed("wave_right"), sample("wave_right")
    assert decide(question, answer, 0.4, picture) == (None if taken else (CANNOT_TELL, WITHHELD))
    assert decide(question, answer, 0.6, picture) is None and decide(question, answer, 0.4, body) is None


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("How many men stand behind him later in the clip?", True),
        ("How many children are there?", True),
        ("How many red cups can be seen?", True),
        ("How many times does the person wave?", False),
        ("How many different full turns are there?", False),
        ("How many of them are there?", False),
        ("How many push-ups?", False),
        ("How many are there in total?", False),
    ],
)
def test_people_and_things_are_not_counted_on_joints(question: str, things: bool) -> None:
    for motion in (filmed("wave_right"), sample("wave_right")):
        assert decide(question, "3", 0.9, motion) == ((CANNOT_TELL, WITHHELD) if things else None)


NANOS = yaml.safe_load(resources.files("vimonet.vimos").joinpath("wordings.yaml").read_text("utf-8"))
"""Forms that nano is asked; of a model that reads the facts nothing is withheld by words."""


def test_counts_of_the_dataset_are_of_movement() -> None:
    counted = {
        form: [
            t.format_map(SLOTS) for kind in ("seen", "unseen") for t in WORDINGS[form][kind] if "how many" in t.lower()
        ]
        for form in NANOS
    }
    assert sum(map(len, counted.values())) > 100
    things = {form for form, texts in counted.items() for text in texts if counts_things(normalise_question(text))}
    assert things <= {"unknowable"}


def test_joints_in_a_picture_answer_where_the_model_declines() -> None:
    picture = filmed("wave_right")
    for question, shown in (("Which hand is raised?", "right hand"), ("Which arm moves more?", "right arm")):
        assert decide(question, CANNOT_TELL, 0.9, picture) == (shown, MEASURED)
        assert decide(question, CANNOT_TELL, 0.9, hidden(picture, ARMS)) is None
        assert decide(question, CANNOT_TELL, 0.9, sample("wave_right")) is None  # in 3D a measurement decides before
    assert decide("Which hand is raised?", CANNOT_TELL, 0.9, filmed("squats")) is None  # none is
    assert decide("Which hand holds the cup?", CANNOT_TELL, 0.9, picture) is None
    assert decide("Is the left hand raised?", CANNOT_TELL, 0.9, picture) is None


def answered(question: str, answer: str, name: str = "walk", confidence: float = 0.95) -> Decision | None:
    return calibrated(question, answer, confidence, MeasuredClip(sample(name)), {"action": 0.7, "caption": 0.3})


@pytest.mark.parametrize(
    ("name", "question", "model_text", "text"),
    [
        ("walk", "Does the person move forward?", "no", "yes"),
        ("walk", "Is the person walking backwards?", "yes", "no"),
        ("walk", "Which way does the person move?", "backward", "forward"),
        ("squats", "How often is the movement repeated?", "3", "5"),
        ("turn_left", "Which way does the person turn?", "right", "left"),
        ("wave_right", "Which hand is raised?", "left hand", "right hand"),
        ("wave_right", "Which hand is raised?", CANNOT_TELL, "right hand"),
        ("fall", "Does the person fall?", "no", "yes"),
    ],
)
def test_a_clear_measurement_decides_in_3d(name: str, question: str, model_text: str, text: str) -> None:
    assert answered(question, model_text, name) == (text, MEASURED)
    assert answered(question, text, name) is None, "a right answer stays the model's"
    assert raw(question, model_text, 0.95, MeasuredClip(sample(name)), {}) is None


def test_a_measured_fall_stands_beside_an_answer_without_it() -> None:
    question = "What is the person doing?"
    decision = answered(question, "walking", "fall")
    assert decision is not None and decision.provenance == MIXED
    assert decision.text.startswith("walking; drops to the ground, 0.")
    assert answered(question, "falling", "fall") is None and answered(question, "walking", "walk") is None
    described = answered(question, "dancing", "fall", confidence=0.2)
    assert described is not None and described.provenance == MEASURED and "drops to the ground" in described.text


def test_words_without_a_confidence_meet_no_threshold() -> None:
    clip = MeasuredClip(sample("squats"))
    assert calibrated("What is the person doing?", "dancing", None, clip, {"action": 1.0, "caption": 1.0}) is None


def test_beside_a_video_only_measurements_speak() -> None:
    clip = MeasuredClip(sample("walk"))
    assert calibrated("How many people are there?", "2", 0.9, clip, {}, beside_video=True) is None
    assert calibrated("Does the person move forward?", "no", 0.9, clip, {}, beside_video=True) == ("yes", MEASURED)
