"""Locate the recordings that come with the package, such as ``sample:walk``."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError

SAMPLES = Path(__file__).parent


def _samples() -> dict[str, Path]:
    files = {file.stem: file for file in sorted(SAMPLES.glob("*.json")) if file.name != "truth.json"}
    files |= {file.stem: file for file in sorted(SAMPLES.glob("*.bvh"))}
    return files | {file.name: file for file in sorted(SAMPLES.glob("*.mp4"))}  # beside a recording of the same stem


def list_samples() -> list[str]:
    """List the names of the embedded recordings, without ``sample:``."""
    return sorted(_samples())


def sample_path(name: str) -> Path:
    """Find the file of an embedded recording.

    Raises:
        InputError: no recording has that name; the message names the nearest, or all.
    """
    samples = _samples()
    if name in samples:
        return samples[name]
    close = difflib.get_close_matches(name, samples, n=1)
    hint = f"did you mean sample:{close[0]}?" if close else f"there are {', '.join(sorted(samples))}."
    raise InputError(f"sample:{name}: there is no embedded recording of that name; {hint}")


def truths() -> dict[str, dict[str, Any]]:
    """Read the ground truth of each embedded recording, as its generator made it."""
    return json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))
