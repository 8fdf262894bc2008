from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from research.vimos_open.builder import OpenBuilder
from research.vimos_open.corpus_labels import action_phrase
from research.vimos_open.film_poses import films, looked_at
from research.vimos_open.films import FILMS, film_clips, film_records
from research.vimos_open.synthesis import generate
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose import Poses
from vimonet.motion.projection import project
from vimonet.motion.skeleton import INDEX
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle
from vimonet.vimos.annotators.kinematic import CANNOT_TELL
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.parquet import Record

_ROWS: list[dict[str, Any]] = [
    {"file": "clips/pureprog/a.mp4", "label": "wave one hand", "split": "train", "group": "a"},
    {
        **{"file": "clips/gmdcsa24/b.mp4", "label": "fall backward", "split": "train", "group": "b"},
        **{"segments": "Falling (BW)[1.5 to 12]; Standing[0 to 1.5]", "caption": "Falling backward (side view)"},
    },
    {"file": "clips/fight_surv/c.mp4", "label": "no person is visible", "split": "train", "group": "c"},
    {"file": "clips/har_dollarpy/d.mp4", "label": "jump straight up", "split": "test", "group": "d"},
    {"file": "clips/pureprog/e.mp4", "label": "do push-ups", "split": "train", "group": "e"},
]
_FOUND = {"a": ("wave", 1), "b": ("fall", 1), "c": (None, 0), "d": ("jumps", 1), "e": ("wave", 2)}


def _poses(action: str) -> Poses:
    """Keypoints in pixels as of a camera in front of a generated movement."""
    flat = project(generate(action, seed=4)[0])
    names = LAYOUTS["mediapipe33"]
    points, confidence = np.full((flat.frames, 33, 2), 5.0), np.zeros((flat.frames, 33))
    for place, name in enumerate(names):
        joint = INDEX.get({"nose": "head"}.get(name, name))
        if joint is not None:
            points[:, place] = 500 + flat.joints[:, joint, :2] * (200, -200)
            confidence[:, place] = 0.9
    return Poses(points, confidence, 20.0, "mediapipe33", (1000, 1000), 1, (), "generated", ())


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("poses")
    rows, lines = [], []
    for row in _ROWS:
        action, people = _FOUND[Path(row["file"]).stem]
        source, poses = row["file"].split("/")[1], None
        film = root / "video_labelled" / row["file"]
        film.parent.mkdir(parents=True, exist_ok=True)
        film.write_bytes(b"film of " + row["file"].encode())
        duration = 3.0
        if action is not None:
            found = _poses(action)
            poses, duration = f"{film.stem}.npz", len(found.points) / 20
            found.save(folder / poses)
        rows.append({**row, "source": source, "duration": duration, "licence": f"licence of {source}"})
        lines.append({"file": row["file"], "poses": poses, "people": people, "seen": float(people > 0)})
    (root / "video_labelled" / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cut_short = '{"file": "clips/pu'
    (folder / "films.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + cut_short)
    return root, folder


def _row(recordings: tuple[Path, Path], name: str, split: str = "train") -> Record:
    root, folder = recordings
    return next(r for r in film_records([name], split, 0, str(root), folder) if isinstance(r, Record))


def test_a_line_cut_short_is_no_film(recordings: tuple[Path, Path]) -> None:
    assert set(looked_at(recordings[1])) == {row["file"] for row in _ROWS}


def test_a_film_of_one_person_is_a_row_of_keypoints_and_video(recordings: tuple[Path, Path]) -> None:
    row = _row(recordings, "pureprog/a")
    assert row.motion is not None and row.motion.dimensions == 2
    torso = np.linalg.norm(row.motion.joints[:, INDEX["neck"], :2] - row.motion.joints[:, 0, :2], axis=1)
    assert np.median(torso) == pytest.approx(0.5, abs=0.02)
    assert (row.video, row.video_span, row.licence) == ("video/pureprog_a.mp4", None, "licence of pureprog")
    assert [part.action for part in row.actions] == ["wave"]
    assert {"action", "raised_hand"} <= {i.form for i in row.instructions}
    assert "a person waves." in [caption.text for caption in row.captions]


def test_a_fall_begins_when_the_source_says(recordings: tuple[Path, Path]) -> None:
    row = _row(recordings, "gmdcsa24/b")
    assert row.motion is not None
    (part,) = row.actions
    assert (part.action, part.start) == ("fall", 1.5)
    assert part.end == pytest.approx(row.motion.duration)
    assert "falling backward." in [caption.text for caption in row.captions]
    (clip,) = (c for c in film_clips("train", str(recordings[0]), recordings[1]) if c.action == "fall")
    assert clip.motion.frames == row.motion.frames - 30


def test_of_several_people_nothing_measured_is_asked(recordings: tuple[Path, Path]) -> None:
    forms = {i.form for i in _row(recordings, "pureprog/e").instructions}
    assert "action" in forms and not forms & {"raised_hand", "more_active_arm", "displacement", "turn"}
    assert {c.id for c in film_clips("train", *map(str, recordings[:1]), recordings[1])} == {
        f"{FILMS}/pureprog/a",
        f"{FILMS}/gmdcsa24/b",
    }


def test_a_film_of_nobody_cannot_be_told_about(recordings: tuple[Path, Path]) -> None:
    row = _row(recordings, "fight_surv/c")
    assert row.motion is None and row.actions == () and row.video is not None
    assert {i.answer for i in row.instructions} == {CANNOT_TELL}
    assert [caption.text for caption in row.captions] == ["no person is visible."]


def test_the_builder_writes_films_with_their_videos(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    root, folder = recordings
    made = OpenBuilder(root=str(root), count=4, val=0, sources=(FILMS,), film_poses=str(folder))
    done = build(made, tmp_path / "out", workers=0, progress=False)
    assert done.rows["test_films"] == 1
    assert 4 <= done.rows["train"] <= 8
    assert (tmp_path / "out/video/pureprog_a.mp4").read_bytes() == b"film of clips/pureprog/a.mp4"
    table = pq.read_table(tmp_path / "out/train").to_pylist()
    named = {row["id"]: row for row in table if row["video"]}
    assert len(named) == 4
    drawn = [row for row in table if not row["video"]]
    assert all(row["licence"].startswith("licence of") for row in drawn), "each of its own source"
    assert made.settings()["films"] == 5


def test_without_keypoints_there_are_no_films(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIMONET_FILM_POSES", raising=False)
    assert FILMS not in OpenBuilder().settings()["sources"]
    with pytest.raises(InputError, match="no keypoints of films"):
        OpenBuilder(film_poses=str(tmp_path)).settings()


def test_every_label_of_a_film_is_inflected_as_one_verb_phrase(shared: Path) -> None:
    """A verb after "and" is left in its base form unless the inflection knows it: "lying down and pull"."""
    for row in films(shared):
        action = action_phrase(FILMS, row["label"])
        assert action is not None
        for joined in re.findall(r"(?: and | or )(\w+)", participle(action)):
            assert joined.endswith("ing") or joined in ("legs", "forward", "back", "a"), action


def test_the_place_is_no_part_of_a_movement() -> None:
    assert action_phrase(FILMS, "walk along a corridor") == "walk"
    assert action_phrase(FILMS, "walk into a room and stand with the back to the camera").startswith("walk into")
    assert action_phrase(FILMS, "do pull-ups on a bar") == action_phrase("penn_action_2d", "pullup")
    assert action_phrase(FILMS, "hold out a plate") == "hold out a plate"
