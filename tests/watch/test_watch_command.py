"""`vimonet watch` on the command line: lines, JSON, Ctrl-C, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
from watch_world import message, standing_at

from vimonet.cli import main


@pytest.fixture
def poses(tmp_path):
    lines = [message(number / 5, standing_at(300 - 12 * number)) for number in range(26)]
    lines += [message(5.2 + number / 5) for number in range(40)]
    path = tmp_path / "poses.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_events_are_printed_for_people_and_a_summary_ends_it(poses, capsys):
    assert main(["watch", str(poses), "--once"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("  ")[-1].strip() for line in out.splitlines()] == [
        "person 1 comes into view",
        "person 1 is out of view, at the left edge",
        "nobody is in view",
        "the watch ended",
    ]
    assert "66 of 66 frames looked at over 13.0 s" in err
    assert "1 person; enters 1, leaves 1, nobody 1" in err


def test_json_is_an_event_a_line(poses, capsys):
    assert main(["watch", str(poses), "--once", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["enters", "leaves", "nobody", "nobody"]
    assert events[2]["id"] == events[3]["id"] and events[2]["end"] is None and events[3]["end"] == 13.0
    assert events[0]["person"] == 1 and events[1]["value"]["edge"] == "left"


def test_a_sample_shows_a_fall_without_a_camera(capsys):
    assert main(["watch", "sample:fall", "--unit", "cm", "--up", "y"]) == 0
    assert "person 1 falls" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_with_a_summary(tmp_path, capsys, number):
    before = signal.getsignal(signal.SIGINT)  # ignored where the tests run in the background of a shell
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)

    def write():
        with pipe.open("wb", buffering=0) as stream:
            for index in range(20):
                stream.write(message(index / 10, standing_at(300 + index)) + b"\n")
            time.sleep(0.5)
            signal.raise_signal(number)
            time.sleep(1.5)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert main(["watch", str(pipe)]) == 0
    out, err = capsys.readouterr()
    assert "comes into view" in out
    assert "20 of 20 frames looked at" in err
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["missing.jsonl"], "missing.jsonl: there is no such file"),
        (["POSES", "--speed", "0"], "--speed is 0"),
        (["POSES", "--stall", "-1"], "--stall is -1"),
        (["POSES", "--size", "big"], "size 'big' is not known"),
        (["POSES", "--unit", "ell"], "unit 'ell' is not known"),
        (["gopher://x"], "gopher:// cannot be watched"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(poses, capsys, arguments, words):
    assert main(["watch", *(str(poses) if one == "POSES" else one for one in arguments)]) == 2
    out, err = capsys.readouterr()
    assert not out and words in err and len(err.splitlines()) == 1
