"""A question form is declared in one file: annotated, written, read and asked under controls without another edit."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bench_world import body

from vimonet.bench.controls import expected_answer, under_condition
from vimonet.bench.datasets import open_dataset
from vimonet.bench.items import gather
from vimonet.bench.tasks import find_tasks
from vimonet.vimos.annotators.annotate import annotate
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.parquet import Record, to_row, to_table
from vimonet.vimos.question_forms import FORMS, changed_answer
from vimonet.vimos.types import Question

NEW_FORM = """
from vimonet.motion.kinematics.categories import side_of
from vimonet.vimos.question_forms import MIRRORED, declare
from vimonet.vimos.types import Question


def ask(facts):
    hands = facts.hand_height
    if len(hands) == 2 and abs(hands["left"] - hands["right"]) > 0.3:
        side = side_of(hands["left"] - hands["right"])
        yield Question("reach", "reaching_side", f"{side} side", {}, ("left side", "right side"), {"hands_m": hands})


declare(
    "reaching_side", "direction", needs=("side",), reversed=MIRRORED, frozen="neither side",
    denies={"left side": "lower"}, ask=ask,
    wordings={"seen": ["On which side does {who} reach up?"], "unseen": ["Which side reaches up?"]},
)
"""


@pytest.fixture
def declared(tmp_path: Path) -> Iterator[None]:
    path = tmp_path / "reaching.py"
    path.write_text(NEW_FORM)
    spec = importlib.util.spec_from_file_location("reaching", path)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield
    del FORMS["reaching_side"]


def test_one_file_declares_a_form_that_is_built_and_asked_under_controls(declared: None, tmp_path: Path) -> None:
    records = []
    for k, side in enumerate(("left", "right")):
        motion = body(side, frames=40, jitter=k)
        told, _ = annotate(motion, (), (), random.Random(k))
        own = tuple(i for i in told if i.form == "reaching_side")
        assert [(i.answer, i.style) for i in own] == [(f"{side} side", "direction")]
        records.append(Record(f"test/{k}", "here", f"r{k}", "test", "CC0", motion=motion, instructions=own))
    folder = tmp_path / "data"
    (folder / "test").mkdir(parents=True)
    pq.write_table(to_table([to_row(record) for record in records]), folder / "test" / "00000.parquet")
    (folder / "vimos.json").write_text(json.dumps({"vimos_version": 1, "sha256": "abc"}))

    items = gather(open_dataset(folder), find_tasks(["direction"]))
    assert sorted(item.answer for item in items) == ["left side", "right side"]
    assert {item.question for item in items} == {"On which side does the person reach up?"}
    for control, left in (("mirrored", "right side"), ("reversed", "right side"), ("frozen", "neither side")):
        shown = {asked.item.answer: asked for asked in under_condition(control, items)}
        assert set(shown) == {"left side", "right side"}
        assert expected_answer(shown["left side"].item, control) == left
    assert contradicts(Question("reach", "reaching_side", "left side"), {"lower the left hand"})
    assert not contradicts(Question("reach", "reaching_side", "right side"), {"lower the left hand"})


def test_a_form_that_nobody_declared_has_no_answer_under_a_control() -> None:
    assert changed_answer("reaching_side", "frozen", "left side", "", {}) is None
