from __future__ import annotations

from pathlib import Path

import pytest
from dataset_world import write_vimos

from vimonet.bench import Options, run
from vimonet.bench.tasks import find_tasks, known_tasks, load_task
from vimonet.utils.errors import InputError

PAPER_MOTION = ["sequence", "direction", "body_part", "reasoning", "hallucination"]
PAPER_VIDEO = ["action_localization", "action_prediction", "action_sequence", "egocentric_navigation"]
PAPER_VIDEO += ["fine_grained_action", "fine_grained_pose", "unexpected_action"]


def test_the_papers_tasks_are_there_in_its_order() -> None:
    tasks = known_tasks()
    assert [name for name, task in tasks.items() if task.group == "motion"][:5] == PAPER_MOTION
    assert [name for name, task in tasks.items() if task.group == "video"] == PAPER_VIDEO
    assert all(task.about for task in tasks.values())
    assert all(tasks[name].mvbench.file == f"{name}.json" for name in PAPER_VIDEO)


def test_tasks_by_group_name_and_file(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("about: mine\nselect: {forms: turn}\nanswer: {format: time, tolerance: 1}\n")
    found = find_tasks(["video", "count", str(own)])
    assert [task.name for task in found] == [*PAPER_VIDEO, "count", "mine"]
    assert found[-1].select.forms == ("turn",) and found[-1].answer.tolerance == 1.0
    with pytest.raises(InputError, match="named twice"):
        find_tasks(["count", "motion"])
    with pytest.raises(InputError, match=r"'cuont' is unknown.*sequence"):
        find_tasks(["cuont"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("promt: x", "unknown key 'promt'; did you mean 'prompt'"),
        ("select: {style: a}", "select: unknown key 'style'; did you mean 'styles'"),
        ("select: 3", "select is 3; a mapping"),
        ("answer: {format: fuzzy}", "format is 'fuzzy'"),
        ("answer: {tolerance: wide}", "tolerance is 'wide'; a number is expected"),
        ("answer: {tolerance: -1}", "tolerances of 0 or more"),
        ("group: sound", "motion or video"),
        ("prompt: Hello", "{question}"),
        ("prompt: '{question} {secret}'", "{secret}"),
        ("prompt: '{question'", "{question}"),
        ("answer: {format: letter}", "{options}"),
        ("metrics: [bleu4]", "'bleu4' does not fit"),
        ("- a", "a task is a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_mistakes_in_a_task_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_task(path)
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_is_one_yaml_file(tmp_path: Path) -> None:
    own = tmp_path / "which_hand.yaml"
    own.write_text("about: Which hand.\nselect: {kinds: [raised_hand]}\n")
    dataset = write_vimos(tmp_path / "data")
    report = run(Options(dataset, (str(own),), out=tmp_path / "out", samples=20, progress=False), "nearest")
    assert report.row("all", "which_hand")["n"] == 12 and report.score("all", "which_hand") == 1


def test_a_missing_task_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        find_tasks([str(tmp_path / "none.yaml")])
