"""Standard streams that are closed, full or ASCII; names that would steer a terminal; a disk without room."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vimonet.cli import main
from vimonet.cli.shared import json_line
from vimonet.cli.streams import PlainText
from vimonet.motion.io.loading import path_of
from vimonet.utils.files import named, whole_file, write_text

HOSTILE = "w\x1b[2J\x07\x9b31m\u202eé.bvh"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from vimonet.vimos.builders import folder

    folder._listing.cache_clear()  # of the same relative name in another test
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))
    Path("clips").mkdir()
    shutil.copy(path_of("sample:raise_left"), Path("clips") / HOSTILE)
    (Path("clips") / "bad\x1b[31m.bvh").write_text("HIERARCHY\nROOT a\x1b[2J\n{\n OFFSET 0 0 0\x07\n}")
    return tmp_path


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `vimonet` is this package; standard error comes apart."""
    source = Path(__file__).parents[2] / "src"
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONIOENCODING", "LC_ALL", "LANG")}
    return subprocess.run(
        ["bash", "-c", f'vimonet() {{ "{sys.executable}" -m vimonet "$@"; }}; {command}'],
        env={**kept, "PYTHONPATH": str(source), **environment},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        ["inspect", f"clips/{HOSTILE}"],
        ["inspect", f"clips/{HOSTILE}", "--json"],
        ["inspect", "clips/bad\x1b[31m.bvh"],
        ["caption", "clips"],
        ["caption", "clips", "--json"],
        ["index", "clips", "-o", "x\x1b[2J.index"],
        ["ask", f"clips/{HOSTILE}", "Is a hand raised \x1b[2J?"],
        ["data", "build", "folder", "--root", "clips", "-o", "d\x1b[2J", "--workers", "0"],
        ["data", "info", "no\x1b[2Jfolder"],
        ["train", "in\x1b[2Jstruct", "--config", "a\x1b[2Jb"],
    ],
    ids=lambda command: "-".join(command[:2]).encode("ascii", "ignore").decode(),
)
def test_no_control_character_reaches_a_terminal(
    command: list[str], hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with guarded(capsys) as read:
        code = main(command)
    out, err = read()
    assert not CONTROLS.search(out + err), (out, err)
    assert code in (0, 2) and "Traceback" not in err
    if "--json" in command and out:
        record = json.loads(out.splitlines()[0])
        assert record["file"].endswith(HOSTILE)


class guarded:
    """Put the guard of a process of our own around the captured streams."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.patch = capsys, pytest.MonkeyPatch()

    def __enter__(self) -> Any:
        names = ("stdout", "stderr")
        self.streams = {name: PlainText(Path(f"{name}.txt").open("wb"), encoding="utf-8") for name in names}  # noqa: SIM115
        for name, stream in self.streams.items():
            self.patch.setattr(sys, name, stream)
        return self.read

    def __exit__(self, *_: object) -> None:
        self.patch.undo()
        for stream in self.streams.values():  # not closed: libraries that were imported meanwhile keep them
            stream.flush()

    def read(self) -> tuple[str, str]:
        return Path("stdout.txt").read_text("utf-8"), Path("stderr.txt").read_text("utf-8")


def test_styles_and_bars_pass_the_guard(tmp_path: Path) -> None:
    with PlainText((tmp_path / "out").open("wb"), encoding="utf-8") as stream:
        stream.write("\r50%|\u2588  \x1b[1mbold\x1b[0m\tü 走\n")
        stream.write("a\rb\x1b[2Jc\x1b]0;title\x07\u2066")
    assert (tmp_path / "out").read_bytes().decode() == "\r50%|\u2588  \x1b[1mbold\x1b[0m\tü 走\na b [2Jc ]0;title  "


def test_json_keeps_what_it_escapes() -> None:
    record = {"file": "a\x1b\x9b\u202e\U000e0001é走\n"}
    line = json_line(record)
    assert line.isprintable() and json.loads(line) == record and "é走" in line


@pytest.mark.slow
def test_streams_of_every_kind(hostile: Path) -> None:
    clip = shutil.copy(path_of("sample:raise_left"), "clips/é走.bvh")
    ascii_only = shell(f"vimonet inspect {clip} --json", PYTHONIOENCODING="ascii")
    assert ascii_only.returncode == 0 and json.loads(ascii_only.stdout)["file"] == str(clip)
    assert "\\u00e9\\u8d70" in ascii_only.stdout
    for environment in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        done = shell(f"vimonet inspect {clip}; vimonet inspect $'no\\xff.bvh'", **environment)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done
    closed = shell(f"vimonet inspect {clip} >&-; echo $? >&2; vimonet inspect none.bvh 2>&-; echo $? >&2")
    assert closed.stderr.split() == ["0", "2"]
    full = shell(f"vimonet inspect {clip} >/dev/full; echo $? >&2; vimonet inspect none.bvh 2>/dev/full; echo $? >&2")
    assert full.stderr.splitlines() == [f"vimonet: standard output: {os.strerror(errno.ENOSPC)}.", "2", "2"]
    piped = shell("vimonet --help | true; echo ${PIPESTATUS[0]}; vimonet inspect none.bvh 2>&1 | true")
    assert piped.stdout.strip() in ("0", "141") and piped.stderr == ""


# ------------------------------- a disk without room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where the system lets a test mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs rights")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


JOBS = {
    "captions.jsonl": ["caption", "sample:raise_left", "-o"],
    "clips.index": ["index", "clips", "-o"],
    "built": ["data", "build", "folder", "--root", "clips", "--workers", "0", "-o"],
    "walk.png": ["render", "sample:raise_left", "-o"],
    "walk.mp4": ["render", "sample:raise_left", "-o"],
}


@pytest.mark.slow
def test_a_full_disk_names_the_file_and_leaves_nothing(
    hostile: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 512)
    for name, command in JOBS.items():
        assert main([*command, str(small_disk / name)]) == 2, name
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"vimonet: {small_disk / name}") and said.endswith(os.strerror(errno.ENOSPC) + "."), said
        assert list(small_disk.iterdir()) == [filler], name


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
        RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=lambda error: type(error).__name__ + str(error)[:12],
)
def test_an_error_of_writing_names_the_output(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as found, whole_file(tmp_path / "out.bin") as part:
        part.write_bytes(b"half")
        raise error
    assert found.value.errno == errno.ENOSPC and found.value.filename == str(tmp_path / "out.bin")
    assert list(tmp_path.iterdir()) == []


def test_other_errors_keep_their_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"source\.mp4"), whole_file(tmp_path / "out.bin"):
        Path(tmp_path / "source.mp4").read_bytes()
    with pytest.raises(ZeroDivisionError), named(tmp_path / "out.bin"):
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/no/out\.txt"):
        write_text(tmp_path / "no" / "out.txt", "text")
