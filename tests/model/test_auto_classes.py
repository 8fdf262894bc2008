"""Model folders through transformers' own Auto classes, each in a process that imports nothing else first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import tiny_model

from vimonet.weights import WEIGHTS

NANO = str(WEIGHTS / "nano")


def run(code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


AFTER_IMPORT = """
import sys
{imports}
import vimonet
assert {light} or not {{"torch", "transformers"}} & set(sys.modules)
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForImageTextToText, AutoProcessor
from transformers import AutoModelForMultimodalLM
for auto in (AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForImageTextToText, AutoProcessor,
             AutoModelForMultimodalLM):
    print(type(auto.from_pretrained(sys.argv[1])).__name__)
print(type(AutoConfig.from_pretrained(sys.argv[2])).__name__)
"""
CLASSES = [
    "ViMoNetConfig",
    "MotionFeatureExtractor",
    "ViMoNetModel",
    "ViMoNetForConditionalGeneration",
    "ViMoNetProcessor",
    "ViMoNetForConditionalGeneration",
    "MotionTextConfig",
]


@pytest.mark.parametrize("imports", ["", "import transformers", "from transformers import AutoConfig"])
def test_import_vimonet_is_enough_for_the_auto_classes(imports):
    done = run(AFTER_IMPORT.format(imports=imports, light=bool(imports)), NANO, str(WEIGHTS / "evaluator"))
    assert done.stdout.split() == CLASSES, done.stderr


REMOTE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
from transformers import AutoModelForMultimodalLM, AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
model = AutoModelForMultimodalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
model.save_pretrained(sys.argv[1] + "/again")
processor.save_pretrained(sys.argv[1] + "/again")
AutoProcessor.from_pretrained(sys.argv[1] + "/again", trust_remote_code=True)
print(type(processor).__module__, type(model).__module__)
"""


def test_a_hub_user_gets_the_classes_of_the_package_by_remote_code(tmp_path):
    model, processor = tiny_model()
    model.save_pretrained(tmp_path / "tiny")
    processor.save_pretrained(tmp_path / "tiny")
    done = run(REMOTE, str(tmp_path / "tiny"), HF_HOME=str(tmp_path / "cache"))
    modules = ["vimonet.model.processing_vimonet", "vimonet.model.modeling_vimonet"]
    assert done.stdout.split() == modules, done.stderr
    saved = {path.name for path in (tmp_path / "tiny" / "again").iterdir()}
    assert saved == {path.name for path in (tmp_path / "tiny").iterdir()} - {"again"}
    assert {path for path in saved if path.endswith(".py")} == {"vimonet_classes.py"}


def test_a_hub_user_without_the_package_is_told_to_install_it(tmp_path):
    done = run(REMOTE, NANO, "vimonet", HF_HOME=str(tmp_path))
    assert done.returncode == 1 and "pip install vimonet" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["nano", "nano-paired"])
def test_shipped_folders_hold_the_classes_file_and_no_path_of_the_training_machine(name):
    folder = WEIGHTS / name
    assert (folder / "vimonet_classes.py").read_bytes() == (WEIGHTS / "vimonet_classes.py").read_bytes()
    config = json.loads((folder / "config.json").read_text())
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    assert not [part for part in parts if part.get("_name_or_path")]
    assert config["auto_map"]["AutoModel"] == "vimonet_classes.ViMoNetModel"


def test_dir_of_the_package_shows_the_api_only():
    done = run("import vimonet; print(*dir(vimonet))")
    assert done.stdout.split() == ["Answer", "Assistant", "Motion", "__version__", "load"]
    assert Path(WEIGHTS.parent / "py.typed").is_file()


def test_a_model_is_pushed_whole(tmp_path, monkeypatch):
    """`push_to_hub` against a hub that is a folder: what arrives there loads and answers as the model here."""
    import shutil

    import torch
    from huggingface_hub.errors import EntryNotFoundError
    from transformers.utils import hub

    import vimonet

    class FolderHub:
        def create_repo(self, repo_id, **kwargs):
            (tmp_path / repo_id).mkdir(parents=True, exist_ok=True)
            return type("Url", (), {"repo_id": repo_id})

        def create_commit(self, repo_id, operations, **kwargs):
            for operation in operations:
                shutil.copy(operation.path_or_fileobj, tmp_path / repo_id / operation.path_in_repo)

    def absent(*_, **__):
        raise EntryNotFoundError("no card")

    monkeypatch.setattr(hub, "hf_api", lambda *_, **__: FolderHub())
    monkeypatch.setattr(hub.ModelCard, "load", absent)
    model, processor = tiny_model()
    model.push_to_hub("someone/tiny")
    processor.push_to_hub("someone/tiny")
    pushed = vimonet.load(tmp_path / "someone" / "tiny")
    assert (tmp_path / "someone" / "tiny" / "vimonet_classes.py").is_file()
    state = model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in pushed.model.state_dict().items())
    assert pushed.processor.to_dict() == processor.to_dict()


PIPELINE = """
import sys, vimonet
from transformers import pipeline
ask = pipeline("any-to-any", model=sys.argv[1])
content = [{"type": "motion", "path": sys.argv[2]}, {"type": "text", "text": "Which way does the person go?"}]
said = ask(text=[{"role": "user", "content": content}], max_new_tokens=20, return_full_text=False)
print(said[0]["generated_text"])
"""


def test_the_pipeline_answers_without_a_warning():
    done = run(PIPELINE, NANO, str(WEIGHTS.parent / "samples" / "walk.bvh"), HF_HUB_DISABLE_PROGRESS_BARS="1")
    assert done.stdout == "forward\n", done.stderr
    assert not [line for line in done.stderr.splitlines() if line and "Loading weights" not in line]
