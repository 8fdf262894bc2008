"""Answers that say their steps: every step is true of the scene, leads to the result, and is learnt where asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from vimonet.vimos.types import STEPS, result_of, with_steps

pytest.importorskip("panda3d", reason="panda3d is not installed")

from research.fusion.scenes.paired_builder import PairedBuilder
from vimonet.training.data.vimos_dataset import training_samples
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.parquet import Instruction, Record
from vimonet.vimos.reading import read_records

OTHER = {"left": "right", "right": "left", "yes": "no", "no": "yes", "before": "after", "after": "before"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = PairedBuilder(count=24, val=0, test=0, sources=("synthetic",), pictures=2, size=32)
    return build(builder, tmp_path_factory.mktemp("steps") / "d", workers=0, progress=False).folder


@pytest.fixture(scope="module")
def asked(made: Path) -> list[tuple[Record, Instruction]]:
    return [(row, told) for row in read_records(made, "train") for told in row.instructions]


def test_an_answer_and_its_result() -> None:
    assert with_steps("red", {}) == "red" == result_of("red")
    said = with_steps("red", {STEPS: "at the end"})
    assert said == "at the end, so red" and result_of(said) == "red"


def test_what_needs_both_has_steps_and_nothing_else(asked: list[tuple[Record, Instruction]]) -> None:
    assert {told.evidence["needs"] for _, told in asked} == {"picture", "motion", "both"}
    for _, told in asked:
        assert (STEPS in told.evidence) == (told.evidence["needs"] == "both"), told


def test_steps_of_two_people(asked: list[tuple[Record, Instruction]]) -> None:
    """Who is given, who is asked about, and the answer of the one turned round for the other."""
    seen = set()
    for row, told in asked:
        people = row.provenance["scene"]["people"]
        if told.evidence["needs"] != "both" or len(people) != 2:
            continue
        steps = told.evidence[STEPS].split(", ")
        same, given = "same" in steps, told.evidence["given"]
        if told.form == "shirt_of":
            side = "left" if "on the left" in told.question else "right"
            assert steps[0] == f"given {given}" and (steps[1] == f"asked {given}") == same
            assert told.answer == people[0 if same else 1]["shirt"]
            assert steps[3] == f"on the {side if same else OTHER[side]}"
        else:
            asked_shirt = people[0 if same else 1]["shirt"]
            assert steps[:2] == [f"given {people[0]['shirt']}", f"asked {asked_shirt}"]
            assert f"the {asked_shirt} shirt" in told.question and steps[3] == f"given {given}"
            assert (told.answer == given) == same
            if not same and given in OTHER:
                assert told.answer == OTHER[given]
        seen.add((told.form == "shirt_of", same))
    assert len(seen) == 4


def test_steps_of_the_lamp_and_of_things(asked: list[tuple[Record, Instruction]]) -> None:
    seen = set()
    for row, told in asked:
        steps = told.evidence.get(STEPS, "")
        if "lamp" in told.form and steps:
            colours = [name for _, name in told.evidence["lamp"]]
            colour = told.answer if told.answer in colours else told.slots["colour"]
            place = {"at the beginning": 0, "at the end": len(colours) - 1, "in the middle": 1}[steps]
            assert colours[place] == colour
            seen.add("lamp")
        elif told.kind in ("prop_hand", "prop_way"):
            limb, seen_from, in_picture, first, *others, last = steps.split(", ")
            side, (kind, where), hand = limb.split()[0], in_picture.split(), first.split()[0]
            assert (seen_from == "seen from the front") == (where != hand) and first == f"{hand} hand {kind}"
            assert kind in told.question and (told.answer in ("yes", kind)) == (side == hand)
            kinds = {prop["kind"] for prop in row.provenance["scene"]["props"]}
            assert kind in kinds
            if told.answer in kinds:
                assert others == [f"{OTHER[hand]} hand {(kinds - {kind}).pop()}"]
                assert last == f"{side} hand {told.answer}" and last in (first, *others)
            else:
                assert told.answer in ("yes", "no") and others == [f"given {limb}"]
                assert last == ("same" if told.answer == "yes" else "other")
            seen.add("thing")
    assert seen == {"lamp", "thing"}


def test_steps_are_learnt_where_asked_for(made: Path) -> None:
    bare, stepped = (
        training_samples(str(made), qa_pairs=50, noise=False, chain_of_thought=steps) for steps in (False, True)
    )
    found = 0
    for n in range(len(bare)):
        plain = dict(bare[n]["qa_pairs"])
        for question, answer in stepped[n]["qa_pairs"]:
            if question in plain and ", so " in answer:
                assert result_of(answer) == plain[question] and ", so " not in plain[question]
                found += 1
    assert found > 20
