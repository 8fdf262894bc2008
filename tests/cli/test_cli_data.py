from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.cli import main


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    for number, action in enumerate(("walk", "wave", "jumps", "squats")):
        np.save(folder / f"{action}.npy", generate(action, seed=number)[0].joints)
    (folder / "bad.bvh").write_text("nothing")
    return folder


def build(root, out, *more):
    return main(["data", "build", "folder", "--root", str(root), "--output", str(out), "--workers", "0", *more])


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "d"
    assert build(root, out) == 2  # bad.bvh is left out
    return out


def test_build_writes_card_and_leak_report_and_is_repeatable(root, made, tmp_path, capsys):
    assert build(root, tmp_path / "d") == 2
    captured = capsys.readouterr()
    assert "instructions; card" in captured.out and "1 recording failed:\n  bad.bvh: " in captured.err
    card = (tmp_path / "d" / "README.md").read_text()
    assert "## Leak report" in card and card == (made / "README.md").read_text()
    assert build(root, tmp_path / "d") == 2  # a finished dataset is left as it is


def test_validate_says_so_and_exits_with_one_on_findings(made, tmp_path, root, capsys):
    assert main(["data", "validate", str(made)]) == 0
    assert "nothing to complain of" in capsys.readouterr().out
    assert build(root, tmp_path / "d") == 2
    (tmp_path / "d" / "train" / "x.part").write_text("")
    capsys.readouterr()
    assert main(["data", "validate", str(tmp_path / "d"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False and report["findings"][0]["file"] == "train/x.part"


def test_info_counts(made, capsys):
    assert main(["data", "info", str(made), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert sum(counts["rows"].values()) == 4 and sum(counts["sources"].values()) == 4
    assert main(["data", "info", str(made)]) == 0
    assert "generators" in capsys.readouterr().out


def test_show_writes_a_page(made, tmp_path):
    assert main(["data", "show", str(made), "vimos-folder/walk.npy", "-o", str(tmp_path / "p.html")]) == 0
    assert "vimos-folder/walk.npy" in (tmp_path / "p.html").read_text()


OPEN = str(Path(__file__).parents[2] / "research/vimos_open/builder.py")
"""A builder outside the package."""


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["build", "folder", "--root", "nowhere", "-o", "d"], "no such folder"),
        (["build", "humanml3d", "--root", ".", "-o", "d"], "not HumanML3D's folder"),
        (["build", "motionx", "--root", ".", "-o", "d"], "not Motion-X's folder"),
        (["build", "babel", "--root", ".", "--motions", "nowhere", "-o", "d"], "give --motions"),
        (["build", OPEN, "--sources", "nothing", "-o", "d"], "unknown source 'nothing'"),
        (["build", OPEN, "--root", "nowhere", "--sources", "bnr", "-o", "d"], "no such folder"),
        (
            ["build", OPEN, "--sources", "bnr", "-o", "d"],
            "--root DIR or in the environment variable VIMONET_DATA",
        ),
        (["build", OPEN, "--count", "-1", "-o", "d"], "give 0 or more"),
        (["build", "nowhere/builder.py", "-o", "d"], "nowhere/builder.py: no such builder; give a Python file"),
        (["build", str(Path(__file__).parent), "-o", "d"], "no such builder; give a Python file, or a folder with"),
        (["validate", "nowhere"], "no VIMOS dataset is here"),
        (["info", "nowhere"], "no VIMOS dataset is here"),
        (["show", "nowhere"], "no VIMOS dataset is here"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, capsys, command, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIMONET_DATA", raising=False)
    assert main(["data", *command]) == 2
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


BUILDER = """\
from dataclasses import dataclass

from vimonet.vimos.builders import option, register


@register("of-a-file", "one row, made here")
@dataclass(frozen=True)
class OfAFile:
    rows: int = option("how many", 1, "N")
    seed: int = option("of every draw", 0, "N")
    name = "vimos-of-a-file"

    def settings(self):
        return {"builder": "of-a-file", "rows": self.rows}

    def shards(self):
        from vimonet.vimos.dataset_writer import chunk

        return list(chunk("train", range(self.rows), 1))

    def records(self, shard):
        from helper_of_the_file import record

        yield from (record(key) for key in shard.keys)

    def describe(self):
        return "Made by a test."
"""
HELPER = """\
import numpy as np

from vimonet.motion import Motion
from vimonet.vimos.parquet import Record


def record(key):
    joints = np.random.default_rng(key).uniform(0, 1, (20, 22, 3)).astype(np.float32)
    return Record(f"r/{key}", "mine", f"r/{key}", "train", "mine", Motion(joints, name=f"r/{key}"))
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_builder_of_ones_own_is_a_file(tmp_path, capsys, workers):
    """Its fields are options, its neighbours can be imported, here and in worker processes."""
    folder = tmp_path / f"own{workers}"
    folder.mkdir()
    (folder / f"rows_builder_{workers}.py").write_text(BUILDER)
    (folder / "helper_of_the_file.py").write_text(HELPER)
    file = str(folder / f"rows_builder_{workers}.py")
    command = ["data", "build", file, "--rows", "3", "--workers", workers, "-o", str(tmp_path / "d")]
    assert main(command) == 0, capsys.readouterr().err
    assert "train 3 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["data", "build", file, "-h"])
    assert "--rows N" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n", "registers no builders; decorate one class with @register"),
        ("import nothing_of_this_name\n", "cannot be imported (ModuleNotFoundError: No module named"),
        (BUILDER + BUILDER.replace("of-a-file", "second").replace("OfAFile", "Second"), "registers 2 builders"),
    ],
)
def test_a_file_without_one_builder_is_told(tmp_path, capsys, text, told):
    file = tmp_path / f"builder_{len(text)}.py"
    file.write_text(text)
    assert main(["data", "build", str(file), "-o", str(tmp_path / "d")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "d").exists()
