from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from vimonet.bench.predictions import assistant_sha256, code_version, items_sha256, weights_sha256
from vimonet.vimos.types import Item


def test_hash_of_one_file_is_that_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    assert weights_sha256(tmp_path) == hashlib.sha256(b"weights").hexdigest()
    assert weights_sha256(tmp_path / "model.safetensors") == weights_sha256(tmp_path)
    assert assistant_sha256(SimpleNamespace(directory=tmp_path)) == weights_sha256(tmp_path)


def test_hash_of_several_files_is_that_of_the_output_of_sha256sum(tmp_path: Path) -> None:
    for name in ("b.safetensors", "a.safetensors"):
        (tmp_path / name).write_text(name)
    listing = subprocess.run(
        ["sha256sum", "a.safetensors", "b.safetensors"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert weights_sha256(tmp_path) == hashlib.sha256(listing).hexdigest()


def test_the_hash_tells_what_stands_beside_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("model")
    hashes = [weights_sha256(tmp_path)]
    reader, matcher = "question_reader/reader.safetensors", "question_reader/matcher.safetensors"
    for name in (reader, matcher, "action_network/action_network.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        hashes.append(weights_sha256(tmp_path))
    assert len(set(hashes)) == 4


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no weight file"):
        weights_sha256(tmp_path)


def test_hash_of_tensors_in_memory_sees_every_bit() -> None:
    torch = pytest.importorskip("torch")
    tensors = {"b": torch.zeros(2, dtype=torch.bfloat16), "a": torch.arange(3), "s": torch.tensor(1.0)}

    def digest(state: dict) -> str | None:
        return assistant_sha256(SimpleNamespace(model=SimpleNamespace(state_dict=lambda: state)))

    first = digest(tensors)
    assert first is not None and first.startswith("tensors:") and first == digest(dict(reversed(tensors.items())))
    assert first != digest({**tensors, "s": torch.tensor(1.0000001)})
    assert assistant_sha256(object()) is None


def test_items_hash_sees_questions_and_movements(items: list[Item]) -> None:
    first = items_sha256(items)
    assert first == items_sha256(list(items))
    assert first != items_sha256([replace(items[0], answer="x"), *items[1:]])
    assert first != items_sha256([replace(items[0], motion=items[3].motion), *items[1:]])


def test_code_version_begins_with_the_package_version() -> None:
    import vimonet

    assert code_version().startswith(vimonet.__version__)
