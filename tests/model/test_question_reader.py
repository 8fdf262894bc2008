"""What a question asks is said behind it, the same in training and when asked; without a reader nothing is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_model, tiny_motion
from tiny_language import saved_reader

import vimonet
from vimonet.inference.assistant import Assistant
from vimonet.model.hub import load_reader
from vimonet.model.question_reader import FOLDER, HEADS, QuestionReader, copy_reader, join_reader, with_reading
from vimonet.training.data.collator import Collator
from vimonet.training.data.question_readings import FOLDS, UNTUNED, FoldedReader
from vimonet.utils.errors import InputError

STROLL, BYE, FEET = "Is that a stroll?", "does she say bye", "how often do feet land"
TAUGHT = {STROLL: (0, 0), BYE: (0, 1), FEET: (1, 0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_reader(tmp_path_factory.mktemp("reader") / "reader", TAUGHT)


@pytest.fixture
def reader(folder: Path) -> QuestionReader:
    return QuestionReader.open(folder)


def test_a_question_is_followed_by_what_it_asks(reader: QuestionReader) -> None:
    assert reader([STROLL, FEET, STROLL]) == [
        "Is that a stroll (does the person walk)",
        "how often do feet land (how many steps are there)",
        "Is that a stroll (does the person walk)",
    ]


def test_case_and_closing_marks_do_not_change_the_reading(reader: QuestionReader) -> None:
    assert reader([BYE.upper() + "?!"]) == [f"{BYE.upper()} (does the person wave)"]


def test_what_is_not_understood_stays_as_it_is(reader: QuestionReader) -> None:
    reader.weight = 0.05 * reader.weight[[0, 0, 0, 1, 2, 3]]
    reader.bias, reader.forms = torch.zeros(6), [*reader.forms, "a", "b"]
    assert reader([STROLL]) == [STROLL]


def test_an_action_that_is_not_known_is_left_open(reader: QuestionReader) -> None:
    reader.actions = [["do nothing", "doing nothing"]] * 10
    reader.weight = torch.cat([reader.weight[:2], torch.zeros(10, reader.weight.shape[1])])
    reader.bias = torch.zeros(12)
    assert reader([STROLL]) == ["Is that a stroll (does the person do that)"]


def test_two_likely_actions_are_both_said(reader: QuestionReader) -> None:
    reader.weight[2:] = 0
    assert reader([BYE]) == [f"{BYE} (does the person walk or wave)"]


def test_a_question_of_marks_alone_is_kept() -> None:
    assert with_reading("?!", "Does the person walk?") == "?! (does the person walk)"
    assert with_reading("why", "") == "why"


def test_training_and_asking_give_the_same_prompt(reader: QuestionReader) -> None:
    model, processor = tiny_model()
    collate = Collator(
        processor.tokenizer, processor.feature_extractor, processor.fold_questions, question_reader=reader
    )
    motion = tiny_motion(20)
    chat = (STROLL, "yes", FEET, "3")
    sample = {"joints": motion.joints, "confidence": None, "dimensions": 3, "qa_pairs": [chat], "source": "x"}
    ids = collate([sample])["input_ids"][0].tolist()  # type: ignore[list-item]
    assistant = Assistant(model, processor, "tiny", reader)
    builder = assistant.builder()
    builder.history = ((STROLL.lower().rstrip("?"), "yes"),)
    asked = assistant.prepare_inputs(assistant.windows(builder, FEET, motion))["input_ids"][0].tolist()
    assert asked == ids[: len(asked)]
    assert "(does the person walk)" in processor.tokenizer.decode(asked)


def test_the_asker_s_words_stay_in_the_answer(reader: QuestionReader) -> None:
    answer = Assistant(*tiny_model(), "tiny", reader).ask(STROLL, tiny_motion(20))
    assert "does the person" not in answer.question


def test_a_model_folder_brings_its_reader(folder: Path, tmp_path: Path) -> None:
    model, processor = tiny_model()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert load_reader(tmp_path) is None and vimonet.load(tmp_path).reader is None
    shutil.copytree(folder, tmp_path / FOLDER)
    found = vimonet.load(tmp_path).reader
    assert found is not None and found([FEET]) == [f"{FEET} (how many steps are there)"]


def test_a_tuned_encoder_is_the_released_one_and_low_rank_products(folder: Path, tmp_path: Path) -> None:
    module = "encoder.layer.0.output.dense"
    down, up = torch.randn(2, 32), torch.randn(32, 2)
    shutil.copytree(folder, tmp_path / "shipped")
    heads = {**load_file(folder / HEADS), f"{module}.down": down, f"{module}.up": up}
    save_file(heads, tmp_path / "shipped" / HEADS)
    join_reader(tmp_path, folder, tmp_path / "shipped")
    was, now = (load_file(one / "model.safetensors") for one in (folder, tmp_path / FOLDER))
    torch.testing.assert_close(now.pop(f"{module}.weight"), was.pop(f"{module}.weight") + up @ down)
    assert all(torch.equal(now[name], was[name]) for name in was) and now.keys() == was.keys()
    (tmp_path / "again").mkdir()
    copy_reader(tmp_path / "again", tmp_path / FOLDER)
    for one in (tmp_path / FOLDER, tmp_path / "again" / FOLDER):
        QuestionReader.open(one)


@pytest.mark.parametrize("name", [HEADS, "reader.json", "model.safetensors"])
def test_a_damaged_reader_is_refused_in_one_sentence(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "reader")
    (tmp_path / "reader" / name).write_bytes(b"{")
    with pytest.raises(InputError, match="again") as error:
        QuestionReader.open(tmp_path / "reader")
    assert "\n" not in str(error.value)


def test_training_reads_with_the_layers_that_did_not_learn_the_wording(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "reader")
    reader, own = QuestionReader.open(folder), load_file(folder / HEADS)
    from vimonet.model.question_reader import embed

    # Fold 0 knows nothing: what it reads stays as it is. The stroll is one of its wordings, the feet are not.
    blank = {name: torch.zeros_like(values) for name, values in own.items()}
    blank["bias"][0] = blank["bias"][1] = -5.0
    stacked = {name: torch.stack([blank[name], own[name]]) for name in own}
    vectors = embed(reader.encoder, reader.tokenizer, [STROLL, FEET])
    save_file({**stacked, "vectors": vectors.clone(), "fold": torch.tensor([0, 1])}, tmp_path / "reader" / FOLDS)
    shutil.copyfile(folder / "model.safetensors", tmp_path / "reader" / UNTUNED)
    folded = FoldedReader.open(tmp_path / "reader")
    scores = folded.scores(vectors)
    torch.testing.assert_close(scores[1], reader.scores(vectors[1:])[0])
    assert scores[0].tolist() == blank["bias"].tolist()


def test_some_training_questions_are_left_without_a_reading(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "reader")
    own = load_file(folder / HEADS)
    one = {name: values[None].contiguous() for name, values in own.items()}
    save_file({**one, "vectors": torch.ones(1, 32), "fold": torch.tensor([0])}, tmp_path / "reader" / FOLDS)
    shutil.copyfile(folder / "model.safetensors", tmp_path / "reader" / UNTUNED)
    reader = FoldedReader.open(tmp_path / "reader")
    reader.bias[0, 0] = 50.0
    asked = [f"{STROLL} {number}" for number in range(400)]
    read = reader(asked)
    assert 0.08 < sum(a == b for a, b in zip(asked, read, strict=True)) / 400 < 0.22
    assert read == reader(asked)  # the same question always


def damaged(folder: Path, out: Path, name: str, **changes: torch.Tensor) -> Path:
    """A copy of a reader in which tensors of a file are others."""
    shutil.copytree(folder, out)
    save_file({**load_file(out / name), **changes}, out / name)
    return out


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (HEADS, {"weight": torch.zeros(3, 32)}),  # a name too few
        (HEADS, {"weight": torch.zeros(4, 16)}),  # of a narrower encoder
        (HEADS, {"bias": torch.full((4,), torch.nan)}),
        ("model.safetensors", {"embeddings.word_embeddings.weight": torch.zeros(2, 2)}),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    folder: Path, tmp_path: Path, name: str, changes: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(InputError):
        QuestionReader.open(damaged(folder, tmp_path / "reader", name, **changes))


def test_a_question_about_several_clips_has_no_reading(reader: QuestionReader) -> None:
    model, processor = tiny_model()
    said, plain = Assistant(model, processor, "tiny", reader), Assistant(model, processor, "tiny")
    clips = [tiny_motion(20), tiny_motion(20, seed=1)]
    ids = [one.prepare_inputs(one.windows(one.builder(), STROLL, clips))["input_ids"] for one in (said, plain)]
    assert torch.equal(*ids)
    collate = Collator(processor.tokenizer, processor.feature_extractor, question_reader=reader)
    sample = {
        "joints": clips[0].joints,
        "confidence": None,
        "dimensions": 3,
        "qa_pairs": [(STROLL, "yes")],
        "source": "x",
    }
    beside = {"joints": clips[1].joints, "confidence": None, "dimensions": 3, "spans": ()}
    texts = [
        processor.tokenizer.decode(collate([one])["input_ids"][0]) for one in (sample, {**sample, "beside": beside})
    ]  # type: ignore[list-item]
    assert "(does the person walk)" in texts[0] and "(does" not in texts[1]
