from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_world import FakeAnswer, Observer, body, make_items

import vimonet
from vimonet.bench import Options, Report, combine, evaluate, select
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item


def run(assistant, items: list[Item], train: list[Item] | None, out: Path, **options) -> Report:  # type: ignore[no-untyped-def]
    defaults = {"controls": ("blind", "mirrored", "shuffled", "frozen"), "baselines": ("majority", "nearest")}
    settings = defaults | {"samples": 200, "progress": False, "batch_size": 8, "evidence": False} | options
    return evaluate(assistant, items, Options(out=out, **settings), train_items=train or ())


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run(Observer(), make_items(), make_items("train", 24, first=100), tmp_path_factory.mktemp("eval"))


def test_a_model_that_looks_beats_itself_blind(outcome: Report) -> None:
    cell = outcome.row("here", "raised")
    assert cell["n"] == 12 and cell["recordings"] == 12
    model = cell["systems"]["model"]["exact_match"]
    assert model["value"] == 1.0 and model["high"] == 1.0 and 0.7 < model["low"] < 0.75
    assert outcome.score("here", "raised", "blind") == 0.5
    assert outcome.score("here", "raised", "blind", "balanced_accuracy") == 0.5
    assert outcome.score("here", "raised", "majority") == 0.5
    assert outcome.score("here", "raised", "nearest") == 1.0
    assert outcome.score("here", "raised", "frozen") == 0.0
    assert cell["above_blind"]["value"] == 0.5 and cell["above_blind"]["p_value"] < 0.05
    # Half of the other recordings raise the other hand.
    assert outcome.score("here", "raised", "shuffled") < 0.9


def test_mirrored_answers_flip(outcome: Report) -> None:
    row = next(r for r in outcome.sections["mirrored"] if r["kind"] == "raised")
    assert row["flipped"]["value"] == 1.0 and row["flipped"]["n"] == 12 and row["right"]["value"] == 1.0


def test_a_model_deaf_to_sides_does_not_flip(tmp_path: Path, items: list[Item]) -> None:
    class Stubborn(Observer):
        def _answer(self, question, motion):  # type: ignore[no-untyped-def]
            return FakeAnswer("left hand")

    report = run(Stubborn(), items, None, tmp_path)
    row = next(r for r in report.sections["mirrored"] if r["kind"] == "raised")
    assert row["flipped"]["value"] == 0.0 and row["flipped"]["n"] == 12 and row["right"]["value"] == 0.5
    assert "majority" not in report.row("here", "raised")["systems"]


def test_wording_gap(tmp_path: Path, items: list[Item]) -> None:
    changed = [
        replace(i, question="Which of the hands goes up, Does it?") if i.wording == "unseen" else i for i in items
    ]
    row = next(
        r for r in run(Observer(), changed, None, tmp_path, controls=()).sections["wording"] if r["kind"] == "raised"
    )
    assert row["seen"]["value"] == 1.0 and row["unseen"]["value"] == 0.0 and row["unseen"]["n"] == 3
    assert row["gap"]["value"] == -1.0


def test_false_yes_of_the_blind_model(outcome: Report) -> None:
    row = outcome.sections["yes_no"][0]
    assert row["false_yes"]["value"] == 0.0 and row["false_yes"]["n"] == 8
    assert row["blind_false_yes"]["value"] == 1.0 and row["blind_false_no"]["value"] == 0.0


def test_yes_no_is_told_apart_by_form(tmp_path: Path, items: list[Item]) -> None:
    asked = [item for item in items if item.kind == "yes_no"]
    forms = [replace(item, form="fact_yes_no:walk" if k % 2 else "yes_no") for k, item in enumerate(asked)]
    rows = run(Observer(), forms, None, tmp_path, controls=()).sections["yes_no"]
    assert [row["form"] for row in rows] == ["all", "fact_yes_no", "yes_no"]
    assert [row["false_yes"]["n"] for row in rows] == [8, 4, 4]


def test_captions_are_scored_against_all_references(outcome: Report) -> None:
    row = outcome.sections["captions"][0]
    assert row["references"] == "raw" and row["references_per_item"] == 2 and row["n"] == 12
    model, nearest, blind = (row["systems"][name] for name in ("model", "nearest", "blind"))
    assert nearest["bleu1"]["value"] == pytest.approx(1.0)
    assert blind["cider"]["value"] < model["cider"]["value"] < nearest["cider"]["value"]
    assert 0 <= model["bleu1"]["low"] <= model["bleu1"]["value"] <= model["bleu1"]["high"] <= 1
    with pytest.raises(KeyError):
        outcome.row("here", "caption")  # a caption is not matched exactly


def test_captions_of_one_movement_are_references_of_one_caption(tmp_path: Path, items: list[Item]) -> None:
    split = []
    for item in items:
        if item.kind == "caption":
            for k, text in enumerate(item.evidence["references"]):
                split.append(replace(item, id=f"{item.id}-{k}", answer=text, evidence={}))
    together = [item for item in items if item.kind == "caption"]
    observer = Observer()
    apart = run(observer, split, None, tmp_path / "a", controls=()).sections["captions"]
    assert observer.asked == 12
    assert apart == run(Observer(), together, None, tmp_path / "b", controls=()).sections["captions"]


def test_lemmatised_references_are_a_protocol_of_their_own(tmp_path: Path, items: list[Item]) -> None:
    told = [
        replace(i, evidence={**i.evidence, "references_lemmatised": ["a person stand"]})
        for i in items
        if i.kind == "caption"
    ]
    rows = run(Observer(), told, None, tmp_path).sections["captions"]
    assert [row["references"] for row in rows] == ["raw", "lemmatised"]
    assert rows[0]["systems"]["model"]["bleu1"] != rows[1]["systems"]["model"]["bleu1"]


def test_abstention(tmp_path: Path) -> None:
    still = [
        Item(f"s/{k}", "s", f"q{k}", "raised", "raised", "Which hand?", "cannot tell", body(jitter=k)) for k in range(4)
    ]
    wrong = Item("s/9", "s", "q9", "raised", "raised", "Which hand?", "left hand", body(jitter=9))
    missed = Item("s/8", "s", "q8", "raised", "raised", "Which hand?", "cannot tell", body("left", jitter=8))
    row = run(Observer(), [*still, wrong, missed, *make_items("s", 6)], None, tmp_path).sections["abstention"][0]
    assert row["recall"]["value"] == pytest.approx(4 / 5) and row["recall"]["n"] == 5
    assert row["precision"]["value"] == pytest.approx(4 / 5)
    assert row["needless"]["value"] == pytest.approx(1 / 13)


def test_calibration(outcome: Report) -> None:
    row = outcome.sections["calibration"][0]
    assert row["ece"]["n"] == 24 and row["ece"]["value"] == pytest.approx(0.1)
    assert [(b["n"], b["accuracy"]) for b in row["bins"] if b["n"]] == [(24, 1.0)]


def test_recognition_counts_answers_off_the_list_as_wrong(tmp_path: Path) -> None:
    said = {"walk": "Walking.", "run": "walking", "jump": "flying", "wave": "waving"}
    labels = ("walking", "running", "jumping", "waving", "never shown")

    class Recogniser(Observer):
        def _answer(self, question, motion):  # type: ignore[no-untyped-def]
            return FakeAnswer(said[question])

    truth = {"walk": "walking", "run": "running", "jump": "jumping", "wave": "waving"}
    items = [
        Item(f"n/{q}{k}", "n", f"{q}{k}", "recognition", "recognition", q, a, body(), options=labels)
        for q, a in truth.items()
        for k in range(3)
    ]
    row = run(Recogniser(), items, None, tmp_path, controls=()).sections["recognition"][0]
    model = row["systems"]["model"]
    assert row["labels"] == 5 and row["labels_tested"] == 4
    assert model["top1"]["value"] == 0.5 and model["off_list"]["value"] == 0.25
    assert model["macro_f1"]["value"] == pytest.approx((2 / 3 + 0 + 0 + 1) / 4)


def test_counts_within_one(tmp_path: Path) -> None:
    class Counter(Observer):
        def _answer(self, question, motion):  # type: ignore[no-untyped-def]
            return FakeAnswer("three steps")

    truth = ["2", "3", "4", "5", "cannot tell"]
    items = [Item(f"c/{t}", "c", t, "steps", "steps", "How many steps?", t, body()) for t in truth]
    model = run(Counter(), items, None, tmp_path, controls=()).row("c", "steps")["systems"]["model"]
    assert model["within_one"]["value"] == pytest.approx(3 / 5)
    assert model["exact_match"]["value"] == 0  # "three steps" is not "3"


def test_report_files(outcome: Report) -> None:
    data = json.loads((outcome.out / "report.json").read_text(), parse_constant=pytest.fail)
    facts = data["provenance"]
    assert facts["items"] == 36 and facts["recordings"] == 12 and facts["train_items"] == 72 and facts["seed"] == 0
    assert facts["version"].startswith(vimonet.__version__) and facts["checkpoint"] is None
    assert Report.load(outcome.out).to_dict() == data
    text = (outcome.out / "report.md").read_text()
    assert "| here | raised | 12 | 12 | 1.00 (.74–1.00) | .50 |" in text and "CIDEr-D" in text
    for chart in ("scores.png", "reliability.png"):
        assert (outcome.out / chart).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    answers = [json.loads(line) for line in (outcome.out / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == 36 and answers[0]["right"] is True and answers[0]["blind"] == "The left hand."
    assert not [path for path in outcome.out.iterdir() if path.name.startswith(".")]


def test_a_run_is_resumed_and_comes_out_the_same(tmp_path: Path, items: list[Item], train_items: list[Item]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Observer(fail_after=48), items, train_items, tmp_path / "a")
    assert not (tmp_path / "a" / "report.json").exists()
    second = Observer()
    resumed = run(second, items, train_items, tmp_path / "a")
    whole = Observer()
    straight = run(whole, items, train_items, tmp_path / "b")
    assert 0 < second.asked < whole.asked
    assert resumed.sections == straight.sections


def test_another_seed_or_other_items_do_not_mix_into_a_folder(tmp_path: Path, items: list[Item]) -> None:
    run(Observer(), items, None, tmp_path)
    with pytest.raises(InputError, match="seed differ"):
        run(Observer(), items, None, tmp_path, seed=1)
    with pytest.raises(InputError, match="items_sha256 differ"):
        run(Observer(), items[:-1], None, tmp_path)


def test_recordings_of_two_sources_with_one_name_are_two(tmp_path: Path) -> None:
    report = run(Observer(), [*make_items("a", 4), *make_items("b", 4)], None, tmp_path, controls=())
    assert report.sections["calibration"][0]["ece"]["recordings"] == 8


def test_nothing_to_ask_and_double_ids(tmp_path: Path, items: list[Item]) -> None:
    with pytest.raises(ValueError, match="no items"):
        run(Observer(), [], None, tmp_path)
    with pytest.raises(ValueError, match="share an id"):
        run(Observer(), [items[0], items[0]], None, tmp_path)


def test_seeds_are_combined(tmp_path: Path, items: list[Item], outcome: Report) -> None:
    class Careless(Observer):
        def _answer(self, question, motion):  # type: ignore[no-untyped-def]
            return super()._answer(question, None if motion is not None and motion.frames == 16 else motion)

    careless = run(Careless(), items, make_items("train", 24, first=100), tmp_path / "careless")
    both = combine([outcome, tmp_path / "careless"])
    cell = next(c for c in both.sections["score_rows"] if c["kind"] == "raised" and c["form"] == c["wording"] == "all")
    values = [outcome.score("here", "raised"), careless.score("here", "raised")]
    score = cell["systems"]["model"]["exact_match"]
    assert values[1] < 1 and score["mean"] == pytest.approx(np.mean(values)) and score["seeds"] == 2
    assert score["std"] == pytest.approx(np.std(values, ddof=1))
    both.save(tmp_path / "both")
    assert " ± " in (tmp_path / "both" / "combined.md").read_text()
    with pytest.raises(InputError, match="different items"):
        combine([outcome, run(Observer(), items[:6], None, tmp_path / "few")])
    with pytest.raises(InputError, match="two"):
        combine([outcome])


def test_select_is_even_and_repeatable(items: list[Item]) -> None:
    more = [*items, *make_items("there", 4)]
    chosen = select(more, 8)
    assert len(chosen) == 8 and chosen == select(more, 8)
    assert {(i.source, i.kind) for i in chosen} == {(i.source, i.kind) for i in more}
    assert select(more, None) == more and select(more, 999) == more
