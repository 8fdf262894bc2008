"""The four cells: what is counted right is what the model says, and the table finds the gain that was put in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_model, tiny_motion
from tiny_video import tiny_clip_config

from research.fusion import score as fusion
from research.fusion.score import CELLS, Scored, family_of, main, score_cells, scores_of
from research.fusion.score_table import FusionTable
from vimonet.inference.assistant import load
from vimonet.training.data.collator import Collator
from vimonet.training.objective import supervised
from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import Shard, build, chunk
from vimonet.vimos.parquet import Instruction, Record
from vimonet.vimos.types import result_of, with_steps

ASKED = {
    "which arm is raised": "motion",
    "which way does the person turn": "both",
    "what is the person doing": "picture",
}
EVIDENCE = {needs: {"needs": needs} for needs in ASKED.values()}
EVIDENCE["both"]["steps"] = "seen from the front, turning"
SAID = ["to the left", "the left arm", "walking forward and waving", "to the right"]


def scored(arm_right: dict[str, float], seed: int, recordings: int = 60) -> list[Scored]:
    """Questions of all needs, right in each cell with the chance that `arm_right` gives (0.5 where it gives none)."""
    rng, found = np.random.default_rng(seed), []
    for n in range(recordings):
        for needs in ("picture", "motion", "both"):
            for k in range(2):
                right = {cell: bool(rng.random() < arm_right.get(f"{needs}/{cell}", 0.5)) for cell in CELLS}
                family = "even" if k == 0 else "odd"
                found.append(Scored(f"{n}/{needs}/{k}", f"r{n}", needs, family, "f", "seen", "yes", 2, right))
    return found


def runs(gain: float) -> dict[str, list[list[Scored]]]:
    """Three arms of three seeds; the joint one gains `gain` on what needs both, and loses on what needs motion."""
    chances = {"motion": {"motion/motion": 0.9}, "video": {"picture/video": 0.9}}
    chances["paired"] = {"both/both": 0.5 + gain, "picture/both": 0.9, "motion/both": 0.6, "motion/motion": 0.6}
    return {arm: [scored(right, 10 * k + seed) for seed in range(3)] for k, (arm, right) in enumerate(chances.items())}


def test_the_table_finds_gain_and_loss() -> None:
    table = FusionTable(runs(0.4), samples=500)
    found = {(row["needs"], row["cell"]): row["difference"] for row in table.comparisons()}
    assert set(found) == {
        ("both", "both"),
        ("motion", "both"),
        ("motion", "motion"),
        ("picture", "both"),
        ("picture", "video"),
    }
    gain, loss = found["both", "both"], found["motion", "both"]
    assert gain.value == pytest.approx(0.4, abs=0.1) and 0.15 < gain.low < gain.value < gain.high
    assert loss.value == pytest.approx(-0.3, abs=0.1) and loss.high < -0.15
    text = table.markdown()
    assert "| paired | both | both | the better of motion-only and video-only | +" in text
    assert "guessing 50.0" in text and "n = 120 questions, 60 recordings" in text


def test_no_gain_is_not_found() -> None:
    table = FusionTable(runs(0.0), samples=500)
    difference = next(row["difference"] for row in table.comparisons() if row["needs"] == "both")
    assert difference.low < 0 and difference.value < 0.1


def test_intervals_know_of_seeds() -> None:
    """Seeds that differ widen the interval beyond that of the recordings."""
    alike = {"a": [scored({}, 1)] * 3}
    apart = {"a": [scored({f"both/{cell}": chance for cell in CELLS}, 1) for chance in (0.1, 0.5, 0.9)]}
    width = []
    for arms in (alike, apart):
        table = FusionTable(arms, samples=500)
        score = table.score("a", "both", table.chosen("both"))
        width.append(score.high - score.low)
    assert width[1] > 2 * width[0]


def test_runs_of_other_questions_are_refused() -> None:
    other = [replace(score, id=f"x{score.id}") for score in scored({}, 0)]
    with pytest.raises(InputError, match="different questions"):
        FusionTable({"motion": [scored({}, 0)], "video": [other]})
    with pytest.raises(InputError, match="no runs"):
        FusionTable({"motion": []})


def test_files_of_a_table(tmp_path: Path) -> None:
    FusionTable(runs(0.2), samples=50).save(tmp_path)
    told = json.loads((tmp_path / "fusion.json").read_text())
    row = next(
        r for r in told["scores"] if (r["arm"], r["cell"], r["needs"], r["family"]) == ("paired", "both", "both", "all")
    )
    assert row["low"] <= row["value"] <= row["high"] and len(row["seeds"]) == 3 and row["n"] == 120
    assert (tmp_path / "fusion.png").read_bytes()[:4] == b"\x89PNG" and "Finer families" in (
        tmp_path / "fusion.md"
    ).read_text()


def test_families() -> None:
    assert family_of("picture", "shirt_colour") == "clothes" and family_of("picture", "floor") == "room"
    assert family_of("both", "lamp_at_raise") == family_of("both", "during_lamp") == "lamp"
    assert family_of("both", "turn") == "side" and family_of("both", "order_yes_no") == "order"
    assert family_of("motion", "more_active_arm") == "body part"


class PairedRows:
    """Two rows with a motion, a video and three questions each."""

    name = "pairs"

    def settings(self) -> dict[str, str]:
        return {"builder": "pairs"}

    def shards(self) -> list[Shard]:
        return list(chunk("test", range(2), 2))

    def records(self, shard: Shard):  # type: ignore[no-untyped-def]
        for index in shard.keys:
            told = tuple(
                Instruction(needs, "first", question, SAID[(n + index) % len(SAID)], evidence=EVIDENCE[needs])
                for n, (question, needs) in enumerate(ASKED.items())
            )
            film = f"video/{index}.mp4"
            yield Record(
                f"test/{index}",
                "made",
                f"r{index}",
                "test",
                "CC0",
                tiny_motion(40 + 8 * index),
                film,
                instructions=told,
            )

    def describe(self) -> str:
        return "Rows made by rule."


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from video_clips import make

    folder = build(PairedRows(), tmp_path_factory.mktemp("vimos") / "pairs", workers=0, progress=False).folder
    (folder / "video").mkdir(exist_ok=True)
    for index in range(2):
        grey = lambda n, index=index: np.full((32, 32, 3), 40 + 120 * index + n, np.uint8)  # noqa: E731
        make(folder / "video" / f"{index}.mp4", 40 + 8 * index, rate=20, size=(32, 32), draw=grey)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A tiny model that was taught the first row's answers, with their steps, seen with both."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=16, video_frames=4)
    rows = list(fusion.read_records(dataset, "test"))
    collate = Collator(
        processor.tokenizer,
        processor.feature_extractor,
        fold_questions=processor.fold_questions,
        chat_template=str(processor.chat_template),
        frame_processor=processor.video_processor,
    )
    sample = fusion.sample_of(rows[0], (str(dataset / rows[0].video), None, None), "both")  # type: ignore[operator]
    sample["qa_pairs"] = [(told.question, with_steps(told.answer, told.evidence)) for told in rows[0].instructions]
    batch = collate([sample])
    labels, _ = batch.pop("labels"), batch.pop("modality_groups")
    keep, targets = supervised(labels)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(**batch).logits[keep], targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("taught")
    model.eval().save_pretrained(path)
    processor.save_pretrained(path)
    return path


def test_right_is_what_the_model_says(folder: Path, dataset: Path, tmp_path: Path) -> None:
    """Every cell, question by question, against answers that were written out."""
    found = score_cells(folder, dataset, cache=tmp_path, bf16=False, progress=False)
    assert len(found) == 6 and [score.needs for score in found[:3]] == list(ASKED.values())
    model, rows = load(folder), list(fusion.read_records(dataset, "test"))
    asked = [(row, told) for row in rows for told in row.instructions]
    for score, (row, told) in zip(found, asked, strict=True):
        shown = {"motion": row.motion, "video": dataset / str(row.video)}
        for cell in CELLS:
            given = {name: clip for name, clip in shown.items() if cell in (name, "both")}
            said = model.ask(told.question, **given).model_text
            assert score.right[cell] == (result_of(said) == told.answer), (score.id, cell)
            if cell == "both" and row is rows[0] and "steps" in told.evidence:
                assert said == f"seen from the front, turning, so {told.answer}"
    assert all(score.right["both"] for score in found[:3])
    assert not all(score.right["both"] for score in found[3:])


def test_a_model_that_sees_no_video(dataset: Path, tmp_path: Path) -> None:
    model, processor = tiny_model()
    model.save_pretrained(tmp_path / "m")
    processor.save_pretrained(tmp_path / "m")
    for score in score_cells(tmp_path / "m", dataset, cache=tmp_path, progress=False):
        assert score.right["video"] == score.right["neither"] and score.right["both"] == score.right["motion"]


def test_the_command(
    folder: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command writes table and picture; a second time nothing is asked again."""
    out = tmp_path / "out"
    command = [str(dataset), "-o", str(out), "--samples", "50"]
    command += ["--arm", "video", str(folder), "--arm", "paired", str(folder), str(folder)]
    assert main(command) == 0
    assert "| paired | both | both | video-only |" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} >= {"fusion.md", "fusion.json", "fusion.png"}
    monkeypatch.setattr(fusion, "score_cells", lambda *a, **k: pytest.fail("asked again"))
    assert main(command) == 0
    assert len(scores_of(folder, dataset, "test", out=out)) == 6
    capsys.readouterr()
    assert main([*command[:5], "--arm", "video"]) == 2
    assert "name its models too" in capsys.readouterr().err
