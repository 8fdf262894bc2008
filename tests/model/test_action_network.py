"""An action network names actions beside the tokens and travels with its model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_model, tiny_motion

import vimonet
from vimonet.inference.assistant import Assistant
from vimonet.model.action_network import DESCRIPTION, FOLDER, WEIGHTS, ActionNetwork, copy_network, statistics_of
from vimonet.model.action_recognition import ActionRecogniser
from vimonet.model.hub import load_network, load_reader
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.utils.errors import InputError

SIZES = {"width": 16, "layers": 1, "heads": 2, "hidden": 16}
FEATURES = {"motion": BODY_DIM, "keypoint": KEYPOINT_DIM}


def network_of(*phrases: str, sure_of: str = "") -> ActionNetwork:
    torch.manual_seed(0)
    network = ActionNetwork(phrases, FEATURES, **SIZES).eval()
    if sure_of:
        network.head.weight.data.zero_()
        network.head.bias.data = 12.0 * torch.tensor([float(phrase == sure_of) for phrase in phrases])
    return network


@pytest.fixture
def assistant() -> Assistant:
    model, processor = tiny_model()
    model.config.context, model.config.action_phrases = ["actions"], ["walk", "jump"]
    return Assistant(model, processor, "tiny")


def test_scores_are_probabilities_of_moments_and_padding_changes_none() -> None:
    network, values = network_of("walk", "jump"), torch.randn(39, BODY_DIM)
    scores = network.scores(values, "motion", 4)
    assert scores.shape == (10, 2) and network.scores(values[:3], "motion", 4).shape == (1, 2)
    padded = torch.cat([values, values[-1:], torch.full((20, BODY_DIM), 3.0)])[None]
    with torch.no_grad():
        logits = network(padded, torch.tensor([40]), "motion")[0, :20]
    torch.testing.assert_close(logits.log_softmax(-1).view(10, 2, 2).mean(1), scores)


def test_path_heading_and_time_are_not_read() -> None:
    network, values = network_of("walk", "jump"), torch.randn(40, BODY_DIM)
    moved = values.clone()
    moved[:, 5:11] += 2.0
    assert torch.equal(network.scores(values, "motion", 4), network.scores(moved, "motion", 4))
    flat = torch.randn(40, KEYPOINT_DIM)
    assert network.scores(flat, "keypoint", 4).shape == (10, 2)


def test_a_network_brings_names_that_the_tokens_have_not(assistant: Assistant) -> None:
    alone = assistant.actions(tiny_motion(80))
    assert {name for span in alone for name, _ in span.actions} <= {"walk", "jump"}
    model, processor = assistant.model, assistant.processor
    beside = Assistant(model, processor, "tiny", network=network_of("climb", "jump", sure_of="climb"))
    (span,) = beside.actions(tiny_motion(80))  # the tokens do not know climbing: they leave it to the network
    assert span.actions[0] == ("climb", pytest.approx(1.0, abs=0.01)) and span.start == 0
    agreeing = ActionRecogniser(model, processor.tokenizer, network_of("jump", "climb", sure_of="jump"))
    values = torch.from_numpy(processor.feature_extractor.extract(tiny_motion(60)))
    tokens, network = agreeing.shares(values, 3)
    assert tokens.shape == network.shape and agreeing.phrases == ("walk", "jump", "climb")
    torch.testing.assert_close(network.sum(1), torch.ones(len(network)), atol=1e-3, rtol=0)
    assert not tokens[:, 2].any()
    averaged = agreeing.averaged((tokens, network))
    torch.testing.assert_close(averaged[:, 2], network[:, 2])
    torch.testing.assert_close(averaged.sum(1), torch.ones(len(network)))
    torch.testing.assert_close(averaged[:, 0], (tokens[:, 0] * (1 - network[:, 2]) + network[:, 0]) / 2)
    assert agreeing(values, 3)[0].actions[0][0] == "jump"


def test_it_is_saved_with_its_model_and_damage_is_told(assistant: Assistant, tmp_path: Path) -> None:
    assistant.model.save_pretrained(tmp_path)
    assistant.processor.save_pretrained(tmp_path)
    extractor = assistant.processor.feature_extractor
    assert load_reader(tmp_path) is None and load_network(tmp_path, extractor) is None
    network = network_of("climb", "jump", sure_of="climb")
    network.statistics = statistics_of(extractor)
    network.save(tmp_path / FOLDER)
    found = vimonet.load(tmp_path)
    assert found.network is not None and found.actions(tiny_motion(80))[0].actions[0][0] == "climb"
    state = load_file(tmp_path / FOLDER / WEIGHTS)
    save_file({**state, "head.bias": torch.full_like(state["head.bias"], torch.nan)}, tmp_path / FOLDER / WEIGHTS)
    with pytest.raises(InputError, match=r"head\.bias"):
        vimonet.load(tmp_path)
    save_file({name: value for name, value in state.items() if name != "head.bias"}, tmp_path / FOLDER / WEIGHTS)
    with pytest.raises(InputError, match="not an action network"):
        vimonet.load(tmp_path)
    (tmp_path / FOLDER / DESCRIPTION).write_text("[]")
    with pytest.raises(InputError, match="action_network"):
        vimonet.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("phrases", ["climb", "climb"], "distinct"),
        ("phrases", ["climb", 3], "texts"),
        ("sizes", {**SIZES, "layers": 10**9}, "sizes"),
        ("sizes", {**SIZES, "hidden": 8000}, "weights"),
        ("sizes", {**SIZES, "heads": 3}, "heads"),
        ("features", {"motion": 0, "keypoint": 76}, "sizes"),
    ],
)
def test_a_description_that_fits_no_network_is_refused(field: str, value: object, reason: str, tmp_path: Path) -> None:
    network_of("climb", "jump").save(tmp_path)
    described = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps({**described, field: value}))
    with pytest.raises(InputError, match=reason):
        ActionNetwork.open(tmp_path)


def test_a_network_that_learnt_from_other_features_is_refused(assistant: Assistant, tmp_path: Path) -> None:
    extractor = assistant.processor.feature_extractor
    network = network_of("climb")
    network.statistics = statistics_of(extractor)
    network.save(tmp_path / FOLDER)
    (tmp_path / "config.json").write_text("{}")
    assert load_network(tmp_path, extractor) is not None
    extractor.mean = np.ones(BODY_DIM, np.float32)
    with pytest.raises(InputError, match="other features"):
        load_network(tmp_path, extractor)
    (tmp_path / FOLDER / WEIGHTS).unlink()
    (tmp_path / "model").mkdir()
    with pytest.raises(InputError, match="missing"):
        copy_network(tmp_path / "model", tmp_path / FOLDER)
    assert not (tmp_path / "model" / FOLDER).exists()
