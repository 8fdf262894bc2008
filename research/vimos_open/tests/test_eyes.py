"""Eyes by words: names of an image classifier beside a movement, and what is asked then."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from research.vimos_open.augment import Sample
from research.vimos_open.eyes import SCENES, object_question, scene_questions, seen_line, with_eyes
from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics import measure
from vimonet.motion.projection import View
from vimonet.vimos.annotators.kinematic import from_facts
from vimonet.vimos.question_forms import FORMS


def sample(action: str) -> Sample:
    motion = generate(action, seed=1)[0]
    facts = measure(motion)
    film = View.draw(random.Random(0)).project_2d(motion)
    return Sample(film, list(from_facts(facts)), [], "synthetic+2d", ("one",), "single", (), facts)


def test_every_class_name_is_one_that_the_classifier_has() -> None:
    pytest.importorskip("vimonet.model.towers.efficientnet_lite")
    from vimonet.model.seen import class_names
    from vimonet.model.towers.video_towers import load_video_tower
    from vimonet.utils.errors import InputError
    from vimonet.weights import PARTS

    try:
        known = set(class_names(load_video_tower(PARTS[1])))
    except InputError:
        pytest.skip("the image tower is not fetched")
    missing = {name for names, _ in SCENES.values() for name in names.split(", ")} - known
    assert not missing


@pytest.mark.parametrize("action", [None, "cook", "play the guitar"])
def test_a_line_reads_as_the_classifier_writes_it(action: str | None) -> None:
    for seed in range(50):
        line = seen_line(random.Random(seed), action)
        assert re.fullmatch(r"seen: (nothing that has a name|[^,]+ (1?\.\d\d)(, [^,]+ \.\d\d){0,4})", line), line
        if action:
            assert any(name in line for name in SCENES[action][0].split(", "))


def test_what_the_names_tell_is_asked_and_nothing_denies_it() -> None:
    for action in SCENES:
        asked = list(scene_questions(action, random.Random(1)))
        assert {q.form for q in asked} <= FORMS.keys()
        assert all(q.answer == "yes" for q in asked if q.slots.get("do") == action)
        assert [q for q in asked if q.answer == "no"]


def test_objects_are_named_where_they_are_likely() -> None:
    question = object_question("seen: wok .64, frying pan .21, spatula .05")
    assert question is not None and question.answer == "wok and frying pan"
    assert object_question("seen: television .09") is None
    assert object_question("seen: nothing that has a name") is None


def test_a_walk_is_never_taken_for_cooking_and_a_stand_may_be() -> None:
    for seed in range(40):
        shown, words = with_eyes(sample("walk"), random.Random(seed))
        if "action" in {q.form for q in shown.questions}:
            assert words["alone"]
    stands = [with_eyes(sample("stand"), random.Random(seed)) for seed in range(40)]
    assert any("alone" not in words and "action" in {q.form for q in shown.questions} for shown, words in stands)


def test_rows_show_the_words_to_training(tmp_path: Path) -> None:
    from research.vimos_open.builder import OpenBuilder
    from vimonet.training.data.vimos_dataset import training_samples
    from vimonet.vimos.dataset_writer import build

    build(OpenBuilder(count=40, val=0, sources=("synthetic",), test=False), tmp_path / "set")
    data = training_samples(str(tmp_path / "set"), "train")
    shown = [data[i] for i in range(len(data))]
    assert any("seen" in one and one["joints"] is not None for one in shown)
    alone = [one for one in shown if one["joints"] is None]
    assert alone and all(one["seen"].startswith("seen: ") for one in alone)
