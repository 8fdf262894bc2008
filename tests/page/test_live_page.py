"""The page of a watch in a real Chromium: skeletons move, a fall arrives, is acknowledged everywhere, and stays so."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from page_browser import Errors, chromium, serious_faults

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from live_world import falling, live_watch, standing

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"
COUNT_TONES = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) { window.tones += 1; return start.apply(this, at); };
"""
INKED = """() => {
  const canvas = document.querySelector(".skeleton");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [sum, places] = [0, 0];
  for (let k = 0; k < data.length; k += 4) {
    if (!data[k + 3] || data[k] > 200 === data[k + 2] > 200) continue; // neither orange nor blue
    sum += 1;
    places = (places * 31 + k) % 1000003;
  }
  return [sum, places];
}"""


def opened(browser: Any, url: str, errors: Errors, **settings: Any) -> Any:
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **settings})
    page.add_init_script(COUNT_TONES)
    errors.listen(page)
    page.goto(url)
    page.locator("#status").filter(has_text="waiting").or_(
        page.locator("#status").filter(has_text="watching")
    ).wait_for()
    return page


def test_a_night_with_a_watch():
    errors = Errors()
    with live_watch() as world, chromium() as browser:
        one, two = (opened(browser, world.url, errors) for _ in range(2))
        assert one.locator("#source").text_content() == "bedroom <camera>"
        # A skeleton appears, and moves.
        drawn = []
        for turn in range(2):
            for step in range(20):
                world.source.show((standing() + np.array([0.05 * step + turn, 0, 0], np.float32), HOSTILE))
                one.wait_for_timeout(25)
            drawn.append(one.evaluate(INKED))
        assert drawn[0][0] > 500 and drawn[1][0] > 500 and drawn[0][1] != drawn[1][1]
        one.locator(".person", has_text="standing").wait_for()
        one.locator("#status", has_text="watching").wait_for()
        one.locator("#figures", has_text="frames/s").wait_for()
        assert HOSTILE in one.locator(".person").text_content() and one.locator("img").count() == 0
        # A fall: the alarm is over everything else on both pages, and rings where that is switched on.
        one.get_by_role("button", name="Sound off").click()
        assert one.evaluate("window.tones") == 1 and not one.locator("body.ringing").count()
        threading.Thread(target=world.source.play, args=(falling(60),), kwargs={"name": 2}).start()
        for page in (one, two):
            page.locator("#call", has_text="person 2 falls").wait_for(timeout=15_000)
            assert page.title() == "(1) Fall · ViMoNet watch"
        one.locator("body.ringing").wait_for()
        assert one.evaluate("window.tones") >= 4 and two.evaluate("window.tones") == 0
        rows = one.locator(".event .what b").all_text_contents()
        assert rows.index("Fall") < rows.index("Enters")
        times = one.locator(".event .when").all_text_contents()
        assert times == sorted(times, reverse=True)
        one.locator(".person.alarmed", has_text="Person 2").wait_for()
        assert serious_faults(one) == []
        # Acknowledged with a key on the one page: seen by the other, by the other sinks, and after a reload.
        two.keyboard.press("a")
        for page in (one, two):
            page.locator(".event.alarm .done").wait_for()
            assert page.locator("#call button").count() == 0 and page.title() == "ViMoNet watch"
        assert not one.locator("body.ringing").count()
        two.reload()
        two.locator(".event.alarm .done").wait_for()
        assert two.locator(".event.open").count() == 0 and two.locator("#call button").count() == 0
        assert sum(alarm.acknowledges for alarm in world.kept.alarms) == 1
        # With the mouse, and with the keyboard alone: the focus goes on to the next one.
        world.fall(3)
        one.locator("#call", has_text="person 3 falls").wait_for()
        one.locator("#call button").click()
        one.locator("#call button").wait_for(state="detached")
        for person in (4, 5):
            world.fall(person)
            one.locator(".event.open", has_text=f"person {person} falls").wait_for()
        assert "and 1 more" in one.locator("#call").text_content()
        one.locator(".event.open button").first.focus()
        one.keyboard.press("Enter")
        one.locator(".event.open", has_text="person 5").wait_for(state="detached")
        assert "person 4 falls" in one.evaluate("document.activeElement.getAttribute('aria-label')")
        one.keyboard.press("Enter")
        one.locator(".event.open").wait_for(state="detached")
        one.get_by_role("button", name="Acknowledge: Enters, person 2").click()
        one.get_by_role("button", name="Alarms only").click()
        assert all(
            "alarm" in row
            for row in one.eval_on_selector_all(
                ".event", "all => all.filter(e => e.offsetParent).map(e => e.className)"
            )
        )
        # The source is unplugged and comes back.
        world.source.plugged.clear()
        one.locator("#status.wrong", has_text="source lost").wait_for()
        assert "The source is lost: the cable is out" in one.locator(".notice").text_content()
        assert one.locator("#people").text_content() == "Nobody is in view"
        world.source.plugged.set()
        world.source.show(standing())
        one.locator("#status.well").wait_for()
        assert one.locator(".notice").is_hidden()
        # A phone in the dark.
        phone = opened(browser, world.url, errors, viewport={"width": 390, "height": 800}, color_scheme="dark")
        world.fall(6)
        phone.locator("#call", has_text="person 6 falls").wait_for()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious_faults(phone) == []
        world.watch.stop()
        world.alarms.close()
        phone.locator("#status", has_text="ended").wait_for()
    assert [error for error in errors if "ERR_CONNECTION_REFUSED" not in error] == []


def test_a_page_with_a_token(tmp_path):
    token = "a-token-of-thirty-two-characters"
    (tmp_path / "tokens").write_text(token + "\n")
    with live_watch(token_file=str(tmp_path / "tokens")) as world, chromium() as browser:
        page = browser.new_page()
        page.goto(world.url)
        page.get_by_label("Token of the server").fill(token)
        page.get_by_role("button", name="Use it").click()
        page.locator("#status", has_text="waiting").wait_for()
