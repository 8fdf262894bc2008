"""The page as one file: whole, safe, and alive in a real Chromium without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from page_browser import Errors, chromium, serious_faults

from vimonet.cli import main
from vimonet.motion.io.loading import load
from vimonet.page import html
from vimonet.page.document import film_document, write_document
from vimonet.page.film import embed_film
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--"
ANSWERS = [
    {
        "question": "Which hand is raised?",
        "text": "the left hand, at 8.0 s",
        "model_text": "right",
        "provenance": "measured",
        "confidence": 0.83,
        "start": 0.0,
        "end": 12.05,
        "evidence": [
            {
                "topic": "raised hand",
                "verdict": "agrees",
                "measured": "left wrist over the head, 7.5-11.2 s",
                "truth": "left",
                "values": {},
                "spans": [{"start": 7.5, "end": 11.2, "joints": ["left_wrist"], "label": "left hand raised"}],
            }
        ],
    },
    {"question": HOSTILE, "text": HOSTILE, "provenance": "model", "confidence": None, "evidence": []},
]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    documents = [write_document(load("sample:walk_turn_wave").named(HOSTILE), answers=ANSWERS)]
    return html.write_page(tmp_path_factory.mktemp("page") / "walk.html", documents, HOSTILE)


def test_the_file_needs_nothing_else(file):
    text = file.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:,|#)[^"]*"', text)
    assert "default-src 'none'" in text and "unsafe" not in text
    assert text.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))
    assert data["title"] == HOSTILE and data["documents"][0]["answers"][1]["text"] == HOSTILE


def test_modules_are_small_and_never_make_markup():
    for name in html.asset_names():
        text = html.asset(name)[0].decode()
        assert len(text.splitlines()) <= 400, name
        if name.endswith(".js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
            assert "</script" not in text


def test_only_assets_are_assets():
    assert html.asset("app.js")[1].startswith("text/javascript")
    assert html.asset("../html.py") is None and html.asset("index.html") is None


def test_documents_without_json_numbers_are_refused():
    with pytest.raises(ValueError):
        html.single_file([{"value": float("nan")}], "t")


@pytest.mark.parametrize(("name", "text"), [("page.pdf", "ends in .html"), ("nowhere/page.html", "does not exist")])
def test_bad_paths_are_told(tmp_path, monkeypatch, name, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=text):
        html.check_page_path(name)


def test_view_writes_a_page_with_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["view", "sample:turn_left", "--ask", "Which way does the person turn?"]) == 0
    text = (tmp_path / "turn_left.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))
    answer = data["documents"][0]["answers"][0]
    assert "left" in answer["text"] and answer["evidence"] and answer["question"].startswith("Which way")
    assert "turn_left.html" in capsys.readouterr().err


def test_view_prints_documents_as_json(capsys):
    assert main(["view", "sample:walk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] > 50


def test_view_refuses_before_it_works(capsys):
    assert main(["view", "sample:walk", "-o", "page.pdf"]) == 2
    assert "ends in .html" in capsys.readouterr().err


def test_a_film_without_a_readable_movement_is_shown_alone(tmp_path, monkeypatch, capsys):
    def unreadable(*args, **options):
        raise InputError("nobody is seen")

    monkeypatch.setattr("vimonet.cli.shared.load_motion", unreadable)
    out = tmp_path / "film.html"
    assert main(["view", "sample:wave_right.mp4", "-o", str(out)]) == 0
    data = json.loads(re.search(r'id="data">(.*?)</script>', out.read_text(encoding="utf-8"), re.S).group(1))
    document = data["documents"][0]
    assert document["frames"] == 0 and document["duration"] > 1 and document["film"]["type"] == "video/mp4"
    assert "nobody is seen" in capsys.readouterr().err
    assert main(["view", "sample:wave_right.mp4", "-o", str(out), "--ask", "what?"]) == 2  # nano sees no frames


@pytest.mark.slow
def test_a_film_follows_the_clock_under_its_skeleton(tmp_path):
    document = write_document(load("sample:squats_coco17")) | {"picture": [-1.0, 2.0, 2.0, 2.0]}
    film = embed_film(document, sample_path("wave_right.mp4"), start=0.5)
    alone = embed_film(film_document("film", 2.0), sample_path("wave_right.mp4"))
    file = html.write_page(tmp_path / "film.html", [film, alone], "film")
    inked = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v > 0)"
    errors = Errors()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        errors.listen(page)
        page.goto(file.as_uri())
        video, over = page.locator("video").first, page.locator("canvas.over").first
        for _ in range(50):
            if video.evaluate("video => video.readyState") >= 2:
                break
            page.wait_for_timeout(100)
        page.locator(".scrub").first.focus()
        for _ in range(100):
            page.keyboard.press("ArrowRight")  # a hundredth of a second each
        page.wait_for_timeout(300)
        assert video.evaluate("video => video.currentTime") == pytest.approx(1.5, abs=0.05)
        assert over.evaluate(inked)
        page.get_by_role("button", name="Skeleton").first.click()
        assert not over.evaluate(inked)
        assert page.locator(".skeleton").count() == 1  # the film alone has no space to draw in
        assert serious_faults(page) == []
    assert errors == []


@pytest.mark.slow
def test_the_file_lives_in_a_browser(file, tmp_path):
    errors = Errors()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        errors.listen(page)
        page.goto(file.as_uri())
        # Names and answers are text: nothing of them became an element or ran.
        assert page.locator("h2").first.text_content() == HOSTILE
        assert page.locator("img").count() == 0
        # The time in an answer jumps there; its measurement marks the wrist.
        page.get_by_role("button", name="Jump to 8.0 s").click()
        assert page.locator(".readout").text_content().startswith("0:08.00")
        page.locator(".evidence .time").first.click()
        assert page.locator(".readout").text_content().startswith("0:07.50")
        assert page.locator(".band").count() == 1
        # A bar jumps.
        page.locator(".bar.turn").click()
        assert page.locator(".readout").text_content().startswith("0:04.2")
        # Keys: one frame on, the end, play.
        page.locator("h2").first.click()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert page.locator(".readout").text_content().startswith("0:00.05")
        page.keyboard.press(" ")
        for _ in range(200):
            if page.locator(".readout").text_content() > "0:00.25":
                break
            page.wait_for_timeout(20)
        page.keyboard.press(" ")
        assert 0.2 < float(page.locator(".readout").text_content()[2:7]) < 2.0
        # Plots are switched on, and a click on one jumps.
        page.locator(".choice summary").click()
        page.locator(".plot-row").nth(1).wait_for()
        assert page.locator(".plot-row").count() == 2
        box = page.locator(".plot-lane").first.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
        assert page.locator(".readout").text_content().startswith(("0:05.9", "0:06.0"))
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save this answer as SRT").first.click()
        assert "00:00:07,500 --> 00:00:11,200\nleft hand raised" in Path(saved.value.path()).read_text()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save this answer as CSV").first.click()
        assert "agrees" in Path(saved.value.path()).read_text()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save this answer as PNG").first.click()
        assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
        assert serious_faults(page) == []
        page.locator("#theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert serious_faults(page) == []
        # Phone width: nothing wider than the screen.
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert errors == []
