"""Joining mini: parts, towers and the shipped adapter give the model that was trained, once, in the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from tiny_language import byte_level_tokenizer, saved_language_model, saved_reader
from tiny_video import saved_backbone

import vimonet
from vimonet.model import lora_config
from vimonet.model.action_network import FOLDER as NETWORK
from vimonet.model.action_network import ActionNetwork, statistics_of
from vimonet.model.build import Composed, compose
from vimonet.model.conversion import mini_model
from vimonet.model.conversion.mini_model import join_mini
from vimonet.model.hub import load_pretrained
from vimonet.model.question_reader import FOLDER
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.utils.errors import InputError
from vimonet.weights import model_source

ROOT = Path(__file__).parents[2]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Tiny parts in the place of SmolLM2 and EfficientNet, and an empty cache."""
    saved_language_model("qwen", tmp_path, tokenizer=byte_level_tokenizer("qwen"))
    tiny = {"llm": tmp_path / "qwen", "video": saved_backbone("clip", tmp_path), "video_tokens": 4}
    recipe = {**mini_model.RECIPE, **tiny}
    monkeypatch.setattr(mini_model, "RECIPE", recipe)
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))
    return recipe


def trained_adapter(parts: dict[str, object], root: Path) -> tuple[Composed, torch.nn.Module]:
    """A base model and an adapter with random weights, saved as stage instruct saves them."""
    base = compose(motion_towers=load_pretrained(model_source("nano")), **parts)  # type: ignore[arg-type]
    base.model.config.context, base.model.config.action_phrases = ["actions", "facts"], ["walk", "run"]
    base.save(root / "base")
    settings = lora_config(4, 8, 0.0, targets=["q_proj", "v_proj"])
    settings.modules_to_save = ["translators"]
    model = get_peft_model(base.model, settings)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(root / "run")
    return base, model


def ship(root: Path) -> Path:
    out = root / "shipped"
    command = [sys.executable, "scripts/ship_adapter.py", root / "run", "--base", root / "base", "-o", out]
    command += ["--set", "confidence_temperature=1.5"]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (out / "README.md").write_text("# mini\n")
    return out


def test_the_joined_model_is_the_trained_one(parts: dict[str, object], tmp_path: Path) -> None:
    base, trained = trained_adapter(parts, tmp_path)
    shipped = ship(tmp_path)
    made = join_mini(shipped)
    assert made.made and not join_mini(shipped).made  # what is whole stays
    joined = vimonet.load(made.folder)
    assert joined.config.context == ["actions", "facts"] and joined.config.confidence_temperature == 1.5
    narrow = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
    assert joined.model.language_model.dtype == narrow
    assert {value.dtype for value in joined.model.vimonet.translators.parameters()} == {torch.float32}
    ids = torch.tensor([base.processor.tokenizer("which way does the person turn")["input_ids"]])
    with torch.no_grad():
        expected = trained.eval()(input_ids=ids).logits
        found = joined.model(input_ids=ids).logits.float()
    assert torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1] > 0.999
    assert joined.config.confidence == "least"
    joined.config.confidence_temperature = 1.0
    sure = joined.ask("Which way?", "sample:walk", max_new_tokens=3, answer_policy="raw").confidence
    joined.config.confidence = "mean"
    assert sure < joined.ask("Which way?", "sample:walk", max_new_tokens=3, answer_policy="raw").confidence
    answer = joined.ask("Which way?", "sample:walk", max_new_tokens=3, answer_policy="raw")
    assert answer.inputs_read == ("motion",)


def test_the_reader_that_it_was_trained_with_is_joined(
    parts: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_adapter(parts, tmp_path)
    encoder = saved_reader(tmp_path / "run" / FOLDER, {"is that a stroll": (0, 0), "how many": (1, 0)})
    monkeypatch.setattr(mini_model, "part_source", lambda name: {mini_model.ENCODER: str(encoder)}[name])
    shipped = ship(tmp_path)
    settings = json.loads((shipped / "settings.json").read_text())
    assert len(settings["reader_sha256"]) == 64 and not (shipped / "model.safetensors").exists()
    folder = join_mini(shipped).folder
    reader = vimonet.load(folder).reader
    assert reader is not None and reader(["Is that a stroll?"]) == ["Is that a stroll (does the person walk)"]
    (folder / FOLDER / "reader.json").write_text("{}")
    assert join_mini(shipped).made  # damaged: joined again


def test_the_action_network_that_it_was_trained_with_is_joined(parts: dict[str, object], tmp_path: Path) -> None:
    base, _ = trained_adapter(parts, tmp_path)
    features = {"motion": BODY_DIM, "keypoint": KEYPOINT_DIM}
    statistics = statistics_of(base.processor.feature_extractor)
    network = ActionNetwork(["climb"], features, width=8, layers=1, heads=2, hidden=8, statistics=statistics)
    network.save(tmp_path / "run" / NETWORK)
    shipped = ship(tmp_path)
    assert len(json.loads((shipped / "settings.json").read_text())["network_sha256"]) == 64
    joined = vimonet.load(join_mini(shipped).folder).network
    assert joined is not None and joined.phrases == ("climb",)


def test_parts_that_are_not_those_of_the_settings_are_refused(parts: dict[str, object], tmp_path: Path) -> None:
    trained_adapter(parts, tmp_path)
    shipped = ship(tmp_path)
    (shipped / "action_network.json").write_text("{}")
    with pytest.raises(InputError, match="network is not that"):
        join_mini(shipped)


def test_a_damaged_model_is_joined_again(parts: dict[str, object], tmp_path: Path) -> None:
    trained_adapter(parts, tmp_path)
    shipped = ship(tmp_path)
    folder = join_mini(shipped).folder
    (folder / "config.json").write_text("{}")
    assert join_mini(shipped).made and json.loads((folder / "config.json").read_text())["context"]


def test_an_adapter_of_other_shapes_is_refused(parts: dict[str, object], tmp_path: Path) -> None:
    trained_adapter(parts, tmp_path)
    shipped = ship(tmp_path)
    described = json.loads((shipped / "adapter_config.json").read_text())
    (shipped / "adapter_config.json").write_text(json.dumps({**described, "r": 8}))
    with pytest.raises(InputError, match="does not fit its parts"):
        join_mini(shipped)
    assert not any((tmp_path / "cache" / "models").glob("mini-*"))


def test_mini_is_asked_for_before_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path))
    monkeypatch.delenv("VIMONET_MODEL", raising=False)
    with pytest.raises(InputError, match="run 'vimonet fetch mini' once"):
        model_source("mini")
    assert Path(model_source(None)).name == "nano"  # without mini, nano is the default
