"""The shipped nano-paired on the embedded film and the movement beside it."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest

import vimonet
from research.fusion.embedded_film import sample_scene
from vimonet.inference.assistant import Assistant
from vimonet.motion import load
from vimonet.motion.projection import project
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError
from vimonet.vimos.types import result_of
from vimonet.weights import WEIGHTS

FOLDER = WEIGHTS / "nano-paired"
pytestmark = pytest.mark.skipif(not (FOLDER / "model.safetensors").is_file(), reason="nano-paired is not shipped")
MOTION, FILM = sample_path("wave_right"), str(sample_path("wave_right.mp4"))
BOTH = (
    "The movement is that of the person on the right. What colour is the shirt of the person who raises the left hand?"
)


@cache
def paired() -> Assistant:
    return vimonet.load("nano-paired")


def test_both_streams_answer_what_neither_does_alone() -> None:
    _, other = sample_scene(MOTION.parent)[0].scene.people
    said = paired().ask(BOTH, MOTION, FILM)
    assert result_of(said.text) == other.shirt and "given right hand" in said.text
    mirrored = paired().ask(BOTH, load(MOTION).mirrored(), FILM)
    assert "given left hand" in mirrored.text and result_of(mirrored.text) != other.shirt


@pytest.mark.parametrize("motion", [None, MOTION])
def test_the_film_answers_what_is_seen(motion: object) -> None:
    assert paired().ask("What colour is the lamp at the end?", motion, FILM).text == "red"
    assert paired().ask("How many people does the video show?", motion, FILM).text == "2"


@pytest.mark.parametrize("film", [None, FILM])
def test_the_movement_answers_what_is_done(film: str | None) -> None:
    assert paired().ask("Which hand is raised?", MOTION, film).text == "right hand"
    assert paired().ask("What is the person doing?", MOTION, film).text == "waving the right hand"


def test_keypoints_are_refused() -> None:
    with pytest.raises(InputError, match="2D"):
        paired().ask("Which hand is raised?", project(load(MOTION), 0.0))


def test_the_card_names_the_weights() -> None:
    digest = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (FOLDER / "README.md").read_text("utf-8")
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) < 80e6
