from __future__ import annotations

import pytest
from serve_world import chat, data_url, form, live, motion_part, sample, text

from vimonet.inference.assistant import load
from vimonet.motion import load as load_motion
from vimonet.motion.kinematics import measure
from vimonet.samples import sample_path


@pytest.fixture(scope="module")
def server():
    with live(lambda: load("nano")) as there:
        yield there


def test_health_is_apart_from_readiness(server):
    assert server.get("/healthz").json == {"status": "alive"}
    assert server.get("/readyz").json == {"status": "ready"}
    for path in ("/", "/healthz"):
        reply = server.call("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")


def test_the_model_is_listed(server):
    listed = server.get("/v1/models").json
    assert [one["id"] for one in listed["data"]] == ["nano"] and listed["object"] == "list"
    assert server.get("/v1/models/nano").json["object"] == "model"
    assert server.get("/v1/models/gpt").error["code"] == "model_not_found"


def test_a_chat_answers_as_ask_does(server):
    asked = "Which way does the person turn?"
    reply = server.post("/v1/chat/completions", chat(motion_part("turn_left"), text(asked)))
    assert reply.status == 200, reply.body
    answer = load("nano").ask(asked, load_motion(sample_path("turn_left")), evidence=True)
    said = reply.json
    assert said["choices"][0]["message"]["content"] == answer.text
    assert said["choices"][0]["finish_reason"] == "stop"
    assert {key: said["vimonet"][key] for key in answer.to_dict()} == answer.to_dict()
    assert said["vimonet"]["evidence"] and said["vimonet"]["provenance"] in ("model", "measured")
    assert said["usage"]["total_tokens"] == said["usage"]["prompt_tokens"] + said["usage"]["completion_tokens"] > 0
    assert said["vimonet"]["recordings"][0]["name"] == sample_path("turn_left").name


def test_facts_are_those_of_measure(server):
    expected = measure(load_motion(sample_path("walk"))).to_dict()
    body, headers = form({}, sample("walk"), "walk.bvh")
    as_form = server.post("/v1/motion/facts", body, headers)
    assert as_form.status == 200, as_form.body
    as_json = server.post("/v1/motion/facts", {"motion": {"url": data_url(sample("walk")), "name": "walk.bvh"}})
    assert as_form.json["facts"] == as_json.json["facts"] and as_json.json["facts"]["steps"]
    assert as_json.json["facts"]["path_length"] == expected["path_length"]


def test_a_caption_has_words_and_confidence(server):
    said = server.post("/v1/motion/caption", {"motion": data_url(sample("squats"))}).json
    assert said["text"] and 0 < said["confidence"] <= 1 and said["object"] == "motion.caption"


@pytest.mark.parametrize(
    "address",
    [
        *("/etc/passwd", "sample:walk", "s3://bucket/walk.bvh", "file:///etc/passwd", "http://127.0.0.1:1/walk.bvh"),
        *("../walk.bvh", "-", "data:text/plain,hello", "https://example.org/a.mp4"),
    ],
)
def test_no_address_is_opened(server, address):
    for kind in ("motion_url", "video_url", "image_url"):
        reply = server.post("/v1/chat/completions", chat({"type": kind, kind: {"url": address}}, text("what?")))
        assert (reply.status, reply.error["code"]) == (400, "unsupported_url")
        assert "never opened" in reply.error["message"]
    assert server.post("/v1/motion/facts", {"motion": address}).error["code"] == "unsupported_url"


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"model": "nano", "messages": []}, "messages", "at least 1"),
        ({"model": "nano"}, "messages", "required"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "model", "required"),
        (chat(text("hi"), model="other"), "model", "this server has nano"),
        (chat(text("  ")), "messages", "has no text"),
        (chat(text("hi"), n=2), "n", "does not support"),
        (chat(text("hi"), tools=[{}]), "tools", "does not support"),
        (chat(text("hi"), max_tokens=0), "max_tokens", "greater than or equal to 1"),
        (chat(text("x" * 2001)), None, "2,001 characters"),
        (chat({"type": "input_motion", "input_motion": {"data": "@@@"}}, text("hi")), None, "not base64"),
        (chat({"type": "input_motion", "input_motion": {"data": "aGVsbG8=", "format": "bvh"}}, text("hi")), None, ""),
        (chat({"type": "motion_url", "motion_url": {}}, text("hi")), None, "give one of url"),
        ([1, 2], None, ""),
    ],
)
def test_errors_have_openai_s_shape(server, body, param, words):
    reply = server.post("/v1/chat/completions", body)
    assert reply.status in (400, 404) and set(reply.error) == {"message", "type", "param", "code"}
    assert words in reply.error["message"] and (param is None or reply.error["param"] == param)
    assert reply.error["type"] in ("invalid_request_error", "not_found_error")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 10_000, b'{"a": NaN}', b"\xff\xfe", b'{"model": ' + b"9" * 5000 + b"}"]
)
def test_bodies_that_are_no_json(server, body):
    for path in ("/v1/chat/completions", "/v1/motion/facts", "/v1/search"):
        reply = server.post(path, body, {"Content-Type": "application/json"})
        assert 400 <= reply.status < 500 and reply.error["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_json_under_another_name_is_told_the_header(server, kind):
    for path in ("/v1/chat/completions", "/v1/search"):
        reply = server.post(path, chat(text("hi")), {"Content-Type": kind})
        assert reply.status == 400 and "'Content-Type: application/json'" in reply.error["message"]


def test_keypoints_of_a_video(server, monkeypatch):
    asked = []
    found = {"format": "coco17", "fps": 20.0, "size": [96, 64], "frames": [], "model": "a stand-in"}
    process = server.app.state.server.reading._process

    def poses(name, data, *, left, **options):
        asked.append((name, data, options))
        return found

    monkeypatch.setattr(process, "poses", poses)
    film = sample_path("wave_right.mp4").read_bytes()
    body, headers = form({"person": "2", "fps": "30"}, film, "film.mp4")
    reply = server.post("/v1/pose", body, headers)
    assert reply.status == 200 and reply.json == {"object": "pose", **found}
    as_json = server.post("/v1/pose", {"motion": {"url": data_url(film), "name": "film.mp4"}})
    assert as_json.json == reply.json
    assert asked == [("film.mp4", film, {"person": 2}), ("film.mp4", film, {})]
    body, headers = form({}, sample("walk"))
    assert server.post("/v1/pose", body, headers).error["code"] == "not_a_video"


def test_unknown_addresses_and_methods(server):
    assert server.get("/v1/nothing").error["type"] == "not_found_error"
    assert server.call("PUT", "/v1/files").status == 405
    assert server.post("/v1/search", {"query": "someone waves"}).error["code"] == "no_index"


def test_every_reply_has_safe_headers(server):
    for reply in (server.get("/healthz"), server.get("/docs"), server.get("/v1/nothing"), server.post("/v1/files")):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy
        assert (
            reply.headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in reply.headers
        )


def test_the_api_is_described(server):
    document = server.get("/openapi.json").json
    assert {"/v1/chat/completions", "/v1/motion/facts", "/v1/files", "/v1/search", "/v1/pose"} <= set(document["paths"])
    page = server.get("/docs").body.decode()
    assert "<script" not in page and "style=" not in page and "/v1/motion/caption" in page


def test_metrics_hold_no_content(server):
    server.post("/v1/motion/facts", {"motion": {"url": data_url(sample("walk")), "name": "secret-name.bvh"}})
    text = server.get("/metrics").body.decode()
    assert 'vimonet_requests_total{route="/v1/motion/facts",status="200"}' in text and "secret" not in text
    assert "vimonet_model_seconds_bucket" in text and "process_resident_memory_bytes" in text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--x\r\n", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"\x00" * 100, "multipart/form-data; boundary=\xff"),
    ],
)
def test_forms_that_are_none(server, body, kind):
    for path in ("/v1/files", "/v1/motion/facts"):
        reply = server.post(path, body, {"Content-Type": kind})
        assert 400 <= reply.status < 500 and reply.error["message"], (path, reply)


def test_options_of_a_form(server):
    body, headers = form({"fps": "60", "unit": "m"}, sample("squats_coco17"), "a.json")
    assert server.post("/v1/motion/facts", body, headers).status == 200
    for field, value in (
        ("fps", "x"),
        ("fps", "nan"),
        ("person", "0"),
        ("joint_map", "{"),
        ("joint_map", '{"tail": "x"}'),
    ):
        body, headers = form({field: value}, sample("walk"))
        reply = server.post("/v1/motion/facts", body, headers)
        assert (reply.status, reply.error["param"]) == (400, field)
