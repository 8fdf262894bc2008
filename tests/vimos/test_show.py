from __future__ import annotations

import json
import re

import pytest
from vimos_world import MadeBuilder, record

from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import Shard, build
from vimonet.vimos.parquet import Caption
from vimonet.vimos.show_page import show

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class _Hostile(MadeBuilder):
    def shards(self):
        return [Shard("train", 0, (0, 1, 2)), Shard("test", 0, (3,))]

    def records(self, shard):
        for index in shard.keys:
            yield record(index, shard.split, captions=(Caption(HOSTILE),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build(_Hostile(), tmp_path_factory.mktemp("show") / "d", workers=0, progress=False).folder


def clips(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.S).group(1))["clips"]


def test_a_page_holds_the_rows_and_needs_nothing_else(folder, tmp_path):
    path = show(folder, tmp_path / "page.html", rows=3)
    shown = clips(path)
    assert len(shown) == 3 and len({clip["id"] for clip in shown}) == 3
    assert len(clips(show(folder, tmp_path / "all.html"))) == 4  # fewer rows than asked for: all of them
    first = shown[0]
    assert first["frames"] == 40 and len(first["actions"]) == 2 and first["instructions"][0]["evidence"]
    text = path.read_text()
    assert "http" not in text and "src=" not in text.split("<script id")[0]


def test_one_row_by_its_id(folder, tmp_path):
    assert [c["id"] for c in clips(show(folder, tmp_path / "p.html", id="test/0003"))] == ["test/0003"]
    assert {c["split"] for c in clips(show(folder, tmp_path / "p.html", split="train"))} == {"train"}


def test_captions_cannot_break_out_of_the_data(folder, tmp_path):
    path = show(folder, tmp_path / "page.html")
    assert path.read_text().count("</script>") == 2
    assert clips(path)[0]["captions"][0]["text"] == HOSTILE


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id": "test/000"}, "no row has the id 'test/000'; similar ids are test/0003"),
        ({"split": "val"}, "no split 'val'"),
        ({"rows": 0}, "0 rows"),
        ({"output": "page.pdf"}, "ends in .html"),
        ({"output": "nowhere/page.html"}, "its folder does not exist"),
    ],
)
def test_bad_requests_are_told(folder, tmp_path, changes, text):
    options = {"output": "page.html", **changes}
    with pytest.raises(InputError, match=re.escape(text)):
        show(folder, tmp_path / options.pop("output"), **options)
    assert not list(tmp_path.rglob("*.part"))
