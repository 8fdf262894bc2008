from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.augment import Pool, make_sample
from research.vimos_open.eval_questions import evaluation_items
from research.vimos_open.sources import SOURCES_3D, load_clips, synthetic_clips
from research.vimos_open.time_warp import join, time_warp
from vimonet.motion import Motion
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool(synthetic_clips("val"))


def test_joining_leaves_no_jump(pool: Pool) -> None:
    clips = [pool.draw(random.Random(seed)).motion for seed in range(3)]
    joined, spans = join(clips)
    step = np.linalg.norm(np.diff(joined.joints[:, 0, [0, 2]], axis=0), axis=-1)
    assert step.max() < 0.35, "the pelvis never moves faster than 7 m/s"
    assert spans[0][0] == 0 and spans[-1][1] == joined.frames
    assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_time_warp_keeps_the_way_and_changes_the_time(pool: Pool) -> None:
    motion = pool.draw(random.Random(1)).motion
    slow = time_warp(motion, 1.5)
    assert slow.frames == pytest.approx(1.5 * motion.frames, abs=2)
    np.testing.assert_allclose(slow.joints[-1], motion.joints[-1], atol=0.1)


@pytest.mark.parametrize("mode", ["single", "composed", "short", "hidden", "chimera"])
def test_a_sample_depends_on_its_seed_alone(pool: Pool, mode: str) -> None:
    first, again = (make_sample(pool, random.Random(5), mode=mode) for _ in range(2))
    assert first is not None and again is not None
    np.testing.assert_array_equal(first.motion.joints, again.motion.joints)
    assert first.questions == again.questions
    assert first.motion.frames <= MAX_FRAMES


def test_no_recording_is_in_two_splits(shared: Path) -> None:
    splits: dict[str, set[str]] = {}
    for clip in load_clips(shared, SOURCES_3D):
        splits.setdefault(clip.recording, set()).add("test" if clip.split == "test_view" else clip.split)
    # NW-UCLA's third camera films performances that two others film for the training: its protocol, reported as such.
    shared_views = {r for r, s in splits.items() if len(s) > 1}
    assert all(r.startswith("nw_ucla/") for r in shared_views)
    own = {c.recording for c in load_clips(shared, ("nw_ucla",)) if c.split == "test"}
    assert not own & {c.recording for c in load_clips(shared, ("nw_ucla",)) if c.split == "train"}


def test_items_of_the_test_split(shared: Path) -> None:
    items = evaluation_items("test", sources=["cmu"], root=str(shared))
    assert len({item.id for item in items}) == len(items)
    assert all(isinstance(item.motion, Motion) and item.answer for item in items)
    yes_no = Counter((item.form, item.answer) for item in items if item.kind == "yes_no")
    assert all(yes_no[form, "yes"] == yes_no[form, "no"] for form, _ in yes_no)
    assert {item.wording for item in items} == {"seen", "unseen"}
    again = evaluation_items("test", sources=["cmu"], root=str(shared))
    assert [(i.id, i.question, i.answer) for i in items] == [(i.id, i.question, i.answer) for i in again]
