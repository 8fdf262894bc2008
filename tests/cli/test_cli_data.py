from __future__ import annotations

import json

import numpy as np
import pytest

from vimonet.cli import main
from vimonet.vimos.synthesis import generate


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
    assert build(root, out) == 0
    return out


def test_build_writes_card_and_leak_report_and_is_repeatable(root, made, tmp_path, capsys):
    assert build(root, tmp_path / "d") == 0
    captured = capsys.readouterr()
    assert "instructions; card" in captured.out and "skipped bad.bvh" in captured.err
    card = (tmp_path / "d" / "README.md").read_text()
    assert "## Leak report" in card and card == (made / "README.md").read_text()
    assert build(root, tmp_path / "d") == 0  # a finished dataset is left as it is


def test_validate_says_so_and_exits_with_one_on_findings(made, tmp_path, root, capsys):
    assert main(["data", "validate", str(made)]) == 0
    assert "nothing to complain of" in capsys.readouterr().out
    assert build(root, tmp_path / "d") == 0
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


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["build", "folder", "--root", "nowhere", "-o", "d"], "no such folder"),
        (["build", "humanml3d", "--root", ".", "-o", "d"], "not HumanML3D's folder"),
        (["build", "motionx", "--root", ".", "-o", "d"], "not Motion-X's folder"),
        (["build", "babel", "--root", ".", "--motions", "nowhere", "-o", "d"], "give --motions"),
        (["build", "open", "--sources", "nothing", "-o", "d"], "unknown source 'nothing'"),
        (["build", "open", "--root", "nowhere", "--sources", "bnr", "-o", "d"], "no such folder"),
        (
            ["build", "open", "--sources", "bnr", "-o", "d"],
            "--root DIR or in the environment variable VIMONET_DATA",
        ),
        (["build", "open", "--count", "-1", "-o", "d"], "give 0 or more"),
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
