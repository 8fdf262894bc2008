from __future__ import annotations

import json
import re
from dataclasses import replace

import av
import numpy as np
import pytest
from page_browser import Errors, chromium, serious_faults
from vimos_world import MadeBuilder, record

from vimonet.page.dataset_page import row_document, show
from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import Shard, build
from vimonet.vimos.parquet import Caption, Record

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


def documents(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["documents"]


def test_a_page_holds_the_rows_and_needs_nothing_else(folder, tmp_path):
    path = show(folder, tmp_path / "page.html", rows=3)
    shown = documents(path)
    assert len(shown) == 3 and len({row["name"] for row in shown}) == 3
    assert len(documents(show(folder, tmp_path / "all.html"))) == 4  # fewer rows than asked for: all of them
    first = shown[0]
    assert first["frames"] == 40 and len(first["actions"]) == 2 and first["questions"][0]["evidence"]
    assert not re.findall(r'(?:src|href)="(?!data:,|#)[^"]*"', path.read_text())


def test_one_row_by_its_id(folder, tmp_path):
    assert [row["name"] for row in documents(show(folder, tmp_path / "p.html", id="test/0003"))] == ["test/0003"]
    train = documents(show(folder, tmp_path / "p.html", split="train"))
    assert {row["origin"][0] for row in train} == {"split: train"}


def test_captions_cannot_break_out_of_the_data(folder, tmp_path):
    path = show(folder, tmp_path / "page.html")
    assert path.read_text().count("</script>") == 2
    assert documents(path)[0]["captions"][0]["text"] == HOSTILE


@pytest.mark.slow
def test_rows_are_chosen_and_their_questions_jump(folder, tmp_path):
    path = show(folder, tmp_path / "page.html")
    first = documents(path)[0]
    timed = next(one for one in first["questions"] if one["start"] is not None)
    errors = Errors()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        errors.listen(page)
        page.goto(path.as_uri())
        page.locator("details.style").evaluate_all("all => all.forEach(one => (one.open = true))")
        assert page.locator(".question").count() == len(first["questions"])
        page.locator(".question .time").first.click()
        assert page.locator(".readout").text_content().startswith(f"0:{timed['start']:05.2f}")
        page.select_option("select[aria-label=Recording]", "3")
        assert page.locator("h2").text_content() == documents(path)[3]["name"]
        assert HOSTILE in page.locator(".row-panel").text_content()
        assert serious_faults(page) == []
    assert errors == []


def test_a_row_of_a_film_alone_is_shown(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in range(20):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * level, np.uint8))))
        file.mux(stream.encode())
    row = Record("films/a", "films", "a", "train", "CC0", video="a.mp4")
    document = row_document(row, tmp_path)
    assert document["frames"] == 0 and document["duration"] == pytest.approx(2.0, abs=0.11)
    assert document["film"]["type"] == "video/mp4" and document["film"]["data"]
    outside = row_document(replace(row, video="../../etc/passwd"), tmp_path)
    assert outside["film"] is None and "not in this page" in outside["notes"][0]


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
