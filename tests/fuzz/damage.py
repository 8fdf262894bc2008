"""Damage a recording: cuts, flips, odd numbers and values, wrong shapes. The same seed makes the same damage."""

from __future__ import annotations

import io
import json
import math
import random
import re
from typing import Any

import numpy as np

ODD_NUMBERS = [
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"-1e308", b"1e-320", b"9" * 30, b"9" * 5000, b"0x10", b"", b"x", b"\xff"),
    *("²".encode(), b"1,5", b"--", b"\x1b[31m", b"1e9", b"4294967296", b"NaN", b"null", b'"'),
]
ODD_VALUES: list[Any] = [
    *(None, True, "", "x", [], {}, -1, 0, 1e308, math.nan, math.inf, 10**400, 2**63, "\x1b[2J", [[]], {"x": None}),
    *([1, 2], {"x": [1], "y": 2}, "9" * 5000),
]
DTYPES = ["<f4", "<f8", "<i4", "<u1", "<c8", "?", "<U3", "S4", "<M8[s]", "<f2", ">f4", "<i8"]


def damage(data: bytes, seed: int) -> bytes:
    """Damage a file in one to three ways, chosen by the seed."""
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 2, 3])):
        ways = [_cut, _flip, _insert, _drop, _repeat, _number, _number]
        if data[:1] in (b"{", b"["):
            ways += [_json] * 5
        if data[:2] == b"PK":
            ways += [_npz] * 5
        if data[:6] == b"\x93NUMPY":
            ways += [_npy] * 4
        data = rng.choice(ways)(data, rng) or b" "
    return data


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 2, 8, 64])):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice([1, 4, 30, 300]))


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return (
        data[:at] + rng.choice([rng.randbytes(4), b"\n", b"{", b"}", b"[" * 300, b"\0" * 40, *ODD_NUMBERS]) + data[at:]
    )


def _drop(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice([1, 2, 50]) + data[end:]


def _number(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    match = re.compile(rb"-?\d[\d.eE+-]*").search(data, start)
    return data if match is None else data[: match.start()] + rng.choice(ODD_NUMBERS) + data[match.end() :]


def _json(data: bytes, rng: random.Random) -> bytes:
    """Replace, drop or rename something inside the value."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _number(data, rng)
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = rng.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.75:
            place = place[key]
            continue
        how = rng.random()
        if how < 0.7:
            place[key] = rng.choice(ODD_VALUES)
        elif how < 0.85:
            del place[key]
        elif isinstance(place, dict):
            place[rng.choice(["", "x", "frames", "9" * 5000, "²", "people"])] = place.pop(key)
        else:
            place += place[:50]
        break
    return json.dumps(value).encode()


def _array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """Change shape, kind or values of an array."""
    how = rng.randrange(6)
    with np.errstate(all="ignore"):
        try:
            if how == 0:
                return array.astype(rng.choice(DTYPES))
            if how == 1:
                return array.reshape(rng.choice([(-1,), (1, -1), (-1, 1), (1, 1, *array.shape), (-1, 2), (-1, 3)]))
            if how == 2:
                return array[:0] if array.ndim else array.reshape(1)
            if how == 3 and array.dtype.kind == "f":
                changed = array.copy().reshape(-1)
                changed[rng.randrange(changed.size)] = rng.choice([math.nan, math.inf, 1e30, -1e9])
                return changed.reshape(array.shape)
            if how == 4 and array.dtype.kind == "f":
                return array * rng.choice([0.0, 1e6, 1e-6, 1e12, -1.0, math.nan])
            return np.moveaxis(array, 0, -1) if array.ndim > 1 else np.array(rng.choice([0.0, -1.0, 1e9, math.nan]))
        except Exception:
            return np.zeros((0, 3))


def _npy(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:  # the header
        return data[:10] + _number(data[10:128], rng) + data[128:]
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # numpy's parser of headers raises what it likes
        return _flip(data, rng)
    np.save(stream := io.BytesIO(), _array(array, rng))
    return stream.getvalue()


def _npz(data: bytes, rng: random.Random) -> bytes:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception:
        return _flip(data, rng)
    if not arrays or not all(isinstance(one, np.ndarray) for one in arrays.values()):
        return _flip(data, rng)
    key = rng.choice(list(arrays))
    how = rng.random()
    if how < 0.7:
        arrays[key] = _array(arrays[key], rng)
    elif how < 0.85:
        del arrays[key]
    else:
        arrays[rng.choice(["poses", "joints", "names", "fps", "confidence", "x\x1b[31m"])] = arrays.pop(key)
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(stream := io.BytesIO(), **arrays)
    return stream.getvalue()
