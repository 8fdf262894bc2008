from __future__ import annotations

import datasets
import pytest
import yaml
from vimos_world import MadeBuilder, finish, record

from vimonet.vimos.dataset_writer import Shard
from vimonet.vimos.leak_report import leak_report
from vimonet.vimos.parquet import Instruction
from vimonet.vimos.question_only_baseline import QuestionOnly


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("card") / "made", MadeBuilder(train=200, test=60, rows=50))


def test_datasets_reads_the_folder_by_its_card(made, tmp_path):
    loaded = datasets.load_dataset(str(made.folder), cache_dir=str(tmp_path))
    assert {name: len(rows) for name, rows in loaded.items()} == made.rows
    assert loaded["test"][0]["id"] == "test/0000"
    streamed = datasets.load_dataset(str(made.folder), split="train", streaming=True, cache_dir=str(tmp_path))
    assert next(iter(streamed))["instructions"][0]["answer"] == "right"


def test_the_card_tells_counts_licences_generators_and_skipped_files(made):
    text = (made.folder / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["licenses"] == ["CC0"] and front["pretty_name"] == "made"
    assert front["configs"][0]["data_files"] == [
        {"split": "train", "path": "train/*.parquet"},
        {"split": "test", "path": "test/*.parquet"},
    ]
    assert f"| train | {made.rows['train']} |" in text
    assert f"| direction | {made.rows['train']} | {made.rows['test']} |" in text
    assert f"| captions | people | {sum(made.rows.values())} |" in text
    assert "38 could not be used" in text and "`file3.bvh`: not readable." in text and "and 18 more" in text
    assert made.digest in text and "load_dataset" in text and "## Leak report" in text


class _Leaky(MadeBuilder):
    """Direction can be told from the words, count cannot, choice from the place in the question."""

    def shards(self):
        return [Shard("train", 0, tuple(range(300))), Shard("test", 0, tuple(range(300, 420)))]

    def records(self, shard):
        import random

        for index in shard.keys:
            rng = random.Random(index)
            side = rng.choice(("left", "right"))
            asked = "Is the turn a gentle one?" if side == "left" else "Is the turn a sudden one?"
            first, second = rng.sample(("walking", "running", "jumping", "crawling"), 2)
            yield record(index, shard.split, instructions=(
                Instruction("turn", "turn", asked, side, "direction", "kinematic"),
                Instruction("count", "count", "How many steps are taken?", str(rng.randrange(4)), "count", "kinematic"),
                Instruction("c", "choice", f"Which is it, {first} or {second}?", first, "reasoning", "kinematic"),
            ))  # fmt: skip


def test_the_leak_report_flags_what_words_give_away_and_nothing_else(tmp_path):
    result = finish(tmp_path / "d", _Leaky())
    report = leak_report(result.folder)
    by_style = {style.style: style for style in report.styles}
    assert by_style["direction"].blind == 100 and by_style["direction"].majority < 65
    assert "ceiling" in by_style["direction"].flag and "above the majority" in by_style["direction"].flag
    assert by_style["reasoning"].blind == 100 and by_style["reasoning"].flag
    assert by_style["count"].blind < 45 and not by_style["count"].flag
    text = (result.folder / "README.md").read_text()
    assert "**direction** is flagged" in text and "**count** is flagged" not in text
    assert (result.folder / "leak.json").is_file()
    assert leak_report(result.folder) == report  # seeded


def test_a_dataset_without_test_is_scored_on_recordings_kept_aside(tmp_path):
    class Only(_Leaky):
        def shards(self):
            return [Shard("train", 0, tuple(range(200)))]

    result = finish(tmp_path / "d", Only())
    report = leak_report(result.folder)
    assert "kept from fitting" in report.scored_on
    assert report.fitted + report.scored == 600 and 60 < report.scored < 180


def test_question_only_tells_the_form_and_falls_back_on_the_majority():
    triples = [(f"Which way does he turn, {i}?", "left" if i % 3 else "right", "turn") for i in range(60)]
    triples += [(f"How many jumps are there in {i}?", "2", "count") for i in range(60)]
    model = QuestionOnly().fit(triples)
    assert model.majority == {"turn": "left", "count": "2"}
    assert model.answer("How many jumps do you see?") == "2"
    assert model.answer("Which way does she turn?") == "left"


def test_question_only_needs_something_to_learn_from():
    with pytest.raises(ValueError, match="at least one question"):
        QuestionOnly().fit([])
    with pytest.raises(ValueError, match="fit the model"):
        QuestionOnly().answer("Who?")
