"""A model with a video tower sees videos and pictures over HTTP; one with a context shares a pass among questions."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from serve_world import chat, data_url, live, motion_part, sample, text, wait_for
from tiny import tiny_model
from tiny_language import byte_level_tokenizer, saved_language_model
from tiny_video import tiny_clip_config
from video_clips import make

from vimonet.inference import generating
from vimonet.inference.assistant import Assistant
from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig
from vimonet.model.build import compose
from vimonet.motion.features.body_features import BODY_DIM


@pytest.fixture(scope="module")
def server():
    torch.set_num_threads(1)
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=32, keypoint_config=None)
    with live(lambda: Assistant(model, processor, "sees")) as there:
        yield there


def ask(server, *content, **more):
    return server.post("/v1/chat/completions", chat(*content, model="sees", max_tokens=4, **more))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = make(tmp_path_factory.mktemp("film") / "clip.mp4")
    return {"type": "video_url", "video_url": {"url": data_url(path.read_bytes()), "name": "clip.mp4"}}


def test_a_video_is_seen(server, clip):
    reply = ask(server, clip, text("what is in the hand?"))
    assert reply.status == 200, reply.body
    about = reply.json["vimonet"]
    assert about["inputs_read"] == ["video"] and about["recordings"][0]["name"] == "clip.mp4"
    both = ask(server, motion_part("walk"), clip, text("what is in the hand?"))
    assert both.json["vimonet"]["inputs_read"] == ["motion", "video"]


def test_a_video_without_a_readable_movement_is_seen_drawn_and_captioned(clip):
    """The film shows nobody: it is answered from its pictures, and the notes say why."""
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=32)
    assert model.config.keypoint_config is not None  # a movement would have been read
    with live(lambda: Assistant(model, processor, "sees")) as server:
        about = ask(server, clip, text("what is in the hand?")).json["vimonet"]
        assert about["inputs_read"] == ["video"] and "answered from its frames alone" in about["notes"][0]
        film = {"motion": {"url": clip["video_url"]["url"], "name": "clip.mp4"}}
        said = server.post("/v1/motion/caption", film).json
        assert said["inputs_read"] == ["video"] and "answered from its frames alone" in said["notes"][0]
        drawn = server.post("/v1/motion/document", film)
        assert drawn.status == 200 and drawn.json["frames"] == 0 and drawn.json["duration"] > 0.5
        assert drawn.json["notes"][0].endswith("the page shows the film alone") and "clip.mp4" in drawn.json["notes"][0]
        broken = {"motion": {"url": data_url(b"\0\0\0\x20ftypisom" + 64 * b"\0"), "name": "broken.mp4"}}
        assert server.post("/v1/motion/document", broken).status == 400


def test_a_recording_that_the_model_does_not_read_is_drawn_all_the_same(server):
    flat = {"motion": {"url": data_url(sample("squats_coco17")), "name": "a.json"}}
    drawn = server.post("/v1/motion/document", flat)
    assert (drawn.status, drawn.json["dimensions"]) == (200, 2)
    assert drawn.json["name"] == "a"  # as that of a film without a movement: the file's name without its ending
    assert server.post("/v1/motion/caption", flat).error["code"] == "unusable_input"


def test_a_picture_is_seen(server):
    Image.new("RGB", (40, 30), "red").save(stream := io.BytesIO(), "PNG")
    part = {"type": "image_url", "image_url": {"url": data_url(stream.getvalue()), "detail": "low"}}
    reply = ask(server, part, text("what is this?"))
    assert reply.status == 200, reply.body
    assert reply.json["vimonet"]["inputs_read"] == ["video"]
    broken = {"type": "image_url", "image_url": {"url": data_url(stream.getvalue()[:40])}}
    assert ask(server, broken, text("what is this?")).status == 400


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A server whose model reads the measured facts, as mini does."""
    root = tmp_path_factory.mktemp("parts")
    saved_language_model("qwen", root, tokenizer=byte_level_tokenizer("qwen"))
    sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    MotionVQVAE(MotionVQVAEConfig(input_dim=BODY_DIM, **sizes)).save_pretrained(root / "motion")
    MotionFeatureExtractor(mean=np.zeros(BODY_DIM), std=np.ones(BODY_DIM)).save_pretrained(root / "motion")
    made = compose(root / "qwen", motion_tokenizer=root / "motion", context=["facts"], projector="mlp")
    with live(lambda: Assistant(made.model, made.processor, "sees")) as there:
        yield there


def test_questions_about_one_recording_share_a_pass(reader, monkeypatch):
    shared, held = [], threading.Event()
    with_prefix = generating.with_shared_prefix

    def noted(model, inputs):
        held.wait(20)
        shared.append(len(inputs["input_ids"]))
        return with_prefix(model, inputs)

    monkeypatch.setattr(generating, "with_shared_prefix", noted)
    worker = reader.app.state.server.worker
    questions = ["which way does the person turn?", "is the person walking?", "which hand is raised?"]
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(ask, reader, text("hello"))
        wait_for(lambda: worker._running == 1)
        rest = [threads.submit(ask, reader, motion_part("walk"), text(question)) for question in questions]
        other = threads.submit(ask, reader, motion_part("squats"), text(questions[0]))
        wait_for(lambda: reader.metric("vimonet_questions_waiting") == 4)
        held.set()
        statuses = [one.result().status for one in (first, *rest, other)]
    assert statuses == [200] * 5 and sorted(shared) == [1, 1, 3]


def test_a_stream_of_a_model_that_reads_the_facts_is_its_whole_answer(reader):
    for question in ("what is the mood?", "which way does the person turn?"):
        whole = ask(reader, motion_part("turn_left"), text(question)).json["choices"][0]["message"]["content"]
        reply = ask(reader, motion_part("turn_left"), text(question), stream=True)
        events = [json.loads(line[6:]) for line in reply.body.decode().splitlines() if line.startswith("data: {")]
        assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == whole
