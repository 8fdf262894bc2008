"""Ask the test recordings of `vimos-open` every question they can answer, in wordings seen and unseen in training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from research.vimos_open import sources as real
from research.vimos_open.augment import OUTSIDE_TEST, OUTSIDE_TRAIN, Pool, Sample, make_sample
from vimonet.vimos.annotators.kinematic import CANNOT_TELL, YES_NO
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES
from vimonet.vimos.question_forms import style_of
from vimonet.vimos.types import Clip, Item, Question
from vimonet.vimos.wordings import WORDINGS, ask

RECOGNITION = (
    *("utd_mhad", "nw_ucla", "kinder_gator", "penn_action_2d", "pushfit_2d", "precog", "jhmdb_2d", "ground_guide_2d"),
    "sbu_interaction",
)
"""Sources whose official task is to name the class of a clip."""

_UNSEEN_SHARE = 0.4
_OF_PARTS = frozenset(
    (
        *("yes_no", "part_time", "part_start", "part_end", "action_number", "choice", "choice_or_none"),
        *("not_happening", "at_beginning", "at_end"),
    )
)
"""Forms, beside those of order, that joined recordings are asked."""
_OF_SUBJECT = ("fact_yes_no", "when", "when_or_never", "start_second", "end_second")
_MOST, _MOST_FURTHER = 260, 60
"""Items of one form and source: the rest would only cost time."""
_WHOLE = ("recognition", "caption", "cannot_tell")
"""Kinds of which every item is asked."""
_ESTABLISHED = frozenset(
    (
        *(
            "action",
            "caption",
            "yes_no",
            "fact_yes_no",
            "limb_moves",
            "displacement",
            "distance",
            "turn",
            "turn_amount",
        ),
        *(
            "turn_amount",
            "speed",
            "raised_hand",
            "more_active_arm",
            "more_active_leg",
            "arms_or_legs",
            "posture_start",
            "posture_end",
        ),
        *("posture", "count", "steps", "duration", "when", "first", "last", "after", "before", "order", "order_yes_no"),
        "unknowable",
    )
)
"""Forms reported by their own kind, which figures have been compared by from the beginning; the kind of every other
form is ``further`` and its style."""


def evaluation_items(
    split: str = "test",
    *,
    sources: Sequence[str] | None = None,
    seed: int = 0,
    root: str | None = None,
) -> list[Item]:
    """Make the questions about the clips of a split.

    Recordings longer than the model's window are cut into windows. Single clips are asked what facts and labels
    answer; pairs of clips of one corpus are joined and asked about order; some clips lose a limb from view, and the
    questions about it have "cannot tell" for an answer; classes kept out of training are asked for too.

    Args:
        split: ``train``, ``val``, ``test`` or ``test_view`` (NW-UCLA's third camera).
        sources: corpora; None for Bandai-Namco, CMU and the recognition sources.
        seed: of the draws.
        root: folder of the recordings; None takes the environment variable VIMONET_DATA.

    Returns:
        Items, the same for the same arguments.
    """
    names = tuple(sources or ("bnr", "cmu", *RECOGNITION))
    items: list[Item] = []
    for name in names:
        clips = [c for c in real.clips_of(split, (name,), root) if "@" not in c.id or c.source == "precog"]
        clips.sort(key=lambda c: c.id)
        rng = random.Random(f"items/{name}/{split}/{seed}")
        if not clips:
            continue
        start = len(items)
        pool = Pool(clips)
        for clip in clips:
            for window in windows(clip):
                items += _single(window, pool, rng)
        if name in ("bnr", "cmu", "kinder_gator", "synthetic") and len(pool.actions[name]) > 1:
            for index in range(max(60, min(len(clips), 130))):
                items += _composed(clips[index % len(clips)], pool, rng, index)
        if name in ("bnr", "cmu"):
            for clip in rng.sample(clips, min(len(clips), 50)):
                items += _hidden(clip, pool, rng)
        if name == "cmu":
            items += _captions(split, root, rng)
        items = [*items[:start], *_even(items[start:], rng)]
    return items


def _even(items: list[Item], rng: random.Random) -> list[Item]:
    """As many "yes" as "no" for every yes/no form of a source; closed forms with a single answer there are not asked.

    Of other forms the most that are worth the time.
    """
    kept: list[Item] = []
    forms: dict[tuple[str, str], dict[str, list[Item]]] = {}
    for item in items:
        forms.setdefault((item.kind, item.form), {}).setdefault(item.answer, []).append(item)
    for answers in forms.values():
        every = [item for group in answers.values() for item in group]
        if every[0].options and len(answers) == 1 and every[0].kind not in _WHOLE:
            continue
        most = _MOST_FURTHER if every[0].kind.startswith("further") else _MOST
        if every[0].options != YES_NO or every[0].kind == "order":
            kept += every if len(every) <= most or every[0].kind in _WHOLE else rng.sample(every, most)
            continue
        number = min(60 if most == _MOST else most // 2, *(len(answers.get(answer, ())) for answer in ("yes", "no")))
        for group in answers.values():
            kept += rng.sample(group, number)
    return sorted(kept, key=lambda item: item.id)


def windows(clip: Clip) -> Iterator[Clip]:
    """Consecutive windows of at most 196 frames; a remainder under 2 s is left out of long recordings."""
    frames = clip.motion.frames
    if frames <= MAX_FRAMES:
        yield clip
        return
    for start in range(0, frames - 39, MAX_FRAMES):
        motion = clip.motion.window(start, min(frames, start + MAX_FRAMES)).named(f"{clip.id}@{start}")
        yield replace(clip, id=motion.name, motion=motion)


def _item(
    clip: Clip, question: Question, motion_of: Sample | Clip, rng: random.Random, tag: str, kind: str | None = None
) -> Item:
    unseen = rng.random() < _UNSEEN_SHARE
    text = ask(question.form, rng, unseen=unseen, plain=True, **question.slots)
    return Item(
        id=f"{clip.id}/{tag}",
        source=clip.source,
        recording=clip.recording,
        kind=kind or (question.kind if question.form in _ESTABLISHED else f"further {style_of(question.form)}"),
        form=f"{question.form}:{question.slots['do']}" if question.form in _OF_SUBJECT else question.form,
        question=text,
        answer=question.answer,
        motion=motion_of.motion,
        options=question.options,
        wording="unseen" if unseen else "seen",
        evidence={
            **question.evidence,
            "subject": next((question.slots[k] for k in ("do", "limb", "a") if k in question.slots), ""),
        },
    )


def _single(clip: Clip, pool: Pool, rng: random.Random) -> Iterator[Item]:
    flat = clip.motion.dimensions == 2
    if clip.action in OUTSIDE_TRAIN | OUTSIDE_TEST:
        if clip.action in OUTSIDE_TEST:
            outside = Question("cannot_tell", "action", CANNOT_TELL, {}, (), {"reason": "an action outside the data"})
            yield _item(clip, outside, clip, rng, "outside")
        return
    sample = make_sample(pool, rng, clip, mode="single")
    if sample is None:
        return
    moved = replace(clip, motion=sample.motion if flat else clip.motion)
    for number, question in enumerate(q for q in _compared(sample) if q.form != "caption"):
        if question.kind == "action" and clip.source in RECOGNITION:
            yield _item(moved, question, moved, rng, "recognition", kind="recognition")
        elif clip.source == "kinder_gator" or clip.source not in RECOGNITION:
            yield _item(moved, question, moved, rng, f"{number}-{question.form}")


def _compared(sample: Sample) -> list[Question]:
    """List the questions of forms that earlier evaluations asked too: others would shift every later random draw."""
    return [question for question in sample.questions if _has_own_wordings(question.form)]


def _has_own_wordings(form: str) -> bool:
    """Tell whether a form has its wordings in wordings.yaml: its scores are compared with those of earlier versions."""
    known = form in WORDINGS and form not in {"near_yes_no", "fact_check", "count_named"}  # worded as other forms are
    return known and not set(WORDINGS[form]["seen"]) & set(WORDINGS[form]["people"])


def _composed(first: Clip, pool: Pool, rng: random.Random, index: int) -> Iterator[Item]:
    sample = make_sample(pool, rng, first, mode="composed")
    if sample is None or len(sample.parts) < 2:
        return
    for number, question in enumerate(_compared(sample)):
        if question.kind in ("order", "action_composed") or question.form in _OF_PARTS:
            yield _item(first, question, sample, rng, f"composed-{index}-{number}-{question.form}")


def _hidden(clip: Clip, pool: Pool, rng: random.Random) -> Iterator[Item]:
    sample = make_sample(pool, rng, clip, mode="hidden")
    if sample is None:
        return
    for number, question in enumerate(_compared(sample)):
        if question.answer == CANNOT_TELL and question.form != "unknowable":
            yield _item(clip, question, sample, rng, f"hidden-{number}-{question.form}", kind="cannot_tell")


def _captions(split: str, root: str | None, rng: random.Random) -> Iterator[Item]:
    """Captions written by people; several references of one window share its item id up to the last dash."""
    told: dict[str, int] = {}
    for clip in real.captioned_windows(root):
        if clip.split == split:
            for text in clip.captions:
                number = told[clip.id] = told.get(clip.id, -1) + 1
                question = Question("caption", "caption", text)
                item = _item(clip, question, clip, rng, f"caption-{number}")
                yield replace(item, question="Describe the movement.", wording="seen")
