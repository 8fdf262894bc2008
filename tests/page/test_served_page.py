"""The page of a live server in a real Chromium: drop, ask, jump, compare, search, save."""

from __future__ import annotations

import base64
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
    assert about["model"] == "nano" and about["search"] is True and about["compares"] is False
    assert {"walk", "fall"} <= {one["name"] for one in about["samples"]}
    sample = server.get("/v1/page/samples/walk")
    assert sample.body == sample_path("walk").read_bytes() and sample.headers["x-file-name"] == "walk.bvh"
    for wrong in ("..%2Fwalk.bvh", "walk.bvh", "%2Fetc%2Fpasswd"):
        assert server.get(f"/v1/page/samples/{wrong}").status == 404
    found = server.post("/v1/search", {"query": "someone jumps", "k": 3}).json
    best = found["data"][0]
    assert found["object"] == "list" and 0 < len(found["data"]) <= 3
    assert (best["object"], best["path"]) == ("search.hit", "jumps.bvh") and 0 <= best["start"] < best["end"]
    hits = server.post("/v1/page/search", {"query": "someone jumps", "k": 3}).json["hits"]
    assert hits[0]["path"] == "jumps.bvh" and hits[0]["thumbnail"]["frames"] == 3
    assert server.get(f"/v1/page/recordings/{hits[0]['entry']}").json["name"] == "jumps"
    assert server.get(f"/v1/page/recordings/{hits[0]['entry']}/file").body == sample_path("jumps").read_bytes()
    for wrong in ("-1", "7", "9" * 30, "x"):
        assert server.get(f"/v1/page/recordings/{wrong}").status in (400, 404, 422)
    assert server.get("/").headers["content-security-policy"].count("unsafe") == 0


PIXELS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value) => (31 * sum + value) | 0, 0);
}"""


def drop(page: Any, name: str, content: str, decode: str = "text => text") -> None:
    file = f"new File([({decode})(text)], name)"
    make = f"([name, text]) => {{ const d = new DataTransfer(); d.items.add({file}); return d; }}"
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
        page.select_option("select[aria-label='Ask about']", "each")
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
        assert serious_faults(page) == []
    assert [
        error for error in errors if not re.search("40[04]", error)
    ] == []  # the refused file, the upload that was gone


def test_every_control_of_two_clips(server):
    """What the mouse and the keys do to the skeleton, and the buttons that the visit leaves out."""
    errors = Errors()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        errors.listen(page)
        page.goto(server.url)
        page.locator(".sample", has_text="Walk turn wave").click()
        canvas = page.locator("canvas.skeleton").first
        canvas.wait_for()
        page.wait_for_timeout(300)
        seen = [canvas.evaluate(PIXELS)]

        def drawn(what: str) -> None:
            page.wait_for_timeout(60)
            seen.append(canvas.evaluate(PIXELS))
            assert seen[-1] != seen[-2], what

        box = canvas.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + 90, middle[1] + 20, steps=3)
        page.mouse.up()
        drawn("orbit")
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        drawn("zoom")
        for name in ("Zoom out", "Path", "Ghosts", "Follow", "View: front", "View: side", "View: top"):
            page.get_by_role("button", name=name, exact=True).first.click()
            drawn(name)
        page.locator("h2").first.click()
        for key in "1234":
            page.keyboard.press(key)
            drawn(f"view {key}")
        readout, speed = page.locator(".readout").first, page.get_by_label("Speed").first
        for keys, shown in ((("Home", "Shift+ArrowRight"), "0:01.00"), (("Shift+ArrowLeft",), "0:00.00")):
            for key in keys:
                page.keyboard.press(key)
            assert readout.text_content().startswith(shown), keys
        page.keyboard.press("End")
        assert len(set(readout.text_content().split(" / "))) == 1
        for key, value in (("[", "0.5"), ("]", "1"), ("]", "2")):
            page.keyboard.press(key)
            assert speed.input_value() == value
        pause = page.get_by_role("button", name="Pause", exact=True)
        page.keyboard.press("k")
        pause.wait_for()
        page.keyboard.press("k")
        page.get_by_role("button", name="Play", exact=True).wait_for()
        # A question that is stopped; one that the server refuses is asked again.
        page.route("**/v1/chat/completions", lambda route: None)
        page.fill("#question", "Which hand is raised?")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Stop").click()
        page.locator(".failed", has_text="Stopped.").wait_for()
        page.unroute("**/v1/chat/completions")
        page.route("**/v1/chat/completions", lambda route: route.fulfill(status=503, json={}), times=1)
        page.fill("#question", "Which hand is raised?")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Ask again").click()
        page.locator(".answer .badges").wait_for()
        side = page.locator(".answer .badges").locator("..").locator(".text").text_content()
        page.get_by_role("button", name="And the other hand?").click()
        page.locator(".answer .badges").nth(1).wait_for()
        assert page.locator(".answer .text").last.text_content() != side
        # A second recording beside it: both play.
        page.get_by_role("button", name="Compare").click()
        drop(page, "squats.json", sample_path("squats_coco17").read_text())
        page.locator(".pane").nth(1).wait_for()
        page.get_by_role("button", name="Play both").click()
        assert pause.count() == 2
        page.get_by_role("button", name="Play both").click()
        assert pause.count() == 0
    assert [error for error in errors if "503" not in error] == []


def test_two_clips_are_compared_in_one_question(server):
    """Where the model compares (nano does not), a choice asks one question about both."""
    asked: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        asked.append(json.loads(route.request.post_data))
        told = {"choices": [{"delta": {"content": "the second clip"}}]}
        route.fulfill(
            body=f"data: {json.dumps(told)}\n\ndata: [DONE]\n\n", headers={"Content-Type": "text/event-stream"}
        )

    about = server.get("/v1/page").json
    with chromium() as browser:
        page = browser.new_page()
        page.route("**/v1/page", lambda route: route.fulfill(json={**about, "compares": True}))
        page.route("**/v1/chat/completions", answer)
        page.goto(server.url)
        page.locator(".sample", has_text="Walk turn wave").click()
        page.locator(".pane").wait_for()
        page.get_by_role("button", name="Compare").click()
        page.select_option("select[aria-label='Open a sample']", "raise_left")
        page.locator(".pane").nth(1).wait_for()
        page.select_option("select[aria-label='Ask about']", "both")
        page.fill("#question", "Which clip shows a raised hand?")
        page.keyboard.press("Enter")
        page.locator(".answer .badges").wait_for()
        assert page.locator(".answer .text").text_content() == "the second clip"
        assert serious_faults(page) == []
    (question,) = asked
    (turn,) = question["messages"]
    files = [part["motion_url"]["url"] for part in turn["content"] if part["type"] == "motion_url"]
    assert len(files) == len(set(files)) == 2 and turn["content"][2]["text"] == "Which clip shows a raised hand?"


def test_a_dropped_video_is_shown_with_its_film(server):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(server.url)
        page.locator(".sample").first.wait_for()
        film = base64.b64encode(sample_path("wave_right.mp4").read_bytes()).decode()
        drop(page, "wave.mp4", film, "text => Uint8Array.from(atob(text), sign => sign.charCodeAt(0))")
        page.locator(".pane video").wait_for()
        assert page.locator("h2").first.text_content() == "wave"
        page.get_by_role("button", name="Play", exact=True).click()
        wait_for(lambda: page.locator("video").evaluate("video => video.currentTime > 0.1"), 20)


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
