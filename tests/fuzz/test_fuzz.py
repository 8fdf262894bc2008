"""A short campaign over every reader; the long one is ``python tests/fuzz/campaign.py --count 20000 --seed 0``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from campaign import fault
from damage import damage
from other_inputs import other_inputs
from whole_inputs import whole_inputs

from vimonet.motion import load

KINDS = whole_inputs()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_damage_is_read_or_refused_in_one_sentence(kind: str, seed: int) -> None:
    name, whole = KINDS[kind]
    assert fault(name, damage(whole, seed)) is None


OTHERS = other_inputs()
SLOW = [kind for kind in OTHERS if kind.startswith(("model", "video"))]


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind not in SLOW])
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_damaged_datasets_indexes_tables_and_tasks(kind: str, seed: int) -> None:
    assert fault(OTHERS[kind].name, damage(OTHERS[kind].data, seed), kind) is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_damaged_videos_and_model_folders(kind: str) -> None:
    for seed in range(4):
        assert fault(OTHERS[kind].name, damage(OTHERS[kind].data, seed), kind) is None


def test_what_is_damaged_was_whole() -> None:
    for one in OTHERS.values():
        one.read(one.data)
    for kind, (name, whole) in KINDS.items():
        if kind != "humanml3d":  # a constant, which its reader refuses
            assert load(whole, name=name).frames > 1, kind


def test_damage_repeats_itself() -> None:
    for _, whole in KINDS.values():
        assert damage(whole, 7) == damage(whole, 7)
