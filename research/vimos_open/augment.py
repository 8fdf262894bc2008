"""Make a training sample: draw recordings, mirror, warp and join them, measure the result, list its questions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from research.vimos_open.sensor_noise import sensed, unsure
from research.vimos_open.time_warp import join, time_warp
from vimonet.language import mirror_text
from vimonet.motion import Motion, retarget
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.projection import View, detector_noise
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.annotate import caption
from vimonet.vimos.annotators.kinematic import (
    CANNOT_TELL,
    all_unknown,
    from_facts,
    from_parts,
    from_picture,
    unknowable,
)
from vimonet.vimos.annotators.kinematic.closed_answers import aside
from vimonet.vimos.annotators.kinematic.declined_questions import declined
from vimonet.vimos.annotators.kinematic.people_questions import asked_by_people
from vimonet.vimos.annotators.kinematic.sequence_questions import kind_of
from vimonet.vimos.builders import option
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.question_forms import needs
from vimonet.vimos.types import Clip, Part, Question

FILMED = 0.35
"""Share of the drawn 3D samples that are seen by a virtual camera."""
SENSED = 0.35
"""Share of the drawn 3D samples that get the errors of another sensor; none of them is filmed, too."""
LIMBS = {"left arm": (18, 20), "right arm": (19, 21), "left leg": (4, 7, 10), "right leg": (5, 8, 11)}

WEIGHTS = {
    **{"bnr": 0.27, "cmu": 0.17, "kinder_gator": 0.13, "utd_mhad": 0.10, "nw_ucla": 0.08, "precog": 0.04},
    **{"deepmimic": 0.05, "ase_amp": 0.04, "mimickit_parc": 0.03, "synthetic": 0.13},
    **{"penn_action_2d": 0.12, "pushfit_2d": 0.02, "jhmdb_2d": 0.05, "posetrainer_2d": 0.02, "ground_guide_2d": 0.02},
    **{"sbu_interaction": 0.06, "films_2d": 0.05},
}
"""Share of each source among drawn clips: between its number of clips and equal, to spare small corpora."""

OUTSIDE_TRAIN = frozenset(f"make the letter {x} with the body" for x in "YMCA")
OUTSIDE_TEST = frozenset(f"make the letter {x} with the body" for x in "KPtX")
"""Classes never named in training: on the first the model learns to say "cannot tell", on the second it is asked."""


@dataclass(frozen=True)
class Variants:
    """Choose what is made of recordings beside themselves.

    Attributes:
        mirror: half of them with left and right exchanged, labels included.
        warp: slower and faster, 0.75 to 1.35 times the length.
        compose: two to four actions joined.
        film: a third of the 3D ones projected to 2D keypoints as a camera and a detector would give them; half of the
            tracked 2D ones with more of a detector's errors.
        sensor: a third of the 3D ones with the proportions and errors of another sensor.
    """

    mirror: bool = option("leave out mirrored copies", True)
    warp: bool = option("without slower and faster variants", True)
    compose: bool = option("without two to four actions joined", True)
    film: bool = option("without projections to 2D keypoints", True)
    sensor: bool = option("without the errors of other sensors", True)


AS_RECORDED = Variants(False, False, False, False, False)


@dataclass
class Sample:
    """Hold a movement with everything that can be asked about it.

    Attributes:
        motion: what the model sees.
        questions: all of them; training draws a few.
        parts: labelled stretches.
        source: corpus of its (first) recording, with ``+2d`` for a projected one.
        captions: sentences about it.
        recordings: the recordings it was made from, in order.
        mode: how it was drawn, see `make_sample`.
        facts: what was measured, None where nothing can be.
        sensed: whether the errors of another sensor were added.
    """

    motion: Motion
    questions: list[Question]
    parts: list[Part]
    source: str
    recordings: tuple[str, ...]
    mode: str
    captions: tuple[str, ...] = ()
    facts: Facts | None = field(default=None, repr=False)
    sensed: bool = False

    @property
    def recording(self) -> str:
        """Recording of its first part."""
        return self.recordings[0]


class Pool:
    """Hold clips to draw from, by source."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.by_source: dict[str, list[Clip]] = {}
        for clip in clips:
            self.by_source.setdefault(clip.source, []).append(clip)
        self.sources = sorted(self.by_source)
        self.weights = [WEIGHTS.get(source, 0.05) for source in self.sources]
        # Labels of a corpus are uneven (Bandai-Namco has 400 raised hands and one dance): draw by the root of the
        # class size.
        self.clip_weights: dict[str, list[float]] = {}
        for source, group in self.by_source.items():
            counts: dict[str | None, int] = {}
            for clip in group:
                counts[clip.action] = counts.get(clip.action, 0) + 1
            self.clip_weights[source] = [
                counts[clip.action] ** -0.5 * (clip.motion.frames**0.5 if source == "cmu" else 1.0) for clip in group
            ]
        self.actions = {
            source: sorted({c.action for c in group if c.action and c.action not in OUTSIDE_TRAIN | OUTSIDE_TEST})
            for source, group in self.by_source.items()
        }
        self.all_actions = sorted({action for actions in self.actions.values() for action in actions})

    def draw(self, rng: random.Random, source: str | None = None, dimensions: int | None = None) -> Clip:
        """Draw a clip, of a source drawn by weight unless named."""
        while True:
            name = source or rng.choices(self.sources, self.weights)[0]
            clip = rng.choices(self.by_source[name], self.clip_weights[name])[0]
            if dimensions is None or clip.motion.dimensions == dimensions:
                return clip

    def others(self, rng: random.Random, source: str) -> list[str]:
        """List phrases for "no" answers: of the same corpus mostly, so that the corpus does not tell the answer."""
        return (
            self.actions[source] if rng.random() < 0.7 and len(self.actions.get(source, ())) > 3 else self.all_actions
        )


def cut(clip: Clip, rng: random.Random, least: int = 40, most: int = MAX_FRAMES) -> tuple[Motion, str | None]:
    """Cut a window of at most `most` frames, and keep the clip's action if it can be trusted for the window."""
    motion, action = clip.motion, clip.action
    if motion.frames > most:
        length = rng.randint(min(most, max(least, most // 2)), most)
        start = rng.randint(0, motion.frames - length)
        motion = motion.window(start, start + length)
    if clip.source == "cmu" and action == "climb" and not np.median(motion.joints[:, 0, 1]) > 1.15:
        # A playground sequence of minutes is called "climb" while most of it is walking about: trust it only up in the
        # frame.
        action = None
    return motion, action


def single(
    clip: Clip, rng: random.Random, variants: Variants = AS_RECORDED
) -> tuple[Motion, list[Part], tuple[str, ...]]:
    """Draw motion, parts and captions of one clip."""
    motion, action = cut(clip, rng)
    captions = clip.captions if clip.source == "cmu" and motion is clip.motion else ()
    if variants.warp and rng.random() < 0.45:
        factor = rng.uniform(0.75, 1.35)
        if motion.frames * factor <= MAX_FRAMES:
            motion = time_warp(motion, factor)
    if variants.mirror and rng.random() < 0.5:
        motion, action = motion.mirrored(), None if action is None else mirror_text(action)
        captions = tuple(mirror_text(text) for text in captions)
    parts = [] if action is None else [Part(action, 0.0, motion.duration)]
    return motion, parts, captions


def composed(
    pool: Pool, rng: random.Random, first: Clip, variants: Variants = AS_RECORDED
) -> tuple[Motion, list[Part], tuple[str, ...]] | None:
    """Join two to four actions within the window; None when the drawn clips do not fit."""
    number = rng.choices((2, 3, 4), (0.7, 0.22, 0.08))[0]
    room = (MAX_FRAMES - 6 * (number - 1)) // number
    motions: list[Motion] = []
    actions: list[str] = []
    recordings: list[str] = []
    source = first.source if rng.random() < 0.6 else None
    clip = first
    for _ in range(number):
        for _ in range(12):
            if (
                clip.action
                and clip.action not in OUTSIDE_TRAIN | OUTSIDE_TEST
                and (not actions or clip.action != actions[-1])
            ):
                motion, action = cut(clip, rng, most=room)
                if action and motion.frames >= 14:
                    if variants.mirror and rng.random() < 0.5:
                        motion, action = motion.mirrored(), mirror_text(action)
                    if not actions or action != actions[-1]:
                        motions.append(motion)
                        actions.append(action)
                        recordings.append(clip.recording)
                        clip = pool.draw(rng, source, dimensions=3)
                        break
            clip = pool.draw(rng, source, dimensions=3)
        else:
            return None
    joined, spans = join(motions)
    if joined.frames > MAX_FRAMES:
        return None
    parts = [Part(action, a / 20.0, b / 20.0) for action, (a, b) in zip(actions, spans, strict=True)]
    return joined, parts, tuple(recordings)


def hide(motion: Motion, rng: random.Random) -> tuple[Motion, list[str]]:
    """Take one to three limbs from view for the whole clip, as an occluding table or a cropped camera does."""
    limbs = rng.choice(
        (
            ["left arm"],
            ["right arm"],
            ["left arm", "right arm"],
            ["left leg", "right leg"],
            ["left leg", "right leg"],
            ["left leg"],
            ["right leg"],
        )
    )
    confidence = np.ones((motion.frames, 22), np.float32) if motion.confidence is None else motion.confidence.copy()
    for limb in limbs:
        confidence[:, list(LIMBS[limb])] = 0
    return replace(motion, confidence=confidence), limbs


def make_sample(
    pool: Pool,
    rng: random.Random,
    clip: Clip | None = None,
    mode: str | None = None,
    variants: Variants = AS_RECORDED,
) -> Sample | None:
    """Draw one sample.

    Args:
        pool: clips to draw from (of one split).
        rng: source of chance; the same state gives the same sample.
        clip: first clip; drawn when None.
        mode: ``single``, ``composed``, ``short``, ``hidden``, ``chimera``; drawn when None.
        variants: what may be made of the recordings.

    Returns:
        The sample, or None when what was drawn cannot be used.
    """
    clip = clip or pool.draw(rng)
    flat = clip.motion.dimensions == 2
    shares = {"single": 0.45, "composed": 0.4 * variants.compose, "short": 0.025, "hidden": 0.085, "chimera": 0.04}
    if flat:  # one camera's joints are not joined with another's
        shares = {"single": 0.85, "hidden": 0.15}
    mode = mode or rng.choices(list(shares), list(shares.values()))[0]
    outside = clip.action in OUTSIDE_TRAIN
    if clip.action in OUTSIDE_TEST:
        return None
    if mode == "composed" and not outside:
        drawn = composed(pool, rng, clip, variants)
        if drawn is None:
            return None
        motion, parts, recordings = drawn
        captions: tuple[str, ...] = ()
    else:
        motion, parts, captions = single(clip, rng, variants)
        recordings = (clip.recording,)
    if mode == "short":
        start = rng.randint(0, max(0, motion.frames - 6))
        tiny = motion.window(start, start + rng.randint(1, 5))
        questions = [*all_unknown("a clip of a few frames"), unknowable(rng), *declined(None, aside(rng))]
        return Sample(tiny, questions, [], clip.source, recordings, mode)
    coin = rng.random() if not flat and (variants.film or variants.sensor) else 1.0
    filmed = variants.film and coin < FILMED
    by_sensor = variants.sensor and FILMED <= coin < FILMED + SENSED
    if mode == "chimera":
        scrambled = _chimera(pool, rng, clip, motion)
        return _filmed(scrambled, rng) if scrambled is not None and filmed else scrambled
    if not flat:
        motion = replace(motion, joints=retarget(motion.joints), fps=20.0)
    hidden: list[str] = []
    if mode == "hidden":
        motion, hidden = hide(motion, rng)
    shown = _shown(parts, hidden)
    facts = measure(motion)
    # What is measured on tracked joints is true of these joints, whatever side the source's labels mean.
    questions = [q for q in from_facts(facts) if clip.side_known or flat or not _sided(q)]
    if flat:
        questions += from_picture(motion)
    if outside:
        questions.append(
            Question("cannot_tell", "action", CANNOT_TELL, {}, (), {"reason": "an action outside the data"})
        )
        parts = []
    elif parts and shown:
        happening = {part.action for part in parts}
        questions = [q for q in questions if not contradicts(q, happening)]
        questions += from_parts(parts, rng, pool.others(rng, clip.source), facts)
        said = captions or ()
        questions += [Question("caption", "caption", text.lower().rstrip(".") + ".") for text in said]
        questions.append(Question("caption", "caption", caption(parts, facts, rng)))
    questions += asked_by_people(questions, parts if shown else (), facts, rng)
    questions.append(unknowable(rng))
    if not shown:
        parts = []  # what a hidden limb does may be what the label names
    if flat and variants.film and rng.random() < 0.5:
        motion = detector_noise(motion, np.random.default_rng(rng.randrange(2**32)), rng.choice((0.005, 0.015)))
    sample = Sample(motion, questions, parts, clip.source, recordings, mode, captions, facts)
    return _filmed(sample, rng) if filmed else _sensed(sample, rng) if by_sensor else sample


def _shown(parts: Sequence[Part], hidden: Sequence[str]) -> bool:
    """Tell whether labels can be trusted though limbs are hidden: gestures need no legs."""
    return not hidden or (
        all("leg" in limb for limb in hidden) and all(kind_of(part.action) == "gesture" for part in parts)
    )


def _filmed(sample: Sample, rng: random.Random) -> Sample | None:
    """Project a 3D sample as a camera and a pose estimator would give it, with questions that one camera answers."""
    try:
        film = View.draw(rng).project_2d(sample.motion)
    except InputError:
        return None
    # Depth is gone: distances along the line of sight and small turns cannot be read from one camera.
    kept = [q for q in sample.questions if not needs(q.form, "depth")]
    return replace(sample, motion=film, questions=kept, source=sample.source + "+2d")


def _sensed(sample: Sample, rng: random.Random) -> Sample:
    """Add the errors of another sensor to a 3D sample, and keep the questions that it still answers."""
    motion = sensed(sample.motion, np.random.default_rng(rng.randrange(2**32)))
    kept = [q for q in sample.questions if not unsure(q)]
    return replace(sample, motion=motion, questions=kept, sensed=True)


def _chimera(pool: Pool, rng: random.Random, clip: Clip, motion: Motion) -> Sample | None:
    """Put arms and head of one movement over the legs of another, played at odds: an action with no name."""
    donor_clip = pool.draw(rng, dimensions=3)
    other, _ = cut(donor_clip, rng)
    frames = min(motion.frames, other.frames)
    if frames < 16 or clip.motion.dimensions == 2:
        return None
    upper = [12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
    joints = retarget(motion.joints[:frames]).copy()
    donor = retarget(other.joints[:frames])[::-1]
    scale = rng.choice((-1.0, 1.0))
    joints[:, upper] = (
        joints[:, 9:10]
        + scale * (donor[:, upper] - donor[:, 9:10])[:, :, [2, 1, 0] if rng.random() < 0.5 else [0, 1, 2]]
    )
    noise = np.cumsum(np.random.default_rng(rng.randrange(2**32)).standard_normal((frames, 22, 3)) * 0.02, axis=0)
    joints = (joints + noise - noise.mean(axis=0)).astype(np.float32)
    questions = [
        Question("cannot_tell", form, CANNOT_TELL, {}, (), {"reason": "scrambled limbs"})
        for form in ("action", "caption")
    ]
    scrambled = replace(motion, joints=joints, confidence=None)
    recordings = (clip.recording, donor_clip.recording)
    return Sample(scrambled, [*questions, unknowable(rng)], [], clip.source, recordings, "chimera")


def _sided(question: Question) -> bool:
    words = question.slots.get("do", "").split()
    return needs(question.form, "side") or "left" in words or "right" in words
