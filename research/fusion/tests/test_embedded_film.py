"""The embedded film is what its script films, and shows the movement that is embedded beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from research.fusion.embedded_film import NAME, sample_scene, write_sample
from vimonet.samples import list_samples, sample_path
from vimonet.video import probe, read


def test_the_film_is_embedded_and_lasts_as_long_as_its_movement() -> None:
    assert NAME in list_samples()
    film, (given, other) = sample_path(NAME), sample_scene(sample_path(NAME).parent)[1]
    assert probe(film).duration == pytest.approx(given.duration, abs=0.05)
    assert film.stat().st_size < 60_000
    assert other.frames == given.frames and given.joints[:, 0, 0].std() < 0.2


def test_the_script_films_it_again(tmp_path: Path) -> None:
    pytest.importorskip("panda3d", reason="panda3d is not installed")
    (tmp_path / "wave_right.bvh").write_bytes(sample_path("wave_right").read_bytes())
    made = read(write_sample(tmp_path), 8).images
    kept = read(sample_path(NAME), 8).images
    assert np.abs(made.astype(float) - kept.astype(float)).mean() < 2.0


def test_its_people_wave_opposite_hands() -> None:
    filmed, _ = sample_scene(sample_path(NAME).parent)
    assert {raised.side for raised in filmed.facts[0].raised_hands} == {"right"}
    assert {raised.side for raised in filmed.facts[1].raised_hands} == {"left"}
    assert len({person.shirt for person in filmed.scene.people}) == 2 and filmed.side() == "right"
