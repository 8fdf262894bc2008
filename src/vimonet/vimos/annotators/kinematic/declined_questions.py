"""Ask what a recording of joints does not tell, and what is no question; the answer says why, and what can be said."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL, unknowable
from vimonet.vimos.types import DETAIL, Question

DECLINED = {
    "age": "joints do not show age",
    "gender": "joints do not show it, and it is not guessed from how somebody moves",
    "emotion": "moods are not measured, only the pace, size and posture of the movement",
    "intention": "joints show what is done, not why",
    "thoughts": "nothing of what somebody thinks is in the joints",
    "identity": "people are not identified by how they move",
    "weather": "joints do not show the weather",
    "place": "joints do not show the surroundings",
    "indoors_outdoors": "joints do not show the surroundings",
    "scene_objects": "joints show no furniture or tools",
    "clothes_colour": "a recording of joints shows no clothes",
    "calories": "energy use depends on body mass, which joints do not show",
    "tired": "tiredness is not measured, only pace and size of the movement",
    "injured": "pain and injury are not in the joints",
    "diagnosis": "illness cannot be told from joints, please ask a doctor",
    "safe": "risk is not measured, that is for a specialist to judge",
    "skill_level": "skill is not measured, only speed, size and regularity",
    "interaction": "only one person is recorded",
    "taller": "only one person is recorded",
    "on_the_beat": "a recording of joints has no sound",
    "load_weight": "joints do not show what things weigh",
    "body_weight": "joints do not show what a body weighs",
    "fall_cause": "a slip, a trip and a faint look alike in the joints",
    "suspicious": "guilt is not in the joints, only what is done",
    "real_or_synthetic": "the movement does not show where a file comes from",
    "compare_clips": "there is only one clip to look at",
    "camera_direction": "joints in space show no camera",
    "next_action": "the recording ends there",
    "off_topic": "I answer questions about how a person moves",
    "other_language": "please ask in English",
}
"""Form -> why its questions are declined."""

OTHER = {
    "help": "Ask what the person does, in which order, when, how often, how far, how fast, with which side, and how "
    "the body is held. I cannot tell age, mood, health, names, clothes or places.",
    "small_talk": "You are welcome. Ask me anything about the movement.",
    "people_count": "one",
}
"""Form -> its answer, whatever the movement."""

_MORE = {"people_count": "the recording holds one skeleton"}

SHARE = 6
"""Number of these forms that are asked about one clip."""


def constant(form: str) -> Question | None:
    """Answer a form that has one answer for every movement; None for any other form."""
    if form in DECLINED:
        return Question("cannot_tell", form, CANNOT_TELL, {}, (), {DETAIL: DECLINED[form]})
    if form in OTHER:
        evidence = {DETAIL: _MORE[form]} if form in _MORE else {"reason": "the same for every movement"}
        return Question("talk", form, OTHER[form], {}, (), evidence)
    return unknowable(random.Random(0)) if form == "unknowable" else None


def no_fall() -> Question:
    """Decline to name the cause of a fall where nobody falls."""
    return Question("cannot_tell", "fall_cause", CANNOT_TELL, {}, (), {DETAIL: "no fall is seen"})


def declined(facts: Facts | None, rng: random.Random) -> Iterator[Question]:
    """Ask `SHARE` forms that no movement answers; the camera only of a 3D movement, which has none."""
    forms = [form for form in (*DECLINED, *OTHER) if form != "camera_direction" or (facts and facts.displacement)]
    for form in rng.sample(forms, SHARE):
        upright = form == "fall_cause" and facts is not None and facts.falls == ()
        question = no_fall() if upright else constant(form)
        assert question is not None
        yield question
