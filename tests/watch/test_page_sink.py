"""The page of a watch without a browser: what is sent, who may call, acknowledgement, bounds."""

from __future__ import annotations

import dataclasses
import json
import signal
import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from live_world import Stream, falling, live_watch, standing
from serve_world import wait_for
from watch_world import message, standing_at

from vimonet.cli import main
from vimonet.utils.errors import InputError
from vimonet.watch import Event, PoseFrame
from vimonet.watch.alarms import Alarm
from vimonet.watch.live_state import KEPT, LiveState, Told
from vimonet.watch.page_sink import PAGE_RULES, PageSettings, PageSink, with_page
from vimonet.watch.rules import parse_rules
from vimonet.watch.sinks import build_sinks


@pytest.fixture(scope="module")
def world():
    with live_watch() as there:
        yield there


def entry_of(stream: Stream, kind: str, **wanted: object) -> dict:
    def found(news: dict) -> dict | None:
        entries = news.get("entries", [])
        return next((e for e in entries if e["event"] == kind and all(e[k] == v for k, v in wanted.items())), None)

    return stream.until(found)


def test_people_are_sent_as_joints_and_never_as_pictures(world):
    stream = Stream(world.port)
    assert stream.answer.getheader("content-type").startswith("text/event-stream")
    about = stream.until(lambda news: news.get("about"))
    assert about["source"] == "bedroom <camera>" and len(about["joint_names"]) == 22 and about["zones"] == []
    for k in range(60):
        world.source.show((standing() + np.array([0.02 * k, 0, 0], np.float32), "ann"))
        time.sleep(0.02)
    person = stream.until(lambda news: next((p for p in news.get("frame", {}).get("people", []) if p["posture"]), None))
    assert person["id"] == "ann" and person["posture"] == "standing" and person["unseen"] is None
    assert len(person["joints"]) == 66 and person["seen"] == 2**22 - 1
    assert set(person) == {"id", "joints", "seen", "metre", "posture", "unseen", "events"}
    source = stream.until(lambda news: news.get("source"))
    assert source["state"] == "watching" and source["troubles"] == []
    stream.close()


def test_a_fall_is_acknowledged_once_and_told_to_the_other_sinks(world):
    one, two = Stream(world.port), Stream(world.port)
    threading.Thread(target=world.source.play, args=(falling(),), kwargs={"name": 7}).start()
    fall = entry_of(one, "fall", rules=["Fall"])
    assert fall["person"] == "7" and fall["end"] is None and fall["acknowledged"] is None
    status, entry = world.acknowledge(fall["id"])
    assert status == 200 and abs(entry["acknowledged"] - time.time()) < 5
    assert entry_of(two, "fall", acknowledged=entry["acknowledged"])["id"] == fall["id"]
    assert world.acknowledge(fall["id"]) == (200, entry | {"end": entry["end"]})  # the first one counts
    wait_for(lambda: any(alarm.acknowledges for alarm in world.kept.alarms), 5)
    (told,) = [alarm for alarm in world.kept.alarms if alarm.acknowledges]
    assert told.to_dict()["event"] == "acknowledged" and told.to_dict()["rule"] == "Fall" and not told.over
    assert told.event.value == {"of": fall["id"], "event": "fall", "rules": ["Fall"]} and told.event.person == 7
    assert told.message.startswith("Fall: acknowledged: person 7 falls")
    assert [event.kind for event in world.events].count("acknowledged") == 1
    late = Stream(world.port)  # a page that is opened, or loaded anew
    assert entry_of(late, "fall")["acknowledged"] == entry["acknowledged"]
    assert world.acknowledge("no-such-event")[0] == 404
    for stream in (one, two, late):
        stream.close()


def test_a_lost_source_is_told(world):
    stream = Stream(world.port)
    world.source.plugged.clear()
    troubles = stream.until(lambda news: news.get("source", {}).get("troubles"))
    assert [one["event"] for one in troubles] == ["source_lost"] and "cable" in troubles[0]["text"]
    world.source.plugged.set()
    world.source.show(standing())
    stream.until(lambda news: news.get("source", {}).get("troubles") == [])
    stream.close()


def test_the_door_is_that_of_the_server(world):
    status, headers, page = world.call("GET", "/")
    assert status == 200 and "ViMoNet" in page
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy and "access-control-allow-origin" not in headers
    assert world.call("GET", "/assets/watch.js")[0] == 200 and world.call("GET", "/assets/..%2Fhtml.py")[0] == 404
    assert world.call("GET", "/v1/watch/live", {"Host": "evil.example"})[0] == 403
    assert world.call("POST", "/v1/watch/events/x/acknowledge", {"Origin": "https://evil.example"})[0] == 403
    assert world.call("GET", "/openapi.json")[0] == 404
    assert world.call("GET", "/v1/watch/events/x/acknowledge")[0] == 405


def test_a_token_is_asked_for_and_places_are_bounded(tmp_path):
    token = "a-token-of-thirty-two-characters"
    (tmp_path / "tokens").write_text(token + "\n")
    with live_watch(token_file=str(tmp_path / "tokens"), clients=2) as world:
        assert world.call("GET", "/")[0] == 200  # the page itself asks
        assert world.call("POST", "/v1/watch/events/x/acknowledge")[0] == 401
        key = {"Authorization": f"Bearer {token}"}
        assert world.call("GET", "/v1/watch/live")[0] == 401
        one, two = Stream(world.port, key), Stream(world.port, key)
        assert (one.status, two.status) == (200, 200)
        status, headers, body = world.call("GET", "/v1/watch/live", key)
        assert status == 503 and headers["retry-after"] == "5" and "2 pages show this watch" in body["error"]["message"]
        one.close()
        wait_for(lambda: world.page._open == 1, 3)
        third = Stream(world.port, key)
        assert third.status == 200
        world.watch.stop()
        world.alarms.close()
        assert third.until(lambda news: news.get("over")) is True  # its last words
        assert not world.page._thread.is_alive()


def test_a_browser_that_reads_slowly_gets_the_newest(world):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", world.port))
    slow.sendall(b"GET /v1/watch/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    time.sleep(0.3)
    crowd = [(standing() + np.array([k, 0, 0], np.float32), k) for k in range(1, 13)]
    for _ in range(100):
        world.source.show(*crowd)
        time.sleep(0.03)
    world.source.show((standing(), "last one"))
    wait_for(lambda: "last one" in world.page.state.news(Told()).get("frame", ""), 20)
    got = b""
    slow.settimeout(5)
    while b'"last one"' not in got:
        got += slow.recv(1 << 16)
    assert got.count(b'"frame"') < 45  # of the 60 and more that one who reads is sent in 3 s
    slow.close()


def frame(time: float, person: int = 1) -> PoseFrame:
    return PoseFrame(time, person, standing().astype(np.float32), np.ones(22, np.float32), None, 3)


def test_the_list_is_bounded_and_keeps_what_is_not_acknowledged():
    state = LiveState()
    fall = Event("fall", 1.0, None, 1, {}, "person 1 falls")
    state.event(fall)
    state.alarm(Alarm(PAGE_RULES[0], fall, "Fall"))
    for number in range(KEPT + 50):
        state.event(Event("repetition", 2.0 + number, 2.0 + number, 1))
    entries = json.loads(state.news(Told())["entries"])
    assert len(entries) == KEPT and entries[0]["id"] == fall.id
    assert state.acknowledge(fall.id)["acknowledged"] is not None
    state.alarm(Alarm(PAGE_RULES[1], fall, "Lies still"))  # another alarm has to be seen as well
    assert json.loads(state.news(Told())["entries"])[0]["acknowledged"] is None
    over = dataclasses.replace(fall, end=9.0, text="person 1 is up again")
    state.event(over)
    found = json.loads(state.news(Told())["entries"])[0]
    assert found["end"] == 9.0 and found["text"] == "person 1 falls" and found["over"] == "person 1 is up again"


@pytest.mark.filterwarnings("ignore:overflow")
def test_odd_numbers_and_names_are_sent_as_json():
    state, told = LiveState(), Told()
    odd = frame(1.0)
    odd.joints[3] = (np.nan, np.inf, -np.inf)
    state.push(dataclasses.replace(odd, person="\ud800</script>" + 1000 * "x"))
    state.event(Event("enters", float("nan"), None, "\ud800", {}, "\ud800"))
    news = state.news(told)
    people = json.loads(news["frame"])["people"]
    assert len(people[0]["id"]) == 200 and all(np.isfinite(people[0]["joints"]))
    assert news["entries"].isascii() and json.loads(news["entries"])[0]["time"] == 0.0
    assert state.news(told) == {}  # nothing is new
    state.gone(people[0]["id"], 2.0)


def test_the_oldest_alarm_goes_where_all_are_open():
    state = LiveState()
    for number in range(KEPT + 3):
        fall = Event("fall", float(number), None, number, {}, f"person {number} falls")
        state.event(fall)
        state.alarm(Alarm(PAGE_RULES[0], fall, "Fall"))
    found = state.entries()
    assert len(found) == KEPT and [one["time"] for one in (found[0], found[-1])] == [3.0, KEPT + 2.0]
    assert all(one["rules"] for one in found)


def falls(entries: list[dict]) -> list[dict]:
    return [entry for entry in entries if entry["event"] == "fall"]


def test_events_are_kept_over_a_restart(tmp_path):
    file = tmp_path / "events.json"
    with live_watch(keep=str(file)) as world:
        for person in (3, 4):
            world.fall(person)
        wait_for(lambda: [e["rules"] for e in falls(world.page.state.entries())] == [["Fall"], ["Fall"]], 5)
        seen = falls(world.page.state.entries())[0]["id"]
        world.acknowledge(seen)
        wait_for(lambda: file.exists() and falls(json.loads(file.read_text())["events"])[0]["acknowledged"], 5)
    with live_watch(keep=str(file)) as world:
        stream = Stream(world.port)
        first, second = stream.until(lambda news: falls(news.get("entries", [])))
        assert first["id"] == seen and first["acknowledged"] and second["acknowledged"] is None
        assert second["rules"] == ["Fall"] and second["text"] == "person 4 falls" and second["person"] == "4"
        assert second["end"] is not None and second["over"] == "the watch was started again"
        assert world.acknowledge(second["id"])[0] == 200
        stream.close()
    assert all(one["acknowledged"] for one in falls(json.loads(file.read_text())["events"]))
    file.write_text('{"format": "vimonet-watch-events/1", "events": [{"time": "x"}]}')
    with pytest.raises(InputError, match=r"events\.json: it holds no events of a page"):
        PageSink(PageSettings(port=0, keep=str(file)))
    with pytest.raises(InputError, match="its folder does not exist"):
        PageSink(PageSettings(port=0, keep=str(tmp_path / "nowhere" / "events.json")))


def test_the_page_of_a_film_stays_until_the_end(tmp_path, monkeypatch, capsys):
    lines = [message(number / 20, standing_at(300 + number)) for number in range(60)]
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    pages: list[PageSink] = []
    start = PageSink.start
    monkeypatch.setattr(PageSink, "start", lambda page, watch: pages.append(page) or start(page, watch))

    def visit() -> None:
        wait_for(lambda: pages and pages[0].state._watch.ended, 60)
        wait_for(lambda: pages[0].state.entries(), 5)
        pages[0].state.acknowledge(pages[0].state.entries()[0]["id"])
        wait_for(lambda: not pages[0].state._watch._told, 5)
        signal.raise_signal(signal.SIGINT)

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    assert main(["watch", str(tmp_path / "poses.jsonl"), "--once", "--json", "--page", "0"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["enters", "acknowledged"]
    assert events[1]["value"] == {"of": events[0]["id"], "event": "enters", "rules": []}
    assert "the page of this watch is at http://127.0.0.1:" in err and "acknowledged 1" in err
    assert not pages[0]._thread.is_alive()


def test_rules_may_name_the_page(tmp_path):
    rules = parse_rules(
        "rules:\n  - {event: fall, sinks: log}\nsinks:\n  log: {kind: sound}\n  wall: {kind: page, port: 0}\n"
    )
    sinks = build_sinks(rules)
    assert sinks["wall"].address.startswith("http://127.0.0.1:")
    sinks["wall"].close()
    with pytest.raises(InputError, match="names a page already"):
        with_page(rules, 8010)
    two = parse_rules("rules:\n  - event: fall\nsinks:\n  a: {kind: page}\n  b: {kind: page}\n")
    with pytest.raises(InputError, match="line 5: 'a' is a page already; one is enough"):
        build_sinks(two)
    added = with_page(parse_rules("rules:\n  - {event: fall, sinks: log}\nsinks:\n  log: {kind: sound}\n"), 0)
    assert added.rules[0].sinks == ("log", "--page")  # it shows every alarm


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("port: 70000", "port is 70000; it must be from 0 to 65535"),
        ("host: 0.0.0.0", "host 0.0.0.0 is reached from other machines; give a token_file"),
        ("token_file: nowhere", "nowhere: the tokens cannot be read"),
        ("ports: 1", "unknown key 'ports'; did you mean 'port'?"),
        ("clients: 0", "clients is 0; it must be at least 1"),
    ],
)
def test_mistakes_name_the_line(keys, words):
    with pytest.raises(InputError, match="line 4: sink 'wall'") as error:
        build_sinks(parse_rules("rules:\n  - event: fall\nsinks:\n  wall: {kind: page, " + keys + "}\n"))
    assert words in str(error.value)


def test_a_taken_port_is_told(tmp_path, capsys):
    page = PageSink(PageSettings(port=0))
    port = page._socket.getsockname()[1]
    (tmp_path / "poses.jsonl").write_text('{"people": []}\n')
    assert main(["watch", str(tmp_path / "poses.jsonl"), "--page", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"--page: 127.0.0.1:{port}: the server cannot listen there" in error and len(error.splitlines()) == 1
    assert main(["watch", str(tmp_path / "poses.jsonl"), "--page", "99999"]) == 2
    assert "--page is 99999; expected a port from 0 to 65535" in capsys.readouterr().err
    page.close()
