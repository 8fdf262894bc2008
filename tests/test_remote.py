from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("httpx2")
from fake_endpoint import FakeEndpoint, says, status

from vimonet.llm.endpoint import Endpoint, EndpointError, Settings
from vimonet.llm.remote_assistant import RemoteAssistant
from vimonet.motion import load
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError


def assistant(fake: FakeEndpoint, cache: Path | None = None, **options: Any) -> RemoteAssistant:
    return RemoteAssistant(Endpoint(Settings(fake.url, "llm-1", backoff=0.01, attempts=2, cache=cache)), **options)


def told(fake: FakeEndpoint, request: int = -1) -> str:
    content = fake.bodies[request]["messages"][1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def test_the_answer_is_marked_as_the_endpoints() -> None:
    with FakeEndpoint(lambda body: " the right hand\n") as fake, assistant(fake) as asked:
        answer = asked.ask("Which hand is raised?", sample_path("wave_right"))
        assert answer.text == str(answer) == "the right hand"
        assert answer.endpoint == f"llm-1 via {fake.url}" and answer.inputs_read == ("motion",)
        assert answer.provenance == "model" and answer.facts is not None
        assert answer.confidence is None and answer.end == pytest.approx(5.7)
        assert json.loads(json.dumps(answer.to_dict()))["endpoint"] == answer.endpoint
        assert "right raised above the head" in told(fake) and "arm_R" in told(fake)
        assert told(fake).endswith("Question: Which hand is raised?")
        assert "wave" not in json.dumps(fake.bodies)  # the file's name would tell


def test_blind_and_facts_alone() -> None:
    with FakeEndpoint() as fake, assistant(fake, level="facts", max_tokens=300) as asked:
        assert asked.ask("Which hand?").inputs_read == ()
        assert "no recording" in told(fake) and "Measured facts" not in told(fake)
        asked.ask("Which hand?", load(sample_path("wave_right")))
        assert "Measured facts" in told(fake) and "arm_R" not in told(fake)


def test_a_picture_goes_along() -> None:
    import base64

    with FakeEndpoint() as fake, assistant(fake, image=True) as asked:
        asked.caption(sample_path("squats"))
        image = fake.bodies[0]["messages"][1]["content"][1]["image_url"]["url"].split(",")[1]
        assert Image.open(io.BytesIO(base64.b64decode(image))).width == 1200


def test_a_batch_is_in_order_and_one_refusal_does_not_end_it(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str:
        return body["messages"][1]["content"].rsplit(" ", 1)[1]

    motion = load(sample_path("turn_left"))
    pairs = [(f"question {i}", motion if i % 2 else None) for i in range(12)]
    with FakeEndpoint(answer) as fake:
        with assistant(fake, tmp_path) as asked:
            answers = asked.ask_batch(pairs)
        assert [a.text for a in answers] == [str(i) for i in range(12)]
        with assistant(fake, tmp_path) as asked:
            assert all(a.cached for a in asked.ask_batch(pairs))
        assert len(fake.bodies) == 12
    with FakeEndpoint(answer, [status(400, text="filtered")]) as fake, assistant(fake) as asked:
        answers = asked.ask_batch([("question 1", None), ("question 2", None)])
        assert sorted(a.text for a in answers)[0] == "" and "filtered" in "".join(a.error for a in answers)


def test_one_question_without_answer_is_an_error() -> None:
    empty = pytest.raises(EndpointError, match="no usable answer in 2 attempts: it is empty")
    with FakeEndpoint(misbehave=[says(""), says("")]) as fake, assistant(fake) as asked, empty:
        asked.ask("Which hand?")


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
def test_unusable_questions(question: str) -> None:
    with FakeEndpoint() as fake, assistant(fake) as asked:
        with pytest.raises(InputError, match="question"):
            asked.ask(question)
        assert not fake.bodies


def test_unusable_recordings_and_options(tmp_path: Path) -> None:
    with FakeEndpoint() as fake, assistant(fake) as asked:
        with pytest.raises(InputError, match=r"gone\.bvh"):
            asked.ask("what?", tmp_path / "gone.bvh")
        with pytest.raises(InputError):
            asked.ask("what?", np.zeros((3, 22, 3), dtype=np.float32))
        with pytest.raises(InputError, match="no level 'x'"):
            assistant(fake, level="x")
        with pytest.raises(InputError, match="too few"):
            assistant(fake, max_tokens=100)
        assert not fake.bodies


def test_ask_via_an_endpoint_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vimonet.cli import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with FakeEndpoint(lambda body: "left") as fake:
        command = ["ask", "sample:wave_right", "Which hand is raised?", "--base-url", fake.url, "--llm-model", "llm-1"]
        assert main([*command, "--evidence", "--answer-policy", "raw"]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("left\n") and f"motion as text, llm-1 via {fake.url}" in printed
        assert "CONTRADICTS" in printed and "measured answer: right hand" in printed
        assert main(command) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("right hand\n") and 'measured, not the model\'s own "left" of' in printed
        assert "CONTRADICTS" not in printed
        assert main([*command, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert (record["text"], record["model_text"], record["confidence"]) == ("right hand", "left", None)
        assert len(fake.bodies) == 1, "the second answer came from the cache"
    assert main(["ask", "sample:wave_right", "Which hand?", "--llm-model", "llm-1"]) == 2
    assert "belong together" in capsys.readouterr().err
