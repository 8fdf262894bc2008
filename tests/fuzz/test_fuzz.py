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
from whole_inputs import whole_inputs

from vimonet.motion import load

KINDS = whole_inputs()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_damage_is_read_or_refused_in_one_sentence(kind: str, seed: int) -> None:
    name, whole = KINDS[kind]
    assert fault(name, damage(whole, seed)) is None


def test_what_is_damaged_was_whole() -> None:
    for kind, (name, whole) in KINDS.items():
        if kind != "humanml3d":  # a constant, which its reader refuses
            assert load(whole, name=name).frames > 1, kind


def test_damage_repeats_itself() -> None:
    for _, whole in KINDS.values():
        assert damage(whole, 7) == damage(whole, 7)
