"""Names from files are text in every card, report and page: no HTML, no code, no cell or line of their own."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from vimonet.bench.report import Report
from vimonet.model.model_card import write_card
from vimonet.page.html import single_file
from vimonet.utils.markdown import code_block, code_span, plain_text, table
from vimonet.vimos.card import _skipped
from vimonet.vimos.dataset_writer import Skipped

HOSTILE = (
    "<script>alert(1)</script>",
    "a|b",
    "`code` and ``more``",
    "two\nlines\n\n# heading",
    "[text](javascript:alert(1))",
    "![picture](http://example.org/x.png)",
    "**bold** ~~gone~~ back\\slash\\",
    "&lt;b&gt; <!-- hidden",
    "</td></table><img src=x onerror=alert(1)>",
    "\x1b[31mred\x07 \u202eleft",
    "```\nend of block\n```",
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(text: str) -> _Reader:
    markdown_it = pytest.importorskip("markdown_it")
    reader = _Reader()
    reader.feed(markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    return reader


def one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@pytest.mark.parametrize("name", HOSTILE)
def test_text_and_code_say_what_the_name_is(name: str) -> None:
    page = rendered("It is " + plain_text(name) + ".")
    assert page.tags == ["p"] and page.text.strip() == f"It is {one_line(name)}."
    page = rendered("It is " + code_span(name) + ".")
    assert page.tags == ["p", "code"] and page.text.strip() == f"It is {one_line(name)}."
    page = rendered(code_block(name, "text") + "\n\nEnd")
    assert page.tags == ["pre", "code", "p"]


def test_a_table_keeps_its_cells() -> None:
    page = rendered(table(("name", "n"), [(name, 1) for name in HOSTILE], (False, True)))
    assert page.tags.count("tr") == 1 + len(HOSTILE) and page.tags.count("td") == 2 * len(HOSTILE)
    assert set(page.tags) == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("name", HOSTILE)
def test_cards_and_reports_hold_no_markup_of_names(name: str, tmp_path: Path) -> None:
    record: dict[str, Any] = {
        "stage": "instruct",
        "command": f"vimonet train {name}",
        "parts": {name: name},
        "sources": [{"source": name, "licence": name, "clips": 3}],
        "machine": {"processor": name},
        "versions": {name: name},
        "final_loss": {name: 1.0},
    }
    ours = {"h1", "h2", "p", "pre", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    card = write_card(tmp_path, record, name=name).read_text(encoding="utf-8").split("---\n\n", 1)[1]
    page = rendered(card)
    assert set(page.tags) <= ours and page.tags.count("h1") == 1
    harmless = write_card(tmp_path, json.loads(json.dumps(record).replace(json.dumps(name)[1:-1], "name")), name="name")
    expected = rendered(harmless.read_text(encoding="utf-8").split("---\n\n", 1)[1])
    assert page.tags == expected.tags
    listed = rendered(_skipped([Skipped(name, f"{name} is not readable.")]))
    assert listed.tags == ["p", "ul", "li", "code"]
    report = Report({"model": name, "checkpoint": name, "seed": 0, "version": "1"}, {"score_rows": []})
    assert set(rendered(report.markdown()).tags) <= ours


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_holds_names_as_text(name: str) -> None:
    page = single_file([{"name": name}], name)
    plain = single_file([{"name": "name"}], "name")
    assert len(re.findall("<[a-z!/]", page)) == len(re.findall("<[a-z!/]", plain))
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data and json.loads(data[1]) == {"title": name, "documents": [{"name": name}]}
