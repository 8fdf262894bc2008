from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vimonet.bench.scoring.text_metrics import (
    CAPTION_METRICS,
    caption_scores,
    count_in,
    exact_match,
    tokenise,
)
from vimonet.language import is_abstention
from vimonet.language import normalise_answer as normalise


def test_scores_of_pycocoevalcap_are_reproduced(shared: Path) -> None:
    golden = json.loads((shared / "reference" / "caption_metrics_golden.json").read_text())
    items = golden["items"]
    result = caption_scores([item["prediction"] for item in items], [item["references"] for item in items])
    for name in CAPTION_METRICS:
        assert result.scores[name] == pytest.approx(golden["scores"][name], abs=1e-3), name
    assert result.cider.shape == (600,)


def test_bleu_by_hand() -> None:
    # Papineni's example: clipping keeps "the" from counting seven times.
    scores = caption_scores(
        ["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]]
    ).scores
    assert scores["bleu1"] == pytest.approx(2 / 7)
    # Brevity: 2 words against the closest reference of 4, every n-gram right.
    short = caption_scores(["a b"], [["a b c d", "a b c d e f g"]]).scores
    assert short["bleu1"] == pytest.approx(np.exp(1 - 4 / 2))


def test_rouge_l_by_hand() -> None:
    # LCS 3 of 4 and 3 of 5 words, beta 1.2.
    score = caption_scores(["a b c x"], [["a y b z c"]]).scores["rouge_l"]
    precision, recall = 3 / 4, 3 / 5
    assert score == pytest.approx((1 + 1.44) * precision * recall / (recall + 1.44 * precision))


def test_cider_is_ten_for_the_only_reference_and_zero_without_shared_words() -> None:
    texts = ["a man walks slowly forward", "someone jumps over two boxes"]
    assert caption_scores(texts, [[text] for text in texts]).scores["cider"] == pytest.approx(10)
    assert caption_scores(texts[::-1], [[text] for text in texts]).scores["cider"] == 0


def test_resampled_scores_with_unit_weights_are_the_scores() -> None:
    texts = ["a man walks", "he jumps twice", ""]
    result = caption_scores(texts, [["a man walks on"], ["he jumps", "she jumps twice"], ["nothing"]])
    np.testing.assert_allclose(result.weighted(np.ones((1, 3)))[0], [result.scores[name] for name in CAPTION_METRICS])
    once = result.weighted(np.array([[1.0, 0.0, 0.0]]))[0]
    assert once[0] == pytest.approx(np.exp(1 - 4 / 3))


def test_empty_caption_scores_nothing() -> None:
    scores = caption_scores(["", "he runs"], [["a man walks"], ["he runs"]])
    assert scores.rouge_l[0] == 0 and scores.cider[0] == 0 and np.isfinite(list(scores.scores.values())).all()


@pytest.mark.parametrize(("predictions", "references"), [([], []), (["a"], []), (["a"], [[]]), (["a"], ["a"])])
def test_captions_without_references_are_refused(predictions: list, references: list) -> None:
    with pytest.raises(ValueError, match="reference"):
        caption_scores(predictions, references)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  The LEFT\n hand. ", "left hand"),
        ("Yes, the person does.", "yes"),
        ("No.", "no"),
        ("No one", "no 1"),
        ("anti-clockwise", "counterclockwise"),
        ("Counter-Clockwise!", "counterclockwise"),
        ("seven", "7"),
        ("07", "7"),
        ("3.0 times", "3 times"),
        ("about -1.5 m", "about -1.5 m"),
        ("I can’t tell", "i cannot tell"),
        ("“walking”, then turning", "walking then turning"),
        ("A", "a"),
        ("right-hand", "right hand"),
        ("３", "3"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected
    assert normalise(expected) == expected


def test_exact_match_forgives_form_and_nothing_else() -> None:
    assert exact_match("the Left arm.", "left arm")
    assert exact_match("Cannot say.", "cannot tell")
    assert not exact_match("left", "left arm")
    assert not exact_match("left arm", "right arm")
    assert not exact_match("", "left")


@pytest.mark.parametrize(
    "text", ["cannot tell", "I can't tell.", "It cannot be determined", "Unknown", "not sure", "can not tell"]
)
def test_abstentions(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize("text", ["no", "an unknown dance", "left", "none", ""])
def test_answers_are_no_abstentions(text: str) -> None:
    assert not is_abstention(text)


def test_counts() -> None:
    assert count_in("about seven steps") == 7
    assert count_in("12") == 12
    assert count_in("2 or 3") is None
    assert count_in("1.5 m") is None
    assert count_in("none") is None


def test_tokens() -> None:
    assert tokenise("A man's arm-swing, 2x!") == ["a", "man's", "arm", "swing", "2x"]


def test_importing_the_benchmark_loads_no_torch_and_no_matplotlib() -> None:
    code = "import sys, vimonet.bench; print({'torch', 'transformers', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
