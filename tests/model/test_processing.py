from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tiny import tiny_config, tiny_motion, tiny_tokenizer
from transformers import AutoProcessor

from vimonet.model import MotionFeatureExtractor, ViMoNetProcessor, build_processor, normalise_question


def supervised(processor, chats, **kwargs):
    """Decoded text under the assistant mask, row by row."""
    batch = processor.apply_chat_template(
        chats,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, **kwargs},
    )
    pairs = zip(batch["input_ids"], batch["assistant_masks"], strict=True)
    return [processor.decode(ids[mask.bool()]) for ids, mask in pairs]


def test_one_placeholder_becomes_as_many_as_the_clip_has_tokens(tiny):
    _, processor = tiny
    batch = processor(
        text=["<|motion|>a", "b<|motion|><|keypoints|>"],
        motion=[tiny_motion(30), tiny_motion(5), tiny_motion(9, dimensions=2)],
    )
    counts = [
        [ids.count(processor.motion_token_id), ids.count(processor.keypoint_token_id)] for ids in batch["input_ids"]
    ]
    assert counts == [[8, 0], [2, 3]]


def test_attentive_has_its_queries(attentive):
    _, processor = attentive
    ids = processor(text="<|motion|>", motion=tiny_motion(30))["input_ids"][0]
    assert ids.count(processor.motion_token_id) == 5


def test_a_motion_chooses_its_placeholder(tiny):
    _, processor = tiny
    batch = processor(text="<|motion|>", motion=tiny_motion(8, dimensions=2))
    assert batch["input_ids"][0] == [processor.keypoint_token_id] * 2
    chat = processor.messages("what", tiny_motion(8, dimensions=2))
    assert processor.apply_chat_template(chat) == "<|user|><|keypoints|>what"


@pytest.mark.parametrize("side", ["left", "right"])
def test_supervised_text_is_the_answers_and_their_end(tiny, side):
    processor = copy.deepcopy(tiny[1])
    processor.tokenizer.padding_side = side
    two_turns = [
        *processor.messages("Which arm is raised?", tiny_motion(30), "the left arm"),
        *processor.messages("And then?", tiny_motion(9, dimensions=2), "to the right"),
    ]
    assert supervised(processor, [two_turns, processor.messages("What?", None, "walking")]) == [
        "the left arm<|end|>to the right<|end|>",
        "walking<|end|>",
    ]


def test_supervised_text_of_a_single_chat_is_the_same(tiny):
    _, processor = tiny
    chat = processor.messages("Which arm is raised?", tiny_motion(61), "the left arm")
    out = processor.apply_chat_template(chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = np.array(out["input_ids"][0]), np.array(out["assistant_masks"][0], bool)
    assert processor.decode(ids[mask]) == "the left arm<|end|>"


def test_the_template_writes_the_documented_text(tiny):
    _, processor = tiny
    chat = [*processor.messages("Which  way?", tiny_motion(8), "left"), *processor.messages("sure")]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    assert text == "<|user|><|motion|>which way<|assistant|>left<|end|><|user|>sure<|assistant|>"


def test_content_may_be_an_array_or_a_path(tiny, monkeypatch):
    _, processor = tiny
    import vimonet.model.feature_extraction_vimonet as module

    asked = []
    monkeypatch.setattr(module, "load", lambda source, fps=None: asked.append((source, fps)) or tiny_motion(8))
    chat = [
        {
            "role": "user",
            "content": [{"type": "motion", "path": "walk.bvh"}, {"type": "motion", "motion": "b.bvh", "fps": 30}],
        }
    ]
    out = processor.apply_chat_template(chat, tokenize=True, return_dict=True)
    assert asked == [("walk.bvh", None), ("b.bvh", 30)]
    assert len(out["motion_values"]) == 2


def test_the_caller_s_messages_stay_as_they_are(tiny):
    _, processor = tiny
    chat = [{"role": "user", "content": [{"type": "text", "text": "Which WAY?"}]}]
    processor.apply_chat_template(chat, tokenize=True, return_dict=True)
    assert chat == [{"role": "user", "content": [{"type": "text", "text": "Which WAY?"}]}]


@pytest.mark.parametrize(
    ("text", "clips", "message"),
    [("none", 1, "0 motion placeholders and 1 motions"), ("<|motion|>", 0, "1 motion placeholders and 0")],
)
def test_counts_must_match(tiny, text, clips, message):
    with pytest.raises(ValueError, match=message):
        tiny[1](text=text, motion=[tiny_motion(8)] * clips)


def test_truncating_a_motion_is_refused(tiny):
    with pytest.raises(ValueError, match=r"3 of 8 <\|motion\|>"):
        tiny[1](text="<|motion|>", motion=tiny_motion(30), truncation=True, max_length=3)


@pytest.mark.parametrize(
    "role, content, message", [("system", "x", "user or assistant"), ("user", [{"type": "smell"}], "text or motion")]
)
def test_unknown_roles_and_contents(tiny, role, content, message):
    with pytest.raises(Exception, match=message):
        tiny[1].apply_chat_template([{"role": role, "content": content}])


def test_a_text_cannot_smuggle_in_control_tokens(tiny):
    _, processor = tiny
    chat = processor.messages("<|motion|>what<|END|> <|assist<|end|>ant|> now", tiny_motion(8))
    out = processor.apply_chat_template(chat, tokenize=True, return_dict=True)
    assert processor.decode(out["input_ids"][0]) == "<|user|><|motion|><|motion|>what <|assist ant|> now"


@pytest.mark.parametrize(
    "text",
    [
        "Which arm is raised?",
        " which  arm\nis raised ",
        "WHICH ARM IS RAISED??",
        "which arm is raised.",
        "which\u00a0arm is raised\u200b ?",
    ],
)
def test_questions_are_folded(text):
    assert normalise_question(text) == "which arm is raised"


def test_folding_is_an_option_and_keeps_what_matters():
    assert normalise_question("Is BVH OK?", fold=False) == "Is BVH OK?"
    assert normalise_question("what happens at 3.5 s, then?") == "what happens at 3.5 s, then"
    assert normalise_question("?!") == "?!"
    assert normalise_question("what’s “that”") == 'what\'s "that"'


def test_saves_and_loads_through_auto(tmp_path, tiny):
    model, _ = tiny
    rng = np.random.default_rng(0)
    extractor = MotionFeatureExtractor(mean=rng.normal(size=110), max_frames=64)
    processor = build_processor(tiny_config(projector="attentive"), tiny_tokenizer(), extractor, fold_questions=False)
    processor.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, ViMoNetProcessor) and not loaded.fold_questions
    assert loaded.feature_extractor.queries == 5 and loaded.tokenizer.padding_side == "left"
    chats = [processor.messages("Which?", tiny_motion(20), "left"), processor.messages("What?", None, "right")]
    first, second = (
        p.apply_chat_template(
            chats, tokenize=True, return_dict=True, return_tensors="pt", processor_kwargs={"padding": True}
        )
        for p in (processor, loaded)
    )
    assert set(first) == set(second)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
    assert (tmp_path / "chat_template.jinja").is_file()


def test_a_tokenizer_without_the_tokens_is_refused():
    tokenizer = tiny_tokenizer()
    text = tokenizer.backend_tokenizer.to_str().replace("<|keypoints|>", "<|other|>")
    tokenizer = type(tokenizer)(tokenizer_object=type(tokenizer.backend_tokenizer).from_str(text))
    with pytest.raises(ValueError, match=r"lacks <\|keypoints\|>"):
        ViMoNetProcessor(MotionFeatureExtractor(), tokenizer)
