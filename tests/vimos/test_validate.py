from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vimos_world import MadeBuilder, film, record, rewrite

from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import Attached, Shard, build, summarise
from vimonet.vimos.validate import validate


@pytest.fixture
def made(tmp_path):
    build(MadeBuilder(train=8), tmp_path / "d", workers=0, progress=False)
    return tmp_path / "d"


def found(folder) -> str:
    return "\n".join(str(finding) for finding in validate(folder).findings)


def test_a_sound_dataset_has_no_findings(made):
    report = validate(made)
    assert report.ok and report.rows == 12 and report.instructions == 24


def _first(**changes):
    return lambda rows: rows[0].update(changes)


def _asked(number=0, **changes):
    return lambda rows: rows[0]["instructions"][number].update(changes)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_first(licence=""), "no licence is named"),
        (_first(recording=None), "no recording is named"),
        (_first(id=" "), "it has no id"),
        (_first(split="val"), "its split is 'val', its folder 'train'"),
        (_first(id="train/0001"), "id 'train/0001' is that of train/00000.parquet row 0 as well"),
        (_first(frames=39), "its movement cannot be decoded"),
        (_first(joints=None), "it has neither movement nor video"),
        (_first(provenance="["), "its provenance is not a JSON object"),
        (_asked(question=" "), "a question is empty"),
        (_asked(answer=""), "the answer to 'Which way does person 0 turn?' is empty"),
        (_asked(answer="up"), "is not among its options (left, right)"),
        (_asked(evidence="{"), "the evidence of 'Which way does person 0 turn?' are not a JSON object"),
        (_asked(generator=""), "no generator is named"),
        (_asked(1, question="which way DOES person 0 turn"), "is asked twice"),
        (_asked(start=1.0, end=9.0), "the span 1-9 s reaches beyond the clip's 2.00 s"),
        (_asked(start=1.0, end=0.5), "expected 0 <= start <= end"),
        (_asked(start=None), "None to 1.0 s is no span"),
        (lambda rows: rows[0]["captions"][0].update(text=""), "a caption is empty"),
        (lambda rows: rows[0]["captions"][0].update(start=0.0, end=5.0), "caption 'a person walks"),
        (lambda rows: rows[0]["actions"][0].update(action=""), "an action has no name"),
        (lambda rows: rows[0]["actions"][1].update(end=2.5), "action 'turn right': the span 1-2.5 s reaches beyond"),
        (_first(recording="made/test-0"), "recording 'made/test-0' is in split 't"),
        (_first(provenance='{"recordings": ["made/test-1"]}'), "recording 'made/test-1' is in split 't"),
    ],
)
def test_every_kind_of_flaw_in_a_row_is_found(made, change, text):
    rewrite(made, change)
    lines = found(made)
    assert text in lines
    assert all(line.startswith(("train/", "test/")) and " row " in line for line in lines.splitlines())


def test_the_view_split_may_share_recordings(made):
    def move(rows):
        for row in rows:
            row["split"] = "test_view"

    (made / "test").rename(made / "test_view")
    rewrite(made, move, "test_view", 0)
    rewrite(made, move, "test_view", 1)
    rewrite(made, _first(recording="made/test-0"))
    assert validate(made).ok


def test_flaws_of_files_are_found(made):
    path = made / "train" / "00001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    lines = found(made)
    assert "train/00001.parquet: not a readable Parquet file" in lines
    assert "vimos.json: its SHA-256" in lines and "it states" in lines
    path.write_bytes(whole)
    (made / "train" / "00009.parquet.part").write_bytes(b"")
    assert "left behind by an interrupted build" in found(made)


def test_a_page_torn_in_the_middle_is_found(made):
    path = made / "train" / "00000.parquet"
    data = bytearray(path.read_bytes())
    data[200:3000] = bytes(2800)
    path.write_bytes(data)
    assert "train/00000.parquet: cannot be decoded" in found(made)


def test_missing_and_mistyped_columns_are_found(made):
    path = made / "train" / "00000.parquet"
    table = pq.read_table(path)
    wrong = table.drop_columns(["licence"]).append_column("note", pa.array(["x"] * len(table)))
    wrong = wrong.set_column(wrong.schema.get_field_index("frames"), "frames", table["frames"].cast(pa.float32()))
    pq.write_table(wrong.replace_schema_metadata({"vimos_version": "7"}), path)
    summarise(made, [Shard(p.parent.name, int(p.stem), ()) for p in made.glob("*/*.parquet")])
    lines = found(made)
    assert "column 'licence' is missing" in lines and "column 'note' does not belong" in lines
    assert "column 'frames' is float; expected int32" in lines and "its format version is 7; expected 1" in lines


def test_unfinished_missing_and_newer_datasets_are_bad_input(made, tmp_path):
    with pytest.raises(InputError, match="no VIMOS dataset is here"):
        validate(tmp_path / "nothing")
    facts = json.loads((made / "vimos.json").read_text())
    (made / "vimos.json").write_text('{"vimos_version": 1e999}')
    with pytest.raises(InputError, match="does not describe a VIMOS dataset"):
        validate(made)
    (made / "vimos.json").write_text(json.dumps({**facts, "vimos_version": 99}))
    with pytest.raises(InputError, match="format version 99"):
        validate(made)
    (made / "vimos.json").unlink()
    with pytest.raises(InputError, match="interrupted"):
        validate(made)


class _Filmed(MadeBuilder):
    source = ""
    span = None
    named = "video/a.mp4"

    def shards(self):
        return [Shard("train", 0, (0,))]

    def records(self, shard):
        yield Attached(self.source, "video/a.mp4")
        yield replace(record(0), video=self.named, video_span=self.span)


@pytest.mark.parametrize(
    ("span", "named", "torn", "text"),
    [
        ((0.0, 2.0), "video/a.mp4", False, None),
        ((0.5, 3.0), "video/a.mp4", False, "video span 0.5-3 s does not lie in the video's 2.00 s"),
        (None, "video/b.mp4", False, "video 'video/b.mp4' is not there"),
        (None, "../outside.mp4", False, "lies outside the dataset"),
        (None, "video/a.mp4", True, "video 'video/a.mp4' cannot be decoded"),
    ],
)
def test_videos_are_decoded(tmp_path, span, named, torn, text):
    builder = _Filmed()
    path = tmp_path / "a.mp4"
    film(path)
    if torn:
        path.write_bytes(path.read_bytes()[:300])
    for name, value in (("source", str(path)), ("span", span), ("named", named)):
        object.__setattr__(builder, name, value)
    build(builder, tmp_path / "d", workers=0, progress=False)
    report = validate(tmp_path / "d")
    assert report.videos == 1
    assert report.ok if text is None else text in "\n".join(map(str, report.findings))


def test_many_findings_are_counted_not_kept(made, monkeypatch):
    monkeypatch.setattr("vimonet.vimos.validate._SHOWN", 3)

    def spoil(rows):
        for row in rows:
            row.update(licence="", source="")

    rewrite(made, spoil)
    report = validate(made)
    assert len(report.findings) == 3 and report.more == 3
