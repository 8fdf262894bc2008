"""`ask` with motion, video, both or neither, and the moments an answer looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_model, tiny_motion
from tiny_video import tiny_clip_config, tiny_video

from vimonet.inference.assistant import Assistant, load
from vimonet.inference.attention import TemporalAttention, draw_attention
from vimonet.inference.windows import InputBuilder, several
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved tiny model with a video tower."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("joint")
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=32)
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def assistant(folder: Path) -> Assistant:
    return load(folder)


@pytest.fixture(scope="module")
def blind() -> Assistant:
    """One without a video tower."""
    return Assistant(*tiny_model(), name="nano")


def film(path: Path, frames: int = 30, fps: int = 10) -> Path:
    """A short video whose grey says the time."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(frames):
            picture = np.full((48, 64, 3), 255 * i // frames, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_each_cell_reads_what_is_there(assistant: Assistant) -> None:
    motion, video = tiny_motion(40), tiny_video()
    cells = [
        assistant.ask("which way"),
        assistant.ask("which way", motion),
        assistant.ask("which way", video=video),
        assistant.ask("which way", motion, video),
    ]
    assert [answer.inputs_read for answer in cells] == [(), ("motion",), ("video",), ("motion", "video")]
    assert [answer.end for answer in cells] == [0.0, 2.0, 12 / 20, 2.0]
    assert len({round(answer.confidence, 7) for answer in cells}) == 4
    assert cells[3].to_dict()["inputs_read"] == ["motion", "video"] and cells[1].to_dict()["inputs_read"] == ["motion"]
    assert assistant.caption(video=video).inputs_read == ("video",)


def test_a_batch_of_all_cells_answers_as_one_by_one(assistant: Assistant) -> None:
    asked = [
        ("which way", tiny_motion(30), tiny_video(seed=1)),
        ("which arm",),
        ("what", None, tiny_video(seed=2)),
        ("what", tiny_motion(9, dimensions=2)),
        ("what", tiny_motion(150), tiny_video(seed=3)),
    ]
    for got, one in zip(assistant.ask_batch(asked), asked, strict=True):
        alone = assistant.ask(*one)
        assert got.text == alone.text and got.inputs_read == alone.inputs_read
        assert got.confidence == pytest.approx(alone.confidence, rel=1e-3)


def test_a_path_is_read_over_its_whole_span(assistant: Assistant, tmp_path: Path) -> None:
    path = film(tmp_path / "grey.mp4")
    answer = assistant.ask("what", video=path)
    assert answer.end == pytest.approx(3.0, abs=0.05) and answer.inputs_read == ("video",)
    query = InputBuilder(assistant.processor, assistant.config).windows("what", None, str(path))[0]
    greys = query.videos[0].images.mean((1, 2, 3))
    assert len(greys) == 8 and np.all(np.diff(greys) > 20) and greys[0] < 10
    assert "".join(assistant.stream("what", video=path)).strip() == answer.text
    more = InputBuilder(assistant.processor, assistant.config, frames=12).windows("what", None, path)[0]
    assert len(more.videos[0].images) == 12 and assistant.ask("what", video=path, frames=12).text is not None


def test_a_window_of_motion_comes_with_the_frames_of_its_seconds(assistant: Assistant, tmp_path: Path) -> None:
    path = film(tmp_path / "grey.mp4", frames=50)  # 5 s beside 7.5 s of motion
    windows = InputBuilder(assistant.processor, assistant.config).windows("what", tiny_motion(150), path)
    assert [(w.start, w.end) for w in windows] == [(0.0, 3.2), (3.2, 6.4), (6.4, 7.5)]
    first, second, third = (window.videos for window in windows)
    greys = [clip[0].images.mean((1, 2, 3)) / 255 * 5 for clip in (first, second)]
    assert greys[0].max() < 3.5 and greys[1].min() > 2.9 and third == ()
    assert second[0].times.min() >= -0.06 and second[0].times.max() < 3.2
    assert [w.inputs_read for w in assistant.ask("what", tiny_motion(150), path).windows] == [
        ("motion", "video"),
        ("motion", "video"),
        ("motion",),
    ]


def test_several_clips_in_one_prompt(assistant: Assistant) -> None:
    motions, videos = [tiny_motion(20), tiny_motion(30, seed=1)], [tiny_video(), tiny_video(seed=1)]
    query = InputBuilder(assistant.processor, assistant.config).windows("which way", motions, videos)[0]
    assert len(query.motions) == 2 and len(query.videos) == 2
    answer = assistant.ask("which way", motions, videos)
    assert answer.inputs_read == ("motion", "video") and answer.end == 1.5
    assert answer.confidence != assistant.ask("which way", motions[::-1], videos).confidence
    assert assistant.ask("which way", motions, evidence=True).evidence == ()
    with pytest.raises(InputError, match="more than the model's window"):
        assistant.ask("which way", [tiny_motion(20), tiny_motion(65)])


def test_one_clip_and_several_are_told_apart() -> None:
    joints, pictures = tiny_motion(5).joints, tiny_video(3)
    assert several(None, 3) == () and several("a", 3) == ("a",) and several(["a", "b"], 3) == ("a", "b")
    assert len(several(joints, 3)) == 1 and len(several([joints, joints], 3)) == 2
    assert len(several(list(joints), 3)) == 1 and len(several(joints.tolist(), 3)) == 1
    assert len(several(list(pictures), 4)) == 1 and len(several([pictures, pictures], 4)) == 2


def test_without_a_tower_motion_is_answered_from(blind: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tiny_motion(40)
    plain = blind.ask("which way", clip)
    assert blind.ask("which way", clip, tiny_video()) == plain and plain.inputs_read == ("motion",)
    import vimonet.inference.windows as inputs

    asked = []
    monkeypatch.setattr(inputs, "as_motion", lambda source, fps=None: asked.append(source) or clip)
    assert blind.ask("which way", video="walk.mp4").text == plain.text
    assert asked[0] == "walk.mp4"  # the movement in the video, which vimonet.motion.load estimates


def test_without_a_tower_and_a_movement_one_sentence_says_so(blind: Assistant, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video at all")
    for video, reason in ((tiny_video(), "frames hold no joints"), (str(tmp_path / "broken.mp4"), "broken.mp4")):
        with pytest.raises(InputError) as caught:
            blind.ask("which way", video=video)
        message = str(caught.value)
        assert message.startswith("this model (nano) has no video tower, and the video gives no movement")
        assert reason in message and "\n" not in message and message.endswith("with a video tower.")


def test_bad_video_is_one_sentence(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(InputError, match=r"text\.mp4"):
        assistant.ask("what", video=tmp_path / "text.mp4")
    with pytest.raises(InputError, match=r"gone\.mp4"):
        assistant.ask("what", video=tmp_path / "gone.mp4")
    with pytest.raises(InputError, match="expected frames"):
        assistant.ask("what", video=np.zeros((3, 4)))
    assert assistant.ask("what", video=np.zeros((1, 1, 1, 3), np.uint8)).inputs_read == ("video",)


def test_real_clips_are_answered(assistant: Assistant, shared: Path) -> None:
    clips = sorted((shared / "video").rglob("*.mp4"))[:2]
    if not clips:
        pytest.skip("no video there")
    for path in clips:
        answer = assistant.ask("what is the person doing", video=path)
        assert answer.inputs_read == ("video",) and answer.end > 0


# --- moments


def test_an_attentive_translator_says_where_it_looked(tmp_path: Path) -> None:
    settings = {"projector": "attentive", "video_pooling": "attentive", "video_tokens": 6}
    model, processor = tiny_model(video_config=tiny_clip_config(), **settings)
    assistant = Assistant(model, processor)
    clip, video = tiny_motion(20), tiny_video(40)
    motion, seen = assistant.attention("which way", clip, video)
    assert (motion.kind, motion.by, motion.weights.shape) == ("motion", "projector", (5, 5))
    np.testing.assert_allclose(motion.seconds, [0.1, 0.3, 0.5, 0.7, 0.9])
    assert (seen.kind, seen.weights.shape) == ("video", (6, 8))
    for item in (motion, seen):
        np.testing.assert_allclose(item.weights.sum(1), 1, rtol=1e-5)
        assert item.mean.sum() == pytest.approx(1, rel=1e-5) and item.strongest in item.seconds
    with torch.no_grad():
        weights = model(**assistant.prepare_inputs([("which way", clip)])).projector_attentions["motion"]
    np.testing.assert_allclose(motion.weights, weights[0].mean(0).numpy(), rtol=1e-5, atol=1e-6)
    path = draw_attention([motion, seen], tmp_path / "m.png", title="Which way?", subtitle="to the left")
    from PIL import Image

    assert Image.open(path).size[0] > 500 and list(tmp_path.iterdir()) == [path]


def test_a_translator_that_is_drawn_to_a_moment_is_seen_to_be(tmp_path: Path) -> None:
    """Keys turned so that every query wants what is late: the strongest moment is the last."""
    model, processor = tiny_model(projector="attentive")
    translator = model.vimonet.translators.motion
    with torch.no_grad():
        from vimonet.model.projectors import sinusoids

        late = sinusoids(5, 32)[4]
        for layer in (translator.query, translator.key, translator.project):
            layer.weight.zero_()
            layer.bias.zero_()
        translator.key.weight.copy_(torch.eye(32))
        translator.query.bias.copy_(20 * late)
    (found,) = Assistant(model, processor).attention("which way", tiny_motion(20))
    assert found.strongest == pytest.approx(0.9) and found.mean[-1] > 0.4


def test_other_translators_are_explained_by_the_language_model(assistant: Assistant) -> None:
    found = assistant.attention("which way", tiny_motion(150), tiny_video(200), max_new_tokens=4)
    assert [item.kind for item in found] == ["motion", "video"] * 3
    assert all(item.by == "language model" for item in found)
    assert found[0].weights.shape[1] == 16 and found[1].weights.shape[1] == 8
    assert found[2].seconds[0] == pytest.approx(3.3) and 3.1 < found[3].seconds[0] < 3.4  # the second window's time
    for item in found:
        np.testing.assert_allclose(item.weights.sum(1), 1, rtol=1e-4)
        assert len(item.tokens) == len(item.weights) and len(item.seconds) == item.weights.shape[1]
    assert assistant.model.language_model.config._attn_implementation == "sdpa"
    with pytest.raises(InputError, match="blind"):
        assistant.attention("which way")


def test_pictures_of_moments_are_whole_or_not_there(tmp_path: Path) -> None:
    item = TemporalAttention("motion", "projector", np.ones((1, 1), np.float32), np.array([0.1]), ("query 1",))
    assert draw_attention([item], tmp_path / "one.png").is_file()
    repeated = TemporalAttention("video", "projector", np.full((2, 3), 1 / 3, np.float32), np.zeros(3), ("a", "b"))
    assert draw_attention([repeated], tmp_path / "same.png").is_file()
    with pytest.raises(InputError, match="there is no attention to draw"):
        draw_attention([], tmp_path / "x.png")
    for wrong in (tmp_path / "x.gif", tmp_path / "gone" / "x.png"):
        with pytest.raises(InputError, match="cannot be written"):
            draw_attention([item], wrong)


def test_chosen_frames_are_taken_as_they_are(assistant: Assistant) -> None:
    pictures = tiny_video(8)
    chosen = VideoFrames(pictures, np.linspace(0, 2, 8), duration=2.0)
    answer = assistant.ask("what", video=chosen)
    assert answer.end == 2.0 and answer.inputs_read == ("video",)
