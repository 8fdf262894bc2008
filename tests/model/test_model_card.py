"""Model cards: made from the record of a training, a composition or a conversion."""

from __future__ import annotations

import json

import pytest
import yaml

from vimonet.model.model_card import write_card
from vimonet.utils.errors import InputError

RECORD = {
    "stage": "instruct",
    "seed": 3,
    "command": "vimonet train instruct --config a.yaml",
    "wall_seconds": 61.5,
    "steps": 200,
    "final_loss": 0.51234,
    "processes": 2,
    "machine": {"gpu": None, "processor": "x86_64", "threads": 4},
    "versions": {"torch": "2.13.0"},
    "parameters": {"language_model": 5600000},
    "sources": [
        {"source": "cmu", "licence": "free for all uses", "clips": 1200},
        {"source": "bandai", "licence": "CC-BY-NC-4.0", "clips": 7},
    ],
}


def card_of(folder, record=None):
    front, text = write_card(folder, record).read_text(encoding="utf-8").removeprefix("---\n").split("---\n\n", 1)
    return yaml.safe_load(front), text


def test_a_card_says_command_sources_licences_and_scores_of_the_record(tmp_path):
    (tmp_path / "training.json").write_text(json.dumps(RECORD))
    front, text = card_of(tmp_path)
    assert front["license"] == "other" and front["library_name"] == "transformers" and "base_model" not in front
    for line in (
        "vimonet train instruct --config a.yaml",
        "| cmu | free for all uses | 1,200 |",
        "| bandai | CC-BY-NC-4.0 | 7 |",
        "| final loss | 0.5123 |",
        "| language_model | 5,600,000 |",
        "| seed | 3 |",
    ):
        assert line in text.splitlines()
    assert "None" not in text and "sources and licences" not in text.split("## Not known")[1]


def test_one_licence_of_the_hubs_own_names_is_the_cards(tmp_path):
    front, _ = card_of(tmp_path, {**RECORD, "sources": [{"source": "a", "licence": "CC-BY-NC-4.0", "clips": 1}]})
    assert front["license"] == "cc-by-nc-4.0"


def test_a_card_names_what_is_not_known(tmp_path):
    unknown = card_of(tmp_path, {"stage": "align"})[1].split("## Not known")[1]
    for item in ("sources and licences of its training data", "scores", "the command that made it", "bias"):
        assert f"- {item}" in unknown


def test_an_adapters_card_names_its_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/base"}))
    front, text = card_of(tmp_path, RECORD)
    assert front["library_name"] == "peft" and front["base_model"] == ["owner/base"]
    assert "| base model of the adapter | owner/base |" in text.splitlines()


def test_a_folder_without_a_record_is_named(tmp_path):
    with pytest.raises(InputError, match=r"training.json: missing"):
        write_card(tmp_path)
