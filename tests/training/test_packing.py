"""Batches in every family's chat form, packed in every way: the single question, number for number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_language import byte_level_tokenizer, saved_language_model, sentencepiece_tokenizer
from tiny_video import saved_backbone
from training_world import Clips

from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig
from vimonet.model.build import Composed, compose
from vimonet.motion import Motion
from vimonet.motion.features.body_features import BODY_DIM
from vimonet.training.data import Sample
from vimonet.training.data.collator import Collator
from vimonet.training.data.packing import PackedSample, fill_rows
from vimonet.training.objective import group_counts, group_sums, supervised, token_weights
from vimonet.video import VideoFrames

FORMS = {
    "vimonet": ("vimonet", byte_level_tokenizer, ""),
    "vicuna": ("vicuna", sentencepiece_tokenizer, "Be brief."),
    "vicuna legacy": ("vicuna", sentencepiece_tokenizer, "Be brief."),
    "llama3": ("llama3", byte_level_tokenizer, "Be brief."),
    "qwen": ("qwen", byte_level_tokenizer, ""),
    "motionllm": ("vicuna", sentencepiece_tokenizer, ""),
}
PACKINGS = ("shared_prefix", "multi_sample", "none")
LEARNT = {  # behind an answer, with what the family puts before it
    "vimonet": "{}<|end|>",
    "vicuna": "{}</s>",
    "vicuna legacy": "{}</s>",
    "llama3": "{}<|eot_id|>",
    "qwen": "{}<|im_end|>",
    "motionllm": "{}</s>",
}


@pytest.fixture(scope="module", params=FORMS)
def composed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Composed]:
    name = request.param
    family, tokenizer_of, system = FORMS[name]
    root = tmp_path_factory.mktemp("parts")
    tokenizer = tokenizer_of(True) if "legacy" in name else tokenizer_of(*([family] * (family != "vicuna")))
    saved_language_model(family, root, tokenizer=tokenizer)
    sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    MotionVQVAE(MotionVQVAEConfig(input_dim=BODY_DIM, **sizes)).save_pretrained(root / "motion")
    MotionFeatureExtractor(mean=np.zeros(BODY_DIM), std=np.ones(BODY_DIM)).save_pretrained(root / "motion")
    return name, compose(
        root / family,
        video=saved_backbone("clip", root),
        motion_tokenizer=root / "motion",
        chat=name if name == "motionllm" else "auto",
        system=system,
        video_tokens=8,
        video_frames=4,
    )


def video_frames(clip: tuple[str, float | None, float | None]) -> VideoFrames:
    pictures = np.random.default_rng(len(clip[0])).integers(0, 255, (4, 32, 32, 3), np.uint8)
    return VideoFrames(pictures, np.arange(4) / 2, clip[0])


def samples() -> list[Sample]:
    """Motion, video, both, and text alone; no question is asked twice."""
    clips = Clips(keypoints=False)
    made: list[Any] = [clips[0], {**clips[1], "joints": None}, clips[2], {**clips[3], "joints": None}]
    made[1]["video"], made[2]["video"] = ("a", None, None), ("bb", None, None)
    for number, sample in enumerate(made):
        sample["qa_pairs"] = [
            (f"{question[:-1]} {number}?", answer) for question, answer in sample["qa_pairs"][: number + 1]
        ]
    return made


def collate(composed: Composed, packing: str, **options: Any) -> dict[str, torch.Tensor]:
    processor = composed.processor
    collator = Collator(
        processor.tokenizer,
        processor.feature_extractor,
        fold_questions=processor.fold_questions,
        chat_template=processor.chat_template,
        frame_processor=processor.video_processor,
        video_frames=video_frames,
        packing=packing,
        **{"max_tokens": 400, **options},
    )
    return collator(samples())


def logits_of(composed: Composed, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return composed.model(**{k: v for k, v in batch.items() if k not in ("labels", "modality_groups")}).logits


def singles(composed: Composed) -> list[dict[str, Any]]:
    """Every question on its own, as it is asked."""
    found = []
    for sample in samples():
        motion = None if sample["joints"] is None else Motion(sample["joints"], confidence=sample["confidence"])
        video = video_frames(sample["video"]) if sample.get("video") else None
        for question, answer in sample["qa_pairs"]:
            inputs = composed.processor.apply_chat_template(
                composed.processor.messages(question, motion, answer, video=video),
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                return_assistant_tokens_mask=True,
            )
            learnt = torch.as_tensor(inputs.pop("assistant_masks"))[0].bool()
            found.append({"ids": inputs["input_ids"][0], "learnt": learnt, "logits": logits_of(composed, inputs)[0]})
    return found


def questions_of(made: Composed, batch: dict[str, torch.Tensor]) -> list[tuple[int, torch.Tensor]]:
    """Row and positions of each question of a batch, its clips with it."""
    found = []
    for row, mask in enumerate(batch["attention_mask"]):
        if mask.ndim == 1:
            found.append((row, mask.nonzero().flatten()))
            continue
        # A question's last token sees all of it, and no later token sees that one.
        for last in range(mask.shape[-1]):
            seen = mask[0, last].nonzero().flatten()
            padding = batch["input_ids"][row, last] == made.processor.tokenizer.pad_token_id
            if not padding and int(mask[0, :, last].sum()) == 1:
                found.append((row, seen))
    return found


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_question_is_the_single_question_exactly(packing: str, composed: tuple[str, Composed]) -> None:
    name, made = composed
    batch = collate(made, packing)
    logits = logits_of(made, batch)
    expected = {tuple(single["ids"].tolist()): single for single in singles(made)}
    assert len(expected) == 10
    packed = questions_of(made, batch)
    assert len(packed) == 10
    for row, places in packed:
        single = expected.pop(tuple(batch["input_ids"][row, places].tolist()))
        assert batch["position_ids"][row, places].tolist() == list(range(len(places)))
        assert (batch["labels"][row, places] != -100).tolist() == single["learnt"].tolist()
        torch.testing.assert_close(logits[row, places], single["logits"], rtol=1e-4, atol=1e-5)
    assert not expected
    rows = {"shared_prefix": 4, "none": 10}
    assert len(batch["input_ids"]) == rows.get(packing, len(batch["input_ids"]))
    if packing == "multi_sample":
        assert len(batch["input_ids"]) < 4 and batch["input_ids"].shape[1] <= 400
    shared = packing != "none" and name != "motionllm"
    assert len(batch["video_values"]) == (2 if shared else 5)


@pytest.mark.parametrize("packing", PACKINGS)
def test_supervised_text_is_the_answers_and_their_end(packing: str, composed: tuple[str, Composed]) -> None:
    name, made = composed
    batch = collate(made, packing)
    decode = made.processor.tokenizer.decode
    said = []
    for row, places in questions_of(made, batch):
        labels = batch["labels"][row, places]
        learnt = (labels != -100).nonzero().flatten()
        assert torch.equal(learnt, torch.arange(int(learnt[0]), int(learnt[-1]) + 1))  # one stretch
        said.append(decode(labels[learnt]).strip())
    wanted = [LEARNT[name].format(answer) for sample in samples() for _, answer in sample["qa_pairs"]]
    assert sorted(said) == sorted(wanted)


def test_every_packing_has_the_same_loss_in_every_cell(composed: tuple[str, Composed]) -> None:
    _, made = composed
    found = []
    for packing in PACKINGS:
        batch = collate(made, packing)
        keep, targets = supervised(batch["labels"])
        weights, groups = token_weights(batch["labels"], 3.0), batch["modality_groups"]
        sums = group_sums(logits_of(made, batch)[keep], targets, keep, groups, weights)
        found.append((group_counts(weights, groups), sums))
    assert (found[0][0] > 0).tolist() == [True, False, True, True, True]
    for counts, sums in found[1:]:
        assert torch.equal(counts, found[0][0])
        torch.testing.assert_close(sums, found[0][1], rtol=1e-4, atol=1e-4)


def test_rows_are_filled_longest_first() -> None:
    samples = [PackedSample(number, range(length), []) for number, length in enumerate((3, 9, 5, 4, 7, 2))]
    rows = [[len(sample) for sample in row] for row in fill_rows(samples, "multi_sample", 10)]
    assert rows == [[9], [7, 3], [5, 4], [2]]
    assert sum(map(sum, rows)) == 30


def test_what_does_not_fit_is_left_out_with_its_copy_of_the_clip(composed: tuple[str, Composed]) -> None:
    name, made = composed
    whole = len(questions_of(made, collate(made, "shared_prefix")))
    longest = max(len(single["ids"]) for single in singles(made))
    for packing in ("shared_prefix", "multi_sample"):
        batch = collate(made, packing, max_tokens=longest)
        assert batch["input_ids"].shape[1] <= longest + 7
        assert len(questions_of(made, batch)) < whole
        logits_of(made, batch)  # placeholders and features are as many
    assert len(questions_of(made, collate(made, "none", max_tokens=longest))) == whole, name
