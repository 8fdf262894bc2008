from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vimonet.motion import load, recording_info
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    for name in ("07.asf", "07_01.amc"):
        shutil.copyfile(shared / "samples" / "asf_amc" / name, tmp_path / name)
    return tmp_path


def test_equals_the_reference_joints(shared: Path) -> None:
    data = np.load(shared / "motion" / "cmu20.npz")["joints"]
    index = {e["id"]: e for e in json.loads((shared / "motion" / "cmu20.index.json").read_text())}
    limbs = [i for i, joint in enumerate(JOINT_NAMES) if "collar" not in joint]
    for path in sorted((shared / "samples" / "asf_amc").glob("*.amc")):
        entry = index[path.stem]
        reference = data[entry["start"] : entry["start"] + entry["frames"]]
        motion = load(path)
        assert motion.frames == entry["frames"]
        assert motion.source == "asf/amc"
        assert np.linalg.norm(motion.joints - reference, axis=2)[:, limbs].max() < 0.001, path.name


def test_agrees_with_the_bvh_conversion_of_the_same_take(shared: Path) -> None:
    amc = load(shared / "samples" / "asf_amc" / "07_01.amc")
    bvh = load(shared / "samples" / "bvh_cgspeed" / "07_01.bvh")
    legs = [1, 2, 4, 5, 7, 8]
    frames = min(amc.frames, bvh.frames)
    assert np.linalg.norm(amc.joints[:frames, legs] - bvh.joints[:frames, legs], axis=2).max() < 0.01


def test_describe_says_that_the_rate_was_assumed(folder: Path) -> None:
    facts = recording_info(folder / "07_01.amc")
    assert facts["skeleton"] == "CMU asf/amc"
    assert facts["source_fps"] == 120
    assert any("120 frames/s assumed" in note for note in facts["notes"])
    assert recording_info(folder / "07_01.amc", fps=60)["frames"] == pytest.approx(2 * facts["frames"], abs=1)


def test_radians(folder: Path) -> None:
    expected = load(folder / "07_01.amc").joints
    lines = []
    for line in (folder / "07_01.amc").read_text().splitlines():
        words = line.split()
        if len(words) > 1 and words[0][0].isalpha():
            angles = 3 if words[0] == "root" else 0
            numbers = [float(w) for w in words[1:]]
            numbers[angles:] = list(np.radians(numbers[angles:]))
            line = " ".join([words[0], *(f"{n:.9f}" for n in numbers)])
        lines.append(line.replace(":DEGREES", ":RADIANS"))
    (folder / "07_01.amc").write_text("\n".join(lines))
    np.testing.assert_allclose(load(folder / "07_01.amc").joints, expected, atol=1e-4)


DAMAGE = {
    "no skeleton": ("07.asf", lambda t: None, "07.asf"),
    "asf without bones": ("07.asf", lambda t: t[:200], "bone data"),
    "asf cut in a bone": ("07.asf", lambda t: t.replace("length 6.92462", ""), "broken at 'length'"),
    "asf without a leg": ("07.asf", lambda t: t.replace("ltibia", "gadget"), "left ankle"),
    "truncated": ("07_01.amc", lambda t: t[: len(t) // 2], "truncated"),
    "nan": ("07_01.amc", lambda t: t.replace("rtibia 30.0014", "rtibia nan"), "nan"),
    "a bone less in one frame": ("07_01.amc", lambda t: t.replace("rtibia 30.0014\n", ""), "same bones"),
    "a number less": (
        "07_01.amc",
        lambda t: t.replace("rfoot -4.01149 0.174858", "rfoot -4.01149"),
        "numbers are present",
    ),
    "no frames": ("07_01.amc", lambda t: ":FULLY-SPECIFIED\n:DEGREES\n", "no frames"),
    "another skeleton": ("07_01.amc", lambda t: t.replace("lfemur", "tail"), "tail"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_broken_files_get_one_sentence(case: str, folder: Path) -> None:
    name, damage, message = DAMAGE[case]
    text = damage((folder / name).read_text().replace("\r", ""))
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load(folder / "07_01.amc")
    assert "\n" not in str(caught.value)


def test_an_asf_alone_points_to_the_amc(folder: Path) -> None:
    with pytest.raises(InputError, match=r"\.amc"):
        load(folder / "07.asf")
