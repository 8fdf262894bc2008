from __future__ import annotations

import pytest
import torch
from tiny import tiny_model


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny models run faster on one thread than waiting for a second."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny():
    """The shared tiny model and its processor; tests must not change them."""
    return tiny_model()


@pytest.fixture(scope="session")
def attentive():
    """The same with an attentive translator."""
    return tiny_model(projector="attentive")
