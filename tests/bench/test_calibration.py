from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from vimonet.bench.calibration import fit_temperature
from vimonet.errors import InputError
from vimonet.motion import Motion
from vimonet.motion.skeleton import T_POSE
from vimonet.vimos.schema import Item


@dataclass
class Said:
    text: str
    confidence: float


class Overconfident:
    """Right three times of four, always 97 % sure at temperature 1."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(confidence_temperature=1.0)

    def ask_batch(self, pairs: list) -> list[Said]:
        logit = np.log(0.97 / 0.03) / self.config.confidence_temperature
        sure = float(1 / (1 + np.exp(-logit)))
        return [Said("yes" if index % 4 else "no", sure) for index in range(len(pairs))]


def items(number: int) -> list[Item]:
    motion = Motion(np.repeat(T_POSE[None], 8, axis=0))
    return [Item(str(i), "made", str(i), "yes_no", "yes_no", "Is it?", "yes", motion) for i in range(number)]


def test_an_overconfident_model_is_cooled_to_its_accuracy() -> None:
    assistant = Overconfident()
    found = fit_temperature(assistant, items(40))
    assert found["accuracy"] == 0.75
    assert found["temperature"] == assistant.config.confidence_temperature > 2
    candidates = found["candidates"]
    assert candidates[str(found["temperature"])]["ece"] < 0.1 < candidates["1.0"]["ece"]


def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(InputError, match="no validation item"):
        fit_temperature(Overconfident(), [])
