from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vimonet.training import load_config, main, make_config, stage_names
from vimonet.utils.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "nano"


def test_yaml_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("trainer:\n  steps: 5\ndata:\n  sources: [bnr]\n")
    config = load_config(file, ["trainer.steps=7", "optim.lr.projectors=1e-3", "data.split=val", "data.mix.a=2"])
    assert config.trainer.steps == 7
    assert config.optim.lr.projectors == 1e-3  # YAML reads 1e-3 as text
    assert config.data == {"sources": ["bnr"], "split": "val", "mix": {"a": 2}}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.step=1", "trainer.steps"),
        ("optm.lr.projectors=1", "optim"),
        ("batch_size=4", "trainer.batch_size"),
        ("trainer.steps=many", "int"),
        ("trainer.steps=2.5", "int"),
        ("trainer.bf16=3", "bool"),
        ("trainer=3", "further keys"),
        ("data=3", "mapping"),
        ("projector.kind=conv", "attentive"),
        ("trainer.steps=0", "at least 1"),
        ("trainer.save_every=30", "multiple"),
        ("optim.lr.projectors=-1", "at least 0"),
        ("optim.lr.keypoint_projector=1", "frozen projectors"),
        ("trainer.steps", "key=value"),
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
    rates = ["optim.lr.projectors=0", "optim.lr.keypoint_projector=1e-3"]
    assert make_config({}, rates).optim.lr.keypoint_projector == 1e-3
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


@pytest.mark.parametrize("stage", stage_names())
def test_shipped_configurations_load_and_comment_every_key(stage: str) -> None:
    recipe = "nano" if (CONFIGS / f"{stage}.yaml").is_file() else "mini"
    file = CONFIGS.parent / recipe / f"{stage}.yaml"
    load_config(file, stage=stage)
    text = file.read_text()
    assert f"vimonet train {stage} --config configs/{recipe}/{stage}.yaml" in text
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#") and not line.rstrip().endswith(":"):
            assert "#" in line, f"no comment: {line}"
    assert yaml.safe_load(text)["output"]
