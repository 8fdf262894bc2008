"""What is asked of a filmed scene: of the picture alone, of the movement alone, and of both together.

Every instruction's evidence has ``needs``: ``picture``, ``motion`` or ``both``. The answers come from the scene's
description and from measures of the movements, never from the picture.

Of two people one movement is given, and the question says whose ("the person on the left"); it may ask about either by
the colour of a shirt. What they do is opposite: the same actions in the other order, or left for right. The shirt is in
the picture alone, the order or the side is in the movement: neither without the other is better than a guess.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from research.fusion.scenes import pinhole, scene_reasoning
from research.fusion.scenes.scene import CLOTHES, FLOORS, HAIR, KINDS, LAMP, OBJECTS, WALLS, Prop, Scene
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, heading, measure
from vimonet.vimos import question_forms as forms
from vimonet.vimos.action_labels import participle
from vimonet.vimos.annotators.annotate import UNSEEN_SHARE
from vimonet.vimos.annotators.kinematic import CANNOT_TELL, from_facts
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO
from vimonet.vimos.parquet import Instruction
from vimonet.vimos.types import STEPS, Part, Question
from vimonet.vimos.wordings import ask as ask_motion

Array = NDArray[np.float64]

WORDINGS: dict[str, dict[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("scene_wordings.yaml").read_text(encoding="utf-8")
)
"""Question form -> ``seen`` and ``unseen`` wordings (scene_wordings.yaml)."""

GENERATOR = "scene"


@dataclass(frozen=True)
class Filmed:
    """A scene with what its people do.

    Attributes:
        scene: what is filmed.
        bodies: joints of each person in the room, [T, 22, 3].
        parts: actions of each.
        facts: measures of each.
        fps: frames per second of the movements.
        reversed: whether the second does the first's actions in the other order, rather than mirrored.
    """

    scene: Scene
    bodies: tuple[Array, ...]
    parts: tuple[tuple[Part, ...], ...]
    facts: tuple[Facts, ...]
    fps: float = 20.0
    reversed: bool = False

    @classmethod
    def of(
        cls, scene: Scene, motions: Sequence[Motion], parts: Sequence[Sequence[Part]], *, reversed: bool = False
    ) -> Filmed:
        """A scene with the movements of its people, placed in the room and measured, and with their actions."""
        bodies = tuple(pinhole.place(p, m.joints) for p, m in zip(scene.people, motions, strict=True))
        return cls(scene, bodies, tuple(map(tuple, parts)), tuple(map(measure, motions)), reversed=reversed)

    def side(self, person: int = 0) -> str:
        """Side of the picture on which one of two people stands."""
        x = [pinhole.project(self.scene.camera, body[0, 0])[0] for body in self.bodies]
        return "left" if x[person] < x[1 - person] else "right"

    def who(self, person: int = 0) -> str:
        """How a person is named by place."""
        return "the person" if len(self.bodies) == 1 else f"the person on the {self.side(person)}"


class Asker:
    """Puts questions into words: of the test some in wordings that training never uses.

    Args:
        rng: source of chance.
        test: whether the questions are the test's.
        most: so many of a scene's wordings of each form are used, the first ones; None for all.
    """

    def __init__(self, rng: random.Random, test: bool, most: int | None = None) -> None:
        self.rng, self.test, self.most = rng, test, most

    def scene(self, question: Question, needs: str, given: str | None = None) -> Instruction:
        """A question of a form of this package's wordings; `given` is the side of the person whose movement it is."""
        wording = self._wording()
        words = self.rng.choice(WORDINGS[question.form][wording][: self.most]).format(**question.slots)
        return self._made(question, self._lead(given, wording) + words[:1].upper() + words[1:], needs, needs, wording)

    def motion(self, question: Question, who: str, needs: str, given: str | None = None) -> Instruction | None:
        """A question of a form about movement, of `who`; None where no wording names a person."""
        wording = self._wording()
        for _ in range(8):
            words = ask_motion(question.form, self.rng, unseen=wording == "unseen", plain=True, **question.slots)
            named = words[:1].lower() + words[1:]
            if who == "the person":
                break
            if "the person" in named and "the person's" not in named:
                named = named.replace("the person", who, 1)
                words = named[:1].upper() + named[1:]
                break
        else:
            return None
        lead = self._lead(given, wording)
        style = needs if needs == "both" else forms.style_of(question.form)
        return self._made(question, lead + words, needs, style, wording, plain=who == "the person")

    def _lead(self, given: str | None, wording: str) -> str:
        if given is None:
            return ""
        return self.rng.choice(WORDINGS["given"][wording][: self.most]).format(side=given) + " "

    def _wording(self) -> str:
        return "unseen" if self.test and self.rng.random() < UNSEEN_SHARE else "seen"

    def _made(
        self, question: Question, words: str, needs: str, style: str, wording: str, plain: bool = False
    ) -> Instruction:
        told = Question(
            *(question.kind, question.form, question.answer, question.slots, question.options),
            {**question.evidence, "needs": needs},
        )
        # Only what "kinematic" wrote may be put into other words by the trainer: here the words name people.
        return Instruction.of(told, words, style, "kinematic" if plain else GENERATOR, wording)


def of_picture(filmed: Filmed, rng: random.Random) -> Iterator[Question]:
    """Questions that the picture alone answers."""
    scene = filmed.scene
    for n, person in enumerate(scene.people):
        who = {"who": filmed.who(n)}
        yield _seen("shirt_colour", person.shirt, CLOTHES, **who)
        yield _seen("trousers_colour", person.trousers, CLOTHES, **who)
        yield _seen("hair_colour", person.hair, HAIR, **who)
    kinds = [prop.kind for prop in scene.props]
    for kind, answer in ((rng.choice(kinds), "yes"), (rng.choice([k for k in KINDS if k not in kinds]), "no")):
        yield _seen("prop_present", answer, YES_NO, a_p=f"a {kind}")
    for prop in scene.props:
        yield _seen("prop_colour", prop.colour, OBJECTS, p=prop.kind)
        yield _seen("prop_of_colour", prop.kind, KINDS, colour=prop.colour)
    p, q = rng.sample(scene.props, 2)
    yield _seen("prop_side", _side_of(p, q, scene), ("left", "right"), p=p.kind, q=q.kind)
    yield _seen("floor", scene.room.floor, FLOORS)
    yield _seen("wall_colour", scene.room.colour, WALLS)
    yield _seen("people", str(len(scene.people)), ("1", "2"))
    if scene.lamp is not None:
        yield _seen("lamp_first", scene.lamp.colours[0][1], LAMP)
        yield _seen("lamp_last", scene.lamp.colours[-1][1], LAMP)


def _seen(form: str, answer: str, options: Any, **slots: str) -> Question:
    return Question("picture", form, answer, slots, tuple(options), {"scene": form})


def _side_of(prop: Prop, other: Prop, scene: Scene) -> str:
    """On which side of another a prop is in the picture."""
    x = [pinhole.project(scene.camera, np.array([p.place[0], 0.3, p.place[1]]))[0] for p in (prop, other)]
    return "left" if x[0] < x[1] else "right"


def of_one(filmed: Filmed, rng: random.Random) -> Iterator[Question]:
    """Questions about one person that need movement and picture."""
    yield from _by_lamp(filmed, rng)
    yield from _by_hand(filmed, rng)
    yield from _by_way(filmed, rng)


def _by_lamp(filmed: Filmed, rng: random.Random) -> Iterator[Question]:
    """What the movement does, and when, is joined with the colour of the lamp at that time."""
    lamp, parts, facts = filmed.scene.lamp, filmed.parts[0], filmed.facts[0]
    if lamp is None or len(lamp.colours) < 2:
        return
    doing = [participle(part.action) for part in parts]
    if len(set(doing)) == len(doing) == len(lamp.colours):
        for n, part in enumerate(parts):
            colour = lamp.colours[n][1]
            span = {"start": part.start, "end": part.end, "lamp": [list(c) for c in lamp.colours]}
            span[STEPS] = scene_reasoning.by_lamp(lamp, colour)
            yield Question("lamp", "lamp_during", colour, {"doing": doing[n]}, tuple(LAMP), span)
            one, other = sorted((doing[n], rng.choice([d for d in doing if d != doing[n]])), key=lambda _: rng.random())
            slots = {"doing": one, "other": other, "colour": colour}
            yield Question("lamp", "during_lamp", doing[n], slots, (one, other), span)
    shines: dict[str, set[str]] = {}
    for raised in facts.raised_hands:
        inside = {lamp.colour_at(t) for t in np.linspace(raised.start, raised.end, 9)}
        shines.setdefault(raised.side, set()).update(inside)
    by_side = {side: next(iter(colours)) for side, colours in shines.items() if len(colours) == 1}
    if min((r.height for r in facts.raised_hands), default=0) < 0.12 or len(by_side) < len(shines):
        return
    told: dict[str, Any] = {"raises": [(r.side, round(r.start, 2), round(r.end, 2)) for r in facts.raised_hands]}
    told["lamp"] = [list(c) for c in lamp.colours]
    for side, colour in by_side.items():
        told = {**told, STEPS: scene_reasoning.by_lamp(lamp, colour)}
        yield Question("lamp", "lamp_at_raise", colour, {"hand": f"{side} hand"}, tuple(LAMP), told)
        if len(set(by_side.values())) == len(by_side):
            yield Question(
                "lamp", "hand_at_lamp", f"{side} hand", {"colour": colour}, ("left hand", "right hand"), told
            )


def lateral(body: Array, prop: Prop) -> Array:
    """How far to the left of a body a prop stands, at every frame, m, [T]."""
    facing = heading(body.astype(np.float32))
    away = np.array(prop.place) - body[:, 0, [0, 2]]
    return away[:, 0] * np.cos(facing) - away[:, 1] * np.sin(facing)


def _by_hand(filmed: Filmed, rng: random.Random) -> Iterator[Question]:
    """The movement tells the hand, the picture what stands on its side."""
    facts, props = filmed.facts[0], list(filmed.scene.props)
    aside = [lateral(filmed.bodies[0], prop) for prop in props]
    rng.shuffle(order := [0, 1])
    one, other = (props[i] for i in order)
    p, q = one.kind, other.kind

    def sides(first: int, last: int) -> dict[str, str] | None:
        """Which prop stands on which side throughout these frames."""
        spans = [a[first : last + 1] for a in aside]
        if min(float(np.abs(span).min()) for span in spans) < 0.3 or (np.sign(spans[0]) == np.sign(spans[1])).any():
            return None
        left = 0 if spans[0][0] > 0 else 1
        if any(len(np.unique(np.sign(span))) > 1 for span in spans):
            return None
        return {"left": props[left].kind, "right": props[1 - left].kind}

    in_picture = _side_of(one, other, filmed.scene)

    raises = [r for r in facts.raised_hands if r.height > 0.12]
    if raises and len({r.side for r in facts.raised_hands}) == 1:
        first, last = (round(t * filmed.fps) for t in (raises[0].start, raises[-1].end))
        around, side = sides(first, last), raises[0].side
        if around is not None:
            span = {"hand": side, "props": around, "start": raises[0].start, "end": raises[-1].end}
            span[STEPS] = scene_reasoning.by_thing(f"{side} hand", (p, q), _hand(around, p), in_picture)
            yield Question("prop_hand", "prop_of_hand", around[side], {"p": p, "q": q}, (p, q), span)
            span = {**span, STEPS: scene_reasoning.by_thing(f"{side} hand", (p,), _hand(around, p), in_picture)}
            yield Question("prop_hand", "hand_of_prop", "yes" if around[side] == p else "no", {"p": p}, YES_NO, span)
    activity = {side: facts.limb_activity.get(f"{side} arm", 0.0) for side in ("left", "right")}
    more = max(activity, key=lambda side: activity[side])
    around = sides(0, len(aside[0]))
    if around is not None and activity[more] > max(0.2, 1.5 * min(activity.values())):
        measured = {"activity_m_s": activity, "props": around}
        measured[STEPS] = scene_reasoning.by_thing(f"{more} arm", (p, q), _hand(around, p), in_picture)
        yield Question("prop_hand", "prop_of_arm", around[more], {"p": p, "q": q}, (p, q), measured)


def _hand(around: dict[str, str], kind: str) -> str:
    """The hand of the person on which a thing stands."""
    return next(hand for hand, there in around.items() if there == kind)


def _by_way(filmed: Filmed, rng: random.Random) -> Iterator[Question]:
    """The movement tells where someone turns or goes, the picture what stands there."""
    facts, body, props = filmed.facts[0], filmed.bodies[0], list(filmed.scene.props)
    rng.shuffle(props)
    kinds = tuple(prop.kind for prop in props)
    slots = {"p": kinds[0], "q": kinds[1]}
    facing = heading(body.astype(np.float32))
    off: list[tuple[float, float]] = []
    gone: list[tuple[float, float]] = []
    for prop in props:
        away = np.array(prop.place) - body[:, 0, [0, 2]]
        angle = np.arctan2(away[:, 0], away[:, 1]) - facing
        wrapped = np.abs(np.degrees(np.arctan2(np.sin(angle), np.cos(angle))))
        off.append((float(wrapped[0]), float(wrapped[-1])))
        distance = np.linalg.norm(away, axis=1)
        gone.append((float(distance[0]), float(distance[-1])))
    hands = ["left" if lateral(body, prop)[0] > 0 else "right" for prop in props]
    in_picture = _side_of(props[0], props[1], filmed.scene)

    near = 0 if off[0][1] < off[1][1] else 1
    one_way = len({turn.degrees > 0 for turn in facts.turns or ()}) == 1
    if one_way and off[near][1] < 45 and off[1 - near][1] > 90 and off[near][0] - off[near][1] > 30:
        told: dict[str, Any] = {"off_facing_deg": dict(zip(kinds, off, strict=True)), "net_turn_deg": facts.net_turn}
        told[STEPS] = scene_reasoning.by_thing(f"{hands[near]} way", kinds, hands[0], in_picture)
        yield Question("prop_way", "prop_of_turn", kinds[near], slots, kinds, told)
    near = 0 if gone[0][1] < gone[1][1] else 1
    if gone[near][0] - gone[near][1] > 0.25 and gone[1 - near][1] - gone[near][1] > 0.4:
        told = {"metres": dict(zip(kinds, gone, strict=True))}
        told[STEPS] = scene_reasoning.by_thing(f"{hands[near]} way", kinds, hands[0], in_picture)
        yield Question("prop_way", "prop_of_way", kinds[near], slots, kinds, told)


def of_two(one: Mapping[Any, Question], other: Mapping[Any, Question]) -> Iterator[tuple[Question, int]]:
    """Questions that have another answer for each of two people, with the number of the person asked about.

    Args:
        one, other: what can be asked of each (see `by_form`); the evidence gains ``given``, the answer for the first.
    """
    for key in one:
        pair = [found[key] for found in (one, other) if key in found]
        if len(pair) == 2 and pair[0].answer != pair[1].answer and CANNOT_TELL not in (pair[0].answer, pair[1].answer):
            for n, question in enumerate(pair):
                told = {**question.evidence, "given": pair[0].answer}
                yield replace(question, evidence=told), n


def by_form(filmed: Filmed, person: int, measured: list[Question]) -> dict[Any, Question]:
    """What may be asked of one of two people by shirt: sides of the measured, or the order of the actions."""
    parts = filmed.parts[person]
    if filmed.reversed:
        names = [participle(part.action) for part in filmed.parts[0]]
        mine = [participle(part.action) for part in parts]
        told = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
        a, b = names
        order = "before" if mine[0] == a else "after"
        found = [
            Question("order", "order", order, {"a": a, "b": b}, ("before", "after"), told),
            Question("order", "first", mine[0], {}, (a, b), told),
            Question("order", "last", mine[1], {}, (a, b), told),
            Question("order", "order_yes_no", "yes" if order == "before" else "no", {"a": a, "b": b}, YES_NO, told),
        ]
    else:
        found = [q for q in measured if forms.needs(q.form, "side") and q.options and q.answer not in _NO_SIDE]
    return {(q.form, tuple(sorted(q.slots.items()))): q for q in found}


def of_both(filmed: Filmed, rng: random.Random) -> list[tuple[Question, int]]:
    """All questions that need movement and picture, each with the number of the person asked about."""
    if len(filmed.bodies) == 1:
        return [(question, 0) for question in of_one(filmed, rng)]
    one, other = (by_form(filmed, n, list(from_facts(facts))) for n, facts in enumerate(filmed.facts))
    return list(of_two(one, other))


def ask_both(filmed: Filmed, asker: Asker, number: int) -> list[Instruction]:
    """At most `number` of the questions that need movement and picture, in words; of two people some turned round."""
    rng, told = asker.rng, []
    questions = of_both(filmed, rng)
    for question, person in rng.sample(questions, min(number, len(questions))):
        if len(filmed.bodies) == 1:
            told.append(asker.scene(question, "both"))
            continue
        whose = shirt_of(filmed, question, person)
        if whose is not None and rng.random() < 0.4:
            told.append(asker.scene(whose, "both", filmed.side()))
            continue
        told_steps = scene_reasoning.by_person(filmed.scene, person, question.evidence["given"])
        question = replace(question, evidence={**question.evidence, STEPS: told_steps})
        who = f"the person in the {filmed.scene.people[person].shirt} shirt"
        asked = asker.motion(question, who, "both", filmed.side())
        told += [] if asked is None else [asked]
    return told


_NO_SIDE = ("both equally", "both hands", "neither hand", "does not turn", "stays in place", "both arms", "whole body")

_DOES = {
    "raised_hand": "raises the {}",
    "more_active_arm": "moves the {} more than the other",
    "more_active_leg": "moves the {} more than the other",
    "turn": "turns to the {}",
    "first": "begins with {}",
    "last": "ends with {}",
}


def shirt_of(filmed: Filmed, question: Question, person: int) -> Question | None:
    """Whose shirt: the question turned round, None where its answer is no phrase for a person."""
    if question.form not in _DOES:
        return None
    shirts = tuple(who.shirt for who in filmed.scene.people)
    does = {"does": _DOES[question.form].format(question.answer)}
    told = scene_reasoning.by_shirt(person, question.evidence["given"], question.answer, filmed.side())
    evidence = {**question.evidence, STEPS: told}
    return Question("shirt_of", "shirt_of", shirts[person], does, tuple(sorted(shirts)), evidence)


def drawn(questions: list[Question], number: int, rng: random.Random) -> list[Question]:
    """Some of the questions about movement, forms as often as in `vimos-open`, no form twice."""
    keyed = sorted(
        questions,
        key=lambda q: -(rng.random() ** (1.0 / (forms.FORMS[q.form].weight if q.form in forms.FORMS else 0.2))),
    )
    return list({q.form: q for q in reversed(keyed)}.values())[::-1][:number]
