"""The official client of OpenAI works against the server unchanged."""

from __future__ import annotations

import base64
import io

import numpy as np
import openai
import pytest
from serve_world import data_url, form, live, motion_part, sample, text
from video_clips import make

from vimonet.inference.assistant import load
from vimonet.motion import load as load_motion
from vimonet.samples import sample_path

TURN = "Which way does the person turn?"


@pytest.fixture(scope="module")
def server():
    with live(lambda: load("nano")) as there:
        yield there


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, timeout=60) as made:
        yield made


def ask(client, *content, **options):
    messages = [{"role": "user", "content": list(content)}]
    return client.chat.completions.create(model="nano", messages=messages, **options)


def test_models(client):
    assert [model.id for model in client.models.list()] == ["nano"]
    assert client.models.retrieve("nano").owned_by == "vimonet"


def test_text_alone(client):
    reply = ask(client, text("Which way does the person turn?"))
    assert reply.choices[0].message.content and reply.choices[0].finish_reason == "stop"
    assert reply.model_extra["vimonet"]["inputs_read"] == []


def test_a_motion_in_every_form(client):
    data = sample("turn_left")
    wanted = load("nano").ask(TURN, load_motion(sample_path("turn_left"))).text
    for part in (
        motion_part("turn_left"),
        {"type": "motion_url", "motion_url": data_url(data)},
        {"type": "motion_url", "motion_url": {"url": data_url(data, "turn%20left.bvh")}},
        {"type": "input_motion", "input_motion": {"data": base64.b64encode(data).decode(), "format": "bvh"}},
        {"type": "file", "file": {"file_data": data_url(data), "filename": "turn.bvh"}},
    ):
        reply = ask(client, part, text(TURN))
        assert reply.choices[0].message.content == wanted
        assert reply.model_extra["vimonet"]["inputs_read"] == ["motion"]


def test_reading_options(client):
    joints = load_motion(sample_path("walk")).joints * 100
    np.save(stream := io.BytesIO(), joints)
    source = {"url": data_url(stream.getvalue()), "name": "walk.npy", "unit": "cm", "fps": 40}
    said = ask(client, {"type": "motion_url", "motion_url": source}, text("what is the person doing?"))
    recording = said.model_extra["vimonet"]["recordings"][0]
    assert recording["duration"] == pytest.approx(len(joints) / 40, abs=0.06)


def test_two_recordings_in_one_question(client):
    parts = motion_part("walk"), motion_part("squats")
    reply = ask(client, *parts, text("What is the person doing?"))
    assert [one["name"] for one in reply.model_extra["vimonet"]["recordings"]] == ["walk.bvh", "squats.bvh"]


def test_streams_give_the_same_text(client):
    for content in ([motion_part("turn_left"), text(TURN)], [text("what is the person doing?")]):
        for policy in ("calibrated", "raw"):
            options = {"extra_body": {"answer_policy": policy}}
            whole = ask(client, *content, **options)
            stream = ask(client, *content, stream=True, stream_options={"include_usage": True}, **options)
            chunks = list(stream)
            pieces = [one.choices[0].delta.content or "" for one in chunks if one.choices]
            assert "".join(pieces) == whole.choices[0].message.content
            assert chunks[-1].usage == whole.usage and not chunks[-1].choices
            assert chunks[-2].choices[0].finish_reason == "stop"
            about = chunks[-2].model_extra["vimonet"]
            assert about == whole.model_extra["vimonet"]


def test_words_come_one_by_one_where_the_policy_cannot_change_them(client):
    question, raw = text("describe the movement in a sentence"), {"answer_policy": "raw"}
    stream = list(ask(client, motion_part("walk"), question, stream=True, extra_body=raw))
    assert sum(bool(one.choices[0].delta.content) for one in stream) > 2
    stream = list(ask(client, motion_part("turn_left"), text(TURN), stream=True))  # decided by a measurement, whole
    assert sum(bool(one.choices[0].delta.content) for one in stream) == 1


def test_a_later_turn_goes_on_with_the_recording(client):
    first = {"role": "user", "content": [motion_part("wave_right"), text("Which hand is raised?")]}
    said = client.chat.completions.create(model="nano", messages=[first]).choices[0].message
    later = [
        first,
        {"role": "assistant", "content": said.content},
        {"role": "user", "content": "Is the person waving?"},
    ]
    reply = client.chat.completions.create(model="nano", messages=later)
    assert reply.model_extra["vimonet"]["inputs_read"] == ["motion"]
    assert reply.model_extra["vimonet"]["recordings"][0]["name"] == "wave_right.bvh"
    system = [{"role": "system", "content": "Answer in French."}, *later]
    notes = client.chat.completions.create(model="nano", messages=system).model_extra["vimonet"]["notes"]
    assert "system messages are not read" in notes


def test_the_other_hand_is_the_one_not_named(client):
    turns = [{"role": "user", "content": [motion_part("raise_left"), text("Which hand is raised?")]}]
    for question, begins in (("And the other hand?", "no"), ("What is the person doing?", ""), ("other hand too?", "")):
        said = client.chat.completions.create(model="nano", messages=turns).choices[0].message.content
        turns += [{"role": "assistant", "content": said}, {"role": "user", "content": question}]
        assert (
            client.chat.completions.create(model="nano", messages=turns).choices[0].message.content.startswith(begins)
        )
    assert turns[1]["content"] == "left hand"


def test_more_tokens_than_the_limit_are_the_limit(client):
    for options in ({"max_tokens": 4096}, {"max_completion_tokens": 1024}):
        reply = ask(client, motion_part("turn_left"), text(TURN), **options)
        assert reply.choices[0].message.content and reply.choices[0].finish_reason == "stop"
        assert "max_tokens: an answer has at most 256 tokens" in reply.model_extra["vimonet"]["notes"]
    assert ask(client, text(TURN), max_tokens=256).model_extra["vimonet"]["notes"] == []


def test_a_new_recording_begins_a_new_chat(client):
    turns = [
        {"role": "user", "content": [motion_part("wave_right"), text("Which hand is raised?")]},
        {"role": "assistant", "content": "the right hand"},
        {"role": "user", "content": [motion_part("turn_left"), text(TURN)]},
    ]
    reply = client.chat.completions.create(model="nano", messages=turns)
    alone = ask(client, *turns[-1]["content"])
    assert reply.choices[0].message.content == alone.choices[0].message.content
    assert reply.usage == alone.usage


def test_a_video_that_cannot_be_read_is_said(client, tmp_path):
    path = make(tmp_path / "clip.mp4")
    part = {"type": "video_url", "video_url": {"url": data_url(path.read_bytes()), "name": "clip.mp4"}}
    with pytest.raises(openai.BadRequestError, match=r"clip\.mp4: "):  # nobody in it, or no estimator
        ask(client, part, text("what is the person doing?"))
    with pytest.raises(openai.BadRequestError, match="sees no pictures"):
        png = {"type": "image_url", "image_url": {"url": data_url(b"\x89PNG\r\n\x1a\n")}}
        ask(client, png, text("what is this?"))


def test_errors_have_the_client_s_classes(client, server):
    with pytest.raises(openai.NotFoundError, match="this server has nano"):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError, match=r"a\.bvh") as found:
        ask(
            client,
            {"type": "motion_url", "motion_url": {"url": data_url(b"HIERARCHY\nROOT"), "name": "a.bvh"}},
            text("?"),
        )
    assert found.value.code == "unusable_input" and str(found.value.body["message"]).startswith("a.bvh")
    with pytest.raises(openai.BadRequestError, match=r"a\.bvh"):
        part = {"type": "motion_url", "motion_url": {"url": data_url(b"HIERARCHY\nROOT"), "name": "a.bvh"}}
        list(ask(client, part, text("what?"), stream=True))


def test_files_are_the_client_s_own_and_gone_when_answered(server, client):
    sent = client.files.create(file=("walk.bvh", sample("walk")), purpose="user_data")
    assert client.files.retrieve(sent.id).filename == "walk.bvh" and sent.bytes == len(sample("walk"))
    assert [one.id for one in client.files.list()] == [sent.id]
    assert client.files.content(sent.id).content == sample("walk")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="another", max_retries=0) as other:
        assert list(other.files.list()) == []
        for reach in (other.files.retrieve, other.files.delete, other.files.content):
            with pytest.raises(openai.NotFoundError):
                reach(sent.id)
        with pytest.raises(openai.NotFoundError):
            ask(other, {"type": "motion_url", "motion_url": {"url": sent.id}}, text("what?"))
    assert ask(client, {"type": "motion_url", "motion_url": {"url": sent.id}}, text("is the person walking?")).choices
    with pytest.raises(openai.NotFoundError, match="expires_after"):
        client.files.retrieve(sent.id)


def test_a_file_stays_when_it_is_asked_to(client):
    stay = {"anchor": "created_at", "seconds": 3600}
    sent = client.files.create(file=("turn.bvh", sample("turn_left")), purpose="user_data", expires_after=stay)
    assert sent.expires_at - sent.created_at == 3600
    for part in ({"type": "file", "file": {"file_id": sent.id}}, {"type": "motion_url", "motion_url": sent.id}):
        assert ask(client, part, text(TURN)).choices[0].message.content
    assert client.files.delete(sent.id).deleted
    assert list(client.files.list()) == []


def test_a_client_without_a_key_lists_nothing(server):
    body, headers = form({"purpose": "user_data"}, sample("walk"))
    sent = server.post("/v1/files", body, headers).json
    assert server.get("/v1/files").json["data"] == []
    assert server.get(f"/v1/files/{sent['id']}").json["filename"] == "walk.bvh"
    assert server.call("DELETE", f"/v1/files/{sent['id']}").json["deleted"] is True
