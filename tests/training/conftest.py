from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_world import TEXTS, Clips, tiny


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def language_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vimonet.training.stages.pretrain_lm import run_language

    output = tmp_path_factory.mktemp("runs") / "language"
    return run_language(tiny(output, "learning_rate.language_model=3e-3"), TEXTS, TEXTS[:4])


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vimonet.training.stages.motion_tokenizer import run_tokenizer

    output = tmp_path_factory.mktemp("runs") / "tokenizer"
    return run_tokenizer(tiny(output, "learning_rate.motion_tower=1e-3"), Clips(), Clips(6))


@pytest.fixture(scope="session")
def aligned_folder(tmp_path_factory: pytest.TempPathFactory, language_folder: Path, tokenizer_folder: Path) -> Path:
    from vimonet.training.stages.align_instruct import run_align

    output = tmp_path_factory.mktemp("runs") / "align"
    parts = [f"language.checkpoint={language_folder}", f"motion.checkpoint={tokenizer_folder}"]
    return run_align(tiny(output, *parts, "learning_rate.translators=1e-2"), Clips(text=True))
