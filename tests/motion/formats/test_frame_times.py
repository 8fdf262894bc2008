"""Times of frames, rates in any wording, marks of lost points, tables as programs write them: of a known clip."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_recording_kinds import J, clip, noted, same  # noqa: F401
from test_trc import POSE2SIM, trc

from vimonet.motion import JOINT_NAMES, load
from vimonet.utils.errors import InputError

GAP = [k for k in range(60) if not 20 <= k < 32]
DROPPED = sorted(np.random.default_rng(0).choice(np.arange(1, 59), 40, replace=False).tolist())
HALVES = [*range(30), *range(30, 60, 2)]
COLUMNS = [f"{name}_{axis}" for name in JOINT_NAMES for axis in "xyz"]


def as_json(joints: np.ndarray, times: list[Any] | None = None, key: str = "timestamp", **about: Any) -> bytes:
    frames = [{"keypoints": row.round(5).tolist()} for row in joints]
    for frame, time in zip(frames, times or [], strict=False):
        frame[key] = time
    return json.dumps({"names": list(JOINT_NAMES), **about, "frames": frames}).encode()


def as_csv(
    joints: np.ndarray, times: list[Any] | None = None, key: str = "time", columns: list[str] = COLUMNS
) -> bytes:
    rows = [
        [*([] if times is None else [str(times[k])]), *(f"{v:.5f}" for v in row.ravel())]
        for k, row in enumerate(joints)
    ]
    return "\n".join(",".join(row) for row in [[*([] if times is None else [key]), *columns], *rows]).encode()


def as_npz(joints: np.ndarray, times: list[Any] | None = None, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, joints=joints, **({} if times is None else {"timestamps": np.array(times)}), **arrays)
    return stream.getvalue()


def as_trc(joints: np.ndarray, times: list[float] | None = None, rate: float = 20) -> bytes:
    lines = trc({label: joints[:, J[joint]] for label, joint in POSE2SIM.items()}, fps=rate).splitlines()
    for k, time in enumerate(times or []):
        frame, _, rest = lines[6 + k].split("\t", 2)
        lines[6 + k] = f"{frame}\t{time:.5f}\t{rest}"
    return "\n".join(lines).encode()


Writer = Callable[..., bytes]
WRITERS = pytest.mark.parametrize("write", [as_json, as_csv, as_npz, as_trc])


@pytest.fixture
def walk(clip: np.ndarray) -> np.ndarray:  # noqa: F811
    return clip[:60]


# Frames at their times


@WRITERS
@pytest.mark.parametrize("kept", [GAP, DROPPED, HALVES], ids=["gap", "dropped", "half the rate"])
def test_frames_stand_at_their_times(walk: np.ndarray, write: Writer, kept: list[int]) -> None:
    """They were read as if evenly spaced: a webcam's dropped frames made everything faster, and nothing said so."""
    motion = load(write(walk[kept], [k / 20 for k in kept]))
    assert noted(motion, "frames are put at their times, which are uneven")
    assert motion.frames == kept[-1] - kept[0] + 1
    seen = [k - kept[0] for k in kept]
    off = motion.joints[seen, J["left_ankle"]] - walk[kept, J["left_ankle"]]
    assert np.abs(off - off.mean(axis=0)).max() < 0.01


@WRITERS
def test_frames_out_of_order_are_sorted_by_their_times(walk: np.ndarray, write: Writer) -> None:
    motion = load(write(walk[::-1], [k / 20 for k in range(59, -1, -1)]))
    same(motion, walk)


def test_times_that_cannot_be_are_not_followed(walk: np.ndarray) -> None:
    even = [k / 20 for k in range(60)]
    for times, words in (
        ([*even[:30], *even[:30]], "its times go back"),
        ([*even[:59], 1e6], "gaps far longer than the recording"),
        ([100 + time for time in even[:59]] + [0.0], "gaps far longer than the recording"),
    ):
        motion = load(as_json(walk, times))
        assert noted(motion, words)
        same(motion, walk)
    same(
        load(as_json(walk, [round(time, 1) for time in even])), walk, within=0.2
    )  # a clock of tenths: two frames have one time


def test_a_long_absence_in_numbered_frames_is_a_gap(walk: np.ndarray) -> None:
    """Files list the frames that show somebody; who was away for 55 frames came back at once."""
    numbers = [*range(30), *range(85, 145)]
    motion = load(as_json(np.concatenate([walk[:30], walk]), numbers, "frame_id", fps=20))
    assert motion.frames == 145


def test_minus_one_in_a_picture_is_not_seen(walk: np.ndarray) -> None:
    points = walk[..., :2] * [300, -300] + [960, 900]
    points[20:40, J["left_wrist"]] = -1
    motion = load(json.dumps({"fps": 20, "names": list(JOINT_NAMES), "frames": points.tolist()}).encode())
    assert motion.dimensions == 2 and motion.confidence is not None
    assert (motion.confidence[20:40, J["left_wrist"]] == 0).all() and motion.confidence[19, J["left_wrist"]] > 0


def test_frames_out_of_order_are_sorted_by_their_numbers(walk: np.ndarray) -> None:
    same(load(as_json(walk[::-1], list(range(59, -1, -1)), "frame_id", fps=20)), walk)


@pytest.mark.parametrize("jitter", [0.0, 0.018])
def test_a_cameras_jitter_is_no_gap(walk: np.ndarray, jitter: float) -> None:
    times = np.arange(60) / 20 + np.random.default_rng(1).uniform(-jitter / 2, jitter / 2, 60)
    motion = load(as_json(walk, times.tolist()))
    same(motion, walk)
    assert not noted(motion, "uneven")


@pytest.mark.parametrize(
    ("key", "stamp"),
    [
        ("timestamp", lambda s: s),
        ("timestamp_ms", lambda s: round(1000 * s)),
        ("timestampMs", lambda s: 1000 * s),
        ("Time (s)", lambda s: f"{s:.3f}"),
        ("Time [ms]", lambda s: 1000 * s),
        ("ts", lambda s: 1_700_000_000 + s),
        ("timestamp_ns", lambda s: 1_700_000_000_000_000_000 + int(1e9 * s)),
        ("timecode", lambda s: f"01:02:{s:06.3f}"),
        ("timestamp", lambda s: f"2024-05-01T10:00:{s:06.3f}Z"),
    ],
)
@pytest.mark.parametrize("write", [as_json, as_csv])
def test_times_in_any_wording_tell_the_rate(
    walk: np.ndarray, write: Writer, key: str, stamp: Callable[..., Any]
) -> None:
    motion = load(write(walk, [stamp(k / 25) for k in range(60)], key))
    assert abs(motion.source_fps - 25) < 0.01 and not noted(motion, "frame rate not given")


def test_numbers_that_only_count_frames_are_no_times(walk: np.ndarray) -> None:
    frames = {str(5 * k): {"keypoints": row.tolist()} for k, row in enumerate(walk)}
    motion = load(json.dumps(frames | {}).encode(), format="humanml3d22")
    assert motion.source_fps == 30 and noted(motion, "frame rate not given")


def test_frames_numbered_in_steps_are_noted(walk: np.ndarray) -> None:
    motion = load(as_json(walk, [3 * k for k in range(60)], "frame_id", fps=20))
    assert noted(motion, "numbered in steps of 3: if the rate counts the frames between, give 1/3 of it by --fps")
    same(motion, walk)


# The rate


@pytest.mark.parametrize(
    ("key", "value"),
    [("fps", "25"), ("fps", "25.0 fps"), ("fps", "25000/1000"), ("frameRate", 25), ("FPS", 25), ("sampling_rate", 25),
     ("mocap_frame_rate", 25), ("dt", 0.04), ("frame_time", 40), ("frequency", "25 Hz")],
)  # fmt: skip
def test_a_rate_in_any_wording_is_read(walk: np.ndarray, key: str, value: Any) -> None:
    """The note "frame rate not given" was untrue of these."""
    for motion in (load(as_json(walk, **{key: value})), load(as_npz(walk, **{key: np.array(value)}))):
        assert motion.source_fps == 25 and not noted(motion, "frame rate not given")


def test_a_rate_that_is_no_number_is_refused(walk: np.ndarray) -> None:
    many = as_json(walk, fps="1" * 100_000 + "x")
    for data in (as_json(walk, fps="fast"), as_npz(walk, fps=np.array("fast")), many):
        with pytest.raises(InputError, match="fps is not a number; expected frames per second"):
            load(data)


def test_times_that_contradict_the_rate_are_taken_and_it_is_said(walk: np.ndarray) -> None:
    times = [k / 20 for k in range(60)]
    for data in (as_json(walk, times, fps=40), as_npz(walk, times, fps=40), as_trc(walk, times, rate=40)):
        motion = load(data)
        assert noted(
            motion, "the file states 40 frames/s, but the times of its frames give 20, which is taken; --fps decides"
        )
        same(motion, walk)
        assert load(data, fps=40).source_fps == 40
    assert not noted(load(as_json(walk, times, fps=20.5)), "are stated")


# Marks of lost points


@pytest.mark.parametrize("mark", [-1.0, -999.0, -9999.0, 5.0, 1e10])
@pytest.mark.parametrize("write", [as_json, as_csv, as_npz])
def test_a_mark_of_lost_points_is_no_place(walk: np.ndarray, write: Writer, mark: float) -> None:
    """-1 was read as a wrist one metre below the floor; -9999 was refused as a body that cannot be."""
    joints = walk.copy()
    joints[20:26, J["left_wrist"]] = mark
    motion = load(write(joints), fps=20)
    same(motion, walk, within=0.1)
    assert (
        mark > 1e9 or noted(motion, "are taken as not seen") or noted(motion, f"lies at {mark:g}, {mark:g}, {mark:g}")
    )


def test_a_place_with_three_equal_numbers_stays(walk: np.ndarray) -> None:
    joints = walk.copy()
    joints[20, J["left_wrist"]] = joints[20, J["left_wrist"], 1]
    motion = load(as_npz(joints, fps=20))
    np.testing.assert_allclose(motion.joints[20, J["left_wrist"], 1], joints[20, J["left_wrist"], 1], atol=0.02)
    assert not noted(motion, "interpolated")


def test_a_path_that_was_taken_out_is_said(walk: np.ndarray) -> None:
    """Somebody who walks over one point, height kept: nothing said that the path is missing."""
    words = "the pelvis stays over one point to the millimetre"
    assert noted(load(as_npz(walk - walk[:, :1] * [1, 0, 1], fps=20)), words)
    assert not noted(load(as_npz(walk, fps=20)), words)
    still = np.repeat(walk[:1], 40, axis=0)
    assert not noted(load(as_npz(still, fps=20)), words)


def test_a_unit_that_makes_no_adult_is_said(walk: np.ndarray) -> None:
    """Joints divided by the trunk's length were silently feet, of somebody one metre tall."""
    trunk = np.linalg.norm(walk[0, J["neck"]] - walk[0, J["pelvis"]])
    assert noted(load(as_npz(walk / trunk, fps=20)), "ft makes a leg of")
    assert not noted(load(as_npz(walk, fps=20)), "makes a leg of")


@pytest.mark.parametrize("key", ["pose", "poses"])
def test_joints_that_are_called_poses_are_no_rotations(walk: np.ndarray, key: str) -> None:
    stream = io.BytesIO()
    np.savez(stream, **{key: walk, "fps": np.array(20)})
    same(load(stream.getvalue()), walk)


# Tables


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").replace(".", ","),
        lambda text: text.replace(",", "\t").replace(".", ","),
        lambda text: "# made by a program, version 2\n# rate: 20\n" + text,
        lambda text: text.replace("\n", "\n" + ",".join(["m"] * 66) + "\n", 1),
        lambda text: text.replace("_x,", " X [m],").replace("_y,", " Y [m],"),
        lambda text: text.replace("_x,", ".X (m),").replace("_y,", ".Y (m),"),
        lambda text: text.replace("pelvis_x", "elapsed_s,pelvis_x").replace("\n", "\n0,", 60).replace("\n0,p", "\np"),
        lambda text: "\n".join(
            ",".join([*row.split(","), "0"]) for row in text.replace("wrist_z\n", "wrist_z,q_score\n", 1).splitlines()
        ),
    ],
    ids=[
        "semicolons",
        "tabs",
        "comments",
        "units below",
        "units in brackets",
        "units in parentheses",
        "elapsed_s",
        "score",
    ],
)
def test_tables_as_programs_write_them(walk: np.ndarray, change: Callable[[str], str]) -> None:
    same(load(change(as_csv(walk).decode()).encode(), format="csv", fps=20), walk)


@pytest.mark.parametrize("word", ["NA", "null", "None", "-", "#N/A", "-1.#IND", "nan(ind)", ""])
def test_words_for_nothing_are_gaps(walk: np.ndarray, word: str) -> None:
    joints = walk.copy()
    joints[20:26, J["left_wrist"]] = np.nan
    same(load(as_csv(joints).replace(b"nan", word.encode()), format="csv", fps=20), walk, within=0.1)


def test_frames_with_a_decimal_point_are_numbers(walk: np.ndarray) -> None:
    """pandas writes 12.0 in a column with gaps: all frames were one, with a crowd of people."""
    kept = [k for k in range(60) if not 20 <= k < 26]
    same(load(as_csv(walk[kept], [f"{k}.0" for k in kept], "frame"), format="csv", fps=20), walk, within=0.2)


def test_rows_written_twice_count_once(walk: np.ndarray) -> None:
    same(load(as_csv(np.repeat(walk, 2, axis=0), [k // 2 / 20 for k in range(120)]), format="csv"), walk)


# JSON of engines, and what is no recording


def test_named_bones_with_a_position(walk: np.ndarray) -> None:
    def bones(row: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"bone": n, "rotation": [0, 0, 0, 1], "position": p} for n, p in zip(JOINT_NAMES, row.tolist(), strict=True)
        ]

    same(load(json.dumps({"fps": 20, "frames": [{"bones": bones(row)} for row in walk]}).encode()), walk)


def test_the_line_where_a_file_of_lines_breaks_off_is_named(walk: np.ndarray) -> None:
    lines = "\n".join(json.dumps({"frame": k, "keypoints": row.tolist()}) for k, row in enumerate(walk))
    with pytest.raises(InputError, match=r"damaged or truncated \(line 60\)"):
        load(lines[:-20].encode())


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "download the recording"),
        (b"\x1f\x8b\x08", "unpack it"),
        (b"Trajectories\n100\n,,Bob:LASI", r"as \.c3d"),
        (b"NO_OF_FRAMES\t5", r"as \.c3d"),
    ],
)
def test_what_is_no_recording_is_named(start: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(start)


def test_names_in_no_known_language_are_refused_for_a_true_reason(walk: np.ndarray) -> None:
    names = [f"spine{k}" if k < 4 else f"Punkt {k}" for k in range(22)]
    with pytest.raises(InputError, match="have unknown names, which --joint-map tells"):
        load(json.dumps({"fps": 20, "names": names, "frames": walk.tolist()}).encode())


@pytest.mark.parametrize("start", [b"x\n" + b"\n" * 4000 + b"y", b"x\r\n" * 4000, b"\n \n" * 4000 + b"x,y\n1,2\n"])
def test_blank_lines_are_looked_at_once(start: bytes) -> None:
    with pytest.raises(InputError, match="is not a known recording"):
        load(start)
