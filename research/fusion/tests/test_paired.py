"""Paired movement and video: what the scene says is what the picture shows, and the same bytes every time."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("panda3d", reason="panda3d is not installed")

from research.fusion.scenes import pinhole
from research.fusion.scenes.draw_scene import draw_girth, draw_room, draw_scene, kept_for_test
from research.fusion.scenes.film_scene import write_film
from research.fusion.scenes.paired_builder import PairedBuilder
from research.fusion.scenes.renderer import render
from research.fusion.scenes.scene import (
    CLOTHES,
    LAMP_HEIGHT,
    OBJECTS,
    Camera,
    Lamp,
    Light,
    Person,
    Prop,
    Room,
    Scene,
)
from research.fusion.scenes.scene_questions import WORDINGS, lateral
from research.vimos_open.synthesis import generate
from vimonet.cli import main
from vimonet.motion.kinematics import heading
from vimonet.utils.errors import InputError
from vimonet.video import read
from vimonet.vimos.dataset_writer import build
from vimonet.vimos.parquet import Record
from vimonet.vimos.reading import read_records, video_duration
from vimonet.vimos.validate import validate

SMALL = PairedBuilder(count=0, val=8, test=6, sources=("synthetic",), pictures=6, size=96)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SMALL, tmp_path_factory.mktemp("paired") / "d", workers=0, progress=False).folder


@pytest.fixture(scope="module")
def rows(made: Path) -> list[Record]:
    return [record for split in ("val", "test") for record in read_records(made, split)]


def wave() -> np.ndarray:
    """A left hand waved, facing +Z, on the floor."""
    joints = generate("raise_hand", seed=next(s for s in range(50) if _side(s) == "left"))[0].joints
    angle = float(np.degrees(heading(joints)[0]))
    turned = pinhole.place(Person("red", "blue", "black", "light", False, True, 1, 1, turn=-angle), joints)
    return turned.astype(np.float32)


def _side(seed: int) -> str:
    return str(generate("raise_hand", seed=seed)[1]["side"])


def scene(**changes: object) -> Scene:
    """One person from the front, a ball at the left, a box at the right."""
    person = Person("red", "blue", "black", "light", False, True, 1.0, 1.0)
    props = (Prop("ball", "yellow", (1.1, 0.0), 0.0), Prop("box", "green", (-1.1, 0.0), 0.0))
    lamp = Lamp((0.7, -1.2), ((0.0, "red"), (1.0, "blue")))
    room = Room("tiles", "plain", "grey", 1, (0.0, 0.0), (2.5, 2.5))
    camera = Camera(0.0, 10.0, 5.0, (0.0, 0.9, 0.0))
    return replace(Scene((person,), props, lamp, room, Light(0, 50, 0, 0.55), camera), **changes)  # type: ignore[arg-type]


def colour_at(picture: np.ndarray, point: np.ndarray, camera: Camera) -> np.ndarray:
    """Mean of 3 x 3 pixels where a point lies."""
    x, y, _ = pinhole.project(camera, point)
    size = len(picture)
    row, column = round((1 - y) / 2 * size), round((1 + x) / 2 * size)
    return picture[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(0) / 255


def nearest(colour: np.ndarray, names: dict[str, tuple[float, float, float]]) -> str:
    """The name whose hue is nearest, brightness aside."""

    def unit(c: object) -> np.ndarray:
        vector = np.asarray(c, float)
        return vector / np.linalg.norm(vector)

    return max((n for n in names if n not in ("white", "black")), key=lambda n: float(unit(names[n]) @ unit(colour)))


def test_the_picture_shows_what_the_scene_says_where_the_camera_says() -> None:
    joints, one = wave(), scene()
    before, after = render(one, [joints], np.array([0.0, 1.2]), 20.0, 160)
    body = pinhole.place(one.people[0], joints)[0]
    chest = (body[9] + body[6]) / 2 + np.array([0, 0, 0.1])
    assert nearest(colour_at(before, chest, one.camera), CLOTHES) == "red"
    assert nearest(colour_at(before, (body[4] + body[7]) / 2, one.camera), CLOTHES) == "blue"
    for prop in one.props:
        where = np.array([prop.place[0], 0.22, prop.place[1]])
        assert nearest(colour_at(before, where, one.camera), OBJECTS) == prop.colour
    globe = np.array([one.lamp.place[0], LAMP_HEIGHT, one.lamp.place[1]])  # type: ignore[union-attr]
    shone = [nearest(colour_at(p, globe, one.camera), {"red": (1, 0, 0), "blue": (0, 0, 1)}) for p in (before, after)]
    assert shone == ["red", "blue"]


def test_left_is_left() -> None:
    joints, one = wave(), scene()
    body = pinhole.place(one.people[0], joints)
    assert [np.sign(lateral(body, prop)[0]) for prop in one.props] == [1, -1]
    # From the front, the left hand is at the right of the picture, as the ball on that side is.
    hand, ball = body[:, 20], np.array([1.1, 0.2, 0.0])
    peak = int(hand[:, 1].argmax())
    assert pinhole.project(one.camera, hand[peak])[0] > pinhole.project(one.camera, body[peak, 0])[0]
    assert pinhole.project(one.camera, ball)[0] > 0
    still, moved = render(one, [joints], np.array([0.0, peak / 20]), 20.0, 160).astype(int)
    changed = np.abs(still - moved).sum(-1)[:80] > 90  # the upper half, where no shadow falls on the floor
    assert np.nonzero(changed)[1].mean() > 80


def test_a_person_seen_from_behind_shows_hair_and_no_face() -> None:
    joints, one = wave(), scene()
    front, back = (
        render(replace(one, camera=replace(one.camera, azimuth=a)), [joints[:1]], np.zeros(1), 20.0, 160)[0]
        for a in (0, 180)
    )
    head = pinhole.place(one.people[0], joints)[0, 15] + np.array([0, 0.05, 0])
    assert (
        colour_at(front, head, one.camera).mean() > 2 * colour_at(back, head, replace(one.camera, azimuth=180)).mean()
    )


def test_films_are_the_same_to_the_byte_in_another_process(made: Path, tmp_path: Path) -> None:
    again = build(SMALL, tmp_path / "d", workers=1, progress=False)
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.suffix in (".mp4", ".parquet"))
    assert len(files) == 14 + 2
    assert [f for f in files if (made / f).read_bytes() != (again.folder / f).read_bytes()] == []
    films = {(made / f).read_bytes() for f in files if f.suffix == ".mp4"}
    assert len(films) == 14


def test_encoding_does_not_depend_on_what_lies_in_memory(tmp_path: Path) -> None:
    pictures = render(scene(), [wave()], np.arange(6) / 4, 20.0, 96)
    rng, left, films = np.random.default_rng(0), [], set()
    for _ in range(40):
        left.append(np.full(int(rng.integers(1, 300_000)), rng.integers(256), np.uint8))
        write_film(tmp_path / "a.mp4", pictures, Fraction(120, 119))
        films.add((tmp_path / "a.mp4").read_bytes())
        left = left[rng.integers(2) :]
    assert len(films) == 1


def test_another_seed_is_another_scene(rows: list[Record]) -> None:
    other = next(r for r in replace(SMALL, seed=1).records(SMALL.shards()[0]) if isinstance(r, Record))
    assert other.provenance["scene"] != rows[0].provenance["scene"]


def test_a_film_lasts_as_long_as_the_movement(made: Path, rows: list[Record]) -> None:
    assert validate(made).findings == []
    for row in rows:
        assert row.motion is not None and row.video is not None
        assert video_duration(made / row.video) == pytest.approx(row.motion.duration, abs=0.01)
        assert read(made / row.video, SMALL.pictures).images.shape == (6, 96, 96, 3)


def test_test_rooms_and_bodies_are_none_of_training() -> None:
    rng = random.Random(0)
    rooms = {
        test: {(r.floor, r.wall, r.colour) for r in (draw_room(rng, test) for _ in range(300))}
        for test in (False, True)
    }
    assert not rooms[False] & rooms[True] and len(rooms[True]) >= 5
    assert all(kept_for_test(*room) for room in rooms[True])
    for i in range(3):  # no word of an answer is new in the test
        assert {room[i] for room in rooms[True]} <= {room[i] for room in rooms[False]}
    girths = {test: [draw_girth(rng, test) for _ in range(300)] for test in (False, True)}
    low, high = min(girths[False]), max(girths[False])
    assert not [g for g in girths[True] if low <= g <= high]


def test_rows_carry_all_three_kinds_of_question(rows: list[Record]) -> None:
    for row in rows:
        needs = [i.evidence["needs"] for i in row.instructions]
        assert set(needs) == {"picture", "motion", "both"}, row.id
        assert not [i for i in row.instructions if i.options and i.answer not in i.options]
    assert {row.provenance["mode"] for row in rows} >= {"sequence", "mirrored"}


def test_answers_follow_from_the_scene(rows: list[Record]) -> None:
    told = 0
    for row in rows:
        told_scene = row.provenance["scene"]
        by_kind = {prop["kind"]: prop["colour"] for prop in told_scene["props"]}
        for i in row.instructions:
            if i.form == "prop_colour":
                assert i.answer == by_kind[i.slots["p"]]
                told += 1
            if i.form == "lamp_during":
                part = next(p for p in row.actions if abs(p.start - (i.start or 0)) < 1e-3)
                shining = [c for start, c in told_scene["lamp"]["colours"] if start <= (part.start + part.end) / 2]
                assert i.answer == shining[-1]
                told += 1
    assert told > 5


def test_of_two_people_one_answer_is_the_others_opposite(rows: list[Record]) -> None:
    two = [row for row in rows if len(row.provenance["scene"]["people"]) == 2]
    assert two
    for row in two:
        shirts = [person["shirt"] for person in row.provenance["scene"]["people"]]
        asked = [i for i in row.instructions if i.evidence["needs"] == "both"]
        side = row.provenance["given"].removeprefix("the person on the ")
        leads = tuple(f"{words.format(side=side)} " for kind in WORDINGS["given"].values() for words in kind)
        assert asked and all(i.question.startswith(leads) for i in asked)
        if row.provenance["mode"] == "reversed":
            mine, other = ([action for action, _, _ in actions] for actions in row.provenance["actions"])
            assert mine == other[::-1]
        for i in asked:
            if i.form == "order":
                assert row.provenance["mode"] == "reversed"
                given = f"{shirts[0]} shirt" in i.question
                expected = "before" if i.slots["a"] == _doing(row) else "after"
                assert (i.answer == expected) == given


def _doing(row: Record) -> str:
    from vimonet.vimos.action_labels import participle

    return participle(row.actions[0].action)


def test_a_movement_that_fills_no_picture_gives_no_scene() -> None:
    far = np.repeat(wave()[:1], 40, 0) + np.linspace(0, 30, 40, dtype=np.float32)[:, None, None] * np.array(
        [1, 0, 0], np.float32
    )
    assert draw_scene([far], [], random.Random(0)) is None


def test_a_film_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_film(path, np.zeros((3, 32, 32, 3), np.uint8), Fraction(60, 41))
    assert path.is_file() and not list(tmp_path.glob("*.part"))


def test_bad_settings_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="even number"):
        PairedBuilder(size=97)
    file = Path(__file__).parents[1] / "scenes/paired_builder.py"
    command = ["data", "build", str(file), "-o", str(tmp_path / "x"), "--sources", "penn_action_2d"]
    assert main(command) == 2
    assert "3D movement" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
