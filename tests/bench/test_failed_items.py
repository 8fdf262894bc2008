"""One question that cannot be answered does not end a benchmark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_world import FakeAnswer, Observer, make_items

from vimonet.bench import Options, evaluate
from vimonet.llm.endpoint import EndpointError
from vimonet.utils.errors import InputError


class Fragile(Observer):
    """An observer that cannot read some movements."""

    damaged: tuple[int, ...] = ()
    error: InputError = InputError("clip.mp4: not a readable video.")

    def ask_batch(self, questions: Sequence[tuple[str, Any]], **_: Any) -> list[FakeAnswer]:
        if any(id(motion) in self.damaged for _, motion in questions):
            raise self.error
        return super().ask_batch(questions)


def options(out: Path) -> Options:
    return Options(out=out, controls=("blind",), samples=10, evidence=False, progress=False)


def test_a_damaged_clip_is_left_out_and_asked_again(tmp_path: Path) -> None:
    items = make_items(n=12)
    fragile = Fragile()
    fragile.damaged = (id(items[3].motion),)
    ids = {item.id for item in items if item.motion is items[3].motion}
    report = evaluate(fragile, items, options(tmp_path))
    assert set(report.provenance["failed"]) == ids
    assert set(report.provenance["failed"].values()) == {"clip.mp4: not a readable video."}
    assert report.provenance["items"] == len(items) - len(ids)
    answers = [json.loads(line)["id"] for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert not ids & set(answers) and len(answers) == len(items) - len(ids)
    fragile.damaged, fragile.asked = (), 0
    again = evaluate(fragile, items, options(tmp_path))
    assert "failed" not in again.provenance and again.provenance["items"] == len(items)
    assert 0 < fragile.asked <= len(ids)


def test_what_fails_for_all_ends_the_run(tmp_path: Path) -> None:
    items, fragile = make_items(n=4), Fragile()
    fragile.damaged = tuple(id(item.motion) for item in items)
    with pytest.raises(InputError, match=r"no question could be answered \(first: clip\.mp4"):
        evaluate(fragile, items, options(tmp_path))
    fragile.error = EndpointError("no quota", fatal=True)
    with pytest.raises(EndpointError, match="no quota"):
        evaluate(fragile, items, options(tmp_path))
