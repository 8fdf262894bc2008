"""Every kind of bad input through the command line: exit code 2, one clear sentence, nothing left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vimonet.cli import main
from vimonet.motion.skeleton import CANONICAL_OFFSETS, JOINT_NAMES, PARENTS


def bvh(frames: int = 3, *, rename: dict[str, str] | None = None) -> str:
    """A BVH of our own proportions, in centimetres, without movement."""
    rename = rename or {}

    def joint(index: int, depth: int) -> list[str]:
        pad = "  " * depth
        x, y, z = (100 * CANONICAL_OFFSETS[index]).tolist()
        name = rename.get(JOINT_NAMES[index], JOINT_NAMES[index])
        channels = "CHANNELS 3 Zrotation Xrotation Yrotation"
        if index == 0:
            channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        lines = [f"{pad}{'JOINT' if index else 'ROOT'} {name}", f"{pad}{{"]
        lines += [f"{pad}  OFFSET {x:.3f} {y:.3f} {z:.3f}", f"{pad}  {channels}"]
        children = [child for child, parent in enumerate(PARENTS) if parent == index]
        for child in children:
            lines += joint(child, depth + 1)
        if not children:
            lines += [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 0 5", f"{pad}  }}"]
        return [*lines, f"{pad}}}"]

    rows = [" ".join(["0", "95", "0"] + ["0"] * 66) for _ in range(frames)]
    head = [
        "HIERARCHY",
        *joint(0, 0),
        "MOTION",
        f"Frames: {frames}",
        "Frame Time: 0.05",
    ]
    return "\n".join(head + rows) + "\n"


def uneven(text: str) -> str:
    """One shin is longer than the other by far: not even the shape tells legs."""
    return text.replace("OFFSET 0.000 -41.000", "OFFSET 0.000 -141.000", 1)


def nan_bvh() -> str:
    text = bvh(3)
    return text[: text.rindex("95")] + "nan" + text[text.rindex("95") + 2 :]


def pickled_npz(path: Path) -> None:
    np.savez(path, poses=np.array([{"a": 1}], dtype=object), trans=np.zeros((1, 3)), allow_pickle=True)


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def array(*shape: int) -> Callable[[Path], object]:
    return lambda path: np.save(path, np.zeros(shape, dtype=np.float32))


def keypoints(frames: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(frames))


# name of the file, how to make it, words the sentence must hold
CASES: dict[str, tuple[str, Callable[[Path], object], tuple[str, ...]]] = {
    "empty": ("empty.bvh", text(""), ("empty",)),
    "truncated in the hierarchy": ("cut.bvh", text(bvh()[:400]), ()),
    "truncated in a frame": ("cut.bvh", text(bvh(3)[:-60]), ()),
    "NaN": ("nan.bvh", text(nan_bvh()), ("nan", "finite")),
    "zero frames": ("zero.bvh", text(bvh(0)), ("frame",)),
    "text renamed": ("notes.bvh", text("Dear diary,\ntoday I walked.\n"), ("BVH",)),
    "binary renamed": ("noise.bvh", lambda path: path.write_bytes(bytes(range(256)) * 20), ()),
    "unknown skeleton": (
        "dog.bvh",
        text(uneven(bvh(rename={name: f"bone_{index}" for index, name in enumerate(JOINT_NAMES)}))),
        ("left knee", "right wrist"),
    ),
    "a missing wrist": ("arm.bvh", text(uneven(bvh(rename={"left_wrist": "gripper"}))), ("left wrist",)),
    "pickled objects": ("objects.npz", pickled_npz, ()),
    "a pickle": ("joints.npy", lambda path: path.write_bytes(b"\x80\x04]\x94."), ("pickle",)),
    "wrong joints": ("shape.npy", array(10, 7, 3), ("7",)),
    "wrong dimensions": ("shape.npy", array(10), ("10",)),
    "no frames": ("none.npy", array(0, 22, 3), ("frame",)),
    "a point": ("point.npy", array(10, 22, 3), ()),
    "truncated npy": ("cut.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr'"), ()),
    "truncated npz": ("cut.npz", lambda path: path.write_bytes(b"PK\x03\x04 and nothing more"), ()),
    "no JSON": ("keys.json", text('{"keypoints": [[1, 2'), ()),
    "JSON of something else": ("keys.json", keypoints({"name": "Ada"}), ()),
    "keypoints of no layout": ("keys.json", keypoints([[[0.0, 1.0]] * 5] * 4), ()),
    "a video": ("walk.mp4", lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100)), ("video",)),
    "a directory": ("folder", lambda path: path.mkdir(), ()),
    "not there": ("gone.bvh", lambda path: None, ("no such file",)),
}


def check(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> None:
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("vimonet: ") and len(err) < 500, err
    assert "Traceback" not in err
    for word in words:
        assert word in err, err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_the_files_are_made_from_a_good_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.bvh").write_text(bvh())
    assert main(["inspect", "good.bvh"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["inspect", "render"])
@pytest.mark.parametrize("case", CASES)
def test_bad_recording(case: str, command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, make, words = CASES[case]
    make(folder / name)
    before = contents(folder)
    code = main([command, name] + (["-o", "out.png"] if command == "render" else []))
    check(capsys, code, name, *words)
    assert contents(folder) == before


def test_a_bad_recording_is_told_before_the_model_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.bvh").write_text("")
    check(capsys, main(["ask", "empty.bvh", "What?", "-m", "/no/model", "-o", "out.png"]), "empty.bvh")
    assert [path.name for path in folder.iterdir()] == ["empty.bvh"]


def test_no_recording_in_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "clips").mkdir()
    check(capsys, main(["caption", "clips", "-o", "out.jsonl"]), "clips", "no recording")
    assert [path.name for path in folder.iterdir()] == ["clips"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "good.bvh", "--unit", "parsec"], ("parsec",)),
        (["inspect", "good.bvh", "--up", "w"], ("w",)),
        (["inspect", "good.bvh", "--fps", "0"], ("fps",)),
        (["inspect", "good.bvh", "--fps", "nan"], ("fps",)),
        (["inspect", "good.bvh", "--format", "fbx"], ("fbx",)),
        (["inspect", "sample:nobody"], ("nobody",)),
        (["render", "good.bvh", "-o", "out.docx"], ("out.docx",)),
        (["render", "good.bvh", "-o", "gone/out.png"], ("gone",)),
        (["render", "good.bvh", "-o", "out.png", "--poses", "0"], ("pose",)),
        (["caption", "good.bvh", "-o", "gone/out.jsonl"], ("gone",)),
        (["train", "align", "--config", "gone.yaml"], ("gone.yaml",)),
        (["bench", "run", "--dataset", "gone"], ("gone",)),
    ],
)
def test_bad_option(
    arguments: list[str], words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("good.bvh").write_text(bvh())
    check(capsys, main(arguments), *words)
    assert [path.name for path in folder.iterdir()] == ["good.bvh"]


# --- models and questions ---


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_model

    path = tmp_path_factory.mktemp("models") / "tiny"
    model, processor = tiny_model()
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


def truncate(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda model: (model / "model.safetensors").unlink(), ("model.safetensors", "missing")),
        (lambda model: truncate(model / "model.safetensors", 0.7), ("model.safetensors", "cut off")),
        (lambda model: truncate(model / "model.safetensors", 0.0), ("model.safetensors",)),
        (lambda model: (model / "model.safetensors").write_bytes(b"x" * 5000), ("model.safetensors",)),
        (lambda model: (model / "config.json").unlink(), ("config.json", "missing")),
        (lambda model: (model / "config.json").write_text("{"), ("config.json",)),
        (lambda model: (model / "tokenizer.json").write_text("{}"), ("model",)),
        (shutil.rmtree, ("no such model folder",)),
    ],
)
@pytest.mark.parametrize("command", ["ask", "caption", "demo"])
def test_bad_model(
    command: str,
    damage: Callable[[Path], object],
    words: tuple[str, ...],
    folder: Path,
    tiny_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("good.bvh").write_text(bvh())
    model = tmp_path / "model"
    shutil.copytree(tiny_folder, model)
    damage(model)
    arguments = {"ask": ["good.bvh", "What?"], "caption": ["good.bvh", "good.bvh", "-o", "out.jsonl"], "demo": []}
    check(capsys, main([command, *arguments[command], "-m", str(model)]), *words)
    assert [path.name for path in folder.iterdir()] == ["good.bvh"]


@pytest.mark.parametrize(
    ("question", "words"), [("why " * 25_000, ("100,000", "2,000")), ("", ("empty",)), (" \n\t", ("empty",))]
)
def test_bad_question(
    question: str, words: tuple[str, ...], folder: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("good.bvh").write_text(bvh())
    check(capsys, main(["ask", "good.bvh", question, "-m", str(tiny_folder), "-o", "out.png"]), *words)
    assert [path.name for path in folder.iterdir()] == ["good.bvh"]


def test_control_characters_never_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x07\x9b31m"
    path = tmp_path / f"walk{evil}.bvh"
    path.write_text(bvh(rename={"left_collar": f"collar{evil}", "left_wrist": f"hand{evil}"}))
    for broken in (False, True):
        if broken:
            path.write_text(uneven(bvh(rename={"left_knee": f"x{evil}"})))
        assert main(["inspect", str(path)]) == (2 if broken else 0)
        captured = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in captured.out + captured.err)
