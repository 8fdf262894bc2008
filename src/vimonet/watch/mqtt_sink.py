"""Publish alarms by MQTT, with Home Assistant's discovery: a binary sensor for every rule."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vimonet.utils.errors import InputError
from vimonet.watch.alarms import Alarm
from vimonet.watch.rules import Rule

_CLASSES: Final = {
    "fall": "safety",
    "lying_still": "safety",
    "not_moving": "safety",
    "out_of_bed": "occupancy",
    "source_lost": "problem",
    "picture_frozen": "problem",
    "picture_black": "problem",
    "behind": "problem",
}
"""Device classes of Home Assistant; other events are plain binary sensors."""
_PATIENCE: Final = 2.0  # s, at the end, for the broker to confirm alarms


@dataclass(frozen=True)
class MqttSettings:
    """Publish every rule as a binary sensor of Home Assistant: on with an alarm, off when it is over."""

    host: str = ""
    """The broker."""
    port: int = 1883
    """Its port."""
    username: str = ""
    """User name at the broker, if it asks for one."""
    password_env: str = ""
    """Environment variable that holds the password."""
    tls: bool = False
    """Whether the connection is encrypted (port 8883 as a rule)."""
    topic: str = "vimonet"
    """First part of the topics; two watches need two."""
    name: str = "ViMoNet"
    """Name of the device in Home Assistant."""
    discovery: str = "homeassistant"
    """First part of the topics of discovery; empty: none."""


class MqttSink:
    """Keep a binary sensor per rule, and publish each alarm as JSON beside it.

    ``TOPIC/RULE/state`` is ON or OFF and retained, ``TOPIC/RULE/alarm`` holds the alarm, ``TOPIC/status`` is online or
    offline, also when the watch dies (last will). Messages wait in memory while the broker is down.

    Raises:
        InputError: no host, no password in the named variable, or the extra ``watch`` is missing.
    """

    def __init__(self, settings: MqttSettings, rules: Sequence[Rule], say: Callable[[str], None]) -> None:
        if not settings.host:
            raise InputError("it needs a host: the address of the MQTT broker.")
        if not re.fullmatch(r"[\w.\-/]+", settings.topic):
            raise InputError(f"the topic is {settings.topic!r}; letters, digits, '_', '-', '.' and '/' are allowed.")
        try:
            from paho.mqtt import client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise InputError("MQTT needs the package paho-mqtt; install vimonet[watch].") from None
        self.settings, self.rules, self.say = settings, list(rules), say
        self._on: dict[str, set[str]] = {rule.slug: set() for rule in self.rules}
        self._alarms, self._taken = set[int](), set[int]()  # message numbers: alarms sent, messages confirmed
        self._client: Any = mqtt.Client(CallbackAPIVersion.VERSION2)
        if settings.username:
            password = os.environ.get(settings.password_env, "") if settings.password_env else ""
            if settings.password_env and not password:
                raise InputError(f"the environment variable {settings.password_env} is not set; it holds the password.")
            self._client.username_pw_set(settings.username, password or None)
        if settings.tls:
            self._client.tls_set()
        self._client.will_set(f"{settings.topic}/status", "offline", qos=1, retain=True)
        self._client.reconnect_delay_set(1, 60)
        self._client.on_connect = self._connected
        self._client.on_publish = lambda client, data, number, *_: self._taken.add(number)
        self._client.on_connect_fail = lambda *_: say(f"MQTT: {settings.host}:{settings.port} is not reached yet.")
        self._client.connect_async(settings.host, settings.port)
        self._client.loop_start()

    def send(self, alarm: Alarm) -> None:
        """Publish an alarm and the state of its rule."""
        if alarm.rule is None:
            return
        rule = alarm.rule.slug
        on = self._on[rule]
        self._undelivered()
        self._alarms.add(self._publish(f"{rule}/alarm", json.dumps(alarm.to_dict()), retain=False))
        if alarm.acknowledges:
            return  # the person may still lie there
        if alarm.over:
            on.discard(alarm.event.id)
        else:
            on.add(alarm.event.id)
            self._publish(f"{rule}/state", "ON")
            if alarm.event.end is not None:  # over when it was reported: a pulse
                on.discard(alarm.event.id)
        if not on:
            self._publish(f"{rule}/state", "OFF")

    def close(self) -> None:
        """Wait briefly for the broker, report the alarms that it did not confirm, say that the watch is off."""
        until = time.monotonic() + _PATIENCE
        while self._undelivered() and time.monotonic() < until:
            time.sleep(0.02)
        if left := self._undelivered():
            were = "alarm was" if left == 1 else "alarms were"
            self.say(f"MQTT: {left} {were} not delivered to {self.settings.host}:{self.settings.port}.")
        if self._client.is_connected():
            self._client.publish(f"{self.settings.topic}/status", "offline", qos=1, retain=True).wait_for_publish(2)
        self._client.disconnect()
        self._client.loop_stop()

    def _undelivered(self) -> int:
        """Count the alarms that the broker has not confirmed; the client's thread may confirm more meanwhile."""
        taken = self._taken.copy()
        self._alarms -= taken
        self._taken -= taken
        return len(self._alarms)

    def _publish(self, topic: str, payload: str, retain: bool = True) -> int:
        return int(self._client.publish(f"{self.settings.topic}/{topic}", payload, qos=1, retain=retain).mid)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        """Announce the sensors and publish their states, also after the broker was restarted."""
        if getattr(reason, "is_failure", False):
            self.say(f"MQTT: {self.settings.host} refuses the connection ({reason}).")
            return
        for rule in self.rules:
            key = rule.slug
            if self.settings.discovery:
                node = re.sub(r"\W+", "_", self.settings.topic)
                topic = f"{self.settings.discovery}/binary_sensor/{node}/{key}/config"
                client.publish(topic, json.dumps(self._discovery(rule, node)), qos=1, retain=True)
            self._publish(f"{key}/state", "ON" if self._on[key] else "OFF")
        client.publish(f"{self.settings.topic}/status", "online", qos=1, retain=True)

    def _discovery(self, rule: Rule, node: str) -> dict[str, Any]:
        base = f"{self.settings.topic}/{rule.slug}"
        found: dict[str, Any] = {
            "name": rule.name,
            "unique_id": f"{node}_{rule.slug}",
            "state_topic": f"{base}/state",
            "json_attributes_topic": f"{base}/alarm",
            "availability_topic": f"{self.settings.topic}/status",
            "device": {"identifiers": [node], "name": self.settings.name, "manufacturer": "ViMoNet", "model": "watch"},
        }
        return found | ({"device_class": _CLASSES[rule.event]} if rule.event in _CLASSES else {})
