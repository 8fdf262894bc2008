from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
from vimos_world import film

from research.vimos_open.synthesis import generate
from vimonet.motion.io.bvh_writer import write_bvh
from vimonet.utils.errors import InputError
from vimonet.vimos.builders.folder import FolderBuilder
from vimonet.vimos.builders.recorded_clips import hashed_split
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.reading import read_records, splits_of
from vimonet.vimos.validate import validate


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    for name, action, options in (
        ("walk", "walk", {"duration": 4.0}),
        ("wave", "wave", {"side": "left", "count": 4}),
        ("long", "walk", {"duration": 24.0}),
    ):
        motion, _ = generate(action, seed=1, **options)
        np.save(folder / f"{name}.npy", motion.joints[: {"walk": 80, "long": 480}.get(name)])
    motion, _ = generate("squats", seed=2, fps=30.0)
    write_bvh(motion, folder / "sub" / "squats.bvh")
    (folder / "sub" / "broken.bvh").write_text("HIERARCHY nothing")
    (folder / "notes.txt").write_text("not a recording")
    return folder


def built(root, tmp_path, **options):
    builder = FolderBuilder(str(root), **options)
    result = build(builder, tmp_path / "d", workers=0, progress=False)
    rows = {r.id: r for split in splits_of(result.folder) for r in read_records(result.folder, split)}
    return result, rows


def test_recordings_become_clips_with_measured_questions(root, tmp_path):
    result, rows = built(root, tmp_path)
    assert [s.file for s in result.skipped] == ["sub/broken.bvh"]
    whole = rows["vimos-folder/walk.npy"]
    assert whole.motion.frames == 80 and whole.licence == "unstated" and len(whole.instructions) > 15
    styles = {i.style for i in whole.instructions}
    assert {"direction", "body_part", "count", "speed"} <= styles
    assert sum(name.startswith("vimos-folder/long.npy@") for name in rows) == 3  # 24 s in windows of 9.8 s
    assert len({r.recording for r in rows.values() if "long" in r.id}) == 1
    assert validate(result.folder).ok


def test_bad_names_and_links_fail_alone(root, tmp_path):
    (root / "wave.npy").rename(root / os.fsdecode(b"caf\xe9.npy"))
    (root / "lost.bvh").symlink_to("nowhere.bvh")
    (root / "empty.bvh").mkdir()
    result, rows = built(root, tmp_path)
    assert sorted(s.file for s in result.skipped) == ["caf .npy", "empty.bvh", "lost.bvh", "sub/broken.bvh"]
    assert "vimos-folder/walk.npy" in rows and validate(result.folder).ok


def test_a_table_gives_captions_times_actions_splits_and_licences(root, tmp_path):
    (root / "captions.csv").write_text(
        "file,caption,start,end,action,split,licence\n"
        'walk,"a person walks, slowly",,,,testing,CC BY 4.0\n'
        "walk,he begins,0,1.5,,,\n"
        "wave.npy,,0,1.5,wave the left hand,,\n"
        "wave.npy,,1.5,2.5,stand still,,\n"
        "long,a caption of all,,,,,\n"
        "long,across a window,8.5,12,,,\n"
        "gone.npy,never,,,,,\n",
        encoding="utf-8",
    )
    result, rows = built(root, tmp_path, captions="captions.csv")
    walk = rows["vimos-folder/walk.npy"]
    assert walk.split == "test" and walk.licence == "CC BY 4.0"
    assert [(c.text, c.start, c.end) for c in walk.captions] == [
        ("a person walks, slowly", None, None),
        ("he begins", 0.0, 1.5),
    ]
    assert any(i.wording == "unseen" for i in walk.instructions)
    wave = rows["vimos-folder/wave.npy"]
    assert [p.action for p in wave.actions] == ["wave the left hand", "stand still"]
    assert any(i.form == "first" and i.answer == "waving the left hand" for i in wave.instructions)
    assert any(c.generator == "kinematic" for c in wave.captions)
    crossing = rows["vimos-folder/long.npy@170-240"]
    assert [c.text for c in crossing.captions] == ["across a window"] and crossing.motion.frames == 70
    reasons = {s.file: s.reason for s in result.skipped}
    assert "it describes 24.0 s" in reasons["long.npy"] and "has no such file" in reasons["gone.npy"]
    assert validate(result.folder).ok


def test_a_video_goes_with_its_recording_or_alone(root, tmp_path):
    film(root / "walk.mp4", frames=100)  # 4 s, as the recording
    film(root / "wave.mp4", frames=10)
    film(root / "alone.mp4", frames=50)
    (root / "c.jsonl").write_text(json.dumps({"file": "alone.mp4", "caption": "a grey picture", "start": 0.5}) + "\n")
    result, rows = built(root, tmp_path, captions=str(root / "c.jsonl"))
    assert rows["vimos-folder/walk.npy"].video and (result.folder / rows["vimos-folder/walk.npy"].video).is_file()
    assert rows["vimos-folder/wave.npy"].video is None
    assert any(s.file == "wave.mp4" and "are not the" in s.reason for s in result.skipped)
    alone = rows["vimos-folder/alone.mp4"]
    assert (
        alone.motion is None
        and alone.captions[0].start == 0.5
        and alone.captions[0].end == pytest.approx(2.0, abs=0.01)
    )
    report = validate(result.folder)
    assert report.ok and report.videos == 2


def test_splits_go_by_recording_and_are_the_same_every_time(root):
    names = [f"r{i}" for i in range(2000)]
    splits = [hashed_split(name, 0.1, 0.2) for name in names]
    assert splits == [hashed_split(name, 0.1, 0.2) for name in names]
    assert 0.07 < splits.count("val") / 2000 < 0.13 and 0.16 < splits.count("test") / 2000 < 0.24


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("name,caption\na,b\n", "line 2: it names no file"),
        ("file,caption,start\nwalk,x,soon\n", "line 2: start is 'soon'; expected seconds"),
        ("file,caption,start,end\nwalk,x,3,2\n", "line 2: its end, 2 s, is not after its start"),
        ("file,caption\n../walk.npy,x\n", "lies outside the root"),
        ("file,split\nwalk,a/b\n", "split 'a/b' cannot be"),
        ("file,split\nwalk,train\nwalk,test\n", "is in test and train; a file has one split"),
    ],
)
def test_bad_tables_are_told_by_line(root, tmp_path, table, text):
    (root / "c.csv").write_text(table)
    with pytest.raises(InputError, match=re.escape(text)):
        built(root, tmp_path, captions="c.csv")
    assert not (tmp_path / "d").exists()


def test_bad_roots_shares_and_jsonl_are_told(root, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        FolderBuilder(str(tmp_path / "gone")).shards()
    with pytest.raises(InputError, match="leave nothing to train on"):
        FolderBuilder(str(root), val=0.5, test=0.6).shards()
    (root / "c.jsonl").write_text("{'file': 1}\n")
    with pytest.raises(InputError, match="line 1: this is no JSON"):
        FolderBuilder(str(root), "c.jsonl").shards()
    with pytest.raises(InputError, match="no such table"):
        FolderBuilder(str(root), "none.csv").shards()
