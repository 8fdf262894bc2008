"""Sentences about a filmed scene: what people wear and do, what stands about."""

from __future__ import annotations

import random

from research.fusion.scenes.scene_questions import GENERATOR, Filmed
from vimonet.vimos.action_labels import third_person
from vimonet.vimos.annotators.annotate import caption
from vimonet.vimos.parquet import Caption


def captions_of(filmed: Filmed, rng: random.Random) -> tuple[Caption, ...]:
    """One sentence about the movement (of one person alone), one about the picture, one about both."""
    scene, parts = filmed.scene, list(filmed.parts[0])
    dressed = [f"{_a(p.shirt)} shirt and {p.trousers} trousers" for p in scene.people]
    things = " and ".join(f"{_a(prop.colour)} {prop.kind}" for prop in scene.props)
    where = f"in a room with {scene.room.colour} walls, {things}"
    does = ", then ".join(third_person(part.action) for part in parts)
    if len(scene.people) == 1:
        seen = f"a person in {dressed[0]} {where}."
        both = f"a person in {dressed[0]} {does}, {where}."
        return (
            Caption(caption(parts, filmed.facts[0], rng), "kinematic"),
            Caption(seen, GENERATOR),
            Caption(both, GENERATOR),
        )
    other = ", then ".join(third_person(part.action) for part in filmed.parts[1])
    seen = f"a person in {dressed[0]} on the {filmed.side(0)} and one in {dressed[1]} on the {filmed.side(1)}, {where}."
    both = f"the person in {dressed[0]} {does}; the one in {dressed[1]} {other}."
    return Caption(seen, GENERATOR), Caption(both, GENERATOR)


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
