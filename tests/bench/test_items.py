from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_world import write_babel_qa, write_mvbench, write_video, write_vimos

from vimonet.bench.controls import freeze, mirror, reverse
from vimonet.bench.datasets import open_dataset
from vimonet.bench.items import VideoSpan, gather
from vimonet.bench.tasks import find_tasks
from vimonet.utils.errors import InputError


@pytest.fixture(scope="module")
def vimos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vimos(tmp_path_factory.mktemp("data") / "vimos", video=True)


def test_items_of_a_vimos_dataset(vimos: Path) -> None:
    items = gather(open_dataset(vimos), find_tasks(["body_part", "reasoning", "captioning", "timing"]))
    assert {item.kind for item in items} == {"body_part", "reasoning", "captioning", "timing"}
    assert len({item.id for item in items}) == len(items) == 48
    hand = next(item for item in items if item.kind == "body_part")
    assert hand.topic == "raised_hand" and hand.options[0] == "left hand" and hand.wording == "unseen"
    told = next(item for item in items if item.kind == "captioning")
    assert told.evidence["references"] == ["a person walks."]  # people's captions before made ones
    assert all(item.motion is hand.motion for item in items if item.recording == hand.recording)


def test_video_tasks_on_a_vimos_dataset_show_the_video(vimos: Path) -> None:
    items = gather(open_dataset(vimos), find_tasks(["action_localization"]))
    assert len(items) == 12 and all(isinstance(item.motion, VideoSpan) for item in items)
    assert items[0].motion.start == pytest.approx(0.2) and items[0].rule.format == "number"  # an open question
    assert items[0].question == "At what second?"


def test_splits_and_nothing_to_ask(vimos: Path) -> None:
    with pytest.raises(InputError, match="no split 'vla'"):
        gather(open_dataset(vimos), find_tasks(["count"]), "vla")
    with pytest.raises(InputError, match="nothing to ask for the tasks count"):
        gather(open_dataset(vimos), find_tasks(["count"]))


def test_mvbench_as_published(tmp_path: Path) -> None:
    source = open_dataset(write_mvbench(tmp_path / "mv"))
    assert source.layout == "mvbench"
    items = gather(source, find_tasks(["video"]))
    assert [item.kind for item in items] == ["action_prediction", "fine_grained_pose", "fine_grained_pose"]
    assert (items[0].motion.start, items[0].motion.end) == (0.1, 0.6) and items[1].motion.start is None
    assert items[0].motion.path.is_file() and "(B) stand" in items[0].question
    assert items[0].rule.score("(B)", items[0].answer, items[0].options) == 1


@pytest.mark.parametrize(
    "broken", ["[{}]", "{", '{"a": 1}', '[{"video": "a", "question": "q", "candidates": ["x"], "answer": "y"}]']
)
def test_a_broken_mvbench_file_is_named(tmp_path: Path, broken: str) -> None:
    folder = write_mvbench(tmp_path / "mv")
    (folder / "json" / "action_prediction.json").write_text(broken)
    with pytest.raises(InputError, match=r"action_prediction\.json"):
        gather(open_dataset(folder), find_tasks(["video"]))


def test_babel_qa_as_published(tmp_path: Path) -> None:
    source = open_dataset(write_babel_qa(tmp_path / "qa"))
    assert source.layout == "motion_qa" and set(source.splits) == {"train", "test"}
    items = gather(source, find_tasks(["qa_action"]))
    assert [item.answer for item in items] == ["walk", "stand"] and items[0].options == ("stand", "walk")
    assert items[0].motion.fps == 20 and items[0].motion.source_fps == 30
    (tmp_path / "qa" / "motion_sequences" / "1" / "joints.npy").unlink()
    with pytest.raises(InputError, match="no such motion"):
        gather(source, find_tasks(["qa_action"]))
    (tmp_path / "qa" / "questions.json").write_text(json.dumps({"1": {"babel_id": "1"}}))
    with pytest.raises(InputError, match="lack babel_id"):
        gather(source, find_tasks(["qa_action"]))


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no dataset"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_dataset(tmp_path / "none")


def test_key_frames_and_their_controls(tmp_path: Path) -> None:
    video = VideoSpan(write_video(tmp_path / "a.mp4"))
    light = lambda frames: [float(np.asarray(image).mean()) for image in frames]  # noqa: E731
    plain = light(video.key_frames(4))
    assert len(plain) == 4 and plain == sorted(plain) and plain[-1] > plain[0] + 50
    assert light(reverse(video).key_frames(4)) == plain[::-1]
    assert len(set(light(freeze(video).key_frames(4)))) == 1
    left, mirrored = (np.asarray(v.key_frames(1)[0])[:, :20].mean() for v in (video, mirror(video)))
    assert left > mirrored + 40
    late = light(VideoSpan(video.path, 0.7, 1.0).key_frames(2))
    assert min(late) > plain[1]


def test_videos_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        VideoSpan(tmp_path / "none.mp4").key_frames()
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(InputError, match=r"text\.mp4"):
        VideoSpan(tmp_path / "text.mp4").key_frames()
