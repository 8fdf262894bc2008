"""Train the matcher of a question reader: what an action that is done means for the answer to a question.

    python -m research.mini.train_matcher --reader runs/mini/reader [--trial]

It learns from pairs of a question and an action that somebody does. The questions are of yes or no, about actions, in
people's wordings and with the errors of `as_written`. An action that contains what is asked makes the answer yes
(`questions/contrasts.jsonl`); one that excludes it, or has nothing to do with it, makes it no; one that may go with it
leaves the answer open, and so does every action where the question is of another form. No recording is read.
``--trial`` learns without an eighth of the wordings, says how often their answers are right, and writes nothing.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from research.mini.train_reader import embedded, fold_of
from vimonet.model.action_matching import NO, OPEN, YES, ActionMatcher, action_question
from vimonet.model.question_reader import HEADS, QuestionReader, embed, open_encoder
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.action_names import renamed
from vimonet.vimos.contrasts import TOO_NEAR, relation
from vimonet.vimos.label_consistency import absent_from
from vimonet.vimos.wordings import WHO, WORDINGS, as_written, read_people

STEPS, BATCH, RATE, DECAY, SMOOTHING = 4000, 256, 2e-3, 0.05, 0.03
WORDED = 14
"""Wordings in which each action is asked, beside its paraphrases."""
_YES, _NEAR, _LEFT_OPEN = 0.42, 0.30, 0.06
"""Shares of the draws: the action makes the answer yes, excludes what is asked, or may go with it; the rest has nothing
to do with it."""
_OTHER_FORMS = 0.35  # weight of a question that is not of yes or no
_JITTER = 0.02  # added to the vectors of actions
_FOLDS = 8
_CLOSED = ("yes_no", "near_yes_no")


class Asked(NamedTuple):
    """Hold a question, the action that it asks about (empty for another form), and what it was made of."""

    text: str
    action: str
    wording: str


def actions() -> list[str]:
    """List the actions that are asked about or related to a label, in alphabetical order."""
    related = {pair[key] for pair in read_people("contrasts") for key in "ab"}
    return sorted(related | {row["action"] for row in read_people("asks") if not row.get("form")})


def questions(every: Sequence[str], rng: random.Random) -> list[Asked]:
    """Word questions of yes or no about each action, and questions of every other form."""
    asks = read_people("asks")
    found = [(row["text"], "" if row.get("form") else row["action"], row["text"]) for row in asks]
    closed = list(dict.fromkeys(WORDINGS["yes_no"]["seen"] + WORDINGS["yes_no"]["people"]))
    for action in every:
        for wording in rng.sample(closed, WORDED):
            found.append((_filled(wording, verb_slots(action), rng), action, wording))
    for form in WORDINGS:
        if form not in _CLOSED:
            for wording in dict.fromkeys(WORDINGS[form]["seen"] + WORDINGS[form]["people"]):
                a, b, c = (participle(action) for action in rng.sample(every, 3))
                slots = {**verb_slots(rng.choice(every)), "a": a, "b": b, "c": c, **_OTHER_WORDS}
                found.append((_filled(wording, slots, rng), "", wording))
    return [
        Asked(as_written(text, rng, closed=bool(action)) if rng.random() < 0.4 else text, action, wording)
        for text, action, wording in found
        if text
    ]


_OTHER_WORDS = {"limb": "left arm", "hand": "left", "posture": "standing", "part": "head", "joint": "knee", "t": "1.2"}


def _filled(wording: str, slots: dict[str, str], rng: random.Random) -> str:
    """Fill a wording, an action by any of its names; empty if it needs words that are not known here."""
    try:
        return wording.format(who=rng.choice(WHO), **renamed(slots, "", rng)[0])
    except KeyError:
        return ""


class Pairs:
    """Draw pairs of a question and an action with what the action means for the answer.

    Args:
        asked: questions.
        every: actions.
    """

    def __init__(self, asked: Sequence[Asked], every: Sequence[str]) -> None:
        self.every = list(every)
        number = {action: index for index, action in enumerate(every)}
        self.asked = [number.get(one.action, -1) for one in asked]
        self.weights = [1.0 if at >= 0 else _OTHER_FORMS for at in self.asked]
        self.pools = [_pools(action, every) for action in every]

    def draw(self, rows: Sequence[int], count: int, rng: random.Random) -> tuple[list[int], list[int], list[int]]:
        """Draw rows, an action for each, and its meaning."""
        drawn = rng.choices(rows, [self.weights[row] for row in rows], k=count)
        pairs = [self._pair(self.asked[row], rng) for row in drawn]
        return drawn, [action for action, _ in pairs], [meaning for _, meaning in pairs]

    def _pair(self, asked: int, rng: random.Random) -> tuple[int, int]:
        if asked < 0:
            return rng.randrange(len(self.every)), OPEN
        yes, near, left_open, far = self.pools[asked]
        (pool,) = rng.choices((yes, near, left_open, far), (_YES, _NEAR, _LEFT_OPEN, 1 - _YES - _NEAR - _LEFT_OPEN))
        pool = pool or far or left_open
        return rng.choice(pool), YES if pool is yes else OPEN if pool is left_open else NO


def _pools(asked: str, every: Sequence[str]) -> tuple[list[int], list[int], list[int], list[int]]:
    """List the actions that make the answer yes, near ones that make it no, ones that leave it open, and the others."""
    pools: tuple[list[int], ...] = ([], [], [], [])
    for index, done in enumerate(every):
        found = "contained" if done == asked else relation(done, asked)
        if found is None:
            found = "far" if asked not in TOO_NEAR and absent_from(asked, {done}) else "open"
        pools[("contained", "excluded", "open", "far").index(found)].append(index)
    return pools[0], pools[1], pools[2], pools[3]


def train(
    vectors: Tensor, of_actions: Tensor, pairs: Pairs, rows: Sequence[int], steps: int, seed: int
) -> ActionMatcher:
    """Train a matcher on the questions of some rows.

    Args:
        vectors: of the questions, [N, width].
        of_actions: of the actions, [A, width].
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    matcher = ActionMatcher(vectors.shape[1])
    optimiser = torch.optim.AdamW(matcher.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.05)
    for _ in tqdm(range(steps), desc="matcher", mininterval=2):
        drawn, done, meaning = pairs.draw(rows, BATCH, rng)
        near = of_actions[done] + _JITTER * torch.randn(BATCH, vectors.shape[1])
        loss = F.cross_entropy(matcher(vectors[drawn], near), torch.tensor(meaning), label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return matcher.eval()


def main() -> None:
    """Train a matcher and write it beside its reader."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", type=Path, default=Path("runs/mini/reader"), metavar="DIR", help="question reader")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and draws")
    parser.add_argument("--trial", action="store_true", help="learn without a fold, and say how often it is right")
    args = parser.parse_args()
    QuestionReader.open(args.reader)  # says what is missing or damaged
    encoder, tokenizer = open_encoder(args.reader)
    every = actions()
    asked = questions(every, random.Random(args.seed))
    vectors = embedded(encoder, tokenizer, [one.text for one in asked])
    of_actions = embed(encoder, tokenizer, [action_question(action) for action in every]).clone()
    pairs = Pairs(asked, every)
    held = {i for i, one in enumerate(asked) if args.trial and fold_of(one.wording, _FOLDS) == 0}
    rows = [i for i in range(len(asked)) if i not in held]
    matcher = train(vectors, of_actions, pairs, rows, args.steps, args.seed)
    if not args.trial:
        matcher.save(args.reader, HEADS)
        print(f"{args.reader}: a matcher of {len(rows):,} questions and {len(every):,} actions")
        return
    drawn, done, meaning = pairs.draw(sorted(held), 8000, random.Random(args.seed))
    with torch.inference_mode():
        told = matcher(vectors[drawn], of_actions[done]).argmax(-1)
    for name, index in (("yes", YES), ("no", NO), ("open", OPEN)):
        of = torch.tensor(meaning) == index
        print(f"{name}: {(told[of] == index).float().mean():.3f} of {int(of.sum()):,} pairs of wordings left out")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"train_matcher: {error}") from None
