from __future__ import annotations

from dataclasses import replace

import numpy as np
from bench_world import body, make_items

from vimonet.bench.baselines import MajorityAnswer, NearestNeighbour, pooled_body_features
from vimonet.vimos.types import Item


def item(answer: str, form: str = "f", kind: str = "k", motion=None, **evidence: object) -> Item:
    return Item("i", "s", "r", kind, form, "?", answer, motion or body(), evidence=evidence)


def test_majority_is_per_form_then_kind_then_all() -> None:
    train = [
        item("yes", "f"),
        item("yes", "f"),
        item("no", "f"),
        item("no", "g"),
        item("no", "h"),
        item("red", "x", "z"),
    ]
    majority = MajorityAnswer(train)
    assert majority.answer(item("?", "f")) == "yes"
    assert majority.answer(item("?", "new")) == "no"  # the kind's
    assert majority.answer(item("?", "new", "new")) == "no"
    assert MajorityAnswer([item("b"), item("a")]).answer(item("?")) == "a"
    assert MajorityAnswer([]).answer(item("?")) == ""


def test_nearest_neighbour_answers_with_the_like_movement() -> None:
    nearest = NearestNeighbour(make_items("train", 24, first=100))
    for test in make_items(n=6):
        if test.kind == "raised":
            assert nearest.answer(test) == test.answer
        if test.kind == "yes_no":
            assert nearest.answer(test) == test.answer


def test_nearest_neighbour_prefers_the_same_subject() -> None:
    left, right = body("left"), body("right", jitter=1)
    train = [item("yes", motion=left, subject="clap"), item("no", motion=right, subject="jump")]
    nearest = NearestNeighbour(train)
    assert nearest.answer(item("?", motion=left, subject="jump")) == "no"
    assert nearest.answer(item("?", motion=left, subject="swim")) == "yes"  # unknown subject: the form decides
    assert nearest.answer(item("?", "other form", motion=left)) is None


def test_2d_is_searched_among_2d() -> None:
    flat = replace(body("left"), dimensions=2)
    nearest = NearestNeighbour([item("solid", motion=body("left")), item("flat", motion=replace(body(), dimensions=2))])
    assert nearest.answer(item("?", motion=flat)) == "flat"
    assert NearestNeighbour([item("solid")]).answer(item("?", motion=flat)) is None


def test_distance_is_standardised() -> None:
    # One number a thousand times larger must not drown the one that tells the clips apart.
    vectors = {16: [0.0, 1000.0], 17: [1.0, 3000.0], 18: [0.9, 1000.0]}
    train = [item("a", motion=body(frames=16)), item("b", motion=body(frames=17))]
    nearest = NearestNeighbour(train, vector=lambda motion: np.array(vectors[motion.frames], np.float32))
    assert nearest.answer(item("?", motion=body(frames=18))) == "a"
    vectors[18] = [0.9, 2200.0]
    assert nearest.answer(item("?", motion=body(frames=18))) == "b"


def test_pooled_features_are_finite_for_one_frame_and_ignore_where_it_happened() -> None:
    motion = body("left", walks=True)
    moved = replace(motion, joints=motion.joints + np.array([3, 0, -2], np.float32))
    vector = pooled_body_features(motion)
    assert vector.ndim == 1 and vector.dtype == np.float32 and np.isfinite(vector).all()
    np.testing.assert_allclose(vector, pooled_body_features(moved), atol=2e-2)
    assert pooled_body_features(body(frames=1)).shape == vector.shape
