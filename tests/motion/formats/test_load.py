from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mocap_files import dump, person_2d, standing_bvh

from vimonet.motion import JOINT_NAMES, Motion, detect_format, load, recording_info
from vimonet.motion.io.readers import Archive, read_npy
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError


def body(frames: int = 12, joints: int = 22) -> np.ndarray:
    still = np.zeros((joints, 3), dtype=np.float32)
    still[:22] = T_POSE
    out = np.repeat(still[None], frames, axis=0)
    out[..., 1] += 0.95
    out[:, :, 0] += np.linspace(0, 0.5, frames)[:, None]
    return out


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(
    "array", [body(), body()[..., ::-1], np.asfortranarray(body()), body().astype(">f8"), body().astype("<f2")]
)
def test_every_order_of_an_npy_is_read_as_numpy_reads_it(array: np.ndarray) -> None:
    found = read_npy(npy(array), "a.npy")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.writeable


def test_asking_what_an_archive_holds_unpacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(npz(joints=body()), "a.npz")
    monkeypatch.setattr(Archive, "__getitem__", lambda self, key: pytest.fail(f"{key} was unpacked"))
    assert "joints" in archive
    assert "poses" not in archive


def test_motion_and_arrays_pass() -> None:
    motion = Motion(body())
    assert load(motion) is motion
    np.testing.assert_allclose(load(body()).joints, body(), atol=1e-6)
    assert load(body(61), fps=60).frames == 21
    assert load(body() * 1000).details["unit"] == "mm (detected)"


@pytest.mark.parametrize("count", [22, 24, 52, 55])
def test_smpl_variants(count: int) -> None:
    motion = load(npy(body(joints=count)))
    np.testing.assert_allclose(motion.joints, body(), atol=1e-6)
    assert any("20 frames/s assumed" in note for note in motion.notes)


def test_other_shapes_of_joints() -> None:
    np.testing.assert_allclose(load(body()[None]).joints, body(), atol=1e-6)
    np.testing.assert_allclose(load(np.moveaxis(body(), 0, 2)).joints, body(), atol=1e-6)
    assert load(body()[0]).frames == 1


def test_archives() -> None:
    joints = (body(61) * 1000).astype(np.int16)
    motion = load(npz(joints=joints, scale=0.001, fps=60.0))
    np.testing.assert_allclose(motion.joints, body(61)[::3], atol=1e-3)
    assert load(npz(whatever=body())).frames == 12
    order = np.random.default_rng(0).permutation(22)
    shuffled = load(npz(positions=body()[:, order], names=np.array(JOINT_NAMES)[order], fps=20))
    np.testing.assert_allclose(shuffled.joints, body(), atol=1e-6)
    points = person_2d(LAYOUTS["coco17"])
    two = load(npz(keypoints=points, fps=30))
    assert (two.dimensions, two.source) == (2, "coco17")


def test_humanml3d_features(shared: Path) -> None:
    motion = load(shared / "samples" / "hml_format" / "momask_000612.npy")
    assert (motion.source, motion.frames) == ("humanml3d", 199)
    vectors = shared / "reference" / "new_joint_vecs_012314.npy"
    joints = np.load(shared / "reference" / "new_joints_012314.npy")
    ours = load(vectors).joints
    frames = min(len(ours), len(joints))
    assert np.abs(ours[:frames] - joints[:frames]).max() < 0.02
    features = np.load(vectors)
    normalised = (features - np.load(shared / "reference" / "Mean.npy")) / np.load(shared / "reference" / "Std.npy")
    with pytest.raises(InputError, match="not normalised"):
        load(normalised)
    features[7, 9] = np.nan
    with pytest.raises(InputError, match="frame 8"):
        load(features)


def test_samples_of_every_format_sniffed_by_content(shared: Path, tmp_path: Path) -> None:
    expected = {
        "bvh_cgspeed": "bvh",
        "bvh_poser": "bvh",
        "bvh_bnr": "bvh",
        "asf_amc": "asf/amc",
        "hml_format": "humanml3d",
    }
    for folder, kind in expected.items():
        for path in (shared / "samples" / folder).iterdir():
            if path.suffix in {".bvh", ".amc", ".npy"}:
                assert detect_format(path) == kind, path.name
    disguised = tmp_path / "clip.txt"
    disguised.write_text(standing_bvh())
    assert load(disguised).source == "bvh"
    assert detect_format(dump([1])) == "keypoints"
    assert detect_format(npz(poses=np.zeros((3, 156)))) == "amass"


def test_standard_input() -> None:
    code = "import vimonet.motion as m; x = m.load('-'); print(x.name, x.frames, x.source)"
    result = subprocess.run(
        [sys.executable, "-c", code], input=standing_bvh().encode(), capture_output=True, check=True, env=os.environ
    )
    assert result.stdout.split() == [b"stdin", b"8", b"bvh"]


def test_importing_motion_does_not_wait_for_torch() -> None:
    code = "import sys, vimonet.motion; assert 'torch' not in sys.modules and 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_describe_is_json_ready() -> None:
    facts = recording_info(dump({"fps": 30, "frames": person_2d(LAYOUTS["coco17"]).tolist()}), name="clip")
    assert (facts["name"], facts["dimensions"], facts["skeleton"]) == ("clip", 2, "coco17")
    assert 0 < facts["seen"] < 1
    assert "left_foot" in facts["joints_interpolated"]
    dump(facts)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/vimonet_was_fooled",)


def _huge_npy() -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 22, 3), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64


def _npy_of(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(528)


def _zip_of(name: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


BAD = {
    "empty.bvh": (b"", "empty"),
    "text.bvh": (b"Dear diary, today I walked.\n", "not a BVH"),
    "noise.bvh": (bytes(range(256)) * 4, "not a BVH"),
    "video.mp4": (b"\0\0\0\x20ftypisom" + b"\0" * 50, "video"),
    "pickle.npy": (npy(np.array([Evil()], dtype=object), allow_pickle=True), "pickled"),
    "pickle.npz": (_zip_of("joints.npy", npy(np.array([Evil()], dtype=object), allow_pickle=True)), "pickled"),
    "pickle.pkl": (pickle.dumps({"joints": 1}), "pickle"),
    "shape.npy": (npy(np.zeros((10, 21, 3))), r"21 keypoints per frame"),
    "flat.npy": (npy(np.zeros(10)), r"\[10\]"),
    "scalar.npy": (npy(np.array(3.0)), r"\[\]"),
    "features.npy": (npy(np.zeros((10, 251))), "KIT"),
    "frames.npy": (npy(np.zeros((0, 22, 3))), "no frames"),
    "nan.npy": (npy(np.full((4, 22, 3), np.nan)), "not a finite number in frame 1 of 4"),
    "zeros.npy": (npy(np.zeros((4, 22, 3))), "one place"),
    "text.npy": (npy(np.full((4, 22, 3), "a")), "numbers"),
    "complex.npy": (npy(np.zeros((4, 22, 3), dtype=complex)), "numbers"),
    "short.npy": (npy(body())[:300], "truncated"),
    "huge.npy": (_huge_npy(), "truncated"),
    "header.npy": (b"\x93NUMPY\x01\x00\xff\xff{", "damaged"),
    "evil_header.npy": (b"\x93NUMPY\x01\x00\x1e\x00__import__('os').system('ls')\n", "damaged"),
    "shape_no_tuple.npy": (_npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': 66}"), "header is damaged"),
    "shape_missing.npy": (_npy_of("{'descr': '<f8', 'fortran_order': False}"), "header is damaged"),
    "shape_huge.npy": (_npy_of(f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0, {10**30})}}"), "is damaged"),
    "short.npz": (npz(joints=body())[:200], "damaged"),
    "nothing.npz": (npz(a=body(), b=body()), "expected an array called joints"),
    "member.npz": (_zip_of("joints.npy", b"hello"), "not a numpy array"),
    "scale.npz": (npz(joints=body(), scale=-1.0), "scale"),
    "rate.npz": (npz(joints=body(), fps=0.0), "fps"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_sentence(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20, "memory follows what is there, not what is declared"
    tracemalloc.stop()
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    assert not Path("/tmp/vimonet_was_fooled").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "absent.bvh")
    with pytest.raises(InputError, match="folder"):
        load(tmp_path)
    with pytest.raises(InputError, match="format 'fbx' is not known"):
        load(tmp_path / "a.fbx", format="fbx")
    with pytest.raises(InputError):
        load([[1, 2], [3]])
    with pytest.raises(InputError):
        load("a\0b")
    with pytest.raises(InputError, match="layout"):
        load(np.zeros((3, 9, 3)), format="coco17")


def test_every_truncation_of_a_bvh_is_an_input_error() -> None:
    data = standing_bvh(3).encode()
    for end in range(0, len(data) - 200, 97):
        with pytest.raises(InputError):
            load(data[:end])


def test_damaged_content_is_one_sentence() -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': 7}".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    with pytest.raises(InputError, match=r"damaged|cannot be read|not a"):
        load(data)
    with pytest.raises(InputError):
        load(b'{"fps": ' + b"1" * 5000 + b"}")


def test_recordings_that_once_broke_a_loader(shared: Path) -> None:
    files = sorted((shared.parent / "fuzz").glob("*.bin"))
    assert len(files) > 20
    for file in files:
        if "bomb" in file.name:
            continue  # takes minutes to unpack
        try:
            load(file.read_bytes())
        except InputError as error:
            assert "\n" not in str(error)
