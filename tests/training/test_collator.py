from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from training_world import TEXTS, Clips

from vimonet.model import ViMoNetConfig, ViMoNetForConditionalGeneration, ViMoNetProcessor, build_model, build_processor
from vimonet.motion import Motion
from vimonet.training.data import group_of
from vimonet.training.data.collator import Collator, segment_mask
from vimonet.training.stages.pretrain_lm import corpus_strings, train_bpe
from vimonet.utils.errors import InputError


def collator_of(processor: ViMoNetProcessor, **options: object) -> Collator:
    return Collator(
        processor.tokenizer, processor.feature_extractor, fold_questions=processor.fold_questions, **options
    )


@pytest.fixture(scope="module", params=["mlp", "attentive"])
def pair(
    request: pytest.FixtureRequest, aligned_folder: Path
) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    model = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder)
    processor = ViMoNetProcessor.from_pretrained(aligned_folder)
    if request.param == "attentive":
        config = ViMoNetConfig.from_dict({**model.config.to_dict(), "projector": "attentive", "projector_queries": 5})
        torch.manual_seed(0)
        model = build_model(config, processor.tokenizer)
        processor = build_processor(model.config, processor.tokenizer, processor.feature_extractor)
    return model.eval(), processor


def test_a_packed_question_is_the_single_question_exactly(
    pair: tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor],
) -> None:
    model, processor = pair
    clips = Clips(8, text=True)
    samples = [clips[i] for i in range(4)]
    batch = collator_of(processor)(samples)
    with torch.no_grad():
        packed = model(**{k: v for k, v in batch.items() if k not in ("labels", "modality_groups")}).logits
    packed_nll, single_nll = 0.0, 0.0
    for row, sample in enumerate(samples):
        positions = batch["position_ids"][row]
        used = int((batch["input_ids"][row] != processor.tokenizer.pad_token_id).sum())
        prefix = 0
        if sample["joints"] is not None:
            prefix = 1 + int((batch["input_ids"][row] == batch["input_ids"][row][1]).sum())
        start = prefix
        for question, answer in sample["qa_pairs"]:
            motion = None
            if sample["joints"] is not None:
                motion = Motion(
                    joints=sample["joints"], confidence=sample["confidence"], dimensions=sample["dimensions"]
                )
            single = processor.apply_chat_template(
                processor.messages(question, motion, answer),
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                return_assistant_tokens_mask=True,
            )
            told = torch.as_tensor(single.pop("assistant_masks"))[0].bool()
            ids = single["input_ids"][0]
            length = len(ids) - prefix
            here = slice(start, start + length)
            both = torch.cat([torch.arange(prefix), torch.arange(start, start + length)])
            assert batch["input_ids"][row][both].tolist() == ids.tolist()
            assert positions[both].tolist() == list(range(len(ids)))
            labels = batch["labels"][row][both]
            assert (labels != -100).tolist() == told.tolist()
            with torch.no_grad():
                logits = model(**single).logits[0]
            torch.testing.assert_close(packed[row, here], logits[prefix:], rtol=1e-4, atol=1e-5)
            # The loss, too, of each answer.
            single_nll += float(F.cross_entropy(logits[:-1][told[1:]], ids[1:][told[1:]], reduction="sum"))
            keep = labels[1:] != -100
            packed_nll += float(F.cross_entropy(packed[row][both][:-1][keep], labels[1:][keep], reduction="sum"))
            start += length
        assert start == used
    assert packed_nll == pytest.approx(single_nll, rel=1e-5)


def test_supervised_text_is_the_answers(pair: tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]) -> None:
    _, processor = pair
    clips = Clips(8, text=True)
    samples = [clips[i] for i in range(8)]
    batch = collator_of(processor)(samples)
    for row, sample in enumerate(samples):
        labels = batch["labels"][row]
        text = processor.tokenizer.decode(labels[labels != -100])
        assert text == "".join(f"{answer}<|end|>" for _, answer in sample["qa_pairs"])
    assert batch["modality_groups"].tolist() == [group_of(sample) for sample in samples]


def test_a_question_does_not_see_the_others(pair: tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]) -> None:
    model, processor = pair
    sample = Clips()[0]
    collate = collator_of(processor)
    other = {**sample, "qa_pairs": [("What is entirely different?", "Quite another thing."), *sample["qa_pairs"][1:]]}
    answers = []
    for one in (sample, other):
        batch = collate([one])
        keep = batch["labels"][0] != -100
        with torch.no_grad():
            logits = model(**{k: v for k, v in batch.items() if k not in ("labels", "modality_groups")}).logits[0]
        answers.append(logits[keep][-6:])
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-5)


def test_block_mask() -> None:
    mask = segment_mask(torch.tensor([[0, 0, 1, 1, 2, -1]]))[0, 0].int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]


def test_whole_text_is_learnt_in_the_language_stage() -> None:
    tokenizer = train_bpe(corpus_strings(TEXTS), 400)
    batch = Collator(tokenizer, supervise="all")(
        [{"joints": None, "qa_pairs": [("Which arm moves?", "left"), (None, "It jumps.")]}]
    )
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    unlearnt = tokenizer.decode(ids[(labels == -100) & (ids != tokenizer.pad_token_id)])
    assert unlearnt == "<|user|><|assistant|>"
    assert tokenizer.decode(labels[labels != -100]) == "which arm moves<|assistant|>left<|end|>It jumps.<|end|>"


def test_rows_have_a_limit(pair: tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]) -> None:
    _, processor = pair
    sample = Clips()[0]
    batch = collator_of(processor, max_tokens=40)([sample])
    assert batch["input_ids"].shape[1] <= 40
    assert (batch["labels"] != -100).any()
    long = {**sample, "joints": sample["joints"][:1].repeat(300, 0)}
    with pytest.raises(InputError, match="300 frames"):
        collator_of(processor)([long])


def test_bpe_knows_every_word_and_spells_numbers() -> None:
    tokenizer = train_bpe(corpus_strings(TEXTS), 400)
    for text in ("zweiundvierzig 漢字 ☃", "turns 1234 degrees", "  two  spaces\n"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.convert_tokens_to_string(tokenizer.tokenize("1234")) == "1234"
    assert len(tokenizer.tokenize("1234")) == 4
    assert tokenizer.tokenize("<|user|>") == ["<|user|>"]
