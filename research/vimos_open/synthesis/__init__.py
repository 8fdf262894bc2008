"""Generate movements by rule on the 22-joint skeleton, with facts known by construction.

They serve as embedded samples, as test input whose truth is certain, and as training data under our own licence.
Nothing recorded went into them: curves are minimum-jerk moves, footsteps along a path, ballistic flight and a
toppling pendulum.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from research.vimos_open.synthesis import floor_actions, gestures, locomotion
from research.vimos_open.synthesis.figure import SIDES, Array, Channels, Proportions, jerk, pose, rotation
from vimonet.motion.motion import Motion
from vimonet.utils.errors import InputError

ACTIONS: Final[dict[str, Callable[..., locomotion.Made]]] = {
    "stand": gestures.stand,
    "walk": locomotion.walk,
    "run": locomotion.run,
    "walk_backward": locomotion.walk_backward,
    "side_step": locomotion.side_step,
    "turn_walking": locomotion.turn_walking,
    "turn_in_place": locomotion.turn_in_place,
    "crawl": locomotion.crawl,
    "wave": gestures.wave,
    "raise_hand": gestures.raise_hand,
    "punch": gestures.punch,
    "clap": gestures.clap,
    "kick": gestures.kick,
    "bow": gestures.bow,
    "squats": gestures.squats,
    "jumps": gestures.jumps,
    "jumping_jacks": gestures.jumping_jacks,
    "sit_down": floor_actions.sit_down,
    "stand_up": floor_actions.stand_up,
    "crouch": floor_actions.crouch,
    "kneel": floor_actions.kneel,
    "lie_down": floor_actions.lie_down,
    "get_up": floor_actions.get_up,
    "fall": floor_actions.fall,
}
"""Name -> maker. Makers with a `side` take 'left' or 'right'; `wave`, `raise_hand`, `punch` and `kneel` also 'both'."""


def generate(
    action: str, *, seed: int = 0, fps: float = 20.0, place: bool = True, **parameters: Any
) -> tuple[Motion, dict[str, Any]]:
    """Make one movement.

    Args:
        action: a name of :data:`ACTIONS`.
        seed: decides the person's proportions, timing, amplitude and sway; the same seed gives the same motion.
        fps: frames per second.
        place: start anywhere, facing any way; False starts at the origin facing +Z.
        **parameters: of the action (`side`, `count`, `degrees`, `speed`, `duration`, `direction`, `height` ...).

    Returns:
        The motion, and its truth: `action`, `label` and `phrase` (present participle), `caption`, and what the action
        knows of `side`, `count`, `turn` (degrees, + left), `displacement` (m), `displacement_angle` (degrees, +
        left), `path_length`, `speed`, `steps`, `raised`, `jumps`, `fall`, `posture`, `end_posture`.

    Raises:
        InputError: an unknown action.
        TypeError: a parameter the action does not have.
    """
    rng = np.random.default_rng([seed, _number(action)])
    body = Proportions.random(np.random.default_rng([seed, 99]))
    joints, truth, _ = _perform(action, rng, body, fps, parameters)
    if place:
        joints = _place(joints, rng.uniform(-180, 180), rng.uniform(-1.5, 1.5, 2))
    return Motion(joints.astype(np.float32), fps=fps, name=action, source="synthesis", source_fps=fps), truth


def compose(
    parts: Sequence[tuple[str, dict[str, Any]]], *, seed: int = 0, fps: float = 20.0, place: bool = True
) -> tuple[Motion, dict[str, Any]]:
    """Make several movements of one person in a row.

    Args:
        parts: (action, parameters) in order; each but the last must end standing, each but the first must start
            standing.
        seed: as in :func:`generate`.
        fps: frames per second.
        place: as in :func:`generate`.

    Returns:
        The motion, and the truth: `parts` (each part's truth with `start` and `end` in s), `label`, `caption`, `turn`
        (sum).

    Raises:
        InputError: an unknown action, or a part that cannot follow the one before it.
    """
    body = Proportions.random(np.random.default_rng([seed, 99]))
    pieces: list[Array] = []
    truths: list[dict[str, Any]] = []
    total, spot, yaw = 0, np.zeros(2), 0.0
    for i, (action, parameters) in enumerate(parts):
        rng = np.random.default_rng([seed, i, _number(action)])
        joints, truth, end = _perform(action, rng, body, fps, parameters)
        if (i and not truth.get("neutral_start", True)) or (i + 1 < len(parts) and not truth.get("neutral_end", True)):
            raise InputError(
                f"{action} cannot be part {i + 1}: parts must end standing for the next, which starts standing."
            )
        joints = _place(joints, np.degrees(yaw), spot)
        if pieces:
            n = min(len(joints), round(0.5 * fps))
            gap = pieces[-1][-1] - joints[0]
            joints[:n] += gap * (1.0 - jerk(np.arange(n) / n))[:, None, None]
        cos, sin = np.cos(yaw), np.sin(yaw)
        spot = spot + np.array([end[0] * cos + end[1] * sin, -end[0] * sin + end[1] * cos])
        yaw += np.radians(end[2])
        truths.append({**truth, "start": total / fps, "end": (total + len(joints)) / fps})
        pieces.append(joints)
        total += len(joints)
    whole = np.concatenate(pieces)
    if place:
        rng = np.random.default_rng([seed, 98])
        whole = _place(whole, rng.uniform(-180, 180), rng.uniform(-1.5, 1.5, 2))
    said = [t["caption"].removeprefix("A person ").rstrip(".") for t in truths]
    truth = {
        "action": "composed",
        "label": ", then ".join(t["label"] for t in truths),
        "caption": "A person " + ", then ".join(said) + ".",
        "turn": sum(t.get("turn", 0.0) for t in truths),
        "parts": truths,
    }
    return Motion(whole.astype(np.float32), fps=fps, name="composed", source="synthesis", source_fps=fps), truth


def _number(action: str) -> int:
    if action not in ACTIONS:
        raise InputError(f"{action}: unknown action; choose one of {', '.join(ACTIONS)}.")
    return list(ACTIONS).index(action)


def _perform(
    action: str, rng: np.random.Generator, body: Proportions, fps: float, parameters: dict[str, Any]
) -> tuple[Array, dict[str, Any], tuple[float, float, float]]:
    """Perform an action from the origin facing +Z; returns joints, truth, and its end (x, z, yaw in degrees)."""
    known = inspect.signature(ACTIONS[action]).parameters
    if "side" in known and "side" not in parameters:
        parameters = {**parameters, "side": str(rng.choice(SIDES))}
    if action == "fall" and "direction" not in parameters:
        parameters = {**parameters, "direction": str(rng.choice(["forward", "backward", "left", "right"]))}
    ch, truth = ACTIONS[action](rng, body, fps, **parameters)
    still: dict[str, Any] = {"displacement": 0.0, "turn": 0.0, "neutral_start": True, "neutral_end": True}
    if action not in {"jumps", "fall", "lie_down", "get_up", "punch", "crawl"}:  # there hands come up by the way
        still["raised"] = "none"
    truth = {"action": action, "phrase": truth["label"], **still, **truth}
    end = (float(ch["x"][-1]), float(ch["z"][-1]), float(ch["yaw"][-1]))
    _sway(ch, rng)
    joints = pose(ch)
    for side, wrist in (("left", 20), ("right", 21)):
        # A hand that would reach through the floor leans on it.
        under = joints[:, wrist, 1] < 0.05
        if under.any() and not ch[f"{side}_gw"].any():
            ch[f"{side}_gx"], ch[f"{side}_gz"] = joints[:, wrist, 0], joints[:, wrist, 2]
            ch[f"{side}_gy"] = np.maximum(joints[:, wrist, 1], 0.05)
            ch[f"{side}_gw"] = np.minimum(gaussian_filter1d(3.0 * under, 0.08 * fps, mode="nearest"), 1.0)
            joints = pose(ch)
    # What would lie under the floor is lifted onto it, softly.
    under = np.maximum(0.012 - joints[:, :, 1].min(axis=1), 0.0)
    lift = np.maximum(gaussian_filter1d(under, 0.1 * fps, mode="nearest"), under)
    joints[:, :, 1] += lift[:, None]
    return joints, truth, end


def _sway(ch: Channels, rng: np.random.Generator) -> None:
    """Add the small slow movements that nobody is without; planted feet do not feel them."""
    sizes = {
        "x": 0.006,
        "z": 0.006,
        "pitch": 0.6,
        "roll": 0.5,
        "sp_pitch": 1.2,
        "sp_roll": 0.7,
        "sp_twist": 1.2,
        "hd_yaw": 5.0,
    }
    sizes["hd_pitch"] = 2.5
    for side in SIDES:
        sizes |= {f"{side}_el": 2.0, f"{side}_bend": 3.0, f"{side}_out": 1.5}
    for name, size in sizes.items():
        noise = gaussian_filter1d(rng.normal(0.0, 1.0, ch.frames + 40), 0.5 * ch.fps, mode="wrap")[20 : ch.frames + 20]
        ch[name] = ch[name] + size * noise * np.sqrt(2 * np.sqrt(np.pi) * 0.5 * ch.fps)


def _place(joints: Array, degrees: float, spot: Array) -> Array:
    """Turn about the vertical through the origin, then shift over the ground."""
    turned = np.asarray(joints @ rotation(1, np.full(1, degrees))[0].T)
    turned[..., [0, 2]] += spot
    return turned
