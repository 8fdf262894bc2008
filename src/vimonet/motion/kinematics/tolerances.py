"""Say how far a stated quantity may lie from the measured one: people round, and count ends differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Compare a stated quantity with the measured one: near it agrees, far from it contradicts, between neither.

    Attributes:
        near, far: least distances, in `unit`.
        near_share, far_share: distances as a share of the measured value; the larger of the two counts.
        unit: unit of `near` and `far`.
        why: the reason for the numbers.
    """

    near: float
    far: float
    near_share: float
    far_share: float
    unit: str
    why: str

    def bounds(self, value: float) -> tuple[float, float]:
        """Compute the distances within which a statement agrees and beyond which it contradicts."""
        return max(self.near, self.near_share * value), max(self.far, self.far_share * value)


# Quantities that an answer states.
DISTANCE_TOLERANCE: Final = Tolerance(
    0.35, 0.6, 0.15, 0.25, "m", "people round to half a metre, long distances to metres"
)
SPEED_TOLERANCE: Final = Tolerance(0.2, 0.2, 0.25, 0.25, "m/s", "mean and peak speed are both called the speed")
ANGLE_TOLERANCE: Final = Tolerance(25.0, 40.0, 0.0, 0.0, "degrees", "people name eighths of a turn")
STEPS_TOLERANCE: Final = Tolerance(1.0, 1.0, 0.15, 0.15, "steps", "the first and the last step are counted or not")
JUMP_TOLERANCE: Final = Tolerance(0.12, 0.24, 0.3, 0.6, "m", "pelvis, head and feet rise by different heights")
EXACT: Final = Tolerance(0.0, 0.0, 0.0, 0.0, "jumps or turns", "each stands alone")
COUNT_TOLERANCE: Final = Tolerance(0.0, 1.0, 0.0, 0.0, "repetitions", "one that is cut off is counted or not")
FAST_COUNT_TOLERANCE: Final = Tolerance(1.0, 2.0, 0.0, 0.0, "fast repetitions", "the eye loses one")
