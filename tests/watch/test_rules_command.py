"""`vimonet watch --rules`: a fall in a stream of poses becomes an alarm that ends."""

from __future__ import annotations

import json

from test_body_events import acted, frames, seen_by_a_camera

from vimonet.cli import main
from vimonet.motion.skeleton import JOINT_NAMES


def test_a_fall_reaches_the_sink(tmp_path, capsys) -> None:
    lines = []
    for frame in frames(seen_by_a_camera(acted("stand", "fall", seed=5))):
        joints = {
            name: [*map(float, frame.joints[i, :2]), float(frame.confidence[i])] for i, name in enumerate(JOINT_NAMES)
        }
        lines.append({"time": frame.time, "width": 1280, "height": 720, "people": [{"id": 1, "joints": joints}]})
    (tmp_path / "poses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "rules.yaml").write_text(
        "rules:\n  - {event: fall, message: 'help, {text}'}\n"
        f"sinks:\n  log: {{kind: jsonl, path: {tmp_path / 'alarms.jsonl'}}}\n"
    )
    assert main(["watch", str(tmp_path / "poses.jsonl"), "--rules", str(tmp_path / "rules.yaml"), "--once"]) == 0
    assert "person 1 falls" in capsys.readouterr().out
    alarm = json.loads((tmp_path / "alarms.jsonl").read_text().splitlines()[0])
    assert alarm["message"] == "help, person 1 falls" and alarm["event"] == "fall"


def test_wrong_rules_are_told_before_the_source_is_opened(tmp_path, capsys) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - event: fal\n")
    assert main(["watch", "0", "--rules", str(tmp_path / "rules.yaml")]) == 2
    assert "line 2: there is no event 'fal'" in capsys.readouterr().err
