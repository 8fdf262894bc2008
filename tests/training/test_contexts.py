"""What a prompt holds beside tokens: the same in training and when asked, any part droppable; chats of many turns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_language import byte_level_tokenizer, saved_language_model
from training_world import LabelledClips, tiny

import vimonet
from vimonet.bench.adapters import MotionModel
from vimonet.inference.assistant import Assistant
from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig
from vimonet.model.action_recognition import ActionRecogniser, Recognised, joined_spans
from vimonet.model.build import Composed, compose
from vimonet.model.prompt_context import NOTHING, write_context
from vimonet.motion import Motion, load
from vimonet.motion.features.body_features import BODY_DIM
from vimonet.motion.kinematics import measure
from vimonet.training.data.collator import Collator
from vimonet.training.data.contexts import TOKENS, ContextWriter, draw_dropped
from vimonet.training.stages.align_tokens import run_align_tokens
from vimonet.utils.errors import InputError

PHRASES = ("walk", "raise the left hand", "jump", "sit down")


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Composed:
    root = tmp_path_factory.mktemp("parts")
    saved_language_model("qwen", root, tokenizer=byte_level_tokenizer("qwen"))
    sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    MotionVQVAE(MotionVQVAEConfig(input_dim=BODY_DIM, **sizes)).save_pretrained(root / "motion")
    MotionFeatureExtractor(mean=np.zeros(BODY_DIM), std=np.ones(BODY_DIM)).save_pretrained(root / "motion")
    made = compose(root / "qwen", motion_tokenizer=root / "motion", context=["actions", "facts"], projector="mlp")
    made.model.config.action_phrases = list(PHRASES)
    return made


@pytest.fixture
def assistant(composed: Composed) -> Assistant:
    return Assistant(composed.model, composed.processor, "tiny")


def walk() -> Motion:
    return Motion(load("sample:walk").joints, name="walk")  # as a dataset's row: its first rate is not known


def sample_of(motion: Motion, pairs: list[tuple[str, ...]], **changes: Any) -> Any:
    return {"joints": motion.joints, "confidence": None, "dimensions": 3, "qa_pairs": pairs, "source": "x", **changes}


def collator_of(composed: Composed) -> Collator:
    processor = composed.processor
    return Collator(
        processor.tokenizer,
        processor.feature_extractor,
        fold_questions=processor.fold_questions,
        chat_template=str(processor.chat_template),
        max_tokens=4000,
        context=ContextWriter(("actions", "facts"), ActionRecogniser(composed.model, processor.tokenizer).frozen()),
    )


def asked_ids(assistant: Assistant, question: str, motion: Motion, **options: Any) -> list[int]:
    builder = assistant.builder(**options)
    inputs = assistant.prepare_inputs(builder.windows(question, motion))
    return inputs["input_ids"][0].tolist()


@pytest.mark.parametrize("left_out", [(), ("facts",), ("actions",), (TOKENS,), (TOKENS, "facts")])
def test_training_reads_the_prompt_that_is_asked(composed: Composed, assistant: Assistant, left_out: Any) -> None:
    motion = walk()
    batch = collator_of(composed)([sample_of(motion, [("Which way?", "forward")], dropped=left_out)])
    prompt = asked_ids(assistant, "Which way?", motion, leave_out=left_out)
    assert batch["input_ids"][0, : len(prompt)].tolist() == prompt
    answer = batch["input_ids"][0][batch["labels"][0] != -100]
    assert composed.processor.tokenizer.decode(answer) == "forward<|im_end|>"


def test_options_of_a_benchmark_are_weighed_behind_the_same_prompt(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    prepare = assistant.prepare_inputs

    def watched(asked: Any) -> Any:
        seen.append(assistant.processor.decode((inputs := prepare(asked))["input_ids"][0]))
        return inputs

    monkeypatch.setattr(assistant, "prepare_inputs", watched)
    for leave_out in ((), ("facts",)):
        (found,) = MotionModel(assistant, leave_out=leave_out).choose_batch([("Which way?", walk(), ("left", "right"))])
        assert found.text in ("left", "right") and 0.5 <= found.confidence <= 1
    assert "duration:" in seen[0] and "looks like:" in seen[0] and "duration:" not in seen[1]


def test_questions_share_the_context_and_do_not_see_each_other(composed: Composed) -> None:
    pairs: list[tuple[str, ...]] = [("Which way?", "forward"), ("How many steps?", "8")]
    batch = collator_of(composed)([sample_of(walk(), pairs, dropped=(TOKENS,))])
    text = composed.processor.tokenizer.decode(batch["input_ids"][0])
    assert text.count("looks like:") == 1 and "motion_values" not in batch
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids")}
    both = composed.model(**inputs).logits
    alone = collator_of(composed)([sample_of(walk(), pairs[1:], dropped=(TOKENS,))])
    inputs = {key: alone[key] for key in ("input_ids", "attention_mask", "position_ids")}
    single = composed.model(**inputs).logits
    learnt, other = batch["labels"][0] != -100, alone["labels"][0] != -100
    torch.testing.assert_close(both[0, learnt][-int(other.sum()) :], single[0, other], rtol=1e-4, atol=1e-5)


def test_a_chat_is_one_segment_whose_answers_are_learnt(composed: Composed, assistant: Assistant) -> None:
    chat = ("Which way?", "forward", "And how far?", "about 4 metres")
    batch = collator_of(composed)([sample_of(walk(), [chat])])
    answers = batch["input_ids"][0][batch["labels"][0] != -100]
    assert composed.processor.tokenizer.decode(answers) == "forward<|im_end|>about 4 metres<|im_end|>"
    builder = assistant.builder()
    builder.history = (("Which way?", "forward"),)
    prompt = assistant.prepare_inputs(builder.windows("And how far?", walk()))["input_ids"][0].tolist()
    assert batch["input_ids"][0, : len(prompt)].tolist() == prompt


def test_several_questions_are_answered_as_each_alone(assistant: Assistant) -> None:
    questions = ("Which way?", "How many steps are there?", "Is the person running?")
    each = [assistant.ask(q, walk(), max_new_tokens=6, answer_policy="raw") for q in questions]
    together = assistant.ask_batch([(q, walk()) for q in questions], max_new_tokens=6, answer_policy="raw")
    motion = walk()
    shared = assistant.ask_batch([(q, motion) for q in questions], max_new_tokens=6, answer_policy="raw")
    for one, two, three in zip(each, together, shared, strict=True):
        assert one.text == two.text == three.text
        assert one.confidence == pytest.approx(three.confidence, abs=1e-4)


def test_a_long_recording_has_one_answer_of_its_facts(assistant: Assistant) -> None:
    motion = walk()
    long = Motion(np.concatenate([motion.joints] * 4), name="long")  # 22.8 s, three windows
    (window,) = assistant.builder().windows("What is done?", long)
    assert (window.start, window.end, window.tokens) == (0.0, long.duration, False)
    assert f"duration: {long.duration:.1f} s" in window.context and "looks like:" in window.context
    answer = assistant.ask("What is done?", long, max_new_tokens=4, answer_policy="raw")
    assert not answer.windows and answer.end == long.duration


def standing() -> Motion:
    return Motion(np.repeat(walk().joints[:1], 60, axis=0), name="standing")


def test_two_clips_are_asked_as_they_are_learnt(composed: Composed, assistant: Assistant) -> None:
    other = {"joints": standing().joints, "confidence": None, "dimensions": 3}
    sample = sample_of(walk(), [("Who moves faster?", "the first clip")], beside=other, dropped=(TOKENS, "facts"))
    batch = collator_of(composed)([sample])
    (window,) = assistant.builder().windows("Who moves faster?", [walk(), standing()])
    prompt = assistant.prepare_inputs([window])["input_ids"][0].tolist()
    assert batch["input_ids"][0, : len(prompt)].tolist() == prompt and "motion_values" not in batch
    assert f"duration: first {walk().duration:.1f} s; second 3.0 s" in window.context.splitlines()
    steps = next(line for line in measure(walk()).lines() if line.startswith("steps: "))
    assert f"steps: first {steps.removeprefix('steps: ')}; second none" in window.context.splitlines()
    assert window.inputs_read == ("motion",) and len(window.motions) == 2
    answer = assistant.ask("Who moves faster?", [walk(), standing()], max_new_tokens=4, answer_policy="raw")
    turned = assistant.ask("Who moves faster?", [standing(), walk()], max_new_tokens=4, answer_policy="raw")
    assert answer.end == walk().duration and answer.confidence != turned.confidence
    assert all(not w.compared for w in assistant.builder().windows("Which?", [walk(), standing(), walk()]))


def test_a_chat_remembers_and_takes_back(assistant: Assistant) -> None:
    chat = assistant.chat(walk(), max_new_tokens=4, answer_policy="raw")
    first = chat.ask("Which way?")
    alone = assistant.ask("And how far?", walk(), max_new_tokens=4, answer_policy="raw")
    assert chat.ask("And how far?").confidence != alone.confidence  # the first turn is in the prompt
    assert [question for question, _ in chat] == ["Which way?", "And how far?"] and chat.history[0][1] == first.text
    chat.undo()
    chat.undo()
    assert chat.ask("And how far?").confidence == pytest.approx(alone.confidence, abs=1e-5)
    with pytest.raises(InputError, match="no turn"):
        chat.undo() or chat.undo()


def test_blind_says_that_nothing_is_shown(assistant: Assistant) -> None:
    (window,) = assistant.builder().windows("Which way?")
    assert window.context == NOTHING


def test_an_unknown_part_is_named(assistant: Assistant) -> None:
    with pytest.raises(InputError, match="no part 'colours'"):
        assistant.ask("Which way?", walk(), leave_out=["colours"])


def test_the_context_is_the_facts_and_names(composed: Composed) -> None:
    facts = measure(walk())
    actions = (Recognised(0.0, 2.0, (("walk", 0.8), ("jump", 0.2))), Recognised(2.0, 5.6, (("sit down", 1.0),)))
    text = write_context(("actions", "facts", "seen"), facts=facts, actions=actions, seen="seen: racket .24")
    lines = text.split("\n")
    assert lines[1] == "looks like: walk 80%, jump 20% (0.0-2.0 s); then sit down 100% (2.0-5.6 s)"
    assert lines[2] == "seen: racket .24" and lines[3:] == facts.lines()
    assert "looks like" not in write_context(("facts",), facts=facts, actions=actions)


def test_a_token_at_a_phrase_is_named_by_it(composed: Composed) -> None:
    recogniser = ActionRecogniser(composed.model, composed.processor.tokenizer)
    tokens = torch.cat([recogniser._embeddings[[0]].repeat(10, 1), recogniser._embeddings[[3]].repeat(10, 1)])
    first, second = recogniser.spans((20 * tokens @ recogniser._embeddings.T).softmax(-1))
    assert (first.actions[0][0], second.actions[0][0]) == ("walk", "sit down")
    assert first.end == second.start == pytest.approx(2.0, abs=0.3) and second.end == pytest.approx(4.0)


def test_long_recordings_keep_the_longest_spans() -> None:
    names = ("walk", "jump", "walk", "walk", "sit down")
    ends = (2.0, 2.5, 4.0, 6.0, 9.0)
    spans = [Recognised(a, b, ((n, 1.0),)) for n, a, b in zip(names, (0.0, *ends), ends, strict=False)]
    assert [(s.actions[0][0], s.start, s.end) for s in joined_spans(spans, 9)] == [
        ("walk", 0.0, 2.0),
        ("jump", 2.0, 2.5),
        ("walk", 2.5, 6.0),
        ("sit down", 6.0, 9.0),
    ]
    assert [s.actions[0][0] for s in joined_spans(spans, 2)] == ["walk", "sit down"]


def test_parts_are_dropped_at_their_rate_and_never_all() -> None:
    draws = [draw_dropped(("actions", "facts"), 0.3, 0, 0, index) for index in range(2000)]
    share = np.mean(["facts" in drawn for drawn in draws])
    assert 0.25 < share < 0.35 and max(map(len, draws)) == 2
    assert draws[5] == draw_dropped(("actions", "facts"), 0.3, 0, 0, 5)


def test_align_tokens_teaches_the_phrases(composed: Composed, tmp_path: Path) -> None:
    composed.save(tmp_path / "base")
    config = tiny(
        tmp_path / "run",
        f"model={tmp_path / 'base'}",
        "trainer.steps=40",
        "optim.lr.motion_tower=3e-3",
        "optim.lr.projectors=1e-2",
        "optim.warmup=0",
    )
    out = run_align_tokens(config, LabelledClips(24, keypoints=False))
    log = [json.loads(line) for line in (out / "training_log.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in log if "loss" in record]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
    saved = json.loads((out / "config.json").read_text())
    assert saved["action_phrases"] == list(LabelledClips.actions) and saved["context"] == ["actions", "facts"]


def test_the_frames_alone_can_be_left_out(assistant: Assistant) -> None:
    assert [assistant.builder(leave_out=left_out).windows("?", walk())[0].frames for left_out in ((), ["frames"])] == [
        True,
        False,
    ]
    paired, frames = vimonet.load("nano-paired"), np.zeros((8, 32, 32, 3), np.uint8)
    (window,) = paired.builder().windows("Which way?", walk(), frames)
    for kept, keys in ((True, {"motion_values", "video_values"}), (False, {"motion_values"})):
        inputs = paired.prepare_inputs([replace(window, frames=kept)])
        assert {key for key in inputs if key.endswith("_values")} == keys
    # A model may read the frames of a film only where it has no movement to read.
    paired.config.frames_beside_motion = False
    builder = paired.builder()
    shown = [builder.windows("Which way?", motion, frames)[0].frames for motion in (walk(), None)]
    assert shown == [False, True]
