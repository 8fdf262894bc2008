from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
from bench_world import FakeAnswer, Observer
from dataset_world import write_babel_qa, write_mvbench, write_video, write_vimos

from vimonet.bench.adapters import EndpointModel, MotionModel
from vimonet.bench.compare_reports import side_by_side
from vimonet.bench.items import VideoSpan
from vimonet.bench.report import Report, load_report
from vimonet.bench.runner import Options, default_out, run, run_models
from vimonet.cli import bench as command
from vimonet.utils.errors import InputError

TASKS = ("body_part", "reasoning", "timing", "captioning")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vimos(tmp_path_factory.mktemp("data") / "vimos")


def options(dataset: Path, out: Path, **changes: object) -> Options:
    return replace(Options(dataset, TASKS, out=out, samples=100, progress=False), **changes)  # type: ignore[arg-type]


class Blinking(Observer):
    """Answers rightly from the movement, and says when it sees nothing."""

    def _answer(self, question, motion):  # type: ignore[no-untyped-def]
        if "second" in question:
            return FakeAnswer("at 2 seconds")
        return FakeAnswer("cannot tell", 0.2) if motion is None else super()._answer(question, motion)


@pytest.fixture(scope="module")
def report(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run(options(dataset, tmp_path_factory.mktemp("out") / "a"), MotionModel(Blinking()))


def test_categories_stand_beside_the_larger_blind_score(report: Report) -> None:
    cell = report.row("all", "body_part")
    assert cell["systems"]["model"]["score"]["value"] == 1 and cell["systems"]["blind"]["score"]["value"] == 0
    assert cell["blind"]["system"] == "question_only" and 0 < cell["blind"]["value"] < 1
    assert cell["above_blind"]["value"] == pytest.approx(1 - cell["blind"]["value"])
    assert cell["systems"]["frozen"]["score"]["value"] == 0
    timing = report.row("all", "timing")["systems"]["model"]
    assert timing["score"]["value"] == 1 and timing["exact_match"]["value"] == 0  # half a second is forgiven


def test_one_table_of_categories(report: Report) -> None:
    lines = report.categories(("there", "here")).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0][:4] == ["source", "task", "n", "score"] and rows[0][-3:] == ["mirrored", "majority", "nearest"]
    assert [row[0] for row in rows[2:]] == ["there"] * 4 + ["here"] * 4
    assert [row[1] for row in rows[6:]] == ["body_part", "reasoning", "timing", "all"]
    body, cell = rows[6], report.row("here", "body_part")
    asked, alone = cell["n"], cell["systems"]["question_only"]["score"]["value"]
    assert body[2] == str(asked) and body[3].startswith("1.00 (") and body[7] == f"1.00 of {asked}"
    assert body[5] == f"{alone:.2f}*".lstrip("0")  # the model itself says "cannot tell": 0
    assert body[4].startswith("1.00 (") and body[4].endswith("*)") and rows[7][7] == "–"  # yes and no have no side
    assert report.categories() in (report.out / "report.md").read_text()
    with pytest.raises(InputError, match="no questions about 'nowhere'; it has all, here, there"):
        report.categories(("nowhere",))


def test_micro_and_macro(report: Report) -> None:
    row = next(row for row in report.sections["averages"] if row["source"] == "all")
    kinds = [report.row("all", kind)["systems"]["majority"]["score"]["value"] for kind in TASKS[:3]]
    assert row["kinds"] == 3 and row["systems"]["majority"]["macro"]["value"] == pytest.approx(sum(kinds) / 3)
    assert row["systems"]["majority"]["micro"]["value"] == pytest.approx(sum(kinds) / 3)  # equal counts
    assert "reversed" not in row["systems"] and row["systems"]["model"]["micro"]["n"] == 36


def test_consistency_under_the_mirror(report: Report) -> None:
    rows = {(r["control"], r["source"], r["kind"]): r for r in report.sections["consistency"]}
    row = rows["mirrored", "all", "all"]
    assert row["turned"]["value"] == 1 and row["turned"]["n"] == 12 and row["stayed"]["n"] == 0


def test_contradictions_with_what_is_measured(report: Report) -> None:
    rows = report.sections["evidence"]
    assert rows and all(0 <= row["contradicted"]["value"] <= 1 for row in rows)


def test_the_report_says_what_it_was_made_with(report: Report) -> None:
    facts = json.loads((report.out / "report.json").read_text())["provenance"]
    assert facts["dataset"] == "vimos (vimos)" and facts["dataset_sha256"] == "abc" and facts["tasks"] == list(TASKS)
    assert facts["seed"] == 0 and facts["version"] and facts["items_sha256"]
    text = (report.out / "report.md").read_text()
    for heading in ("Scores", "Averages", "Changed motions", "Contradictions", "Captions"):
        assert f"## {heading}" in text
    assert (report.out / "scores.png").stat().st_size > 10_000
    kinds = [row["kind"] for row in report.sections["score_rows"] if row["source"] == "all" and row["kind"] != "all"]
    assert kinds == ["body_part", "reasoning", "timing"]  # the order of the tasks


def test_an_interrupted_run_goes_on_to_the_same_report(dataset: Path, tmp_path: Path, report: Report) -> None:
    settings = options(dataset, tmp_path / "a", batch_size=8)
    with pytest.raises(KeyboardInterrupt):
        run(settings, MotionModel(Blinking(fail_after=40)))
    second = Blinking()
    resumed = run(settings, MotionModel(second))
    whole = Blinking()
    straight = run(options(dataset, tmp_path / "b", batch_size=8), MotionModel(whole))
    assert resumed.sections == straight.sections == report.sections and 0 < second.asked < whole.asked


def test_limits(dataset: Path, tmp_path: Path) -> None:
    few = run(
        options(dataset, tmp_path, limit=20, control_limit=8, controls=("blind", "shuffled")), MotionModel(Blinking())
    )
    assert few.provenance["items"] == 20
    cell = few.row("all", "all")["systems"]
    assert cell["shuffled"]["score"]["n"] < cell["model"]["score"]["n"] == cell["blind"]["score"]["n"]


def test_baselines_as_models(dataset: Path, tmp_path: Path, report: Report) -> None:
    for name in ("majority", "nearest", "question-only"):
        out = run(options(dataset, tmp_path / name, controls=()), name)
        system = name.replace("-", "_")
        assert (
            out.row("all", "body_part")["systems"]["model"]["score"]
            == report.row("all", "body_part")["systems"][system]["score"]
        )


def test_several_models_are_seeds_with_mean_and_spread(dataset: Path, tmp_path: Path, report: Report) -> None:
    both = run_models(options(dataset, tmp_path, controls=()), ["majority", "nearest"])
    assert {path.name for path in tmp_path.iterdir()} == {"0-majority", "1-nearest", "combined.json", "combined.md"}
    cell = next(row for row in both.sections["score_rows"] if (row["source"], row["kind"]) == ("all", "body_part"))
    systems = report.row("all", "body_part")["systems"]
    values = [systems[name]["score"]["value"] for name in ("majority", "nearest")]
    assert cell["systems"]["model"]["score"]["mean"] == pytest.approx(sum(values) / 2)
    assert cell["systems"]["model"]["score"]["std"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert load_report(tmp_path).summary() == both.summary() and " ± " in both.summary()


def test_the_compact_table_names_every_figure(report: Report) -> None:
    row = report.row("here", "body_part")
    text = report.summary("here")
    line = next(line for line in text.splitlines() if line.startswith("| body part |"))
    assert line.split("|")[2].strip() == str(row["n"]) and line.split("|")[3].strip().startswith("1.00 (")
    (ece,) = (row["ece"]["value"] for row in report.sections["calibration"] if row["source"] == "here")
    assert f"- Calibration error (ECE), here: {ece:.3f}".replace("0.", ".") in text
    assert "- Captions, here, raw references, n 9: BLEU-1 " in text and "answers with a side flip." in text
    assert '- "Yes" to absent things of any kind, here: ' in text


def test_side_by_side_with_a_paired_test(dataset: Path, tmp_path: Path, report: Report) -> None:
    run(options(dataset, tmp_path / "majority", controls=()), "majority")
    text = side_by_side([report.out / "report.json", tmp_path / "majority"])
    assert "## observer minus majority" in text and "Paired on the 36 questions" in text
    line = next(row for row in text.splitlines() if row.startswith("| all | body_part | 12 | 12 |"))
    share = 1 - report.row("all", "body_part")["systems"]["majority"]["score"]["value"]
    assert f"{share:.2f}".lstrip("0") in line
    same = side_by_side([report.out, report.out])
    assert "| .00 | 1.000 |" in same or "| 1.000 |" in same
    (tmp_path / "majority" / "answers.jsonl").unlink()
    with pytest.raises(InputError, match="answers of this run are missing"):
        side_by_side([report.out, tmp_path / "majority"])


def test_what_cannot_be_run_is_said_in_one_sentence(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="reads no video"):
        run(options(dataset, out, tasks=("video",)), MotionModel(Blinking()))
    with pytest.raises(InputError, match="count finds nothing"):
        run(options(dataset, out, tasks=("body_part", "count")), MotionModel(Blinking()))
    with pytest.raises(InputError, match="control 'deaf' is unknown"):
        run(options(dataset, out, controls=("deaf",)), MotionModel(Blinking()))
    with pytest.raises(InputError, match="learns from a train split"):
        run(Options(write_mvbench(tmp_path / "mv"), out=out, progress=False), "majority")
    assert not out.exists()


def test_an_endpoint_sees_key_frames(tmp_path: Path) -> None:
    asked = []

    class Chat:
        def chat_many(self, requests):  # type: ignore[no-untyped-def]
            for request in requests:
                asked.append(request)
                yield argparse.Namespace(text=" (B) ")

    remote = argparse.Namespace(endpoint=Chat(), level="series", image=False)
    remote.endpoint.settings = argparse.Namespace(model="seer")
    remote.ask_batch = lambda pairs, answer_policy: [FakeAnswer("B", None) for _ in pairs]
    pytest.importorskip("jsonschema")
    pytest.importorskip("httpx2")
    folder = write_mvbench(tmp_path / "mv")
    out = run(
        Options(folder, out=tmp_path / "out", controls=("blind",), samples=50, progress=False), EndpointModel(remote, 3)
    )
    assert out.provenance["tasks"] == ["action_prediction", "fine_grained_pose"]
    assert out.score("mvbench", "action_prediction", measure="score") == 1
    assert out.score("mvbench", "fine_grained_pose", measure="score") == 0.5
    images = [part for part in asked[0].messages[1]["content"] if part["type"] == "image_url"]
    assert len(asked) == 3 and len(images) == 3


def test_choosing_by_likelihood(tmp_path: Path) -> None:
    import torch
    from tiny import tiny_model, tiny_motion

    from vimonet.inference.assistant import Assistant

    assistant = Assistant(*tiny_model())
    model = MotionModel(assistant)
    (folder := tmp_path / "qa")
    out = run(
        Options(write_babel_qa(folder), out=tmp_path / "out", controls=("blind",), samples=50, progress=False), model
    )
    answers = [json.loads(line) for line in (out.out / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == 2 and all(row["model"] in ("stand", "walk") for row in answers)
    assert all(0.5 <= row["confidence"] <= 1 for row in answers)
    # The likelihood of an option is that of its tokens and the end, one after another.
    ids = assistant.processor.tokenizer("left", add_special_tokens=False)["input_ids"]
    ids.append(assistant.processor.tokenizer.eos_token_id)
    prompt = assistant.prepare_inputs([("Which way?", tiny_motion(20))])
    total = 0.0
    for token in ids:
        with torch.inference_mode():
            logits = assistant.model(**prompt).logits[0, -1].double()
        total += float(logits.log_softmax(dim=-1)[token])
        prompt["input_ids"] = torch.cat([prompt["input_ids"], torch.tensor([[token]])], dim=1)
        prompt["attention_mask"] = torch.ones_like(prompt["input_ids"])
    found = model.log_likelihoods(("Which way?", tiny_motion(20)), ("left", "right"))
    assert float(found[0]) == pytest.approx(total, abs=1e-4)


def test_a_model_with_a_video_tower_reads_the_video_tasks(tmp_path: Path) -> None:
    from tiny import tiny_model
    from tiny_video import tiny_clip_config

    from vimonet.inference.assistant import Assistant

    model = MotionModel(Assistant(*tiny_model(video_config=tiny_clip_config(), video_tokens=32)))
    assert model.reads == {"motion", "video"} and MotionModel(Assistant(*tiny_model())).reads == {"motion"}
    folder = write_mvbench(tmp_path / "mv")
    out = run(Options(folder, out=tmp_path / "out", samples=50, progress=False), model)
    assert out.provenance["tasks"] == ["action_prediction", "fine_grained_pose"]
    assert out.row("mvbench", "fine_grained_pose")["systems"]["frozen"]["score"]["n"] == 2
    said = {}
    for line in (out.out / "predictions.jsonl").read_text().splitlines()[1:]:
        row = json.loads(line)
        said[row["condition"], row["item"]] = row["confidence"]
    item = next(name for condition, name in said if condition == "motion" and "action_prediction" in name)
    # Pictures are looked at: without them, or held still, the model is otherwise sure of what it says.
    assert len({said[condition, item] for condition in ("motion", "blind", "frozen")}) == 3


def test_a_stretch_of_video_as_a_model_sees_it(tmp_path: Path) -> None:
    from tiny import tiny_model
    from tiny_video import tiny_clip_config

    from vimonet.inference.assistant import Assistant

    model = MotionModel(Assistant(*tiny_model(video_config=tiny_clip_config(), video_tokens=32)))
    video = VideoSpan(write_video(tmp_path / "grey.mp4", 2.0), 0.5, 1.5)
    film, back, other = (
        model.video_frames(one) for one in (video, video.changed("reversed"), video.changed("mirrored"))
    )
    greys = [shown.images.mean((1, 2, 3)) for shown in (film, back)]
    assert len(greys[0]) == 8 and greys[0][-1] - greys[0][0] > 40 and greys[1].tolist() == greys[0][::-1].tolist()
    assert film.times.tolist() == back.times.tolist() and film.duration == pytest.approx(1)
    assert -0.11 <= film.times[0] < film.times[-1] <= 1
    assert film.images[0, :, :20].mean() > film.images[0, :, -20:].mean() + 30
    assert other.images[0, :, :20].mean() < other.images[0, :, -20:].mean() - 30
    asked = [("Which way?", video, ("left", "right")), ("Which way?", None, ("left", "right"))]
    chosen, blind = model.choose_batch(asked)
    assert chosen.text in ("left", "right") and chosen.confidence != blind.confidence
    with pytest.raises(InputError, match="reads no video"):
        MotionModel(Assistant(*tiny_model())).ask_batch([("Which way?", video)])


def test_the_command(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())

    def call(*words: str) -> int:
        arguments = parser.parse_args(["bench", *words])
        return int(arguments.run(arguments))

    out = tmp_path / "out"
    common = ("--dataset", str(dataset), "--tasks", "body_part,reasoning")
    assert call("run", *common, "-m", "majority", "--output", str(out), "--controls", "none", "--samples", "50") == 0
    assert "## Scores" in capsys.readouterr().out and (out / "report.json").is_file()
    assert call("report", str(out), "--output", str(tmp_path / "r.md")) == 0
    assert (tmp_path / "r.md").read_text().startswith("# Runs side by side")
    capsys.readouterr()
    assert call("table", str(out), "--source", "here") == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("| task | n | score |") and table[4].startswith("| all | 18 |")
    assert call("table", str(out), "--full") == 0 and "## Averages" in capsys.readouterr().out
    with pytest.raises(InputError, match="no questions about 'nowhere'; it has all, here, there"):
        call("table", str(out), "--source", "nowhere")
    with pytest.raises(InputError, match="no text-motion encoder is in this place"):
        call("run", *common, "--retrieval-model", str(tmp_path / "none"), "-m", "majority")
    assert call("list", "--dataset", str(dataset)) == 0
    assert "12 of    12 recordings" in capsys.readouterr().out
    with pytest.raises(InputError, match="belong together"):
        call("run", *common, "--base-url", "http://localhost:1/v1")


def test_default_place(tmp_path: Path) -> None:
    assert default_out("runs/final s0", tmp_path / "vimos-open", "test") == Path("runs/bench/final-s0-vimos-open-test")
