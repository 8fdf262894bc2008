"""Damaged model folders, indexes, shards, tables and task files: one sentence that names the file, at once."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from bench_world import body
from safetensors.torch import load_file, save_file

import vimonet
from vimonet.bench.tasks import load_task
from vimonet.model.chat_templates import CHAT_TEMPLATE, FAMILIES, is_own_template
from vimonet.model.template_trial import check_template
from vimonet.model.weight_files import check_finite, indexed_files, read_state_dict, read_tensors
from vimonet.retrieval import Index, storage
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, shipped_encoder
from vimonet.training.config import load_config
from vimonet.utils.errors import InputError
from vimonet.utils.settings import parse_override
from vimonet.vimos.builders.folder import read_table
from vimonet.vimos.card import count
from vimonet.vimos.parquet import Caption, Record, to_row, to_table
from vimonet.vimos.reading import read_records, sources_of
from vimonet.weights import model_source

NANO = Path(model_source("nano"))


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    """A copy of nano whose large files are links until a test replaces them."""
    folder = tmp_path / "nano"
    folder.mkdir()
    for file in NANO.iterdir():
        if file.is_file():
            (os.link if file.suffix == ".safetensors" else shutil.copy)(file, folder / file.name)
    return folder


def replaced(file: Path, state: dict[str, torch.Tensor]) -> None:
    file.unlink()
    save_file(state, file, {"format": "pt"})


def test_weights_that_are_no_numbers_are_refused(nano: Path, tmp_path: Path) -> None:
    state = load_file(nano / "model.safetensors")
    name = max(state, key=lambda key: state[key].numel())
    state[name].view(-1)[7] = float("nan")
    replaced(nano / "model.safetensors", state)
    with pytest.raises(InputError, match=rf"nano: 1 of the [\d,]+ weights of {name} are NaN or infinite"):
        vimonet.load(nano)
    torch.save(state, tmp_path / "vq.pth")
    with pytest.raises(InputError, match=r"vq\.pth: 1 of the"):
        read_state_dict(tmp_path / "vq.pth")
    encoder = tmp_path / "encoder"
    shutil.copytree(shipped_encoder(), encoder)
    state = load_file(encoder / "model.safetensors")
    next(iter(state.values())).view(-1)[0] = float("inf")
    replaced(encoder / "model.safetensors", state)
    with pytest.raises(InputError, match="encoder: 1 of the"):
        TextMotionEncoder.load(encoder)


def test_a_config_that_lost_its_language_model_makes_no_other(nano: Path) -> None:
    config = json.loads((nano / "config.json").read_text())
    del config["text_config"]  # the default of the family has seven thousand million weights
    (nano / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config\.json: it describes a language model of over 536,870,912 weights"):
        vimonet.load(nano)


def test_large_numbers_and_whole_numbers_are_weights() -> None:
    check_finite({"a": torch.full((8,), 3e38), "b": torch.tensor([1]), "c": torch.full((9,), 6e4).half()}, "here")


@pytest.mark.parametrize("name", ["../weights.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", 7, None, [1]])
def test_a_weight_index_stays_inside_its_folder(name: Any, nano: Path) -> None:
    shutil.copy(nano / "model.safetensors", nano.parent / "weights.safetensors")
    (nano / "model.safetensors").unlink()
    index = nano / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": name}}))
    for read in (lambda: vimonet.load(nano), lambda: read_tensors([nano]), lambda: indexed_files(index)):
        with pytest.raises(InputError, match=r"model\.safetensors\.index\.json: (names .* own folder|no index)"):
            read()


@pytest.mark.parametrize("text", ["[", "[" * 200_000, '{"weight_map": []}', '{"weight_map": {}}', "\xff"])
def test_damaged_descriptions_of_a_model(text: str, nano: Path) -> None:
    (nano / "model.safetensors").unlink()
    (nano / "model.safetensors.index.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"index\.json"):
        vimonet.load(nano)


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_hidden_layers", 10**9), ("hidden_size", 10**12), ("dropout", float("inf")), ("depth", 10**5)],
)
def test_sizes_that_no_model_has_are_refused_before_it_is_made(key: str, value: float, nano: Path) -> None:
    config = json.loads((nano / "config.json").read_text())
    config["text_config"][key] = value
    (nano / "config.json").write_text(json.dumps(config))
    began = time.monotonic()
    with pytest.raises(InputError, match=rf"config\.json: {key} is"):
        vimonet.load(nano)
    assert time.monotonic() - began < 5


def test_own_templates_are_known() -> None:
    for folder in (NANO, NANO.with_name("nano-paired")):  # their cold start must not pay for a trial
        assert is_own_template((folder / "chat_template.jinja").read_text())
    for family in FAMILIES:
        assert is_own_template(family.template()) and is_own_template(family.template('say "yes"\n{{ x }}'))
        evil = family.template("X").replace('"X"', '"" ~ "a" * 1000000000')
        assert not is_own_template(evil)
    assert not is_own_template(CHAT_TEMPLATE + " ")


def test_templates_are_bounded_in_size(nano: Path) -> None:
    (nano / "chat_template.jinja").write_text("x" * 70_000)
    with pytest.raises(InputError, match=r"chat_template\.jinja: a chat template has at most 65,536 bytes"):
        vimonet.load(nano)
    for template in ("x" * 70_000, {"default": "x"}, None):
        with pytest.raises(InputError, match="the chat template"):
            check_template(template, nano)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", "more than 5 s or 512 MiB"),
        ("{{ 'a' * 300000 }}", "makes 300,000 letters"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_foreign_templates_are_bounded_in_time_and_memory(template: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        check_template(template, tmp_path)


@pytest.mark.slow
def test_a_sound_foreign_template_passes(tmp_path: Path) -> None:
    check_template("{% for m in messages %}{{ m['role'] }}: {{ m['content'][0]['type'] }}\n{% endfor %}", tmp_path)


def test_a_template_may_refuse_the_system_message(tmp_path: Path) -> None:
    refuses = "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}x{% endfor %}"
    check_template(refuses, tmp_path)
    assert is_own_template(Path(model_source("nano"), "chat_template.jinja").read_text())  # it needs no trial


# ------------------------------- indexes


def entry(**changes: Any) -> storage.Entry:
    plain: dict[str, Any] = {
        "path": "a.bvh",
        "stamp": "1:1",
        "digest": "d",
        "bounds": np.array([[0, 60]], np.int32),
        "vectors": np.ones((1, 4), np.float16),
    }
    return storage.Entry(**{**plain, **changes})


ABOUT = {"root": "/clips", "windows": [3.0], "fingerprint": "f", "evaluator": "", "complete": True}


@pytest.mark.parametrize(
    ("about", "changes"),
    [
        ({"windows": "3"}, {}),
        ({"windows": [float("nan")]}, {}),
        ({"root": 3}, {}),
        ({"complete": "yes"}, {}),
        ({}, {"path": "../../etc/passwd"}),
        ({}, {"path": "/etc/passwd"}),
        ({}, {"vectors": np.full((1, 4), np.nan, np.float16)}),
        ({}, {"bounds": np.array([[60, 0]], np.int32)}),
        ({}, {"bounds": np.array([[-5, 6]], np.int32)}),
        ({}, {"vectors": np.ones((1, 3), np.float16), "path": "b.bvh"}),
    ],
)
def test_a_damaged_index_is_refused(about: dict[str, Any], changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    storage.write(path, ABOUT, [entry()])
    assert Index.open(path).complete
    storage.write(path, {**ABOUT, **about}, [entry(path="c.bvh"), entry(**changes)])
    with pytest.raises(InputError, match=r"x\.index: not a readable search index"):
        Index.open(path)


# ------------------------------- shards, tables, tasks


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "vimos.json").write_text(json.dumps({"vimos_version": 1}))
    return folder


def shard(folder: Path, change: Callable[[dict[str, Any]], object] = lambda row: None) -> Path:
    record = Record("clip", "s", "r", "train", "cc0", body(frames=5), captions=(Caption("walks"),))
    row = to_row(record)
    change(row)
    pq.write_table(to_table([row]), folder / "train" / "00000.parquet")
    return folder / "train" / "00000.parquet"


@pytest.mark.parametrize(
    "change",
    [
        {"frames": -1},
        {"frames": 2**31 - 1},
        {"frames": None},
        {"scale": float("nan")},
        {"scale": None},
        {"fps": 0.0},
        {"fps": float("inf")},
        {"dimensions": 7},
        {"joints": []},
        {"provenance": "[" * 100_000},
        {"provenance": "{"},
        {"confidence": [1, 2]},
    ],
    ids=lambda change: "-".join(f"{key}={value}"[:24] for key, value in change.items()),
)
def test_a_damaged_row_names_its_shard(change: dict[str, Any], dataset: Path) -> None:
    shard(dataset)
    assert len(list(read_records(dataset, "train"))) == 1
    path = shard(dataset, lambda row: row.update(change))
    with pytest.raises(InputError) as refused:
        list(read_records(dataset, "train"))
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)


def test_a_damaged_shard_is_one_sentence_for_every_reader(dataset: Path) -> None:
    path = shard(dataset)
    whole = path.read_bytes()
    for data in (b"", b"PAR1", whole[:-20], whole[:200], whole[:-8] + b"\xff\xff\xff\x7fPAR1", b"x" * 900):
        path.write_bytes(data)
        for read in (
            lambda: list(read_records(dataset, "train")),
            lambda: sources_of(dataset, "train"),
            lambda: count(dataset),
        ):
            with pytest.raises(InputError, match=r"00000\.parquet: this is no readable shard"):
                read()


@pytest.mark.parametrize(
    "text", ['file,caption\n"a.bvh,x', "file\n" + "x" * 200_000, '{"file": ' + "[" * 100_000, "\x00", '{"file": 1e999}']
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_damaged_tables_of_captions(text: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"captions{suffix}"
    path.write_text(text)
    try:
        list(read_table(path))
    except InputError as error:
        assert str(error).startswith((f"captions{suffix} line", str(path)))


LAUGHS = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else 'x'}]" for n in range(10))
ODD = ["select: 2020-13-45", "a: " + "9" * 5000, "[" * 2000, "? {a: 1}\n: 2", "!!python/object:os.system x", LAUGHS]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:12])
def test_damaged_tasks_and_configurations(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    began = time.process_time()
    for read in (lambda: load_task(path), lambda: load_config(path, [], stage="align")):
        with pytest.raises(InputError, match=r"own\.yaml"):
            read()
    with pytest.raises(InputError):
        parse_override(f"a={text}")["a"] and load_config(path, [f"seed={text}"], stage="align")
    assert time.process_time() - began < 15


@pytest.mark.parametrize("value", [".nan", ".inf", "1e999"])
def test_settings_are_finite_numbers(value: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"trainer:\n  steps: {value}\n")
    with pytest.raises(InputError, match=r"trainer\.steps"):
        load_config(path, [], stage="align")
    path.write_text(f"optim:\n  weight_decay: {value}\n")
    with pytest.raises(InputError, match=r"optim\.weight_decay"):
        load_config(path, [], stage="align")
