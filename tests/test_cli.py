"""The command line, mostly in this process: what is printed where, exit codes, resuming."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vimonet
from scripts.export_fp16 import export_fp16
from vimonet.cli import main, shared
from vimonet.cli.caption import model_fingerprint

PACKAGE = Path(vimonet.__file__).parents[1]


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    model, processor = tiny_model()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with four clips; the cache folder is elsewhere and empty."""
    from tiny import tiny_motion

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIMONET_MODEL", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for index, name in enumerate("abcd"):
        np.save(folder / f"{name}.npy", tiny_motion(30 + index, seed=index).joints)
    return folder


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- help and imports ---


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ask",
        "caption",
        "inspect",
        "render",
        "index",
        "search",
        "data",
        "data build",
        "bench",
        "bench run",
        "train",
        "demo",
    ],
)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: vimonet {command}".strip() in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"vimonet {vimonet.__version__}"


def test_looking_and_drawing_do_not_import_torch(clips: Path) -> None:
    code = (
        "import sys; from vimonet.cli import main\n"
        "assert main(['inspect', 'a.npy']) == 0 and main(['render', 'a.npy', '-o', 'a.png']) == 0\n"
        "bad = {'torch', 'transformers', 'matplotlib'} & set(sys.modules); assert not bad, bad"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


def test_importing_the_package_is_quick_and_needs_no_torch() -> None:
    code = (
        "import sys, time; start = time.process_time(); import vimonet, vimonet.cli\n"
        "spent = time.process_time() - start\n"
        "bad = {'torch', 'transformers', 'scipy', 'pyarrow'} & set(sys.modules); assert not bad, bad\n"
        "assert spent < 1.0, spent"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# --- ask ---


def test_ask_prints_answer_confidence_and_window(
    clips: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", "a.npy", "Which arm is raised?", "-m", str(model_dir)]) == 0
    out, err = capsys.readouterr()
    expected = vimonet.load(model_dir).ask("Which arm is raised?", "a.npy")
    assert out.splitlines()[0] == expected.text.splitlines()[0] if expected.text else out.startswith("\n")
    assert f"confidence {expected.confidence:.2f}, looked at 0.0-1.5 s" in out
    assert err == "" and "\x1b" not in out


def test_ask_json_of_several_questions(
    clips: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIMONET_MODEL", str(model_dir))
    assert main(["ask", "a.npy", "What?", "Where to?", "--json"]) == 0
    first, second = lines_of(capsys.readouterr().out)
    assert (first["file"], first["question"], second["question"]) == ("a.npy", "What?", "Where to?")
    assert 0 <= first["confidence"] <= 1 and (first["start"], first["end"]) == (0, 1.5)


def test_a_long_recording_is_answered_window_by_window(
    clips: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tiny import tiny_motion

    np.save("long.npy", tiny_motion(128).joints)  # the tiny model's window is 64 frames
    assert main(["ask", "long.npy", "What?", "-m", str(model_dir), "--json"]) == 0
    (record,) = lines_of(capsys.readouterr().out)
    assert [(part["start"], part["end"]) for part in record["windows"]] == [(0, 3.2), (3.2, 6.4)]
    assert main(["ask", "long.npy", "What?", "-m", str(model_dir)]) == 0
    assert "0.0-3.2 s" in capsys.readouterr().out


def test_ask_reads_standard_input(
    clips: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("a.npy").read_bytes())))
    assert main(["ask", "-", "What?", "-m", str(model_dir), "--json"]) == 0
    (record,) = lines_of(capsys.readouterr().out)
    assert record["file"] == "-" and record["end"] == 1.5


def test_ask_shows_and_tells_facts(clips: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "a.npy", "What?", "-m", str(model_dir), "-o", "answer.png", "--facts"]) == 0
    out, err = capsys.readouterr()
    assert Path("answer.png").stat().st_size > 5000
    assert "moves: " in out and err.strip() == "wrote answer.png"


def test_ask_explains_in_a_picture(clips: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ask", "a.npy", "-m", str(model_dir), "What?", "Where to?", "--attention"]
    assert main([*command, "moments.png"]) == 0
    out, err = capsys.readouterr()
    assert Path("moments.png").read_bytes()[:4] == b"\x89PNG" and err == "wrote moments.png\n"
    assert out.count("confidence") == 2
    for wrong, said in (("moments.gif", "drawn as .png"), ("gone/m.png", "does not exist")):
        assert main([*command, wrong]) == 2
        assert said in capsys.readouterr().err
    assert main([*command, "m.png", "--base-url", "http://127.0.0.1:9/v1", "--llm-model", "any"]) == 2
    assert "does not give its attention" in capsys.readouterr().err


# --- ask with video ---


@pytest.fixture(scope="session")
def joint_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that sees."""
    from tiny import tiny_model
    from tiny_video import tiny_clip_config

    folder = tmp_path_factory.mktemp("models") / "joint"
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=32)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def poses(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Keypoints in place of a pose estimator's: what is asked for a file named here."""
    known: dict[str, Any] = {}
    usual = shared.load_motion

    def load(args: Any, recording: str) -> Any:
        found = known.get(recording)
        if isinstance(found, Exception):
            raise found
        return usual(args, recording) if found is None else found

    monkeypatch.setattr(shared, "load_motion", load)
    return known


def film(name: str) -> str:
    from video_clips import make

    make(Path(name), 30)
    return name


def test_what_a_seeing_model_could_not_see_is_said(
    clips: Path, joint_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from video_clips import make

    path = make(Path("cut.mp4"), 100, size=(200, 120), container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    export_fp16(joint_dir, "sees", ["keypoint"])  # it follows nobody
    for recordings in (["cut.mp4"], ["a.npy", "cut.mp4"]):
        assert main(["ask", *recordings, "What is the person doing?", "-m", "sees"]) == 0
        assert "vimonet: cut.mp4: the file breaks off: it holds " in capsys.readouterr().err


def test_ask_about_a_motion_and_its_video(
    clips: Path, joint_dir: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film("a.mp4")
    questions = ["Which way?", "Which arm?"]
    for given in (["a.npy", "a.mp4"], ["a.mp4", "a.npy"]):
        assert main(["ask", *given, *questions, "-m", str(joint_dir), "--json", "--attention", "m.png"]) == 0
        first, second = lines_of(capsys.readouterr().out)
        assert (first["file"], first["inputs_read"], second["question"]) == (given, ["motion", "video"], "Which arm?")
        wanted = vimonet.load(joint_dir).ask("Which way?", "a.npy", "a.mp4")
        assert first["confidence"] == pytest.approx(wanted.confidence, abs=1e-4)
    assert Path("m.png").stat().st_size > 5000
    assert main(["ask", "a.npy", "a.mp4", "Which way?", "-m", str(joint_dir), "--json", "--frames", "-4"]) == 2
    assert "cannot take -4 of" in capsys.readouterr().err
    # A model without a video tower leaves the video out, and says so.
    assert main(["ask", "a.npy", "a.mp4", "Which way?", "-m", str(model_dir), "--json"]) == 0
    out, err = capsys.readouterr()
    assert lines_of(out)[0]["inputs_read"] == ["motion"]
    assert err == "vimonet: a.mp4: this model sees no video; it answered from the movement alone.\n"


def test_ask_about_a_video_alone(
    clips: Path, joint_dir: Path, model_dir: Path, poses: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from tiny import tiny_motion

    from vimonet.utils.errors import InputError

    film("a.mp4")
    poses["a.mp4"] = tiny_motion(24, dimensions=2)
    command = ["ask", "a.mp4", "Which way?", "--json", "-m"]
    assert main([*command, str(model_dir)]) == 0  # as movement
    assert lines_of(capsys.readouterr().out)[0]["inputs_read"] == ["motion"]
    assert main([*command, str(joint_dir), "-o", "shown.png"]) == 0  # as both
    assert lines_of(capsys.readouterr().out)[0]["inputs_read"] == ["motion", "video"]
    poses["a.mp4"] = InputError("a.mp4: nobody is seen in its 30 frames; give a video that shows a person.")
    assert main([*command, str(joint_dir)]) == 0  # as frames
    out, err = capsys.readouterr()
    assert lines_of(out)[0]["inputs_read"] == ["video"]
    assert "nobody is seen" in err and "from its frames alone" in err and err.count("\n") == 1
    assert main([*command, str(joint_dir), "-o", "none.png"]) == 2 and not Path("none.png").exists()
    assert main([*command, str(model_dir)]) == 2
    assert capsys.readouterr().err.count("nobody is seen") == 1
    Path("bad.mp4").write_text("no video")
    poses["bad.mp4"] = InputError("bad.mp4: not a readable video.")
    assert main(["ask", "bad.mp4", "Which way?", "-m", str(joint_dir)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_recordings_come_before_questions(clips: Path, joint_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ask", "-m", str(joint_dir), "--json"]
    assert main([*command, "a.npy", "b.npy", "Which?"]) == 0  # two motions in one prompt
    assert lines_of(capsys.readouterr().out)[0]["file"] == ["a.npy", "b.npy"]
    assert main([*command, "a.npy", "Is it", "b.npy"]) == 0  # behind a question, a file's name is a question
    assert [line["question"] for line in lines_of(capsys.readouterr().out)] == ["Is it", "b.npy"]
    for given, said in (
        (["a.npy", "b.npy"], "no question after b.npy"),
        (["a.npy", "gone.mp4", "Which?"], "gone.mp4: no such file"),
        (["-", "-", "Which?"], "one recording"),
        (["a.npy", "b.npy", "Which?", "-o", "x.png"], "2 are given"),
    ):
        assert main([*command, *given]) == 2
        assert said in capsys.readouterr().err


class Says:
    """Stands in for a model that always says the same; its evidence is measured."""

    def __init__(self, text: str) -> None:
        self.text = text

    config = None

    def ask_batch(
        self, asked: list[Any], *, frames: int | None, evidence: bool, answer_policy: str | None
    ) -> list[vimonet.Answer]:
        from vimonet.inference.answer import MeasuredClip

        return [
            vimonet.Answer(
                self.text,
                0.5,
                0.0,
                motion.duration,
                question=question,
                clip=MeasuredClip(motion),
                all_evidence=evidence,
            )
            for question, motion, _ in asked
        ]


@pytest.mark.parametrize(
    ("said", "verdict"), [("left", "agrees: turns: left 89"), ("right", "CONTRADICTS: turns: left 89")]
)
def test_ask_with_evidence(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, verdict: str
) -> None:
    monkeypatch.setattr(shared, "assistant", lambda args: Says(said))
    command = ["ask", "sample:turn_left", "Which way does the person turn?", "What colour is it?"]
    assert main([*command, "--evidence"]) == 0
    out = capsys.readouterr().out
    assert verdict in out and "1.4-2.5 s" in out and "no measure bears on this question" in out
    assert ("measured answer: left" in out) == (said == "right")  # a disagreement says what it should have been
    assert main([*command, "--evidence", "--json"]) == 0
    first, second = lines_of(capsys.readouterr().out)
    assert first["text"] == said and second["evidence"] == []
    assert first["evidence"][0]["verdict"] == ("agrees" if said == "left" else "contradicts")
    assert first["evidence"][0]["spans"][0]["joints"] == ["pelvis", "left_shoulder", "right_shoulder"]
    assert main([*command, "--json"]) == 0
    first, second = lines_of(capsys.readouterr().out)  # without --evidence, what contradicts alone
    assert [item["verdict"] for item in first["evidence"]] == ([] if said == "left" else ["contradicts"])
    assert second["evidence"] == []
    assert main(command) == 0
    out = capsys.readouterr().out
    assert (
        out.count("CONTRADICTS: turns: left 89") == (said == "right")
        and "agrees" not in out
        and "no measure" not in out
    )


def test_ask_draws_its_evidence(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shared, "assistant", lambda args: Says("right"))
    question = "Which way does the person turn?"
    assert main(["ask", "sample:turn_left", question, "-o", "plain.png"]) == 0
    assert main(["ask", "sample:turn_left", question, "--evidence", "-o", "marked.png"]) == 0
    assert Path("marked.png").read_bytes() != Path("plain.png").read_bytes()
    assert capsys.readouterr().err == "wrote plain.png\nwrote marked.png\n"
    assert main(["ask", "sample:turn_left", question, "--evidence", "-o", "gone/marked.png"]) == 2


# --- caption ---


class Counter:
    """Stands in for a model: counts what it is asked, fails when told."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.asked: list[str] = []
        self.stop_at = stop_at

    def caption(self, motion: Any, *, answer_policy: str | None = None) -> Any:
        if self.stop_at == len(self.asked):
            raise KeyboardInterrupt
        self.asked.append(motion.name)
        return vimonet.Answer(f"walks like {motion.name}", 0.5, 0.0, motion.duration)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch, model_dir: Path) -> Counter:
    counter = Counter()
    monkeypatch.setattr(shared, "assistant", lambda args: counter)
    monkeypatch.setenv("VIMONET_MODEL", str(model_dir))
    return counter


def test_caption_with_a_model(clips: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["caption", "b.npy", "a.npy", "--json", "-m", str(model_dir)]) == 0
    records = lines_of(capsys.readouterr().out)
    assert [record["file"] for record in records] == ["b.npy", "a.npy"]
    assert {"text", "confidence", "start", "end", "model"} <= set(records[0])
    assert records[0]["model"].startswith("tiny-")


def test_caption_takes_folders_in_order(clips: Path, counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    (clips / "more").mkdir()
    shutil.copy("a.npy", "more/z.npy")
    (clips / "more" / "notes.txt").write_text("not a recording")
    assert main(["caption", "more", "d.npy", "d.npy"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"more{os.sep}z.npy\twalks like z", "d.npy\twalks like d"] and err == ""


def test_caption_resumes_after_an_interruption(clips: Path, counter: Counter) -> None:
    files = ["a.npy", "b.npy", "c.npy", "d.npy"]
    counter.stop_at = 2
    assert main(["caption", *files, "-o", "out.jsonl"]) == 130
    assert len(lines_of(Path("out.jsonl").read_text())) == 2
    counter.stop_at = None
    assert main(["caption", *files, "-o", "out.jsonl"]) == 0
    assert [record["file"] for record in lines_of(Path("out.jsonl").read_text())] == files
    assert counter.asked == ["a", "b", "c", "d"]  # nothing was asked twice


def test_captions_are_kept_nowhere_but_in_the_output(clips: Path, counter: Counter, tmp_path: Path) -> None:
    assert main(["caption", "a.npy"]) == main(["caption", "a.npy"]) == 0
    assert counter.asked == ["a", "a"] and not (tmp_path / "cache").exists()


def test_a_model_is_known_by_its_files(model_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "tiny"
    shutil.copytree(model_dir, other)
    assert model_fingerprint(other) == model_fingerprint(model_dir)  # the same weights under another path
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    assert model_fingerprint(other) != model_fingerprint(model_dir)
    assert model_fingerprint("hub/name") is None


def test_output_file_resumes_and_drops_a_torn_line(
    clips: Path, counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["caption", "a.npy", "b.npy", "c.npy", "-o", "out.jsonl"]
    assert main(arguments[:3] + arguments[4:]) == 0
    whole = Path("out.jsonl").read_bytes()
    Path("out.jsonl").write_bytes(whole + b'{"file": "c.npy", "te')
    counter.asked.clear()
    assert main(arguments) == 0
    assert counter.asked == ["c"]
    after = Path("out.jsonl").read_bytes()
    assert after.startswith(whole)
    assert [record["file"] for record in lines_of(after.decode())] == ["a.npy", "b.npy", "c.npy"]
    assert capsys.readouterr().out == ""


def test_output_of_another_model_is_not_mixed(
    clips: Path, counter: Counter, tmp_path: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", "a.npy", "-o", "out.jsonl"]) == 0
    before = Path("out.jsonl").read_bytes()
    other = tmp_path / "other"
    shutil.copytree(model_dir, other)
    assert main(["caption", "b.npy", "-o", "out.jsonl", "-m", str(other)]) == 2
    assert "holds captions by tiny-" in capsys.readouterr().err
    assert Path("out.jsonl").read_bytes() == before
    assert main(["caption", "b.npy", "-o", "out.jsonl", "-m", str(other), "--no-resume"]) == 0
    assert [record["file"] for record in lines_of(Path("out.jsonl").read_text())] == ["b.npy"]


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"other": 1}\n', "[1]\n"])
def test_a_foreign_file_is_never_written_to(
    clips: Path, counter: Counter, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes.txt").write_text(content)
    assert main(["caption", "a.npy", "-o", "notes.txt"]) == 2
    assert "line 1 is not a caption" in capsys.readouterr().err
    assert Path("notes.txt").read_text() == content


def test_a_bad_file_does_not_stop_the_others(clips: Path, counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.npy").write_bytes(b"")
    assert main(["caption", "a.npy", "empty.npy", "gone.npy", "b.npy", "--json"]) == 2
    out, err = capsys.readouterr()
    assert [record["file"] for record in lines_of(out)] == ["a.npy", "b.npy"]
    summary, *listed = err.splitlines()
    assert summary == "vimonet: 2 recordings failed:"
    assert [line.split(":")[0].strip() for line in listed] == ["empty.npy", "gone.npy"]


# --- inspect and render ---


def test_inspect(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "a.npy", "--fps", "40"]) == 0
    out = capsys.readouterr().out
    for words in ("format:", "skeleton:", "source frames:", "30", "source fps:", "40", "22 of 22", "duration: 0.8 s"):
        assert words in out


def test_inspect_json_of_many(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "a.npy", "gone.npy", "b.npy", "--json"]) == 2
    out, err = capsys.readouterr()
    first, second = lines_of(out)
    assert (first["file"], first["frames"], second["frames"]) == ("a.npy", 30, 31)
    assert first["facts"]["duration"] == 1.5 and first["format"] == "joints"
    assert err.startswith("vimonet: 1 recording failed:\n  gone.npy: there is no such file")
    assert err.count("gone.npy") == 1


def test_render_a_part(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    assert main(["render", "a.npy", "-o", "a.mp4", "--start", "0.5", "--end", "1", "--width", "240"]) == 0
    with av.open("a.mp4") as video:
        assert sum(1 for _ in video.decode(video=0)) == 10
    out, err = capsys.readouterr()
    assert out == "" and err == "wrote a.mp4\n"
    assert main(["render", "a.npy", "-o", "b.mp4", "--start", "7"]) == 2
    assert "1.5 s" in capsys.readouterr().err and not Path("b.mp4").exists()


# --- train ---


def test_overrides_may_stand_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import vimonet.training

    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(vimonet.training, "main", lambda *given: calls.append(given))
    assert main(["train", "align", "a.b=1", "--config", "x.yaml", "c=2", "d=[1, 2]"]) == 0
    assert calls == [("align", "x.yaml", ["a.b=1", "c=2", "d=[1, 2]"])]


@pytest.mark.parametrize("arguments", [["inspect", "a.npy", "--wrong"], ["train", "align", "--config", "x", "--y=1"]])
def test_unknown_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "unrecognized arguments" in capsys.readouterr().err


# --- manners ---


def test_interrupt_is_130_without_a_traceback(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "load_people", stop)
    assert main(["inspect", "a.npy"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_full_disk_is_one_line(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device", "out.png")

    monkeypatch.setattr(shared, "load_people", full)
    assert main(["inspect", "a.npy"]) == 2
    assert capsys.readouterr().err == "vimonet: out.png: No space left on device.\n"


def test_colour_only_on_a_terminal(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", "a.npy"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    main(["inspect", "a.npy"])
    assert "\x1b[1ma.npy" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "")
    main(["inspect", "a.npy"])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_a_reader_that_leaves_is_no_error(clips: Path) -> None:
    names = ["a.npy", *(f"copy{k}.npy" for k in range(60))]  # more than a pipe holds
    for name in names[1:]:
        shutil.copy("a.npy", name)
    command = f'"{sys.executable}" -m vimonet inspect {" ".join(names)} --json | head -n 1; echo "${{PIPESTATUS[0]}}"'
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    first, status = done.stdout.splitlines()
    assert json.loads(first)["file"] == "a.npy"
    assert status == "141" and done.stderr == ""
