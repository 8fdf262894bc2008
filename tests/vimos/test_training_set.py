from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from research.vimos_open.builder import OpenBuilder
from vimonet.motion import Motion
from vimonet.motion.skeleton import CANONICAL_OFFSETS, INDEX
from vimonet.training.data import ModalityGroup
from vimonet.training.data.vimos_dataset import training_samples
from vimonet.training.stages.pretrain_lm import text_corpus
from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.parquet import VERSION, Instruction, Record, to_row, to_table
from vimonet.vimos.question_forms import needs
from vimonet.vimos.reading import read_records
from vimonet.vimos.types import spoken


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("vimos") / "open"
    build(OpenBuilder(sources=("synthetic",), count=120, val=10, test=False), folder, workers=0, progress=False)
    return str(folder)


def test_samples_hold_what_the_dataset_holds(dataset: str) -> None:
    samples = training_samples(dataset, "val", qa_pairs=5, noise=False)
    records = list(read_records(dataset, "val"))
    assert len(samples) == len(records) == len(samples.lengths) == len(samples.modality_groups)
    for index, record in enumerate(records):
        sample, motion = samples[index], record.motion
        assert motion is not None and sample.get("seen") == record.provenance.get("seen_text")
        if record.provenance.get("alone"):
            assert sample["joints"] is None and samples.modality_groups[index] == int(ModalityGroup.TEXT)
        else:
            np.testing.assert_array_equal(sample["joints"], motion.joints)
            assert samples.lengths[index] == motion.frames
            assert samples.modality_groups[index] == int(motion.dimensions == 2)
        assert [tuple(span) for span in sample["spans"]] == [(p.action, p.start, p.end) for p in record.actions]
        known = {spoken(i.answer, i.evidence) for i in record.instructions} | {c.text for c in record.captions}
        known |= {"before", "after", "yes", "no"}  # of twins
        answers = {answer for _, answer in sample["qa_pairs"]}
        explained = {answer for answer in answers if answer.startswith("whether the person ")}  # what a paraphrase asks
        assert 1 <= len(sample["qa_pairs"]) <= 5 and answers - explained <= known


def test_draws_depend_on_seed_and_epoch_alone(dataset: str) -> None:
    first, again = (training_samples(dataset, qa_pairs=5) for _ in range(2))
    for index in (0, 7):
        assert first[index]["qa_pairs"] == again[index]["qa_pairs"]
        np.testing.assert_array_equal(first[index]["joints"], again[index]["joints"])
    again.set_epoch(1)
    assert first[0]["qa_pairs"] != again[0]["qa_pairs"]


def test_everything_can_be_filmed(dataset: str) -> None:
    filmed, plain = training_samples(dataset, qa_pairs=50, random_views=True), training_samples(dataset, qa_pairs=50)
    again = training_samples(dataset, qa_pairs=50, random_views=True)
    again.set_epoch(1)
    text = int(ModalityGroup.TEXT)
    assert set(filmed.modality_groups) <= {1, text} and (plain.modality_groups == 0).any()
    for index in np.flatnonzero(plain.modality_groups == 0)[:20]:
        sample = filmed[index]
        assert sample["dimensions"] == 2 and sample["joints"].shape == plain[index]["joints"].shape
        assert not sample["joints"][..., 2].any()
        assert not np.array_equal(sample["joints"], again[index]["joints"])
        np.testing.assert_array_equal(sample["joints"], filmed[index]["joints"])
        forms = {form for form, *_ in filmed.questions[index]}
        assert not any(needs(form, "depth") for form in forms)
    assert any(needs(form, "depth") for asked in plain.questions for form, *_ in asked)


def test_legs_out_of_the_picture(dataset: str) -> None:
    from vimonet.training.data.vimos_dataset import _without_legs

    filmed, plain = (training_samples(dataset, qa_pairs=50, random_views=film, limit=60) for film in (True, False))
    whole = [i for i in range(60) if plain[i]["dimensions"] == 3 and plain[i]["confidence"] is None]
    filmed._worded = lambda at, question, rng: question  # people name legs in questions about arms, too
    ankles = [INDEX["left_ankle"], INDEX["right_ankle"]]
    legless = 0
    for epoch in range(4):
        filmed.set_epoch(epoch)
        for sample in (filmed[i] for i in whole):
            assert sample["confidence"] is not None and sample["confidence"][:, INDEX["left_wrist"]].any()
            if not sample["confidence"][:, ankles].any():
                legless += 1
                assert sample["spans"] == [] and all(map(_without_legs, sample["qa_pairs"]))
    assert 0.2 < legless / (4 * len(whole)) < 0.4


def test_drawn_answers_are_balanced(dataset: str) -> None:
    samples = training_samples(dataset)
    natural: Counter[str] = Counter()
    weight: Counter[str] = Counter()
    for row, weights in zip(samples.questions, samples._weights, strict=True):
        for (form, answer, words, *_), w in zip(row, weights, strict=True):
            if form == "fact_yes_no" and words["do"] == "turn":
                natural[answer] += 1
                weight[answer] += w
    assert natural["no"] > 2 * natural["yes"]
    assert weight["no"] < 2.6 * weight["yes"]


def test_text_without_movement(dataset: str) -> None:
    texts = text_corpus(dataset, pairs=30)
    assert len(texts) == 30
    assert all(set(text) == {"question", "answer"} for text in texts if isinstance(text, dict))
    question, answer = training_samples(dataset).draw_text(random.Random(1))
    assert question and answer


def test_further_sentences_come_first(dataset: str, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a person waves.\n\n  someone walks.\n", encoding="utf-8")
    texts = text_corpus(dataset, pairs=5, captions=str(tmp_path / "captions.txt"))
    assert texts == ["a person waves.", "someone walks.", *text_corpus(dataset, pairs=5)]
    with pytest.raises(InputError, match=r"nowhere.txt' cannot be read .* one sentence a line"):
        text_corpus(dataset, captions=str(tmp_path / "nowhere.txt"))


def test_what_cannot_be_trained_on_is_said(dataset: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for testing only"):
        training_samples(dataset, "test")
    with pytest.raises(InputError, match="no split 'extra'; there are train, val"):
        training_samples(dataset, "extra")
    with pytest.raises(InputError, match=r"no VIMOS dataset .*vimonet data build"):
        training_samples(str(tmp_path))
    with pytest.raises(InputError, match="unknown source 'nonsense'"):
        OpenBuilder(sources=("nonsense",)).shards()


def test_twins_stand_together(dataset: str) -> None:
    from vimonet.training.data.vimos_dataset import _twin

    order = ("order", "before", {"a": "walking", "b": "waving"}, True, "")
    assert _twin(order, []) == [("order", "after", {"a": "waving", "b": "walking"}, True, "")]
    left = ("fact_yes_no", "yes", {"do": "raise the left hand"}, True, "")
    right = ("fact_yes_no", "no", {"do": "raise the right hand"}, True, "")
    runs, walks = ("near_yes_no", "yes", {"do": "run"}, True, ""), ("near_yes_no", "no", {"do": "walk"}, True, "")
    assert _twin(runs, [runs, walks]) == [walks] and _twin(walks, [runs, walks]) == [runs]
    assert _twin(left, [left, right]) == [right] and _twin(left, [left]) == []
    assert _twin(("fact_yes_no", "yes", {"do": "turn"}, True, ""), [left, right]) == []
    walk, wave = ({"do": do, "doing": doing} for do, doing in (("walk", "walking"), ("wave", "waving")))
    clip = [("yes_no", "yes", walk, True, ""), ("yes_no", "yes", wave, True, ""), ("first", "walking", {}, False, "")]
    assert _twin(("at_beginning", "yes", walk, True, ""), clip) == [("at_beginning", "no", wave, True, "")]
    kick = ("at_beginning", "no", {"do": "kick"}, True, "")
    assert _twin(kick, clip) == [("at_beginning", "yes", walk, True, "")]
    assert _twin(("at_end", "yes", wave, True, ""), clip) == []  # what happens last is not known
    samples = training_samples(dataset, qa_pairs=4)
    assert all(len(samples[i]["qa_pairs"]) <= 4 for i in range(len(samples)))


def test_a_chat_takes_the_place_of_a_question(dataset: str) -> None:
    without, some = (training_samples(dataset, qa_pairs=4, limit=40, chats=share) for share in (0.0, 1.0))
    assert all(len(pair) == 2 for sample in (without[i] for i in range(40)) for pair in sample["qa_pairs"])
    for sample in (some[i] for i in range(40)):
        *pairs, chat = sample["qa_pairs"]
        assert len(pairs) <= 3 and all(len(pair) == 2 for pair in pairs)
        assert len(chat) in (4, 6, 8, 10) and all(isinstance(text, str) and text for text in chat)
    assert len({sample["qa_pairs"][-1][0] for sample in (some[i] for i in range(40))}) > 10
    with pytest.raises(InputError, match="between 0 and 1"):
        training_samples(dataset, chats=2.0)


def test_rows_of_real_video_come_more_often(tmp_path: Path) -> None:
    flat = Motion(np.zeros((30, 22, 3), np.float32) + rest(), name="flat", dimensions=2)
    this, that = ((Instruction("a", "a", "What?", answer),) for answer in ("this", "that"))
    solid = Motion(flat.joints + rest(), name="solid")
    told = [("tracked", flat), ("bnr+2d", flat), ("bnr", solid)]
    rows = [
        Record(f"r{n}", source, f"r{n}", "train", "none", motion, instructions=that if n else this)
        for n, (source, motion) in enumerate(told)
    ]
    (tmp_path / "train").mkdir()
    pq.write_table(to_table(map(to_row, rows)), tmp_path / "train" / "00000.parquet")
    (tmp_path / "vimos.json").write_text(json.dumps({"vimos_version": VERSION}))
    samples = training_samples(str(tmp_path), oversample_2d=3)
    assert [samples[index]["source"] for index in range(len(samples))] == [*["tracked"] * 3, "bnr+2d", "bnr"]
    # What is asked of a row is as it was: a balance of answers taken afterwards would undo what is seen more.
    assert [w.tolist() for w in samples._weights] == [w.tolist() for w in training_samples(str(tmp_path))._weights]
    with pytest.raises(InputError, match="at least 1"):
        training_samples(str(tmp_path), oversample_2d=0)


def rest() -> np.ndarray:
    """A standing body [22, 3], flat enough for a picture of it."""
    return np.stack([CANONICAL_OFFSETS[j] * [1, 1, 0] + [0, 0.1 * j, 0] for j in range(22)]).astype(np.float32)
