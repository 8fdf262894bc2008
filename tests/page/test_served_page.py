"""The page of a live server in a real Chromium: drop, ask, jump, compare, search, save."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from page_browser import Errors, chromium, serious_faults

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from serve_world import live, wait_for

from vimonet.inference.assistant import load
from vimonet.retrieval import Index
from vimonet.samples import sample_path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    (folder / "clips").mkdir()
    for name in ("jumps", "walk"):
        shutil.copy(sample_path(name), folder / "clips")
    index = Index.build(folder / "clips", folder / "clips.index")
    with live(lambda: load("nano"), index=index) as there:
        yield there


def test_routes_of_the_page_take_names_and_numbers_alone(server):
    about = server.get("/v1/page").json
    assert about["model"] == "nano" and about["search"] is True
    assert {"walk", "fall"} <= {one["name"] for one in about["samples"]}
    sample = server.get("/v1/page/samples/walk")
    assert sample.body == sample_path("walk").read_bytes() and sample.headers["x-file-name"] == "walk.bvh"
    for wrong in ("..%2Fwalk.bvh", "walk.bvh", "%2Fetc%2Fpasswd"):
        assert server.get(f"/v1/page/samples/{wrong}").status == 404
    hits = server.post("/v1/page/search", {"query": "someone jumps", "k": 3}).json["hits"]
    assert hits[0]["path"] == "jumps.bvh" and hits[0]["thumbnail"]["frames"] == 3
    assert server.get(f"/v1/page/recordings/{hits[0]['entry']}").json["name"] == "jumps"
    assert server.get(f"/v1/page/recordings/{hits[0]['entry']}/file").body == sample_path("jumps").read_bytes()
    for wrong in ("-1", "7", "9" * 30, "x"):
        assert server.get(f"/v1/page/recordings/{wrong}").status in (400, 404, 422)
    assert server.get("/").headers["content-security-policy"].count("unsafe") == 0


def drop(page: Any, name: str, content: str) -> None:
    make = "([name, text]) => { const d = new DataTransfer(); d.items.add(new File([text], name)); return d; }"
    page.dispatch_event("main", "drop", {"dataTransfer": page.evaluate_handle(make, [name, content])})


def test_a_visit(server, tmp_path):
    errors = Errors()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        errors.listen(page)
        sent: dict[str, list[int]] = {}  # bytes of what is posted
        page.on(
            "request",
            lambda one: sent.setdefault(one.url.split("/v1/")[-1], []).append(len(one.post_data_buffer or b"")),
        )
        page.goto(server.url)
        page.locator(".sample").first.wait_for()
        assert serious_faults(page) == []
        # Drop, play, stop.
        drop(page, "turn.bvh", sample_path("turn_left").read_text())
        page.locator(".pane").wait_for()
        page.get_by_role("button", name="Play", exact=True).click()
        page.get_by_role("button", name="Pause").wait_for()
        page.wait_for_timeout(300)
        page.get_by_role("button", name="Pause").click()
        assert page.locator(".readout").text_content() > "0:00.15"
        # Ask, twice; the second question refers to the first.
        page.keyboard.press("/")
        page.keyboard.type("Which way does the person turn?")
        page.keyboard.press("Enter")
        page.locator(".answer .badges").wait_for()
        assert "left" in page.locator(".answer .text").text_content()
        assert page.locator(".badge").text_content() in ("measured", "model's own words")
        assert "confidence" in page.locator(".sure").text_content()
        page.get_by_role("button", name="By how many degrees?").click()
        page.locator(".answer .badges").nth(1).wait_for()
        # The recording was sent once for both, and is kept for as long as it is open.
        assert len(sent["files"]) == 1 and max(sent["chat/completions"]) < 2_000
        uploads = server.app.state.server.uploads
        assert len(uploads) == 1
        uploads._held.clear()  # a server that forgot it is sent it again
        page.fill("#question", "Is the person walking?")
        page.keyboard.press("Enter")
        page.locator(".answer .badges").nth(2).wait_for()
        assert len(sent["files"]) == 2
        # Jump: to the turn that the answer rests on.
        page.locator(".evidence .time").first.click()
        turn = page.locator(".bar.turn").get_attribute("aria-label")
        assert page.locator(".readout").text_content()[2:6] == f"{float(turn.split(', ')[1].split('–')[0]):04.1f}"
        assert page.locator(".band").count() >= 1
        # Save.
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save this answer as JSON").first.click()
        record = json.loads(Path(saved.value.path()).read_text())
        assert record["question"] == "Which way does the person turn?" and record["evidence"]
        # Compare: each clip has a time line of its own; both are asked.
        page.get_by_role("button", name="Compare").click()
        page.select_option("select[aria-label='Open a sample']", "raise_left")
        page.locator(".pane").nth(1).wait_for()
        assert page.locator(".timeline").count() == 2
        page.select_option("select[aria-label='Ask about']", "both")
        page.fill("#question", "Does the person raise a hand?")
        page.keyboard.press("Enter")
        page.locator(".answer .badges").nth(4).wait_for()
        assert serious_faults(page) == []
        # Search opens the moment.
        page.get_by_role("tab", name="Search").click()
        page.fill("input[type=search]", "someone jumps")
        page.keyboard.press("Enter")
        page.locator(".hit").first.click()
        page.locator("h2", has_text="jumps").wait_for()
        wait_for(lambda: len(uploads) == 0, 10)  # what was closed is forgotten
        # A file that is no recording is told, and nothing else happens.
        drop(page, "notes.bvh", "not a recording")
        page.locator(".toast.wrong").wait_for()
        assert "notes.bvh" in page.locator(".toast.wrong").text_content()
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [
        error for error in errors if not re.search("40[04]", error)
    ] == []  # the refused file, the upload that was gone


def test_a_server_with_a_token_is_asked_with_it():
    token = "a-token-of-thirty-two-characters"
    with live(lambda: load("nano"), tokens=[token]) as server, chromium() as browser:
        page = browser.new_page()
        page.goto(server.url)
        page.get_by_label("Token of the server").fill(token)
        page.get_by_role("button", name="Use it").click()
        page.locator(".sample", has_text="Walk").first.click()
        page.locator(".pane").wait_for()
        assert page.locator("h2").first.text_content().startswith("walk")
