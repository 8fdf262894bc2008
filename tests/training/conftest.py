from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from training_world import TEXTS, Clips, pair_record, tiny

from vimonet.vimos.parquet import VERSION, to_row, to_table


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def language_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vimonet.training.stages.pretrain_lm import run_pretrain_lm

    output = tmp_path_factory.mktemp("runs") / "language"
    return run_pretrain_lm(tiny(output, "optim.lr.language_model=3e-3"), TEXTS, TEXTS[:4])


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vimonet.training.stages.motion_tokenizer import run_motion_tokenizer

    output = tmp_path_factory.mktemp("runs") / "tokenizer"
    return run_motion_tokenizer(tiny(output, "optim.lr.motion_tower=1e-3"), Clips(), Clips(6))


@pytest.fixture(scope="session")
def aligned_folder(tmp_path_factory: pytest.TempPathFactory, language_folder: Path, tokenizer_folder: Path) -> Path:
    from vimonet.training.stages.align import run_align

    output = tmp_path_factory.mktemp("runs") / "align"
    parts = [f"language.checkpoint={language_folder}", f"motion.checkpoint={tokenizer_folder}"]
    return run_align(tiny(output, *parts, "optim.lr.projectors=1e-2"), Clips(text=True))


@pytest.fixture(scope="session")
def pair_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VIMOS dataset of motion with captions, actions and facts."""
    folder = tmp_path_factory.mktemp("vimos")
    for split, count in (("train", 24), ("val", 12)):
        (folder / split).mkdir()
        rows = [to_row(pair_record(index, split)) for index in range(count)]
        for number in range(2):  # two shards, the second with several row groups
            part = to_table(rows[number::2])
            pq.write_table(part, folder / split / f"{number:05d}.parquet", row_group_size=5)
    (folder / "vimos.json").write_text(json.dumps({"vimos_version": VERSION}))
    return folder
