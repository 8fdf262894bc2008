"""Datasets small enough to write in a test: VIMOS, MVBench and BABEL-QA as published."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
from bench_world import body

from vimonet.vimos.parquet import Caption, Instruction, Record, to_row, to_table

HANDS = ("left hand", "right hand", "neither hand")


def record(k: int, split: str = "test", video: str | None = None) -> Record:
    """A clip that raises the left or the right hand, and walks at every third."""
    side, walks = ("left", "right")[k % 2], k % 3 == 0
    hand = Instruction(
        *("raised_hand", "raised_hand", "Which hand is raised?", f"{side} hand", "body_part", "kinematic", HANDS),
        wording="unseen" if k % 4 == 0 else "seen",
    )
    walk = Instruction("yes_no", "yes_no", "Does the person walk?", "yes" if walks else "no", "reasoning", "kinematic")
    time = Instruction("timing", "start_second", "At what second?", "at 1.5 seconds", "timing", "kinematic")
    told = (Caption("a person walks."), Caption("Someone moves.", "kinematic")) if walks else (Caption("stands."),)
    return Record(
        *(f"{split}/{k:03d}", "here" if k % 5 else "there", f"{split}-r{k}", split, "CC0"),
        motion=body(side, walks, 16 + k % 5, k),
        video=video,
        video_span=(0.2, 0.8) if video else None,
        captions=told,
        instructions=(hand, walk, time),
    )


def write_vimos(folder: Path, tests: int = 12, trains: int = 24, video: bool = False) -> Path:
    """A finished dataset with a train and a test split."""
    for split, number in (("test", tests), ("train", trains)):
        (folder / split).mkdir(parents=True)
        name = "video/clip.mp4" if video else None
        rows = [to_row(record(k + (100 if split == "train" else 0), split, name)) for k in range(number)]
        pq.write_table(to_table(rows), folder / split / "00000.parquet")
    (folder / "vimos.json").write_text(json.dumps({"vimos_version": 1, "sha256": "abc"}))
    if video:
        write_video(folder / "video" / "clip.mp4")
    return folder


def write_video(path: Path, seconds: float = 1.0, fps: int = 10) -> Path:
    """A grey picture that brightens with time, white on its left half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        count = int(seconds * fps)
        for k in range(count):
            picture = np.full((48, 64, 3), 20 + 150 * k // count, np.uint8)
            picture[:, :32] += 60
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_mvbench(folder: Path) -> Path:
    """Two tasks as MVBench lays them out."""
    (folder / "json").mkdir(parents=True)
    entry = {"video": "a.mp4", "question": "What next?", "candidates": ["sit", "stand", "run"], "answer": "stand"}
    (folder / "json" / "action_prediction.json").write_text(json.dumps([entry | {"start": 0.1, "end": 0.6}]))
    (folder / "json" / "fine_grained_pose.json").write_text(json.dumps([entry, entry | {"answer": "run"}]))
    write_video(folder / "video" / "star" / "Charades_v1_480" / "a.mp4")
    write_video(folder / "video" / "nturgbd" / "a.mp4")
    return folder


def write_babel_qa(folder: Path) -> Path:
    """Three questions about two motions as BABEL-QA lays them out."""
    folder.mkdir(parents=True)
    questions = {
        f"{k:06d}": {
            **{
                "babel_id": str(k % 2),
                "question": "What action does the person do?",
                "answer": ("walk", "stand")[k % 2],
            },
            **{"query_type": "query_action", "relation_type": "after", "question_id": f"{k:06d}"},
        }
        for k in range(3)
    }
    (folder / "questions.json").write_text(json.dumps(questions))
    (folder / "split_question_ids.json").write_text(json.dumps({"train": ["000002"], "test": ["000000", "000001"]}))
    part = {"start_f": 0, "end_f": 15, "attributes": {"action": ["walk"]}}
    (folder / "motion_concepts.json").write_text(json.dumps({"0": [part]}))
    for name in "01":
        place = folder / "motion_sequences" / name
        place.mkdir(parents=True)
        np.save(place / "joints.npy", body("left", True, 30, int(name)).joints)
    return folder
