from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml
from dataset_world import write_mvbench, write_vimos

from scripts import lmms_utils
from scripts.export_lmms import export
from vimonet.bench.tasks import Rule
from vimonet.utils.errors import InputError


class _Loader(yaml.SafeLoader):
    """Reads ``!function module.name`` as lmms-eval does."""


_Loader.add_constructor("!function", lambda loader, node: ("function", loader.construct_scalar(node)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lmms")
    names = export(root / "tasks", write_vimos(root / "data", tests=4), ["body_part", "timing"], progress=False)
    assert names == ["vimonet_bench", "vimonet_body_part", "vimonet_timing"]
    return root / "tasks"


def test_yaml_has_what_lmms_eval_reads(folder: Path) -> None:
    task = yaml.load((folder / "vimonet_body_part.yaml").read_text(), _Loader)
    assert task["task"] == "vimonet_body_part" and task["dataset_path"] == "json" and task["test_split"] == "test"
    assert Path(task["dataset_kwargs"]["data_files"]["test"]).is_file()
    spec = importlib.util.spec_from_file_location("exported_utils", folder / "utils.py")
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    for key in ("doc_to_visual", "doc_to_text", "process_results"):
        kind, name = task[key]
        assert kind == "function" and callable(getattr(utils, name.removeprefix("utils.")))
    row = json.loads((folder / "data" / "body_part.jsonl").read_text().splitlines()[0])
    assert utils.doc_to_visual(row)[0].size[0] == 1200
    assert utils.doc_to_text(row, {"pre_prompt": "Look. "}).startswith("Look. Which hand")
    assert utils.process_results(row, [f"The {row['answer']}."]) == {"score": 1.0}
    group = yaml.safe_load((folder / "vimonet_bench.yaml").read_text())
    assert group["task"] == ["vimonet_body_part", "vimonet_timing"]


def test_videos_are_named_by_path(tmp_path: Path) -> None:
    export(tmp_path / "out", write_mvbench(tmp_path / "mv"), progress=False)
    row = json.loads((tmp_path / "out" / "data" / "action_prediction.jsonl").read_text())
    assert Path(row["visual"]).is_file() and lmms_utils.doc_to_visual(row) == [row["visual"]]
    assert lmms_utils.score(row, "(B)") == 1 and lmms_utils.score(row, "A") == 0


@pytest.mark.parametrize(
    "said", ["The left hand.", "B", "(A) left hand", "2", "three", "cannot tell", "Yes, twice", "", "1.9 s"]
)
@pytest.mark.parametrize("rule", [Rule(), Rule("letter"), Rule("number", 0.5), Rule("time", 0.5)])
@pytest.mark.parametrize("answer", ["left hand", "2", "cannot tell", "yes"])
def test_the_copy_scores_as_the_benchmark(rule: Rule, said: str, answer: str) -> None:
    options = ("left hand", "2", "cannot tell", "yes")
    doc = {"answer": answer, "options": options, "format": rule.format, "tolerance": rule.tolerance, "relative": 0}
    assert lmms_utils.score(doc, said) == rule.score(said, answer, options)


def test_a_taken_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(InputError, match="taken"):
        export(tmp_path / "out", write_mvbench(tmp_path / "mv"), progress=False)
    with pytest.raises(InputError, match="nothing to ask"):
        export(tmp_path / "new", tmp_path / "mv", ["count"], progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mv", "out"]
