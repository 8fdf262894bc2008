"""Several people: everyone is listed, told apart where they cross, chosen by number, or read all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_clips import make

import vimonet.motion.pose as estimation
from vimonet.cli import main
from vimonet.motion import load, load_people, recording_info
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError

NAMES = LAYOUTS["coco17"]
# A standing figure, 1 high, head at the top, feet at 0: x, y in COCO's order.
FIGURE = np.array(
    [
        *[(0, 0.95), (0.02, 0.97), (-0.02, 0.97), (0.04, 0.96), (-0.04, 0.96), (0.1, 0.82), (-0.1, 0.82)],
        *[(0.13, 0.66), (-0.13, 0.66), (0.14, 0.5), (-0.14, 0.5), (0.07, 0.5), (-0.07, 0.5)],
        *[(0.07, 0.27), (-0.07, 0.27), (0.07, 0.03), (-0.07, 0.03)],
    ]
)
FRAMES = 60


def body(x: float, height: float = 200.0) -> list[list[float]]:
    return [[x + px * height, 340 - py * height, 0.9] for px, py in FIGURE]


def crossing(ids: Any = None, hidden: int = 6) -> dict[str, Any]:
    """Two cross in the middle: one walks 590 pixels to the right, the other to the left; the first is hidden there.

    `ids` gives the number of a person in a frame: (frame, which) -> int or None.
    """
    frames = []
    for k in range(FRAMES):
        here = [(1, body(25 + 10 * k))] if abs(2 * k - FRAMES + 1) >= hidden else []
        here.append((2, body(615 - 10 * k, 210)))
        people = []
        for which, points in here[:: 1 if k % 3 else -1]:  # in no constant order
            number = ids(k, which) if ids else None
            people.append({"keypoints": points} | ({} if number is None else {"track_id": number}))
        frames.append({"people": people})
    return {"fps": 30, "width": 640, "height": 360, "names": NAMES, "frames": frames}


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def moved(motion: Any) -> float:
    """Pixels that the pelvis moves to the right."""
    return float(motion.joints[-1, 0, 0] - motion.joints[0, 0, 0]) / float(motion.details["unit"].split()[0])


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        (None, (1, 2)),
        (lambda k, which: 10 * which, (10, 20)),
        (lambda k, which: 10 * which if k % 4 else None, (10, 20)),  # a tracker that loses its number now and then
        (lambda k, which: 10 * which if k > 5 else None, (10, 20)),  # one that gives it only after some frames
    ],
)
def test_two_who_cross_are_told_apart(ids: Any, numbers: tuple[int, int]) -> None:
    people = load_people(dump(crossing(ids)))
    by_number = {one.details["person"]: one for one in people}
    goes = {number: round(moved(one) / 590, 1) for number, one in by_number.items()}
    if ids is None:  # numbered in the order of appearance, here that of the list
        assert sorted(goes.values()) == [-1.0, 1.0] and set(goes) == set(numbers)
    else:
        assert goes == {numbers[0]: 1.0, numbers[1]: -1.0}


def test_ids_win_over_nearness() -> None:
    """The file says that the two turn back where they meet."""
    people = load_people(dump(crossing(lambda k, which: which if 2 * k < FRAMES else 3 - which)))
    assert [one.details["person"] for one in people] == [1, 2]
    assert abs(moved(people[0])) < 30 and abs(moved(people[1])) < 30


def test_everyone_is_listed_with_time_and_place() -> None:
    described = recording_info(load(dump(crossing(lambda k, which: which))))
    assert described["person"] == 2  # first in the first frame's list
    assert described["people"] == {
        "1": {"frames": 54, "share": 0.9, "first": 0, "last": 59, "place": "left to right"},
        "2": {"frames": 60, "share": 1.0, "first": 0, "last": 59, "place": "right to left"},
    }
    assert any("person 2 is read" in note for note in described["notes"])


def test_who_is_brief_or_no_body_is_left_out_and_named() -> None:
    scene = crossing(lambda k, which: which)
    scene["frames"][5]["people"].append({"keypoints": body(300), "track_id": 7})
    only_nose = [[320.0, 100.0, 0.9], *[[0.0, 0.0, 0.0]] * 16]
    for frame in scene["frames"]:
        frame["people"].append({"keypoints": only_nose, "track_id": 9})
    people = load_people(dump(scene))
    assert [one.details["person"] for one in people] == [1, 2]
    assert any("less than 0.5 s: person 7" in note for note in people[0].notes)
    assert any("person 9 is left out: " in note and "no torso" in note for note in people[0].notes)
    assert list(people[0].details["people"]) == ["1", "2", "7", "9"]
    with pytest.raises(InputError, match="no torso"):
        load(dump(scene), person=9)
    with pytest.raises(InputError, match="there is no person 3; the file has 1"):
        load(dump(scene), person=3)


def test_one_person_is_everyone() -> None:
    walk = load("sample:walk")
    alone = load_people("sample:walk")
    assert len(alone) == 1
    np.testing.assert_array_equal(alone[0].joints, walk.joints)
    assert load_people(walk)[0] is walk
    with pytest.raises(InputError, match="load_people"):
        load(dump(crossing()), person="all")  # type: ignore[arg-type]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.json"
    path.write_bytes(dump(crossing(lambda k, which: which)))
    return path


def test_every_answer_says_whose_it_is(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "What does the person do?"
    assert main(["ask", str(two), question, "--person", "all", "--json", "--facts"]) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["person"] for line in printed.out.splitlines()] == [1, 2]
    moves = [line for line in printed.err.splitlines() if "across the picture" in line]
    assert ["to the right" in line for line in moves] == [True, False] and "to the left" in moves[1]
    assert main(["ask", str(two), question]) == 0
    printed = capsys.readouterr()
    assert "2 people" in printed.err and "person 2 is read; --person takes another" in printed.err
    assert main(["ask", str(two), question, "--person", "all"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[::2]] == ["person 1", "person 2"]


def test_inspect_lists_and_describes_everyone(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(two)]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("people")
    assert lines[start + 1 : start + 3] == [
        "  1  54 frames, 90 % of the time, 0.0-2.0 s, left to right",
        "  2  60 frames, 100 % of the time, 0.0-2.0 s, right to left (read)",
    ]
    assert main(["inspect", str(two), "--person", "all", "--json"]) == 0
    assert [json.loads(line)["person"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


def test_captions_of_everyone_resume_whole(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "captions.jsonl"
    command = ["caption", str(two), "sample:walk", "--person", "all", "-o", str(output)]
    assert main(command) == 0
    whole = output.read_text()
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [(Path(one["file"]).name, one["person"], one["people"]) for one in lines] == [
        *[("two.json", 1, 2), ("two.json", 2, 2), ("sample:walk", 1, 1)]
    ]
    for cut in (whole.index("\n") + 1, whole.index("\n") + 40, len(whole) - 10):  # killed after and inside a line
        output.write_text(whole[:cut])
        assert main(command) == 0
        assert output.read_text() == whole
    assert main(command) == 0 and output.read_text() == whole


def test_a_command_of_one_person_refuses_all(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(two), "-o", str(tmp_path / "two.png"), "--person", "all"]) == 2
    assert "reads one person" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["inspect", str(two), "--person", "everyone"])
    assert "invalid person value" in capsys.readouterr().err


def test_each_person_is_converted_to_a_file(two: Path, tmp_path: Path) -> None:
    assert main(["convert-motion", str(two), str(tmp_path / "out.csv"), "--person", "all"]) == 0
    assert [moved(load(tmp_path / f"out-person-{k}.csv")) > 0 for k in (1, 2)] == [True, False]


class _Estimator:
    layout, name = "coco17", "two who cross, for tests"

    def __init__(self) -> None:
        self.frame = 0

    def people(self, image: np.ndarray) -> list[estimation.Person]:
        scene = crossing()["frames"][self.frame]["people"]
        self.frame += 1
        points = [np.array(one["keypoints"]) for one in scene]
        return [estimation.Person(one[:, :2], one[:, 2]) for one in points]

    def close(self) -> None:
        pass


@pytest.fixture
def estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []

    def make_one(name: str | None = None) -> _Estimator:
        calls.append(str(name))
        return _Estimator()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIMONET_CACHE", raising=False)
    monkeypatch.setattr(estimation, "estimator_of", make_one)
    return calls


def test_everyone_in_a_video(tmp_path: Path, estimated: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    clip = make(tmp_path / "clip.mp4", FRAMES, size=(640, 360))
    people = load_people(clip)
    assert [one.details["person"] for one in people] == [1, 2]
    assert sorted(round(moved(one) / 590, 1) for one in people) == [-1.0, 1.0]
    assert {one["place"] for one in people[0].details["people"].values()} == {"left to right", "right to left"}
    np.testing.assert_array_equal(load(clip, person=2).joints, people[1].joints)
    with pytest.raises(InputError, match=r"clip.mp4: there is no person 3; 2 can be followed"):
        load(clip, person=3)
    assert main(["pose", str(clip), "-o", str(tmp_path / "all.json"), "--person", "all", "--json"]) == 0
    assert [json.loads(line)["person"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    again = load_people(tmp_path / "all.json")
    for one, other in zip(people, again, strict=True):
        np.testing.assert_allclose(one.joints, other.joints, atol=0.02)
    assert main(["inspect", str(clip), "--person", "2"]) == 0
    assert "person 2 by size, place and time in view is followed" in capsys.readouterr().out
    assert len(estimated) == 1, "estimated once for everyone"
