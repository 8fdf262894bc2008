"""Give every test, of the package and of research/, the fixtures that they share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Several workers share the cores: without this each would start a thread per core (before torch is imported).
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests ask nano, whether mini is fetched on this machine or not.
os.environ["VIMONET_MODEL"] = "nano"
os.environ.pop("VIMONET_CACHE", None)  # tests that need a cache name one


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data that lies beside a working checkout; a user's clone has none, and the test skips."""
    folder = Path(__file__).resolve().parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not here")
    return folder
