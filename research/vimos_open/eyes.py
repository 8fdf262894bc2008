"""Attach an image classifier's class names to 2D movements, so that a model learns when they tell the activity.

Few films are licensed for training, and most of those show fights. What ImageNet's class names tell of an activity is
written down here instead: `SCENES` lists activities that a person can infer from a few class names. In half of the rows
the names determine the answers (a wok and a frying pan: cooking), whatever action the motion resembles; in the other
half the names are unrelated, as a classifier's mostly are on films of people, and the motion determines the answers.
The movements are 2D: keypoints of real film, or motion capture projected by a virtual camera.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from research.vimos_open.augment import Sample
from vimonet.motion.kinematics.categories import moves_away
from vimonet.vimos.action_labels import participle, third_person, verb_slots
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO
from vimonet.vimos.types import DETAIL, Question

SCENES: dict[str, tuple[str, str]] = {
    "cook": ("wok, frying pan, spatula, stove, caldron, dutch oven, ladle", "kitchen"),
    "stir food in a pot": ("caldron, dutch oven, hot pot, ladle, crock pot, wooden spoon", "kitchen"),
    "chop vegetables": ("cleaver, cucumber, bell pepper, broccoli, zucchini, cauliflower, plate", "kitchen"),
    "mix dough": ("mixing bowl, dough, wooden spoon, measuring cup", "kitchen"),
    "bake bread": ("french loaf, dough, bagel, bakery", "kitchen"),
    "eat": ("plate, pizza, cheeseburger, hotdog, burrito, ice cream, dining table", "dining room"),
    "eat noodles": ("consomme, hot pot, carbonara, soup bowl, plate", "dining room"),
    "drink coffee": ("espresso, coffee mug, cup, coffeepot", "kitchen"),
    "drink": ("beer glass, goblet, red wine, water bottle, beer bottle, pop bottle, cup", ""),
    "wash the hands": ("washbasin, soap dispenser, lotion, tub", "bathroom"),
    "wash the dishes": ("dishwasher, washbasin, soup bowl, plate, dishrag", "kitchen"),
    "brush the teeth": ("washbasin, lotion, medicine chest, bathtub", "bathroom"),
    "dry the hair": ("hand blower, wig, hair spray", "bathroom"),
    "cut hair": ("barber chair, barbershop, hand blower, hair spray, wig", "hairdresser's"),
    "put on make-up": ("lipstick, face powder, hair spray, perfume, sunscreen", "bathroom"),
    "vacuum the floor": ("vacuum, prayer rug, studio couch, wardrobe", "living room"),
    "sweep the floor": ("broom, swab, bucket, plunger", ""),
    "mop the floor": ("swab, bucket, broom", ""),
    "iron clothes": ("iron, jean, jersey", ""),
    "do the laundry": ("washer, hamper, jean", ""),
    "mow the lawn": ("lawn mower, harvester, thresher, tractor", "garden"),
    "dig": ("shovel, barrow, plow, bucket", "garden"),
    "rake leaves": ("broom, shovel, barrow", "garden"),
    "water the plants": ("pot, greenhouse", "garden"),
    "hammer": ("hammer, nail, carpenter's kit, screwdriver", "workshop"),
    "drill": ("power drill, screw, screwdriver, carpenter's kit", "workshop"),
    "saw wood": ("chain saw, hatchet, lumbermill, plane", "workshop"),
    "chop wood": ("hatchet, chain saw, lumbermill", ""),
    "weld": ("torch, oil filter, gasmask, crash helmet, steel arch bridge", "workshop"),
    "repair a car": ("grille, car wheel, jeep, minivan, car mirror, oil filter", "garage"),
    "shape clay": ("potter's wheel, pot, vase, pitcher", "workshop"),
    "knit": ("wool, sweatshirt, knot, cardigan, velvet", ""),
    "sew": ("sewing machine, wool, velvet, bow tie", ""),
    "paint": ("paintbrush, picket fence, lipstick, rubber eraser", ""),
    "write": ("ballpoint, fountain pen, notebook, rubber eraser, pencil sharpener, quill", "desk"),
    "read a book": ("book jacket, library, bookshop, comic book, bookcase", "library"),
    "read a newspaper": ("crossword puzzle, comic book, book jacket, menu", ""),
    "type on a keyboard": ("computer keyboard, typewriter keyboard, laptop, mouse, space bar, desk", "office"),
    "work on a computer": ("desktop computer, screen, monitor, laptop, mouse, desk, notebook", "office"),
    "talk on the phone": ("cellular telephone, dial telephone, pay-phone, hand-held computer, ipod", ""),
    "look at a phone": ("cellular telephone, ipod, hand-held computer, remote control", ""),
    "take a photograph": ("reflex camera, polaroid camera, lens cap, tripod", ""),
    "watch television": ("television, home theater, entertainment center, remote control, studio couch", "living room"),
    "lie in bed": ("four-poster, quilt, pillow, crib, studio couch", "bedroom"),
    "sit on a sofa": ("studio couch, pillow, rocking chair, table lamp", "living room"),
    "sit in a rocking chair": ("rocking chair, folding chair, patio", ""),
    "play the guitar": ("acoustic guitar, electric guitar, banjo, stage", "stage"),
    "play the violin": ("violin, cello, stage", "stage"),
    "play the cello": ("cello, violin, stage", "stage"),
    "play the piano": ("grand piano, upright, organ, stage", ""),
    "play the drums": ("drum, steel drum, drumstick, stage, maraca", "stage"),
    "play the flute": ("flute, oboe, panpipe, ocarina", ""),
    "play the saxophone": ("sax, oboe, bassoon, cornet, trombone", "stage"),
    "play the trumpet": ("cornet, trombone, french horn, sax", "stage"),
    "play the harp": ("harp, cello, stage", "stage"),
    "play the accordion": ("accordion, harmonica, stage", ""),
    "sing": ("microphone, stage, loudspeaker, spotlight, theater curtain", "stage"),
    "speak into a microphone": ("microphone, suit, windsor tie, loudspeaker, stage", "stage"),
    "dance on a stage": ("stage, theater curtain, spotlight, hoopskirt, maillot", "stage"),
    "play basketball": ("basketball, jersey, volleyball, scoreboard", "sports hall"),
    "play volleyball": ("volleyball, swimming trunks, basketball, seashore", ""),
    "play football": ("soccer ball, rugby ball, jersey, knee pad, football helmet", "pitch"),
    "play American football": ("football helmet, rugby ball, jersey, scoreboard", "pitch"),
    "play rugby": ("rugby ball, jersey, knee pad, soccer ball", "pitch"),
    "play tennis": ("tennis ball, racket, ping-pong ball, scoreboard", "court"),
    "play table tennis": ("ping-pong ball, racket, tennis ball, pool table", ""),
    "play golf": ("golf ball, golfcart, croquet ball, lakeside, valley", "golf course"),
    "play baseball": ("ballplayer, baseball, scoreboard, football helmet", "pitch"),
    "play cricket": ("ballplayer, croquet ball, racket, knee pad", "pitch"),
    "play billiards": ("pool table, croquet ball, ping-pong ball", ""),
    "play croquet": ("croquet ball, golf ball, ping-pong ball", "lawn"),
    "hit a punching bag": ("punching bag, barbell, dumbbell, swimming trunks", "gym"),
    "lift weights": ("barbell, dumbbell, punching bag, swimming trunks", "gym"),
    "do a deadlift": ("barbell, dumbbell, bulletproof vest, knee pad", "gym"),
    "do pull-ups": ("horizontal bar, parallel bars, swing, worm fence", "gym"),
    "do dips on parallel bars": ("parallel bars, horizontal bar, balance beam", "gym"),
    "swing on a high bar": ("horizontal bar, parallel bars, balance beam, maillot", "gym"),
    "do gymnastics on a balance beam": ("balance beam, maillot, parallel bars, horizontal bar", "gym"),
    "ski": ("ski, alp, ski mask, snowmobile, dogsled", "snow"),
    "ride a sled": ("dogsled, bobsled, ski, snowmobile, eskimo dog", "snow"),
    "shovel snow": ("shovel, snowplow, ski mask, snowmobile", "snow"),
    "swim": ("swimming trunks, bathing cap, snorkel, bikini, maillot, tub", "water"),
    "dive with a snorkel": ("snorkel, scuba diver, coral reef, oxygen mask", "water"),
    "paddle a canoe": ("canoe, paddle, lakeside, lifeboat, speedboat", "water"),
    "drive a boat": ("speedboat, lifeboat, catamaran, yawl, canoe", "water"),
    "fish": ("reel, lakeside, tench, canoe, dock, coho", "water"),
    "surf": ("sandbar, seashore, swimming trunks, wing, paddle", "sea"),
    "ride a bicycle": ("mountain bike, bicycle-built-for-two, unicycle, tricycle, crash helmet", "street"),
    "ride a unicycle": ("unicycle, tricycle, mountain bike", ""),
    "ride a motorcycle": ("moped, motor scooter, crash helmet, disk brake", "street"),
    "ride a horse": ("sorrel, horse cart, cowboy hat, oxcart", ""),
    "drive a car": ("car mirror, seat belt, convertible, minivan, sports car", "car"),
    "wait for a bus": ("minibus, trolleybus, school bus, streetcar, park bench", "street"),
    "walk a dog": ("labrador retriever, golden retriever, german shepherd, muzzle, collie", ""),
    "hold a dog": ("golden retriever, cocker spaniel, chihuahua, shih-tzu, lhasa, pug", ""),
    "play with a dog": ("border collie, golden retriever, tennis ball, labrador retriever, boxer", ""),
    "stroke a cat": ("tabby, egyptian cat, persian cat, siamese cat, studio couch", ""),
    "feed birds": ("cock, hen, goose, drake, park bench, macaw", ""),
    "milk a cow": ("ox, bucket, milk can, barn", "barn"),
    "buy food": ("grocery store, shopping cart, shopping basket, confectionery, orange, banana", "shop"),
    "push a shopping cart": ("shopping cart, shopping basket, grocery store", "shop"),
    "look at goods in a shop": ("grocery store, toyshop, shoe shop, tobacco shop, bookshop, confectionery", "shop"),
    "use a cash machine": ("cash machine, vending machine, turnstile", "bank"),
    "go through a turnstile": ("turnstile, sliding door, prison", "station"),
    "carry an umbrella": ("umbrella, trench coat, parachute", "street"),
    "carry a backpack": ("backpack, mailbag, sleeping bag, alp", ""),
    "carry boxes": ("carton, crate, packet, moving van", ""),
    "walk on crutches": ("crutch, stretcher, folding chair", ""),
    "push a pram": ("bassinet, tricycle, shopping cart, jinrikisha", "street"),
    "rock a baby": ("bassinet, crib, cradle, diaper, bib", ""),
    "pitch a tent": ("mountain tent, sleeping bag, backpack, yurt", "camp site"),
    "do a chemistry experiment": ("beaker, petri dish, lab coat, pop bottle", "laboratory"),
    "look through a microscope": ("lab coat, loupe, petri dish, beaker", "laboratory"),
    "examine a patient": ("stethoscope, lab coat, stretcher, syringe", "hospital"),
    "blow out candles": ("candle, trifle, ice cream", ""),
    "light a candle": ("candle, lighter, altar, torch", ""),
    "hang up washing": ("swing, jean, bath towel, quilt", "garden"),
    "open an umbrella": ("umbrella, trench coat", ""),
    "shoot a bow": ("bow, rifle", ""),
    "shoot a rifle": ("rifle, assault rifle, military uniform, holster", ""),
}  # fmt: skip
"""Activity -> class names that go with it, the most telling first, and the place."""

_NOISE = (
    *("television", "screen", "monitor", "prison", "turnstile", "stretcher", "bulletproof vest", "lab coat", "jersey"),
    *("studio couch", "theater curtain", "limousine", "balance beam", "parallel bars", "dumbbell", "barbell", "washer"),
    *("sweatshirt", "suit", "windsor tie", "academic gown", "cloak", "stage", "window shade", "sliding door", "shoji"),
    *("spotlight", "projector", "web site", "toyshop", "desk", "library", "photocopier", "ping-pong ball", "switch"),
    *("punching bag", "oxygen mask", "trench coat", "jean", "running shoe", "maillot", "swing", "lakeside", "maze"),
    *("carpenter's kit", "home theater", "solar dish", "pole", "bannister", "wardrobe", "ski mask"),
)
"""Names that a classifier gives to films of people in a room, a street, a hall or a studio."""

_MANY = 3
_OF_LABELS = frozenset(
    (
        *("action", "action_of_kind", "caption", "choice", "choice_or_none", "not_happening", "used_hand"),
        *("at_beginning", "at_end", "activity", "false_premise", "why_action", "place", "scene_objects"),
        *("held_object", "how_to", "fight", "sport_or_everyday", "which_sport", "which_exercise", "dance_style"),
        *("describe_for_blind", "indoors_outdoors", "yes_no", "near_yes_no", "count", "count_named", "unknowable"),
        *("when_or_never", "repeated", "interaction"),
    )
)
"""Forms that labels answer, or that the picture does."""


def seen_line(rng: random.Random, action: str | None) -> str:
    """Write a classifier's line: names that go with an activity, or noise alone."""
    names = [] if action is None else SCENES[action][0].split(", ")
    telling = names[:1] * (rng.random() < 0.75) + rng.sample(names[1:], min(len(names[1:]), rng.randint(0, 3)))
    if names and not telling:
        telling = names[:1]
    noise = rng.sample(_NOISE, rng.randint(0 if telling else 1, _MANY))
    share = rng.uniform(0.2, 0.95) if telling else rng.uniform(0.05, 0.4)
    values: dict[str, float] = {}
    for part, whole in ((telling, share), (noise, (1.0 - share) * rng.uniform(0.2, 0.6) if telling else share)):
        weights = sorted((rng.random() ** 2 + 0.05 for _ in part), reverse=True)
        values |= {name: whole * weight / sum(weights) for name, weight in zip(part, weights, strict=True)}
    likely = sorted(values.items(), key=lambda item: -item[1])[:5]
    named = [f"{name} {f'{value:.2f}'.lstrip('0')}" for name, value in likely if value >= 0.05]
    return f"seen: {', '.join(named)}" if named else "seen: nothing that has a name"


def scene_questions(action: str, rng: random.Random) -> Iterator[Question]:
    """Ask about an activity that the names tell: which, whether, this or that, where, with what."""
    evidence: dict[str, Any] = {"scene": action}
    doing = participle(action)
    what = f"the person {third_person(action)}"
    yield Question("action", "action", doing, {}, (), evidence)
    yield Question("caption", "describe_for_blind", f"A person {third_person(action)}.", {}, (), evidence)
    yield Question("yes_no", "near_yes_no", "yes", verb_slots(action), YES_NO, evidence)
    words = set(action.split()) - {"the", "a", "on", "in", "with", "of", "at"}
    others = [other for other in SCENES if not words & set(other.split())]
    denied = {**evidence, DETAIL: what}
    for other in (*rng.sample(others, 2), "fight", rng.choice(("walk", "wave", "fall", "run", "sit down"))):
        yield Question("yes_no", "near_yes_no", "no", verb_slots(other), YES_NO, denied)
    wrong = participle(rng.choice(others))
    pair = [doing, wrong]
    rng.shuffle(pair)
    yield Question("choice", "either_or", doing, {"a": pair[0], "b": pair[1]}, (*pair, "neither"), evidence)
    place = SCENES[action][1]
    if place:
        yield Question("place", "place", place, {}, (), {**evidence, DETAIL: "by what the picture shows"})


def object_question(line: str) -> Question | None:
    """Ask what can be seen; the most likely names answer. None where none is likely."""
    named = re.findall(r"([^,:]+) (1?\.\d+)", line.removeprefix("seen: "))
    clear = [name.strip() for name, value in named if float(value) >= 0.15]
    if not clear:
        return None
    return Question("object", "scene_objects", " and ".join(clear[:2]), {}, (), {DETAIL: "by what the picture shows"})


def with_eyes(sample: Sample, rng: random.Random) -> tuple[Sample, dict[str, Any]]:
    """Attach class names to a 2D sample; return the sample and the entries for the row's provenance.

    ``seen_text`` is the classifier's line in the prompt. If its names tell an activity, the questions about the
    movement's label are replaced by questions about that activity. ``alone`` is set at random, and always if the person
    walks away, which would contradict the activity: training then hides the movement and asks nothing about it.
    """
    if sample.motion.dimensions != 2 or sample.mode in ("short", "chimera") or rng.random() < 0.3:
        return sample, {}
    if rng.random() < 0.5:
        line = seen_line(rng, None)
        return replace(sample, questions=_and_objects(sample.questions, line)), {"seen_text": line}
    action = rng.choice(list(SCENES))
    line = seen_line(rng, action)
    alone = sample.facts is None or moves_away(sample.facts) is not False or rng.random() < 0.35
    measured = [q for q in sample.questions if "parts" not in q.evidence and q.form not in _OF_LABELS]
    questions = [*(() if alone else measured), *scene_questions(action, rng)]
    found = {"seen_text": line, **({"alone": True} if alone else {})}
    return replace(sample, questions=_and_objects(questions, line), parts=[], captions=()), found


def _and_objects(questions: Sequence[Question], line: str) -> list[Question]:
    asked = object_question(line)
    return [*questions, asked] if asked else list(questions)
