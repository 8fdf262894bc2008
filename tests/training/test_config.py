from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vimonet.training import load_config, main, make_config
from vimonet.utils.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "nano"


def test_yaml_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("schedule:\n  steps: 5\ndata:\n  sources: [bnr]\n")
    config = load_config(file, ["schedule.steps=7", "learning_rate.translators=1e-3", "data.split=val", "data.mix.a=2"])
    assert config.schedule.steps == 7
    assert config.learning_rate.translators == 1e-3  # YAML reads 1e-3 as text
    assert config.data == {"sources": ["bnr"], "split": "val", "mix": {"a": 2}}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("schedule.step=1", "schedule.steps"),
        ("learning_rat.translators=1", "learning_rate"),
        ("batch_size=4", "schedule.batch_size"),
        ("schedule.steps=many", "int"),
        ("schedule.steps=2.5", "int"),
        ("schedule.bf16=3", "bool"),
        ("schedule=3", "further keys"),
        ("data=3", "mapping"),
        ("translator.kind=conv", "attentive"),
        ("schedule.steps=0", "at least 1"),
        ("schedule.save_every=30", "multiple"),
        ("learning_rate.translators=-1", "negative"),
        ("learning_rate.keypoint_translator=1", "frozen translators"),
        ("schedule.steps", "key=value"),
        ("lora.targets=q_proj", "list"),
        ("video.pooling=mean", "attentive"),
        ("video.fit=squash", "stretch"),
        ("video.frames=0", "at least 1"),
        ("objective.modality_dropout=1.5", "from 0 to 1"),
    ],
)
def test_mistakes_are_named(override: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_config({}, [override])


def test_a_translator_that_adapters_would_leave_frozen_is_refused() -> None:
    rates = ["learning_rate.translators=0", "learning_rate.keypoint_translator=1e-3"]
    assert make_config({}, rates).learning_rate.keypoint_translator == 1e-3
    with pytest.raises(InputError, match="without adapters"):
        make_config({}, [*rates, "lora.rank=4"])


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1\nb: 2")
    with pytest.raises(InputError, match="line"):
        load_config(broken)
    broken.write_text("- 1")
    with pytest.raises(InputError, match="list"):
        load_config(broken)
    with pytest.raises(InputError, match="stage"):
        main("tokeniser", broken)


@pytest.mark.parametrize("stage", ["language", "tokenizer", "align", "lift", "instruct"])
def test_shipped_configurations_load_and_comment_every_key(stage: str) -> None:
    file = CONFIGS / f"{stage}.yaml"
    load_config(file)
    text = file.read_text()
    assert f"vimonet train {stage} --config configs/nano/{stage}.yaml" in text
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#") and not line.rstrip().endswith(":"):
            assert "#" in line, f"no comment: {line}"
    assert yaml.safe_load(text)["output"]
