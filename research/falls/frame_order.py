"""Put the frames of the UP-Fall keypoints back into order.

The shipped arrays hold the first 100 frames of a recording sorted by their numbers as text ("1", "10", "100", "101"
..., "11", "110"), without the frames in which nobody was detected. Numbers are not shipped: a beam search gives the
frames the increasing texts under which the body moves least between neighbours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_TEXTS: Final = sorted(str(number) for number in range(1, 420))
_BEAM, _SKIPS, _SKIP_COST = 250, 12, 0.035
_CUT = 0.7  # torsos that the neck moves between neighbours of two pieces
_LEAST_FRAMES, _LEAST_DROP = 12, 0.6  # of a piece that holds a fall: frames, torsos that the neck sinks
_LANDED, _LOST = 1.0, 5  # torsos down of a body on the floor; frames lost between a cut fall and the body on the floor


def frame_numbers(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the number of each frame [T] of keypoints [T, 17, 2] in shipped order."""
    body = points[:, [0, 1, 2, 7, 8]].reshape(len(points), -1)
    apart = np.minimum(np.abs(body[:, None] - body[None]).mean(axis=-1) / max(_torso(points), 1e-6), 1.5)
    # A state is the place in the sorted texts and the latest frame of one, two and three digits.
    states: dict[tuple[int, int, int, int], tuple[float, list[int]]] = {(0, 0, -1, -1): (0.0, [0])}
    for i in range(1, len(points)):
        following: dict[tuple[int, int, int, int], tuple[float, list[int]]] = {}
        for (place, *latest), (cost, path) in states.items():
            for step in range(1, _SKIPS + 2):
                if place + step >= len(_TEXTS):
                    break
                text = _TEXTS[place + step]
                before = latest[len(text) - 1]
                more = cost + _SKIP_COST * (step - 1)
                if before >= 0:
                    gap = abs(int(text) - int(_TEXTS[path[before]]))
                    more += float(apart[i, before]) / np.sqrt(gap) if gap <= 40 else 0.15
                else:
                    more += float(apart[i, 0]) / 3 if len(text) == 2 else 0.05
                now = list(latest)
                now[len(text) - 1] = i
                state = (place + step, now[0], now[1], now[2])
                if state not in following or following[state][0] > more:
                    following[state] = (more, [*path, place + step])
        states = dict(sorted(following.items(), key=lambda item: item[1][0])[:_BEAM])
    _, path = min(states.values(), key=lambda item: item[0])
    return np.array([int(_TEXTS[place]) for place in path])


def falls(points: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Find the stretches in order that hold a fall: indices of frames, the standing frames before it first.

    A fall that is cut before the floor goes on, after `_LOST` frames without a body (-1), with the frames on the floor.
    """
    numbers = frame_numbers(points)
    index = np.arange(len(points))
    hundreds = (numbers >= 100) & (numbers < 200)
    ones = numbers < 10
    neck, torso = (points[:, 1, 1] + points[:, 2, 1]) / 2, _torso(points)
    start = index[(numbers >= 10) & (numbers < 20)]
    floor = index[hundreds]
    found = []
    for order in (index[~hundreds & ~ones], index[hundreds]):
        cuts = np.flatnonzero(np.abs(np.diff(neck[order])) > _CUT * torso) + 1
        pieces = np.split(order, cuts)
        # One misplaced frame between two parts of one movement cuts nothing.
        joined: list[NDArray[np.intp]] = []
        for piece in pieces:
            if joined and len(piece) > 2 and abs(neck[piece[0]] - neck[joined[-1][-1]]) < 0.5 * _CUT * torso:
                joined[-1] = np.concatenate([joined[-1], piece])
            elif len(piece) > 2:
                joined.append(piece)
        for piece in joined:
            y = neck[piece]
            if len(piece) >= _LEAST_FRAMES and np.median(y[-5:]) - np.median(y[:3]) > _LEAST_DROP * torso:
                standing = start[~np.isin(start, piece)]
                near = len(standing) and abs(np.median(neck[standing]) - y[0]) < 0.5 * torso
                piece = np.concatenate([standing, piece]) if near else piece
                down = y[0] + _LANDED * torso
                if np.median(y[-5:]) < down and order[0] not in floor:
                    lying = floor[neck[floor] > down]
                    if len(lying) < _LEAST_FRAMES:
                        continue
                    piece = np.concatenate([piece, np.full(_LOST, -1), lying])
                if np.median(neck[piece[-5:]]) > down:
                    found.append(piece)
    return found


def _torso(points: NDArray[np.float64]) -> float:
    return float(np.median(np.linalg.norm((points[:, 1] + points[:, 2] - points[:, 7] - points[:, 8]) / 2, axis=1)))
