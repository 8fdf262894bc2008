"""What a small language model is asked of a drawn scene besides the dataset's own questions, to learn from.

Questions that need both streams rest on steps that the picture alone answers: does this have that colour, what has it,
whose movement is given, what stands on which hand. Pretrained language models know how to look up and to compare; nano
is taught it here. No movement is given; one may be told in words.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from vimonet.vimos.labels import participle
from vimonet.vimos.records import Instruction
from vimonet.vimos.scene.description import CLOTHES, OBJECTS
from vimonet.vimos.scene.questions import WORDINGS, Asker, Filmed, lateral, of_both, of_picture
from vimonet.vimos.schema import Question

Turns = list[tuple[str, str]]
"""Questions and answers."""


class Lesson(NamedTuple):
    """A question of a kind, with its answer."""

    kind: str
    question: str
    answer: str


def plain_lessons(filmed: Filmed, rng: random.Random) -> list[Lesson]:
    """What the picture answers, in the first three wordings of each form."""
    found = []
    for asked in some(list(of_picture(filmed, rng)), 7, rng):
        words = rng.choice(WORDINGS[asked.form]["seen"][:3]).format(**asked.slots)
        found.append(Lesson("picture", words[:1].upper() + words[1:], asked.answer))
    return found


def lessons_of(filmed: Filmed, rng: random.Random, doings: list[str]) -> list[Lesson]:
    """What the picture answers, in all wordings, and the steps that rest on it; `doings` are participles of actions."""
    asker = Asker(rng, test=False)
    picture = [asker.scene(one, "picture") for one in some(list(of_picture(filmed, rng)), 3, rng)]
    turns = {"picture": [(one.question, one.answer) for one in picture]}
    turns["what is red"] = some(of_colours(filmed, rng), 3, rng)
    turns["is it red"] = some(checks(filmed, rng), 2, rng)
    if len(filmed.bodies) == 2:
        turns["whose"] = some(whose(filmed, asker), 2, rng)
        turns["where"] = some(where(filmed), 2, rng)
        turns["told"] = told_in_words(filmed, asker, doings)
    else:
        turns["on which hand"] = some(on_which_hand(filmed, rng), 4, rng)
    return [Lesson(kind, *turn) for kind, found in turns.items() for turn in found]


def some(turns: list[Any], number: int, rng: random.Random) -> list[Any]:
    """At most so many of them."""
    return rng.sample(turns, min(len(turns), number))


ASIDE = 0.3
"""So far to the left or right of somebody a thing stands on that hand, m."""


def of_colours(filmed: Filmed, rng: random.Random) -> Turns:
    """What has a colour that nothing else has."""
    scene = filmed.scene
    found = [(scene.room.colour, "the wall"), *((prop.colour, f"the {prop.kind}") for prop in scene.props)]
    for n, who in enumerate(scene.people):
        whose = "" if len(scene.people) == 1 else f" on the {filmed.side(n)}"
        worn = {"shirt": who.shirt, "trousers": who.trousers, "hair": who.hair}
        found += [(colour, f"the {what}{whose}") for what, colour in worn.items()]
    colours = [colour for colour, _ in found]
    words = ("What is {}?", "What has the colour {}?", "Which thing or piece of clothing is {}?", "Tell me what is {}.")
    return [(rng.choice(words).format(colour), what) for colour, what in found if colours.count(colour) == 1]


def checks(filmed: Filmed, rng: random.Random) -> Turns:
    """Whether something has a colour; where it has not, something else in the scene often has."""
    scene = filmed.scene
    shirts, trousers = [who.shirt for who in scene.people], [who.trousers for who in scene.people]
    paints = [prop.colour for prop in scene.props]
    found = []
    for n in range(len(scene.people)):
        who = filmed.who(n)
        found.append((f"Is the shirt of {who} {{}}?", shirts[n], CLOTHES, [*shirts, trousers[n]]))
        found.append((f"Are the trousers of {who} {{}}?", trousers[n], CLOTHES, [*trousers, shirts[n]]))
    found += [(f"Is the {prop.kind} {{}}?", prop.colour, OBJECTS, paints) for prop in scene.props]
    turns = []
    for words, colour, names, about in found:
        others = [name for name in (about if rng.random() < 0.7 else list(names)) if name != colour]
        if rng.random() < 0.5 or not others:
            turns.append((words.format(colour), "yes"))
        else:
            turns.append((words.format(rng.choice(others)), "no"))
    return turns


def whose(filmed: Filmed, asker: Asker) -> Turns:
    """Of two people, whose movement is said to be given."""
    rng, shirts = asker.rng, [person.shirt for person in filmed.scene.people]
    place = rng.choice((0, 1))
    lead = rng.choice(WORDINGS["given"]["seen"]).format(side=filmed.side(place))
    found = [
        (f"{lead} Is that the person in the {shirt} shirt?", "yes" if shirt == shirts[place] else "no")
        for shirt in shirts
    ]
    return [*found, (f"{lead} What colour is the shirt of that person?", shirts[place])]


def where(filmed: Filmed) -> Turns:
    """Of two people, on which side is who wears a shirt."""
    return [
        (f"Is the person in the {person.shirt} shirt on the left or on the right?", filmed.side(n))
        for n, person in enumerate(filmed.scene.people)
    ]


def on_which_hand(filmed: Filmed, rng: random.Random) -> Turns:
    """On which hand of the one person things stand."""
    aside = {prop.kind: float(lateral(filmed.bodies[0], prop).mean()) for prop in filmed.scene.props}
    hands = {kind: "left" if away > 0 else "right" for kind, away in aside.items() if abs(away) > ASIDE}
    found = [(f"On which hand of the person is the {kind}, left or right?", hand) for kind, hand in hands.items()]
    if len(set(hands.values())) == 2:
        p, q = rng.sample(list(hands), 2)
        for kind, hand in hands.items():
            found.append((f"Which is nearer to the {hand} hand, the {p} or the {q}?", kind))
            found.append((f"What is on the side of the {hand} arm?", kind))
    return found


def told_in_words(filmed: Filmed, asker: Asker, doings: list[str]) -> Turns:
    """Questions about one of two people, where the movement of one is told in words and the other does the opposite.

    What follows from a movement is turned round where it is that of the other: the picture tells whether. Sometimes
    both are told, or the step between is asked, too. The dataset asks this of movements that are given, and never tells
    one.
    """
    rng, scene = asker.rng, filmed.scene
    found = []
    for what in rng.sample(("arm", "hand", "turn", "first", "last", "order", "order_yes_no"), 3):
        given, asked = rng.choice((0, 1)), rng.choice((0, 1))
        if what in ("arm", "hand", "turn"):
            side, other = rng.sample(("left", "right"), 2)
            answer = side if asked == given else other
            form, said, turned, part = {
                "arm": ("more_active_arm", f"moves the {side} arm more", f"the {other} arm", " arm"),
                "hand": ("raised_hand", f"raises the {side} hand", f"the {other} hand", " hand"),
                "turn": ("turn", f"turns to the {side}", f"to the {other}", ""),
            }[what]
            question = Question("sided", form, answer + part)
        else:
            a, b = rng.sample(doings, 2)
            mine = (a, b) if asked == given else (b, a)
            said, turned = f"is {a}, then {b}", f"{b}, then {a}"
            order = "before" if asked == given else "after"
            answer = {"first": mine[0], "last": mine[1], "order": order}.get(what, "yes" if order == "before" else "no")
            question = Question("order", what, answer, {} if what in ("first", "last") else {"a": a, "b": b})
        who = f"the person in the {scene.people[asked].shirt} shirt"
        made = asker.motion(question, who, "both")
        if made is not None:
            lead = rng.choice(WORDINGS["given"]["seen"]).format(side=filmed.side(given))
            besides = f", the one on the {filmed.side(1 - given)} {turned}" if rng.random() < 0.3 else ""
            told = f"{lead} That person {said}{besides}."
            two = rng.random() < 0.4
            found.append(
                _two_steps(told, who, made, asked == given) if two else (f"{told} {made.question}", made.answer)
            )
    return found


def while_it_shines(filmed: Filmed, rng: random.Random) -> Turns:
    """What the one person does while the lamp has a colour, with no actions to choose from."""
    lamp, doing = filmed.scene.lamp, [participle(part.action) for part in filmed.parts[0]]
    if lamp is None or len(filmed.bodies) > 1 or len(lamp.colours) < 2 or len(set(doing)) != len(lamp.colours):
        return []
    words = (
        "What does the person do while the lamp is {}?",
        "While the lamp is {}, what happens?",
        "What is the person doing when the lamp shines {}?",
    )
    return [(rng.choice(words).format(colour), done) for (_, colour), done in zip(lamp.colours, doing, strict=True)]


def in_two_steps(filmed: Filmed, asker: Asker) -> Turns:
    """Of two people, what the dataset asks of either, with the step between: is it the one whose movement is given?"""
    found = []
    for question, person in of_both(filmed, asker.rng):
        who = f"the person in the {filmed.scene.people[person].shirt} shirt"
        made = asker.motion(question, who, "both")
        if made is not None:
            lead = asker.rng.choice(WORDINGS["given"]["seen"]).format(side=filmed.side())
            found.append(_two_steps(lead, who, made, person == 0))
    return found


def _two_steps(lead: str, who: str, made: Instruction, same: bool) -> tuple[str, str]:
    words = made.question[:1].lower() + made.question[1:]
    return f"{lead} Is that {who}, and {words}", f"{'yes' if same else 'no'}, {made.answer}"
