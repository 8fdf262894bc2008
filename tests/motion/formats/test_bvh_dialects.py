"""BVH as exporters really write it reads like the plain file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mocap_files import bvh_text, standing_bvh, walk_like

from vimonet.motion import Motion, load, load_people
from vimonet.motion.io.bvh_text import parse_numbers
from vimonet.utils.errors import InputError

PROP = "ROOT Prop1\n{\n OFFSET 0 0 0\n CHANNELS 3 Xposition Yposition Zposition\n End Site\n {\n  OFFSET 0 5 0\n }\n}\n"


def commas_between(text: str) -> str:
    head, rows = text.split("Frame Time: 0.05\n")
    return head + "Frame Time: 0.05\n" + "\n".join(", ".join(row.split()) for row in rows.splitlines())


def with_key_words(text: str, change: Callable[[str], str]) -> str:
    words = r"\b(HIERARCHY|ROOT|JOINT|OFFSET|CHANNELS|End Site|MOTION|Frames|Frame Time)\b"
    return re.sub(words, lambda match: change(match[0]), text)


DIALECTS: dict[str, Callable[[str], bytes]] = {
    "decimal commas": lambda t: t.replace(".", ",").encode(),
    "decimal commas and semicolons": lambda t: commas_between(t).replace(",", ";").replace(".", ",").encode(),
    "commas between": lambda t: commas_between(t).encode(),
    "commas alone between": lambda t: commas_between(t).replace(", ", ",").encode(),
    "commas in offsets": lambda t: re.sub(r"OFFSET (\S+) (\S+) (\S+)", r"OFFSET \1, \2, \3", t).encode(),
    "carriage returns": lambda t: t.replace("\n", "\r").encode(),
    "lower case": lambda t: with_key_words(t, str.lower).encode(),
    "upper case": lambda t: with_key_words(t, str.upper).encode(),
    "UTF-16": lambda t: t.encode("utf-16"),
    "UTF-16 without a mark": lambda t: t.encode("utf-16-le"),
    "big-endian UTF-16": lambda t: t.encode("utf-16-be"),
    "end sites in one word": lambda t: t.replace("End Site", "EndSite").encode(),
    "no colons": lambda t: t.replace("Frames:", "Frames").replace("Time:", "Time").encode(),
    "a decimal count of frames": lambda t: t.replace("Frames: 8", "Frames: 8.0").encode(),
    "MOTION behind the brace": lambda t: t.replace("}\nMOTION", "} MOTION").encode(),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_read_like_the_plain_file(dialect: str) -> None:
    text = standing_bvh(8)
    motion = load(DIALECTS[dialect](text))
    np.testing.assert_allclose(motion.joints, load(text.encode()).joints, atol=1e-5)
    assert motion.source == "bvh"


@pytest.mark.parametrize(
    ("declared", "cut"), [(0, False), (-8, False), (7, False), (9, False), (3, False), (12, True), (10_000_000, True)]
)
def test_all_rows_are_read_whatever_is_declared(declared: int, cut: bool) -> None:
    motion = load(standing_bvh(8, declared=declared).encode())
    assert motion.frames == 8
    [note] = [note for note in motion.notes if "declares" in note]
    assert note.startswith(f"the file declares {declared} frames and holds 8")
    assert ("cut off" in note) is cut


@pytest.mark.parametrize(
    ("printed", "rate", "note"),
    [
        *(
            ("0.0083", 120, "120 frames/s, rounded"),
            ("0.033", 30, "30 frames/s, rounded"),
            ("0.017", 60, "60 frames/s"),
        ),
        *(("0.042", 24, "24 frames/s, rounded"), ("0.04", 25, ""), ("0.02", 50, ""), ("0.0304", 1 / 0.0304, "")),
        ("0.03", 100 / 3, "33.33 frames/s, or 30 rounded; --fps 30 decides"),
    ],
)
def test_a_rounded_frame_time_is_the_rate_that_rounds_to_it(printed: str, rate: float, note: str) -> None:
    motion = load(standing_bvh(8).replace("Frame Time: 0.05", f"Frame Time: {printed}").encode())
    assert motion.source_fps == pytest.approx(rate, rel=1e-6)
    assert [note in one for one in motion.notes if "frame time" in one] == ([True] if note else [])


def test_angles_in_radians_are_doubted() -> None:
    rotations, root = walk_like(20)
    doubted = [
        any("radians" in n for n in load(bvh_text(r, root).encode()).notes) for r in (rotations / 57.3, rotations)
    ]
    assert doubted == [True, False]


def test_a_given_rate_replaces_a_broken_frame_time() -> None:
    text = standing_bvh(8).replace("Frame Time: 0.05", "Frame Time: 0")
    assert load(text.encode(), fps=20).frames == 8
    with pytest.raises(InputError, match="Frame Time is 0"):
        load(text.encode())


def two_roots(second: str, columns: str, *, first: bool = False) -> bytes:
    text = standing_bvh(8)
    head, rows = text.split("MOTION\n")
    lines = rows.splitlines()
    lines[2:] = [f"{columns} {row}" if first else f"{row} {columns}" for row in lines[2:]]
    head = head.replace("HIERARCHY\n", f"HIERARCHY\n{second}") if first else head + second
    return (head + "MOTION\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("first", [False, True])
def test_a_prop_is_skipped_and_said(first: bool) -> None:
    motion = load(two_roots(PROP, "1 2 3", first=first))
    np.testing.assert_allclose(motion.joints, load(standing_bvh(8).encode()).joints, atol=1e-6)
    assert "2 roots in the file: Hips is read, skipped: Prop1 (no body)" in motion.notes


def test_the_first_of_two_bodies_is_read_and_said() -> None:
    rotations, root = walk_like(8, seed=1)
    other = bvh_text(rotations, root)
    second = other[other.index("ROOT") : other.index("MOTION")].replace("ROOT Hips", "ROOT Guest")
    rows = standing_bvh(8).splitlines()[-1]
    motion = load(two_roots(second, rows))
    np.testing.assert_allclose(motion.joints, load(standing_bvh(8).encode()).joints, atol=1e-6)
    assert "2 roots in the file: Hips is read, skipped: Guest (another body)" in motion.notes
    assert any(note.startswith("2 people by root, 1 (8 frames), 2 (8 frames): person 1") for note in motion.notes)
    guest = load(two_roots(second, rows), person=2)
    assert guest.details["person"] == 2 and len(guest.details["people"]) == 2
    assert np.ptp(guest.joints, axis=0).max() < 1e-6, "the second holds still"
    assert [one.details["person"] for one in load_people(two_roots(second, rows))] == [1, 2]
    with pytest.raises(InputError, match="there is no person 3"):
        load(two_roots(second, rows), person=3)


def test_a_dummy_joint_in_the_pelvis_is_never_the_hip() -> None:
    text = standing_bvh(8, names=None)
    plain = load(text.encode())
    for side, letter in (("Left", "L"), ("Right", "R")):
        text = text.replace(f"{side}UpLeg", f"{side}Hip").replace(f"{side}Leg", f"{side}Knee")
        begin = text.index(f"  JOINT {side}Hip\n")
        depth, end = 0, text.index("{", begin)
        while True:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        dummy = f"  JOINT {letter}HipJoint\n  {{\n OFFSET 0 0 0\n CHANNELS 0\n"
        text = text[:begin] + dummy + text[begin:end] + "\n  }" + text[end:]
    motion = load(text.encode())
    np.testing.assert_allclose(motion.joints, plain.joints, atol=1e-5)


def check_walk(motion: Motion, seconds: float, metres: float) -> None:
    """Check the CMU walk that the cases are made of."""
    joints = motion.joints
    assert motion.duration == pytest.approx(seconds, abs=0.06)
    assert np.median(joints[:, 0, 1]) == pytest.approx(0.91, abs=0.03)
    leg = np.linalg.norm(joints[0, 4] - joints[0, 1]) + np.linalg.norm(joints[0, 7] - joints[0, 4])
    assert leg == pytest.approx(0.79, abs=0.02)
    assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(metres, abs=0.05)
    assert (joints[:, 15, 1] > joints[:, 0, 1]).all()


CASES = {
    "16-two-roots-misleading-refusal/*.bvh": (1.0, 0.83, "2 roots"),
    "17-frame-count-off-by-one/*.bvh": (2.0, 1.74, "and holds 60"),
    "25-bvh-dialects-refused/*.bvh": (2.0, 1.74, ""),
}


@pytest.mark.parametrize("pattern", CASES)
def test_recordings_as_people_have_them(pattern: str, shared: Path) -> None:
    seconds, metres, note = CASES[pattern]
    files = sorted((shared.parent / "cases").glob(pattern))
    assert files
    for file in files:
        motion = load(file)
        check_walk(motion, seconds, metres)
        assert any(note in said for said in motion.notes), file.name


def test_hips_of_the_3dsmax_conversion(shared: Path) -> None:
    motion = load(shared.parent / "cases" / "08-lhipjoint-taken-for-hip" / "walk.bvh")
    joints = motion.joints
    leg = np.linalg.norm(joints[0, 4] - joints[0, 1]) + np.linalg.norm(joints[0, 7] - joints[0, 4])
    assert leg == pytest.approx(0.84, abs=0.01)
    assert np.median(joints[:, 0, 1]) == pytest.approx(0.97, abs=0.01)
    assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(1.85, abs=0.02)
    assert np.linalg.norm(joints[0, 1] - joints[0, 2]) > 0.1
    assert motion.details["unit"].lower().startswith("cmu")


@pytest.mark.parametrize("end", ["\n", " \r\n", "\r"])
@pytest.mark.parametrize("form", ["%.6f", "%.17g", "%g", "%.3e"])
def test_arrow_parses_numbers_as_numpy_to_the_bit(end: str, form: str) -> None:
    pytest.importorskip("pyarrow.csv")
    rows = np.random.default_rng(0).normal(0, 40, (30, 17)) * 10.0 ** np.arange(-14, 3)
    text = (end.join(" ".join(form % value for value in row) for row in rows) + end).encode()
    assert parse_numbers(text, "x.bvh", 17).tobytes() == parse_numbers(text, "x.bvh").tobytes()


@pytest.mark.parametrize("text", [b"1 2\n3\t4", b"1  2\n3 4", b"1 2 3\n4", b"+1 2\n\n3 4.", b"1 2 3 4"])
def test_lines_of_another_form_are_left_to_numpy(text: bytes) -> None:
    pytest.importorskip("pyarrow.csv")
    assert parse_numbers(text, "x.bvh", 2).tolist() == [1, 2, 3, 4]
