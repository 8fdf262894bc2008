from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("httpx2")
from fake_endpoint import FakeEndpoint, says, status

from vimonet.llm.endpoint import Endpoint, Settings
from vimonet.motion import load
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.llm_annotator import PROMPT_VERSION, STYLES, LLMAnnotator, key_frames
from vimonet.vimos.parquet import Caption, Record


def clip(name: str) -> Record:
    motion, said = load(sample_path(name)), Caption("someone moves about.")
    return Record(f"demo/{name}", "demo", name, "train", "", motion, captions=(said,))


def annotator(fake: FakeEndpoint, cache: Path | None = None, **options: Any) -> LLMAnnotator:
    return LLMAnnotator(Endpoint(Settings(fake.url, "llm-1", backoff=0.01, attempts=2, cache=cache)), **options)


def writes(body: dict[str, Any]) -> str:
    """A model that reads its evidence: it says what F1 says."""
    content = body["messages"][1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    if "captions" in text.split("Write", 1)[1][:30]:
        name = "V1" if "V1:" in text else "F1"
        return json.dumps({"items": [{"text": f"A person moves, as {name} says.", "evidence": [name]}]})
    style = re.search(r'in the style "([\w ]+)"', text)[1]
    first = re.search("F1: (.*)", text)[1]
    row = {"question": f"How about {style}?", "answer": "yes", "options": ["yes", "no"], "evidence": ["F1", "C1"]}
    return json.dumps({"items": [row, {**row, "question": f"And {first}?"}]})


def test_rows_name_generator_and_evidence(tmp_path: Path) -> None:
    with FakeEndpoint(writes) as fake:
        found = list(annotator(fake, tmp_path).annotate([clip("squats"), clip("turn_left")]))
        assert [a.id for a in found] == ["demo/squats", "demo/turn_left"]
        for annotation in found:
            assert [c.text for c in annotation.captions] == ["A person moves, as F1 says."]
            assert annotation.captions[0].generator == f"llm:llm-1/{PROMPT_VERSION}"
            assert {i.style for i in annotation.instructions} == set(STYLES)
            first = annotation.instructions[0]
            assert first.generator == f"llm:llm-1/{PROMPT_VERSION}" and first.options == ("yes", "no")
            assert first.evidence["lines"]["F1"].startswith("duration: ")
            assert first.evidence["lines"]["C1"] == "someone moves about."
            assert annotation.dropped == {"twice the same": 4}  # "And duration ...?" of the other styles
        assert len(fake.bodies) == 2 * (1 + len(STYLES))
        assert list(annotator(fake, tmp_path).annotate([clip("squats"), clip("turn_left")])) == found
        assert len(fake.bodies) == 2 * (1 + len(STYLES))
        assert "squats" not in json.dumps(fake.bodies)  # the clip's name would tell


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evidence": []}, "no evidence named"),
        ({"evidence": ["F1", "F99"]}, "evidence that was not shown"),
        ({"answer": " "}, "no answer, or no question"),
        ({"question": "Tell me."}, "no answer, or no question"),
        ({"options": ["no"]}, "answer not among its options"),
        ({"options": ["yes"]}, "answer not among its options"),
        ({"answer": "perhaps", "options": []}, "hallucination question without yes or no"),
    ],
)
def test_rows_that_rest_on_nothing_are_dropped(change: dict[str, Any], reason: str) -> None:
    good = {"question": "Does it?", "answer": "yes", "options": ["yes", "no"], "evidence": ["F1"]}
    answer = json.dumps({"items": [{**good, **change}, good]})
    with FakeEndpoint(lambda body: answer) as fake:
        (found,) = annotator(fake, styles=["hallucination"], captions=0).annotate([clip("fall")])
        assert found.dropped == {reason: 1} and len(found.instructions) == 1


def test_troubles_cost_one_request_not_the_run() -> None:
    trouble = [status(400, text="filtered"), status(500), says('{"items": [{"question": 3}]}')]
    with FakeEndpoint(writes, trouble) as fake:
        found = list(annotator(fake, styles=["sequence", "direction"]).annotate([clip("fall"), clip("squats")]))
        assert len(found) == 2
        assert sum(len(a.failed) for a in found) == 1 and "filtered" in "".join(map(str, [a.failed for a in found]))
        assert sum(len(a.instructions) + len(a.captions) for a in found) >= 5


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """40 frames of 640 x 320, each one grey that grows with time."""
    import av

    path = tmp_path / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = 640, 320, "yuv420p"
        for i in range(40):
            picture = np.full((320, 640, 3), 20 + 5 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_key_frames_cover_the_whole_time(video: Path) -> None:
    found = key_frames(video)
    assert found.times == pytest.approx([(5 * k + 2) / 20 for k in range(8)]) and found.duration == pytest.approx(2.0)
    pictures = [Image.open(io.BytesIO(png)) for png in found.images]
    assert {picture.size for picture in pictures} == {(512, 256)}
    greys = [np.asarray(picture).mean() for picture in pictures]
    assert greys == pytest.approx([20 + 5 * (5 * k + 2) for k in range(8)], abs=6)
    assert len(key_frames(video, 100).images) == 40


def test_video_captions_are_asked_with_pictures(video: Path) -> None:
    with FakeEndpoint(writes) as fake:
        record = Record(str(video), "demo", "grey", "train", "", video=video.name)
        (found,) = annotator(fake).annotate([record], video.parent)
        assert [c.text for c in found.captions] == ["A person moves, as V1 says."] and found.id == str(video)
        text, *images = fake.bodies[0]["messages"][1]["content"]
        assert len(images) == 8 and "clip of 2.0 s" in text["text"] and "grey" not in text["text"]
        assert base64.b64decode(images[0]["image_url"]["url"].split(",")[1]) == key_frames(video).images[0]


def test_bad_videos_and_options(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"not a video")
    with pytest.raises(InputError, match=r"no\.mp4: not a readable video"):
        key_frames(tmp_path / "no.mp4")
    with pytest.raises(InputError, match="there is no such file"):
        key_frames(tmp_path / "gone.mp4")
    with FakeEndpoint() as fake:
        with pytest.raises(InputError, match="no style 'poem'"):
            annotator(fake, styles=["poem"])
        with pytest.raises(InputError, match="-1 questions"):
            annotator(fake, questions=-1)


def test_real_videos(shared: Path) -> None:
    found = key_frames(sorted((shared / "video" / "clips").glob("*.mp4"))[0])
    assert len(found.images) == 8 and found.times[-1] < found.duration
