from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_model

import vimonet
from benchmarks.views import dataset_items
from research.vimos_open.builder import OpenBuilder
from scripts.fit_abstention_thresholds import (
    action_items,
    fit_action_threshold,
    fit_keypoint_threshold,
    fit_temperature,
    keypoint_items,
    main,
    share_named,
)
from vimonet.motion import Motion
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.types import Item


@dataclass
class Said:
    text: str
    confidence: float


class Overconfident:
    """Right three times of four, always 97 % sure at temperature 1."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(confidence_temperature=1.0)

    def ask_batch(self, pairs: list) -> list[Said]:
        logit = np.log(0.97 / 0.03) / self.config.confidence_temperature
        sure = float(1 / (1 + np.exp(-logit)))
        return [Said("yes" if index % 4 else "no", sure) for index in range(len(pairs))]


def items(number: int) -> list[Item]:
    motion = Motion(np.repeat(T_POSE[None], 8, axis=0))
    return [Item(str(i), "made", str(i), "yes_no", "yes_no", "Is it?", "yes", motion) for i in range(number)]


def test_an_overconfident_model_is_cooled_to_its_accuracy() -> None:
    assistant = Overconfident()
    found = fit_temperature(assistant, items(40))
    assert found["accuracy"] == 0.75
    assert found["temperature"] == assistant.config.confidence_temperature > 2
    candidates = found["candidates"]
    assert candidates[str(found["temperature"])]["ece"] < 0.1 < candidates["1.0"]["ece"]


def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(InputError, match="no validation item"):
        fit_temperature(Overconfident(), [])


class Namer:
    """Says what it is told to, as sure as it is told to be."""

    def __init__(self, said: list[tuple[str, float]]) -> None:
        self.said, self.questions = said, []

    def ask_batch(self, pairs: list) -> list[Said]:
        self.questions = [question for question, _ in pairs]
        return [Said(*said) for said in self.said]


def waves(number: int) -> list[Item]:
    return [replace(item, evidence={"parts": [("wave", 0.0, 1.0)]}) for item in items(number)]


def test_the_threshold_parts_names_that_are_mostly_right_from_those_mostly_wrong() -> None:
    wrong, right = [("bowing", 0.1 * k) for k in range(1, 6)], [("waving", 0.1 * k) for k in range(6, 10)]
    assistant = Namer([*wrong, ("waving", 0.35), *right, ("bowing", 0.75), ("cannot tell", 0.2)])
    found = fit_action_threshold(assistant, waves(12))
    assert 0.5 < found["threshold"] < 0.6
    assert found["n"] == 11 and found["right"]["above"] == {"n": 5, "share": 0.8}
    assert found["right"]["below"]["share"] == pytest.approx(1 / 6, abs=0.001)
    fit_action_threshold(assistant, waves(12), "Describe it.")
    assert set(assistant.questions) == {"Describe it."}


@pytest.mark.parametrize(("said", "threshold"), [("waving", 0.0), ("bowing", 0.85), ("cannot tell", 0.0)])
def test_the_threshold_of_a_model_that_is_always_right_or_always_wrong(said: str, threshold: float) -> None:
    assert fit_action_threshold(Namer([(said, 0.3), (said, 0.7)]), waves(2))["threshold"] == pytest.approx(threshold)
    with pytest.raises(InputError, match="no validation item"):
        fit_action_threshold(Namer([]), [])


def test_the_threshold_of_keypoints_leaves_numbers_out() -> None:
    asked = [replace(item, answer="left") for item in items(6)]
    said = [("right", 0.2), ("right", 0.3), ("left", 0.5), ("left", 0.6), ("7", 0.9), ("cannot tell", 0.95)]
    found = fit_keypoint_threshold(Namer(said), asked)
    assert found["n"] == 4 and 0.3 < found["threshold"] < 0.5
    with pytest.raises(InputError, match="no validation item about a 2D motion"):
        fit_keypoint_threshold(Namer([]), [])


def test_an_action_without_a_name_makes_every_name_wrong() -> None:
    assert fit_action_threshold(Namer([("waving", 0.7)] * 2), items(2))["right"]["below"]["share"] == 0.0


@pytest.mark.parametrize(
    ("said", "actions", "share"),
    [
        ("waving the left hand", ["wave the left hand"], 1.0),
        ("waving", ["wave the left hand"], 0.0),
        ("walking, then bowing", ["walk", "kick"], 0.5),
        ("walking, then walking", ["walk"], 0.5),
        ("walking", ["walk", "bow"], 0.5),
        ("a person walks forward slowly, then bows.", ["walk", "bow"], 1.0),
        ("Someone bows.", ["walk"], 0.0),
        ("walking", [], 0.0),
    ],
)
def test_the_share_of_actions_named_right(said: str, actions: list[str], share: float) -> None:
    assert share_named(said, actions) == share


KINDS = {"action": "actions", "caption": "captions", "keypoints_2d": "keypoints_2d"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of generated movements with a split ``val``."""
    builder = OpenBuilder(sources=("synthetic",), count=4, val=60, test=False)
    return build(builder, tmp_path_factory.mktemp("vimos") / "d", workers=0, progress=False).folder


def test_items_are_of_the_validation_split_with_a_third_of_actions_unnamed(dataset: Path) -> None:
    every = list(dataset_items(dataset, "val"))
    assert {item.motion.dimensions for item in every} == {2, 3}
    asked = action_items(every, limit=20)
    solid = [item for item in asked if not item.id.endswith("/2d")]
    unnamed = [item for item in solid if item.id.startswith("unnamed/")]
    assert {item.answer for item in unnamed} == {"cannot tell"} and not any(item.evidence for item in unnamed)
    named = [item for item in solid if item not in unnamed]
    assert 0 < len(unnamed) <= len(named) / 2 and all(item.evidence["parts"] for item in named)
    assert {item.motion.dimensions for item in asked if item.id.endswith("/2d")} == {2}
    flat = keypoint_items(every, limit=30)
    assert {item.motion.dimensions for item in flat} == {2} and not any(item.form == "action" for item in flat)


def test_a_model_folder_gets_its_temperature_and_thresholds(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in tiny_model():
        part.save_pretrained(tmp_path)
    assert main([str(tmp_path), str(dataset), "--limit", "10"]) == 0
    found = json.loads(capsys.readouterr().out)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["confidence_temperature"] == found["temperature"] and found["n"] == 10
    thresholds = {kind: found[name]["threshold"] for kind, name in KINDS.items()}
    assert config["abstention_thresholds"] == thresholds
    assert vimonet.load(tmp_path).config.abstention_thresholds == thresholds
    assert main([str(tmp_path), "nowhere"]) == 2
    assert "no VIMOS dataset is here" in capsys.readouterr().err
