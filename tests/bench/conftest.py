from __future__ import annotations

import pytest
from bench_world import Observer, make_items

from vimonet.vimos.types import Item


@pytest.fixture
def items() -> list[Item]:
    return make_items()


@pytest.fixture
def train_items() -> list[Item]:
    return make_items("train", 8, first=100)


@pytest.fixture
def observer() -> Observer:
    return Observer()
