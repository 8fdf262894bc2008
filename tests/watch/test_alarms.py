"""Alarms: duration, zone, quiet hours, cool-down, the end of an event; every sink."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import hmac
import json
import socket
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from live_world import Kept
from watch_world import free_port

from vimonet.watch import mqtt_sink
from vimonet.watch.alarms import Alarm, Alarms, Delivery
from vimonet.watch.rules import parse_rules
from vimonet.watch.sinks import build_sinks
from vimonet.watch.stream import Event, PoseFrame


def alarms_of(rule: str, **settings) -> tuple[Alarms, Kept]:
    kept = Kept()
    rules = parse_rules("rules:\n  - {" + rule + "}\n").rules
    return Alarms(rules, {"kept": kept}, live=False, **settings), kept


def at(time: float, x: float = 50, y: float = 50, person: int = 1) -> PoseFrame:
    joints = np.tile(np.array([x, y, 0], np.float32), (22, 1))
    return PoseFrame(time, person, joints, np.ones(22, np.float32), (100, 100))


def test_an_alarm_and_its_end() -> None:
    alarms, kept = alarms_of("event: fall")
    fall = Event("fall", 3.0, None, 1, {}, "person 1 falls")
    assert [a.over for a in alarms.event(fall)] == [False]
    assert alarms.event(fall) == []  # reported once
    assert [a.over for a in alarms.event(replace(fall, end=9.0, text="person 1 is up again"))] == [True]
    alarms.close()
    assert [a.message for a in kept.alarms] == ["fall: person 1 falls (3.0 s)", "fall: over, person 1 is up again"]


def test_another_event_raises_nothing() -> None:
    alarms, _ = alarms_of("event: fall")
    assert alarms.event(Event("enters", 1.0, 1.0, 1)) == []
    assert alarms.event(Event("fall", 2.0, 2.0)) != []


def test_a_duration_is_waited_for() -> None:
    alarms, _ = alarms_of("event: lying_still, duration: 20")
    lies = Event("lying_still", 10.0, None, 1)
    assert alarms.event(lies) == [] and alarms.tick(29.9) == []
    assert [a.event.id for a in alarms.tick(30.0)] == [lies.id]
    assert alarms.tick(31.0) == []
    assert [a.over for a in alarms.event(replace(lies, end=40.0))] == [True]


def test_what_ends_before_its_duration_raises_nothing() -> None:
    alarms, _ = alarms_of("event: lying_still, duration: 20")
    lies = Event("lying_still", 10.0, None, 1)
    alarms.event(lies)
    assert alarms.event(replace(lies, end=15.0)) == []
    assert alarms.tick(60.0) == []


def test_a_duration_passes_without_frames_on_a_live_source() -> None:
    kept = Kept()
    rules = parse_rules("rules:\n  - {event: source_lost, duration: 0.6}\n").rules
    alarms = Alarms(rules, {"kept": kept}, live=True)
    alarms.event(Event("source_lost", time.time()))
    deadline = time.monotonic() + 5
    while not kept.alarms and time.monotonic() < deadline:
        time.sleep(0.05)
    alarms.close()
    assert len(kept.alarms) == 1


def test_a_zone_holds_the_person() -> None:
    for x, expected in ((50, 1), (95, 0)):
        alarms, _ = alarms_of("event: fall, zone: [0, 0, 0.9, 1]")
        alarms.frame(at(1.0, x))
        assert len(alarms.event(Event("fall", 1.0, None, 1))) == expected


def test_quiet_hours_and_cool_down() -> None:
    night = datetime.datetime(2026, 1, 1, 23, 30)
    quiet, _ = alarms_of("event: fall, quiet: '22:00-07:00'", now=lambda: night)
    assert quiet.event(Event("fall", 1.0)) == []
    alarms, _ = alarms_of("event: fall, cool_down: 60", now=lambda: night)
    assert len(alarms.event(Event("fall", 1.0))) == 1
    assert alarms.event(Event("fall", 50.0)) == []
    assert len(alarms.event(Event("fall", 62.0))) == 1


def test_a_side_is_asked_for() -> None:
    alarms, _ = alarms_of("event: raised_hand, side: left")
    assert alarms.event(Event("raised_hand", 1.0, None, 1, {"side": "right"})) == []
    assert len(alarms.event(Event("raised_hand", 1.0, None, 1, {"side": "left"}))) == 1


def test_a_failing_sink_stops_no_other_and_is_told() -> None:
    said: list[str] = []

    class Broken(Kept):
        def send(self, alarm: Alarm) -> None:
            raise RuntimeError("no")

    kept = Kept()
    rules = parse_rules("rules:\n  - {event: fall, cool_down: 0}\n").rules
    alarms = Alarms(rules, {"broken": Broken(), "kept": kept}, live=False, say=said.append)
    alarms.event(Event("fall", 1.0))
    alarms.event(Event("fall", 2.0))
    alarms.close()
    assert len(kept.alarms) == 2 and said == ["sink broken: RuntimeError: no"] * 2


def test_alarms_that_a_slow_sink_did_not_take_are_told() -> None:
    said: list[str] = []
    taken, going_on = threading.Event(), threading.Event()

    class Slow(Kept):
        def send(self, alarm: Alarm) -> None:
            taken.set()
            going_on.wait(10)

    delivery = Delivery("slow", Slow(), said.append)
    for number in range(3):
        delivery.put(Alarm(None, Event("fall", float(number)), "a fall"))
    assert taken.wait(5)
    delivery.close(0.01)
    going_on.set()
    assert said == ["sink slow: it is too slow; 3 of its alarms did not reach it in time."]


def run_sink(text: str, tmp_path, events: list[Event], say=lambda text: None) -> None:
    rules = parse_rules(f"rules:\n  - {{event: fall, cool_down: 0}}\nsinks:\n  one: {text}\n")
    alarms = Alarms(rules.rules, build_sinks(rules, tmp_path, say), live=False, say=say)
    for event in events:
        alarms.event(event)
    alarms.close()


FALL = Event("fall", 1.5, None, 1, {"confidence": 0.9}, "person 1 falls")


def test_json_lines(tmp_path) -> None:
    path = tmp_path / "alarms.jsonl"
    run_sink(f"{{kind: jsonl, path: {path}}}", tmp_path, [FALL, replace(FALL, end=4.0)])
    raised, over = [json.loads(line) for line in path.read_text().splitlines()]
    assert (raised["rule"], raised["event"], raised["time"], raised["end"], raised["over"]) == (
        "fall",
        "fall",
        1.5,
        None,
        False,
    )
    assert (over["id"], over["end"], over["over"]) == (raised["id"], 4.0, True)


def test_a_command_gets_arguments_and_json_and_no_shell(tmp_path) -> None:
    out = tmp_path / "out"
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '|' + sys.stdin.read() + chr(10))"
    evil = replace(FALL, text="$(touch x); `id` 'quoted'")
    arguments = json.dumps([sys.executable, "-c", script, str(out), "{text}"])
    run_sink(f"{{kind: command, arguments: {arguments}}}", tmp_path, [evil, replace(evil, end=3.0)])
    (line,) = out.read_text().splitlines()  # not run again when it is over
    text, _, body = line.partition("|")
    assert text == evil.text and json.loads(body)["value"] == {"confidence": 0.9}


def test_a_failing_command_is_told(tmp_path) -> None:
    said: list[str] = []
    run_sink(
        f"{{kind: command, arguments: [{sys.executable}, -c, 'import sys; sys.exit(3)']}}",
        tmp_path,
        [FALL],
        said.append,
    )
    assert len(said) == 1 and "ended with 3" in said[0]


def test_a_bell_rings_once(tmp_path, capsys) -> None:
    run_sink("{kind: sound}", tmp_path, [FALL, replace(FALL, end=3.0)])
    assert capsys.readouterr().err == "\a"


class Receiver:
    """A web server that answers with `codes` in turn, then 200."""

    def __init__(self, *codes: int) -> None:
        self.codes, self.got, outer = list(codes), [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = outer.codes.pop(0) if outer.codes else 200
                outer.got.append((code, self.headers, body))
                self.send_response(code)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alarm"

    def wait(self, count: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def webhook(url: str, tmp_path, **keys: object):
    text = "".join(f", {key}: {value}" for key, value in keys.items())
    rules = parse_rules(
        f"rules:\n  - {{event: fall, cool_down: 0}}\nsinks:\n  one: {{kind: webhook, url: '{url}'{text}}}\n"
    )
    return rules, build_sinks(rules, tmp_path)["one"]


def test_a_webhook_is_signed_and_retried_with_one_id(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ALARM_SECRET", "s3cret")
    receiver = Receiver(500, 503, 429)
    rules, sink = webhook(receiver.url, tmp_path, secret_env="ALARM_SECRET", first_wait=0.01)
    sink.send(Alarm(rules.rules[0], FALL, "a fall"))
    receiver.wait(4)
    sink.close()
    receiver.close()
    assert [code for code, *_ in receiver.got] == [500, 503, 429, 200]
    assert len({headers["X-ViMoNet-Id"] for _, headers, _ in receiver.got}) == 1
    for _, headers, body in receiver.got:
        signed = headers["X-ViMoNet-Timestamp"].encode() + b"." + body
        assert headers["X-ViMoNet-Signature"] == "sha256=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert json.loads(body)["id"] == headers["X-ViMoNet-Id"]
        assert b"s3cret" not in body
    assert sink.waiting == []


def test_alarms_outlive_a_receiver_that_is_down_and_a_restart(tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/alarm"
    rules, sink = webhook(url, tmp_path, first_wait=0.01, timeout=1)
    for number in range(3):
        sink.send(Alarm(rules.rules[0], replace(FALL, id=f"fall{number}"), "a fall"))
    sink.close()
    assert len(sink.waiting) == 3
    receiver = Receiver()
    moved = tmp_path / f"one-{hashlib.sha256(receiver.url.encode()).hexdigest()[:12]}"
    sink.folder.rename(moved)  # the same address again, as far as the sink knows
    _, again = webhook(receiver.url, tmp_path)
    receiver.wait(3)
    again.close()
    receiver.close()
    assert [json.loads(body)["event_id"] for *_, body in receiver.got] == ["fall0", "fall1", "fall2"]
    assert again.waiting == []


def test_a_refusal_blocks_nothing(tmp_path) -> None:
    receiver = Receiver(400)
    rules, sink = webhook(receiver.url, tmp_path, first_wait=0.01)
    sink.send(Alarm(rules.rules[0], replace(FALL, id="bad"), "a fall"))
    sink.send(Alarm(rules.rules[0], replace(FALL, id="good"), "a fall"))
    receiver.wait(2)
    sink.close()
    receiver.close()
    assert [(code, json.loads(body)["event_id"]) for code, _, body in receiver.got] == [(400, "bad"), (200, "good")]
    assert len(list((sink.folder / "refused").iterdir())) == 1


def test_a_redirection_is_not_followed(tmp_path) -> None:
    receiver = Receiver(302)
    rules, sink = webhook(receiver.url, tmp_path, first_wait=0.01)
    sink.send(Alarm(rules.rules[0], FALL, "a fall"))
    receiver.wait(1)
    sink.close()
    receiver.close()
    assert [code for code, *_ in receiver.got] == [302]


@pytest.mark.parametrize(("alarms", "words"), [(1, "1 alarm waits in"), (2, "2 alarms wait in")])
def test_what_waits_on_disk_is_counted(tmp_path, alarms: int, words: str) -> None:
    said: list[str] = []
    falls = [replace(FALL, id=f"fall{number}") for number in range(alarms)]
    url = f"http://127.0.0.1:{free_port()}/alarm"
    run_sink(f"{{kind: webhook, url: '{url}', first_wait: 0.01, timeout: 1}}", tmp_path, falls, said.append)
    assert words in said[-1]


@pytest.mark.parametrize(("alarms", "words"), [(1, "1 alarm was not"), (2, "2 alarms were not")])
def test_what_no_broker_took_is_counted(tmp_path, monkeypatch, alarms: int, words: str) -> None:
    pytest.importorskip("paho.mqtt")
    monkeypatch.setattr(mqtt_sink, "_PATIENCE", 0.05)
    said: list[str] = []
    falls = [replace(FALL, id=f"fall{number}") for number in range(alarms)]
    port = free_port()
    run_sink(f"{{kind: mqtt, host: 127.0.0.1, port: {port}}}", tmp_path, falls, said.append)
    assert f"MQTT: {words} delivered to 127.0.0.1:{port}." in said


@pytest.fixture
def broker():
    """Run an MQTT broker on a free port, in a thread."""
    amqtt = pytest.importorskip("amqtt.broker")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start():
        running = amqtt.Broker(config)
        await running.start()
        return running

    running = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield port
    asyncio.run_coroutine_threadsafe(running.shutdown(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_mqtt_announces_a_sensor_that_clears_when_the_person_is_up(broker, tmp_path) -> None:
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    got: list[tuple[str, str]] = []
    reader = mqtt.Client(CallbackAPIVersion.VERSION2)
    reader.on_message = lambda client, data, message: got.append((message.topic, message.payload.decode()))
    reader.connect("127.0.0.1", broker)
    reader.subscribe("#", qos=1)
    reader.loop_start()

    def wait(topic: str, payload: str) -> None:
        deadline = time.monotonic() + 10
        while (topic, payload) not in got and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (topic, payload) in got, got

    rules = parse_rules(
        "rules:\n  - {event: fall, name: Fall in the bedroom, cool_down: 0}\n"
        f"sinks:\n  home: {{kind: mqtt, host: 127.0.0.1, port: {broker}, topic: bedroom}}\n"
    )
    alarms = Alarms(rules.rules, build_sinks(rules, tmp_path), live=False)
    wait("bedroom/status", "online")
    wait("bedroom/fall_in_the_bedroom/state", "OFF")
    alarms.event(FALL)
    wait("bedroom/fall_in_the_bedroom/state", "ON")
    alarms.event(replace(FALL, end=9.0))
    deadline = time.monotonic() + 10
    states = lambda: [p for t, p in got if t == "bedroom/fall_in_the_bedroom/state"]  # noqa: E731
    while states() != ["OFF", "ON", "OFF"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert states() == ["OFF", "ON", "OFF"]
    alarms.close()
    wait("bedroom/status", "offline")
    reader.loop_stop()
    reader.disconnect()
    sensor = json.loads(dict(got)["homeassistant/binary_sensor/bedroom/fall_in_the_bedroom/config"])
    assert sensor["device_class"] == "safety" and sensor["state_topic"] == "bedroom/fall_in_the_bedroom/state"
    assert json.loads(dict(got)["bedroom/fall_in_the_bedroom/alarm"])["over"] is True
