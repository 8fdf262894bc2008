"""The fusion experiment: what tokens say of a scene, scenes coloured anew, and every script run for a step or two."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_tokenizer

from research.fusion.scenes import pinhole
from research.fusion.scenes.draw_scene import draw_scene
from research.fusion.scenes.scene import KINDS, Scene
from research.fusion.scenes.scene_questions import Asker, Filmed, lateral, of_picture
from vimonet.motion import load
from vimonet.motion.kinematics import measure
from vimonet.samples import sample_path

EXPERIMENT = Path(__file__).resolve().parents[1]


def filmed(seed: int, people: int = 1) -> Filmed:
    """Somebody who waves in a scene of their own, or two."""
    motion = load(sample_path("wave_right"))
    motions = [motion, motion.mirrored()][:people]
    rng = random.Random(seed)
    while True:
        scene = draw_scene([m.joints for m in motions], [motion.duration / 2], rng)
        if scene is not None:
            bodies = tuple(pinhole.place(p, m.joints) for p, m in zip(scene.people, motions, strict=True))
            return Filmed(scene, bodies, ((),) * people, tuple(measure(m) for m in motions))


def words_of(scene: Filmed) -> dict[str, dict[str, float]]:
    """What each token says: word -> share."""
    from research.fusion import lookup
    from research.fusion.tower import labels_of

    joints = load(sample_path("wave_right")).joints
    times = np.linspace(0, len(joints) / 20, lookup.FRAMES)
    shares, when = lookup.told(labels_of(scene.scene.to_dict(), times, joints), times)
    assert when[-lookup.FRAMES :].tolist() == pytest.approx(times.tolist()) and when[0] == pytest.approx(times.mean())
    return {
        slot: {word: float(share) for word, share in zip(lookup.WORDS, row, strict=True) if share}
        for slot, row in zip(lookup.SLOTS, shares, strict=True)
    }


@pytest.mark.parametrize("people", [1, 2])
def test_tokens_say_what_the_scene_holds(people: int) -> None:
    scene = filmed(3, people)
    said = words_of(scene)
    assert said["people"] == {"people": 1.0, str(people): 1.0}
    for person, who in enumerate(scene.scene.people):
        slot = 0 if people == 1 or scene.side(person) == "left" else 1
        side = {} if people == 1 else {scene.side(person): 1.0}
        assert said[f"shirt_{slot}"] == {"shirt": 1.0, who.shirt: 1.0, **side}
    if people == 1:
        assert said["hair_1"] == {"no": 1.0, "hair": 1.0}
    there = {prop.kind: prop.colour for prop in scene.scene.props}
    for kind in KINDS:
        if kind in there:
            assert said[kind][there[kind]] == 1.0
            assert said[kind]["left"] == -said[kind]["right"]
        else:
            assert said[kind] == {"no": 1.0, kind: 1.0}
    assert scene.scene.lamp is not None
    (_, first), (_, last) = scene.scene.lamp.colours
    assert said["lamp_0"] == {"lamp": 1.0, "beginning": 1.0, first: 1.0}
    assert said["lamp_4"] == {"lamp": 1.0, "end": 1.0, last: 1.0}


def test_coloured_anew_what_differs_still_differs_and_answers_follow() -> None:
    from research.fusion.stretch import recoloured

    scene = filmed(5, 2)
    assert Scene.from_dict(json.loads(json.dumps(scene.scene.to_dict()))) == scene.scene
    other = recoloured(scene.scene, random.Random(1))
    assert other != scene.scene and other.camera == scene.scene.camera
    assert [p.place for p in other.props] == [p.place for p in scene.scene.props]
    assert len({p.shirt for p in other.people}) == 2 and len({p.kind for p in other.props}) == 2
    answers = {(q.form, *q.slots.values()): q.answer for q in of_picture(replace(scene, scene=other), random.Random(0))}
    assert {answers["prop_colour", p.kind] for p in other.props} == {p.colour for p in other.props}


def test_steps_on_the_way_are_true() -> None:
    from research.fusion.lookup import steps_on_the_way

    scene = filmed(7, 2)
    turns = steps_on_the_way(scene, Asker(random.Random(0), test=False))
    shirts = {scene.side(n): who.shirt for n, who in enumerate(scene.scene.people)}
    for question, answer in turns:
        side = "left" if "on the left" in question else "right"
        assert answer == shirts[side] if "What colour" in question else (shirts[side] in question) == (answer == "yes")
    assert {answer for _, answer in turns} >= {"yes", "no"}
    scene = filmed(8)
    aside = {prop.kind: float(lateral(scene.bodies[0], prop).mean()) for prop in scene.scene.props}
    for question, answer in steps_on_the_way(scene, Asker(random.Random(0), test=False)):
        kind = next(kind for kind in KINDS if f"the {kind}," in question)
        assert answer == ("left" if aside[kind] > 0 else "right")


def test_a_scene_s_words_are_tokens_in_question_and_answer() -> None:
    from tiny import tiny_model

    from research.fusion.lookup import LOUD, NEW_WORDS, Spelling, with_words

    model, _ = tiny_model()
    tokenizer = tiny_tokenizer()
    before = tokenizer("reduced to the left", add_special_tokens=False)["input_ids"]
    with_words(model, tokenizer)
    red = tokenizer.convert_tokens_to_ids("red")
    for text in ("red", "is it red", "the red box?"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert red in ids and tokenizer.decode(ids) == text
    assert tokenizer("reduced to the left", add_special_tokens=False)["input_ids"] == before
    assert model.get_input_embeddings().weight.shape[0] >= len(tokenizer)
    spelling = Spelling(tokenizer)
    only = torch.zeros(1, len(spelling.shares))
    only[0, NEW_WORDS.index("red")] = 1
    said = spelling(only, torch.zeros(1), model)[0]
    torch.testing.assert_close(said, LOUD * model.get_input_embeddings().weight[red])


def test_a_clip_that_is_filmed_has_the_tokens_of_its_film() -> None:
    from tiny import tiny_model
    from tiny_video import tiny_clip_config

    from research.fusion.lookup import LOUD, SLOTS, WORDS, Reader, Spelling, with_words
    from research.fusion.stretch import Rows
    from vimonet.training.data.packing import ChatEncoder

    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=len(SLOTS), projector_time=True)
    tokenizer = processor.tokenizer
    with_words(model, tokenizer)
    width = model.get_input_embeddings().weight.shape[1]
    films = [torch.full((len(SLOTS), width), float(n)) for n in range(3)]
    moved = [torch.full((4, width), -5.0 - n) for n in range(3)]
    rows = Rows(ChatEncoder(tokenizer, str(processor.chat_template), processor.fold_questions), moved, films)
    told = (np.zeros((len(SLOTS), len(WORDS)), np.float32), np.zeros(len(SLOTS), np.float32))
    told[0][:, WORDS.index("red")] = 1
    turns = [("What is it?", "red")]
    batch = rows(
        [(2, "both", None, turns), (0, "video", told, turns), (1, "motion", None, turns), (1, "both", None, turns)]
    )
    spelling = Spelling(tokenizer)
    given: list[torch.Tensor] = []
    model.vimonet.register_forward_pre_hook(
        lambda module, args, kwargs: given.append(kwargs["inputs_embeds"].detach()), with_kwargs=True
    )
    ids = batch["input_ids"].clone()
    Reader(model, spelling)(batch)
    seen = given[0][ids == model.config.video_token_id].reshape(3, len(SLOTS), width)
    red = LOUD * model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids("red")]
    torch.testing.assert_close(seen[0], films[2])
    torch.testing.assert_close(
        seen[1] - model.vimonet.translators.time_code(torch.zeros(1)), red.expand(len(SLOTS), -1)
    )
    torch.testing.assert_close(seen[2], films[1])
    movements = given[0][ids == model.config.motion_token_id].reshape(3, 4, width)
    torch.testing.assert_close(movements, torch.stack([moved[2], moved[1], moved[1]]))


@pytest.mark.slow
def test_every_script_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From pairs to an arm that is scored: tower, look-up, stage 1, long stretch, films."""
    pytest.importorskip("panda3d", reason="panda3d is not installed")
    from research.fusion import align, lookup, stretch, tower
    from research.fusion.scenes.paired_builder import PairedBuilder
    from research.fusion.score import score_cells
    from research.vimos_open.builder import OpenBuilder
    from vimonet.cli import main
    from vimonet.vimos.dataset_writer import build

    monkeypatch.setattr(shutil, "which", lambda name: None)  # compiling takes longer than all of this
    small = PairedBuilder(count=6, val=3, test=0, sources=("synthetic",), pictures=5, size=96)
    pairs = build(small, tmp_path / "pairs", workers=0, progress=False).folder
    moves = OpenBuilder(count=12, val=2, sources=("synthetic",), test=False)
    opened = build(moves, tmp_path / "open", workers=0, progress=False).folder
    text = (EXPERIMENT / "instruct.yaml").read_text("utf-8")
    config = tmp_path / "instruct.yaml"
    config.write_text(
        text.replace("data/vimos-paired", str(pairs)).replace("runs/fusion/frames", str(tmp_path / "frames")), "utf-8"
    )

    def run(module: Any, *words: str) -> None:
        monkeypatch.setattr(sys, "argv", [module.__name__, *words])
        module.main()

    made = {name: str(tmp_path / name) for name in ("tower", "reader", "start", "long", "arm")}
    run(tower, str(pairs), made["tower"], "--epochs", "0.1", "--batch", "4", "--cache", str(tmp_path / "frames"))
    steps = ("--steps", "2", "--batch", "3")
    movements = ("--movements", str(opened))
    run(lookup, str(config), made["reader"], "--tower", made["tower"], *movements, *steps)
    run(align, str(config), made["start"], "--reader", made["reader"], *steps)
    options = ("--start", made["start"], "--arm", "paired", "--falling", "--asked", "1", "2", "1", "--films", "0.5")
    run(stretch, str(config), made["long"], *options, *steps)
    settings = [f"model={made['long']}", f"output={made['arm']}", "data.streams=all", "trainer.steps=1"]
    settings += ["trainer.batch_size=2", "trainer.save_every=25", "validation={}"]
    assert main(["train", "instruct", "--config", str(config), *settings]) == 0
    scores = score_cells(made["arm"], pairs, "val", cache=tmp_path / "scored", progress=False)
    assert {score.needs for score in scores} == {"picture", "motion", "both"}
    assert "val" in capsys.readouterr().out
