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
DRAWN = """() => {
  const canvas = document.querySelector(".skeleton");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [sum, places] = [0, 0];
  for (let k = 0; k < data.length; k += 4) {
    if (!data[k + 3] || data[k] > 200 === data[k + 2] > 200) continue; // neither orange nor blue
    sum += 1;
    places += (k / 4) % canvas.width;
  }
  return sum > 500 ? places / sum : null;
}"""
NAMES = """async (zones) => {
  const { LiveView } = await import("/assets/live.js");
  const names = zones.map(({ name }) => name);
  const drawn = {};
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, most) {
    if (names.includes(text)) drawn[text] = [x, y, Math.min(most, this.measureText(text).width)];
    return fillText.call(this, text, x, y, most);
  };
  const view = new LiveView({ joint_names: [], zones });
  view.size = [600, 400];
  view.known = true;
  view.draw();
  CanvasRenderingContext2D.prototype.fillText = fillText;
  return drawn;
}"""


def opened(browser: Any, url: str, errors: Errors, **settings: Any) -> Any:
    page = browser.new_page(**{"viewport": {"width": 960, "height": 600}, **settings})
    page.add_init_script(COUNT_TONES)
    errors.listen(page)
    page.goto(url)
    page.locator("#status").filter(has_text="waiting").or_(
        page.locator("#status").filter(has_text="watching")
    ).wait_for()
    return page


def drawn(page: Any, before: float) -> float:
    """Wait for a skeleton whose middle is elsewhere; returns it, pixels from the left."""
    for _ in range(100):
        middle = page.evaluate(DRAWN)
        if middle is not None and abs(middle - before) > 20:
            return middle
        page.wait_for_timeout(50)
    raise AssertionError("no skeleton that moved")


def test_a_night_with_a_watch():
    errors = Errors()
    with live_watch() as world, chromium() as browser:
        one, two = (opened(browser, world.url, errors) for _ in range(2))
        assert one.locator("#source").text_content() == "bedroom <camera>"
        # A skeleton appears, and moves.
        world.source.show((standing(), HOSTILE))
        here = drawn(one, -100)
        world.source.show((standing() + np.array([1.0, 0, 0], np.float32), HOSTILE))
        drawn(one, here)
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
        two.close()  # every page that is open draws
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
        # Names of zones on the floor stand within the view, and not over each other, wherever their corner is.
        zones = [
            {"name": "here", "zone": [-1, -1, 1, 1]},
            {"name": "far left", "zone": [-30, -1, -9, 1]},
            {"name": "behind the camera", "zone": [-1, 0, 12, 40]},
            {"name": "all around", "zone": [-40, -40, 40, 40]},
            {"name": "all around, too", "zone": [-40, -40, 40, 40]},
        ]
        drawn = page.evaluate(NAMES, zones)
        assert set(drawn) == {zone["name"] for zone in zones}
        for x, y, wide in drawn.values():
            assert x >= 0 and wide > 0 and x + wide <= 600 and 12 <= y <= 400 - 12
        places = list(drawn.values())
        for k, (x, y, wide) in enumerate(places):
            assert all(abs(y - v) > 11 or x >= u + w or u >= x + wide for u, v, w in places[:k])
