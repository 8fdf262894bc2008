"""HumanML3D, BABEL and Motion-X on small trees laid out as their pages say."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from vimos_world import film

from research.vimos_open.synthesis import generate
from vimonet.motion.features.humanml3d_features import humanml3d_features
from vimonet.utils.errors import InputError
from vimonet.vimos.builders.babel import BabelBuilder, timed_actions
from vimonet.vimos.builders.humanml3d import HumanML3DBuilder, read_texts
from vimonet.vimos.builders.motionx import MotionXBuilder
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.reading import read_records, splits_of
from vimonet.vimos.validate import validate


def built(builder, tmp_path):
    result = build(builder, tmp_path / "d", workers=0, progress=False)
    rows = {r.id: r for split in splits_of(result.folder) for r in read_records(result.folder, split)}
    return result, rows


def motion(action="walk", **options):
    return generate(action, seed=3, **options)[0].joints


@pytest.fixture
def humanml3d(tmp_path):
    root = tmp_path / "HumanML3D"
    for folder in ("new_joints", "new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    np.save(root / "new_joints" / "000000.npy", motion(duration=5.0))
    np.save(root / "new_joints" / "M000000.npy", motion(duration=5.0))
    np.save(root / "new_joint_vecs" / "000001.npy", humanml3d_features(motion(duration=4.0)))
    whole = "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n"
    (root / "texts" / "000000.txt").write_text(whole + "he stops#he/PRON stop/VERB#1.0#3.5\n")
    (root / "texts" / "M000000.txt").write_text(whole)
    (root / "texts" / "000001.txt").write_text("a man walks.#a/DET man/NOUN walk/VERB#nan#nan\n")
    (root / "train.txt").write_text("000000\nM000000\n000002\n")
    (root / "test.txt").write_text("000001\n")
    index = "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/3/kick_poses.npy,0,117,000000.npy\n"
    (root / "index.csv").write_text(index)
    return root


def test_humanml3d_keeps_raw_captions_beside_tokens_and_cuts_to_time_tags(humanml3d, tmp_path):
    result, rows = built(HumanML3DBuilder(str(humanml3d)), tmp_path)
    assert result.rows == {"train": 3, "test": 1}
    clip = rows["humanml3d/000000"]
    assert (clip.captions[0].text, clip.captions[0].tokens) == ("a man walks.", "a/DET man/NOUN walk/VERB")
    assert {i.generator for i in clip.instructions} == {"kinematic", "caption"}
    assert clip.provenance["source_path"] == "./pose_data/KIT/3/kick_poses.npy"
    part = rows["humanml3d/000000@20-70"]
    assert part.motion.frames == 50 and [c.text for c in part.captions] == ["he stops"]
    assert (
        np.abs(np.diff(part.motion.joints[:, 0], axis=0) - np.diff(motion(duration=5.0)[20:70, 0], axis=0)).max() < 1e-3
    )
    assert rows["humanml3d/M000000"].recording == clip.recording == part.recording == "humanml3d/000000"
    features = rows["humanml3d/000001"]
    assert features.split == "test" and features.provenance["features"] == "new_joint_vecs" and features.instructions
    assert [s.file for s in result.skipped] == ["000002"]
    assert validate(result.folder).ok


def test_humanml3d_without_mirrored_copies(humanml3d, tmp_path):
    result, rows = built(HumanML3DBuilder(str(humanml3d), mirror=False), tmp_path)
    assert "humanml3d/M000000" not in rows and result.rows["train"] == 2


def test_humanml3d_tells_what_is_missing(humanml3d, tmp_path):
    with pytest.raises(InputError, match="not HumanML3D's folder"):
        HumanML3DBuilder(str(tmp_path)).shards()
    (humanml3d / "texts" / "000001.txt").write_text("no separators\n")
    with pytest.raises(InputError, match="line 1: expected caption#"):
        read_texts(humanml3d / "texts" / "000001.txt")


def test_humanml3d_reads_the_published_sample(shared, tmp_path):
    root = tmp_path / "HumanML3D"
    (root / "new_joints").mkdir(parents=True)
    (root / "texts").mkdir()
    (root / "new_joints" / "012314.npy").write_bytes((shared / "reference" / "new_joints_012314.npy").read_bytes())
    (root / "texts" / "012314.txt").write_text("a person serves.#a/DET person/NOUN serve/VERB#0.0#0.0\n")
    (root / "train.txt").write_text("012314\n")
    (root / "index.csv").write_bytes((shared / "reference" / "index.csv").read_bytes())
    _, rows = built(HumanML3DBuilder(str(root)), tmp_path)
    assert "tennis" in rows["humanml3d/012314"].provenance["source_path"]


def label(proc, start=None, end=None):
    times = {} if start is None else {"start_t": start, "end_t": end}
    return {"raw_label": proc + "s", "proc_label": proc, "seg_id": "x", "act_cat": [proc.split()[0]], **times}


@pytest.fixture
def babel(tmp_path):
    root, motions = tmp_path / "babel", tmp_path / "amass"
    root.mkdir()
    (motions / "KIT" / "3").mkdir(parents=True)
    poses = np.zeros((480, 156))
    poses[:, 0] = np.pi / 2  # AMASS stands along +Z
    np.savez(motions / "KIT" / "3" / "walk_poses.npz", poses=poses, trans=np.zeros((480, 3)), mocap_framerate=120.0)
    np.save(motions / "KIT" / "3" / "wave_poses.npy", motion("wave", side="left", count=4))
    frame = {"labels": [label("transition", 1.4, 1.6), label("turn right", 1.6, 3.0), label("walk", 0.0, 1.5)]}
    together = {"labels": [label("walk", 0.0, 2.0), label("wave", 1.0, 2.0), label("t-pose", 2.0, 9.0)]}
    entry = {"url": "", "dur": 4.0, "frame_ann": None}
    train = {
        "12": {**entry, "babel_sid": 12, "feat_p": "KIT/KIT/3/walk_poses.npz", "seq_ann": {"labels": [label("walk")]},
               "frame_ann": frame},
        "13": {**entry, "babel_sid": 13, "feat_p": "KIT/KIT/3/gone_poses.npz", "seq_ann": {"labels": [label("run")]}},
    }  # fmt: skip
    val = {"7": {**entry, "babel_sid": 7, "feat_p": "KIT/KIT/3/wave_poses.npz", "seq_ann": None, "frame_ann": together}}
    (root / "train.json").write_text(json.dumps(train))
    (root / "val.json").write_text(json.dumps(val))
    return root, motions


def test_babel_gives_ordered_timed_actions_and_keeps_overlaps(babel, tmp_path):
    root, motions = babel
    result, rows = built(BabelBuilder(str(root), str(motions)), tmp_path)
    walk = rows["babel/train/12"]
    assert [(p.action, p.start, p.end) for p in walk.actions] == [
        ("walk", 0.0, 1.5),
        ("transition", pytest.approx(1.4), pytest.approx(1.6)),
        ("turn right", pytest.approx(1.6), 3.0),
    ]
    asked = {i.form: i.answer for i in walk.instructions}
    assert asked["first"] == "walking" and asked["last"] == "turning right"
    assert walk.captions[0].text == "walks" and walk.recording == "babel/KIT/KIT/3/walk_poses.npz"
    assert np.ptp(walk.motion.joints[0, :, 1]) > 1.4  # upright: Z up was turned to Y up
    wave = rows["babel/val/7"]
    assert [p.action for p in wave.actions] == ["walk", "wave", "t-pose"]
    forms = {i.form for i in wave.instructions}
    assert "yes_no" in forms and not forms & {"first", "last", "order"}  # what overlaps has no order
    assert [s.file for s in result.skipped] == ["train/13 KIT/KIT/3/gone_poses.npz"]
    assert validate(result.folder).ok


def test_babel_without_frame_labels_is_one_action_throughout():
    parts, said = timed_actions({"seq_ann": {"labels": [label("walk")]}, "frame_ann": None}, 4.0, "sequence 1")
    assert [(p.action, p.start, p.end) for p in parts] == [("walk", 0.0, 4.0)] and said == ["walks"]


def test_babel_tells_what_is_wrong(babel, tmp_path):
    root, motions = babel
    with pytest.raises(InputError, match="give --motions"):
        BabelBuilder(str(root), str(tmp_path / "gone")).shards()
    with pytest.raises(InputError, match="none of"):
        BabelBuilder(str(motions), str(motions)).shards()
    with pytest.raises(InputError, match="laid out as BABEL's"):
        timed_actions({"frame_ann": {"labels": [{"proc_label": "walk"}]}}, 4.0, "sequence 1")
    (root / "train.json").write_text("[1]")
    with pytest.raises(InputError, match="expected an object of sequences"):
        BabelBuilder(str(root), str(motions)).shards()


@pytest.fixture
def motionx(tmp_path):
    root = tmp_path / "motionx"
    for name, frames in (("idea400/subset_0001/Wave_clip_1", 90), ("idea400/subset_0001/Wave_clip_2", 60)):
        values = np.zeros((frames, 322), np.float32)
        values[:, 310] = 0.95
        values[:, 309] = np.linspace(0, 1, frames)
        (root / "motion_data" / "smplx_322" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / "motion_data" / "smplx_322" / f"{name}.npy", values)
    text = root / "texts" / "semantic_labels" / "idea400" / "subset_0001" / "Wave_clip_1.txt"
    text.parent.mkdir(parents=True)
    text.write_text("a person waves while standing\n")
    (root / "videos" / "idea400" / "subset_0001").mkdir(parents=True)
    film(root / "videos" / "idea400" / "subset_0001" / "Wave_clip_1.mp4", frames=75)
    return root


def test_motionx_gives_motion_video_and_captions(motionx, tmp_path):
    result, rows = built(MotionXBuilder(str(motionx)), tmp_path)
    one, two = (rows[f"motionx/idea400/subset_0001/Wave_clip_{n}"] for n in (1, 2))
    assert one.captions[0].text == "a person waves while standing" and one.motion.frames == 60
    assert (result.folder / one.video).is_file() and two.video is None
    assert one.motion.joints[-1, 0, 0] - one.motion.joints[0, 0, 0] == pytest.approx(1.0, abs=0.05)
    assert one.recording == two.recording and one.split == two.split  # clips of one video stay together
    assert validate(result.folder).ok


def test_motionx_keeps_to_the_published_lists(motionx, tmp_path):
    (motionx / "train.txt").write_text("idea400/subset_0001/Wave_clip_1\n")
    (motionx / "test.txt").write_text("idea400/subset_0001/Wave_clip_2\n")
    result, rows = built(MotionXBuilder(str(motionx), video=False), tmp_path)
    assert result.rows == {"train": 1, "test": 1}
    assert len({r.recording for r in rows.values()}) == 2 and validate(result.folder).ok


def test_motionx_skips_and_tells(motionx, tmp_path):
    np.save(motionx / "motion_data" / "smplx_322" / "idea400" / "subset_0001" / "Bad.npy", np.zeros((4, 5)))
    result, _ = built(MotionXBuilder(str(motionx)), tmp_path)
    assert any(re.search(r"shape \[4, 5\]; expected \[frames, 322\]", s.reason) for s in result.skipped)
    with pytest.raises(InputError, match="not Motion-X's folder"):
        MotionXBuilder(str(tmp_path)).shards()
