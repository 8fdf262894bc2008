"""README and docs are true: every `vimonet ...` command and Python block runs on the embedded recordings."""

from __future__ import annotations

import contextlib
import glob
import io
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from serve_world import live

import vimonet
from vimonet.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NANO = ROOT / "src" / "vimonet" / "weights" / "nano"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.relative_to(ROOT).as_posix(), found.group(2))
        for page in PAGES
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if found.group(1) == language
    ]


COMMANDS = sorted(
    {
        found.group(1).strip()
        for _, block in blocks("bash")
        for line in block.splitlines()
        if (found := re.search(r"(?:^|uv run )((?:cat \S+ \| )?vimonet [^#]*)", line))
    }
)
TRAININGS = [command for command in COMMANDS if command.split()[1] == "train"]
OTHERS = [command for command in COMMANDS if command not in TRAININGS]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, or where it is not there yet a random one of the same kind."""
    if NANO.is_dir():
        return NANO
    from tiny import tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny, processor = tiny_model()
    tiny.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


BRIEFLY = {
    "vimonet data build research/vimos_open/builder.py": [
        *("--sources", "synthetic", "--count", "12", "--val", "4", "--workers", "0"),
    ],
    "vimonet data build folder": ["--workers", "0"],
    "vimonet bench run": ["--limit", "24", "--control-limit", "6", "--samples", "100", "--train-rows", "12"],
}
"""What is added to commands that would take minutes, so that the tests run them on little."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The datasets, model and reports the pages speak of, small."""
    from research.vimos_open.builder import OpenBuilder
    from vimonet.vimos.dataset_writer import build

    shelf = tmp_path_factory.mktemp("shelf")
    for name in ("mine", "vimos-open"):
        builder = OpenBuilder(sources=("synthetic",), count=40, val=5)
        build(builder, shelf / "data" / name, workers=0, progress=False)
    (shelf / "runs/nano").mkdir(parents=True)
    (shelf / "runs/nano/final").symlink_to(model)
    for name, asked in (("a", "majority"), ("b", "question-only"), ("nano", "majority")):
        command = [
            "bench",
            "run",
            "--dataset",
            str(shelf / "data/mine"),
            "-m",
            asked,
            "-o",
            f"{shelf}/runs/bench/{name}",
        ]
        assert main([*command, "--limit", "40", "--samples", "100", "--controls", "none"]) == 0
    (shelf / "runs/bench/nano/predictions.jsonl").unlink()  # the command that makes this report must not find another's
    return shelf


@pytest.fixture
def desk(tmp_path: Path, model: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files the pages speak of, made from the embedded recordings."""
    from vimonet.motion import load
    from vimonet.samples import sample_path

    shutil.copy(sample_path("turn_left"), tmp_path / "walk.bvh")
    (tmp_path / "clips").mkdir()
    for name in ("walk", "wave_right"):
        shutil.copy(sample_path(name), tmp_path / "clips")
    walk = load(tmp_path / "walk.bvh")
    np.save(tmp_path / "joints.npy", walk.joints)
    coco = [15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]
    points = walk.joints[:, coco] * [200, -200, 0] + [300, 500, 0.9]  # pixels, y down, confidence
    (tmp_path / "keypoints.json").write_text(repr(points.round(1).tolist()))
    shutil.copy(tmp_path / "keypoints.json", tmp_path / "clip.json")
    seen = [
        {
            "image_id": f"{frame}.jpg",
            "keypoints": (person + np.array([500.0 * i, 0, 0])).ravel().tolist(),
            "score": 2.5,
            "idx": i + 1,
        }
        for frame, person in enumerate(points.round(1))
        for i in range(2)
    ]
    (tmp_path / "two.json").write_text(json.dumps(seen))
    _clip(tmp_path / "clip.mp4")
    for folder in ("my_mocap", "mocap"):
        shutil.copytree(tmp_path / "clips", tmp_path / folder)
    table = "file,caption,split\nwalk.bvh,a person walks forward.,train\nwave_right.bvh,someone waves.,test\n"
    (tmp_path / "captions.csv").write_text(table)
    (tmp_path / "questions.txt").write_text("Which way does the person turn?\nHow many steps are there?\n")
    (tmp_path / "research").symlink_to(ROOT / "research")
    for name in ("data", "runs"):
        shutil.copytree(shelf / name, tmp_path / name, symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIMONET_MODEL", str(model))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path


def _clip(path: Path) -> None:
    """Somebody's real video where there is one, else eight seconds of grey."""
    if found := sorted((ROOT.parent / "shared/data/video/clips").glob("*.mp4"), key=lambda each: each.stat().st_size):
        shutil.copy(found[0], path)
        return
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in range(160):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), level, np.uint8))):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def skip_without_pose(text: str) -> None:
    """Keypoints of a video need the extra, and somebody to be seen in it."""
    if "clip.mp4" in text and re.search(r"vimonet \w+ clip.mp4|estimate\(|load\(", text):
        pytest.importorskip("mediapipe")
        if not (ROOT.parent / "shared/data/video/clips").is_dir():
            pytest.skip("no video of a person is here")


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command line of the pages in this process: one `cat FILE |` before, one `> FILE` behind, and patterns."""
    if command.startswith("cat "):
        source, command = command.removeprefix("cat ").split(" | ", 1)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(source).read_bytes())))
    command, _, target = command.partition(" > ")
    words: list[str] = []
    for word in shlex.split(command)[1:]:
        words += sorted(glob.glob(word)) if "*" in word else [word]
    if not target:
        return main(words)
    with open(target.strip(), "w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        return main(words)


def test_there_is_something_to_test() -> None:
    assert "vimonet demo" in OTHERS  # the README's first command
    assert len(OTHERS) >= 12 and len(TRAININGS) >= 5 and len(blocks("python")) >= 4
    assert {command.split()[1] for command in COMMANDS if command.startswith("vimonet")} >= {
        *("ask", "caption", "inspect", "render", "train", "demo", "data", "bench", "index", "search")
    }


@pytest.mark.parametrize("command", OTHERS)
def test_command(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    skip_without_pose(command)
    if command.startswith("vimonet data build"):
        shutil.rmtree(desk / "data")
    if command.startswith("vimonet search"):
        assert main(["index", "mocap", "-o", "mocap.index"]) == 0
        capsys.readouterr()
    before = {path.name for path in desk.iterdir()}
    for beginning, options in BRIEFLY.items():
        if command.startswith(beginning):
            command = shlex.join([*shlex.split(command), *options])
    assert run(command, monkeypatch) == 0, capsys.readouterr().err
    named = re.findall(r"(?:-o|--attention|--srt|--vtt|>) (\S+\.\w+)", command)
    if command == "vimonet demo":
        named = ["vimonet-demo.png"]
    if command.startswith("vimonet convert-motion"):
        target = shlex.split(command)[3]
        everyone = [f"out-person-{number}.csv" for number in (1, 2)]
        named = everyone if "--person all" in command else [target]
    for name in named:
        assert (desk / name).stat().st_size > 0
    others = {".cache", "data", "runs", "lmms_tasks", "subtitles"}
    assert {path.name for path in desk.iterdir()} - before <= {*named, *others}
    if not named:
        assert capsys.readouterr().out


@pytest.mark.parametrize("command", TRAININGS)
def test_training_command_is_understood(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command parses, its config file is there, and every key and override in it is known."""
    from vimonet import training

    read = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        training, "main", lambda stage, path, keys: read.append(training.load_config(path, keys, stage))
    )
    config = ROOT / shlex.split(command)[shlex.split(command).index("--config") + 1]
    assert config.is_file(), f"{config} is named in the docs"
    assert run(command, monkeypatch) == 0
    assert len(read) == 1


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_block(page: str, code: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skip_without_pose(code)
    with contextlib.ExitStack() as running:
        if "http://127.0.0.1:8000" in code:
            server = running.enter_context(live(lambda: vimonet.load("nano")))
            code = code.replace("http://127.0.0.1:8000", server.url).replace('"mini"', '"nano"')
        exec(compile(code, page, "exec"), {})
    assert capsys.readouterr().out


def test_links_and_pictures_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", text):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_picture_of_the_readme_is_what_render_draws(tmp_path: Path) -> None:
    from PIL import Image

    assert main(["render", "sample:walk_turn_wave", "-o", str(tmp_path / "now.png")]) == 0
    with Image.open(tmp_path / "now.png") as now, Image.open(ROOT / "docs/images/walk_turn_wave.png") as shown:
        assert now.size == shown.size
        # Fonts and sample may change by a hair between platforms, the picture may not.
        assert np.abs(np.asarray(now, float) - np.asarray(shown, float)).mean() < 4.0


def test_config_files_named_in_the_pages_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"configs/[\w/.-]+\.ya?ml", page.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{page.name} names {name}"


def test_no_placeholder_is_left_once_the_model_is_shipped() -> None:
    if not NANO.is_dir():
        pytest.skip("the shipped weights (src/vimonet/weights/nano) are not there yet")
    for page in PAGES:
        assert "TODO" not in page.read_text(encoding="utf-8"), page.name


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\nuv run pytest\n" in script and "uv run pytest\n" in readme
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
