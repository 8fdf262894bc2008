"""Build the sinks that a file of rules names: JSON lines, a command, a sound, a webhook, MQTT, the page."""

from __future__ import annotations

import dataclasses
import difflib
import json
import shutil
import subprocess
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vimonet.utils.errors import InputError
from vimonet.utils.settings import convert, known_key
from vimonet.watch.alarms import Alarm, Sink
from vimonet.watch.mqtt_sink import MqttSettings, MqttSink
from vimonet.watch.page_sink import PageSettings, PageSink
from vimonet.watch.rules import Rules, fill_message
from vimonet.watch.webhook_sink import WebhookSettings, WebhookSink

_PLAYERS: Final = (("paplay",), ("aplay", "-q"), ("afplay",), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"))


@dataclass(frozen=True)
class JsonLinesSettings:
    """Append every alarm to a file, as one line of JSON."""

    path: str = ""
    """The file; the folder must exist."""


@dataclass(frozen=True)
class CommandSettings:
    """Run a program with every alarm; no shell is involved. The alarm is on its standard input as JSON."""

    arguments: tuple[str, ...] = ()
    """Program and arguments; {message}, {text}, {person}, {time}, {rule} and {event} are filled in."""
    when_over: bool = False
    """Whether it is run again when the alarm is acknowledged and when it is over."""
    timeout: float = 30.0
    """Seconds after which it is ended."""


@dataclass(frozen=True)
class SoundSettings:
    """Play a sound with every alarm."""

    file: str = ""
    """A sound file for paplay, aplay, afplay or ffplay; empty: the bell of the terminal."""


SETTINGS: Final[dict[str, type]] = {
    "jsonl": JsonLinesSettings,
    "webhook": WebhookSettings,
    "mqtt": MqttSettings,
    "command": CommandSettings,
    "sound": SoundSettings,
    "page": PageSettings,
}
"""Kind of a sink -> the keys it takes."""


class JsonLinesSink:
    """Append alarms to a file; every line is whole."""

    def __init__(self, settings: JsonLinesSettings) -> None:
        self._file = Path(settings.path).open("a", encoding="utf-8")  # noqa: SIM115  (held open while watching)

    def send(self, alarm: Alarm) -> None:
        """Append one line."""
        self._file.write(json.dumps(alarm.to_dict(), ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class CommandSink:
    """Run a program."""

    def __init__(self, settings: CommandSettings) -> None:
        self.settings = settings

    def send(self, alarm: Alarm) -> None:
        """Run it and wait for its end."""
        if (alarm.over or alarm.acknowledges) and not self.settings.when_over:
            return
        event = alarm.event
        fields = {
            "message": alarm.message,
            "text": event.text,
            "person": "" if event.person is None else str(event.person),
            "time": f"{event.time:.3f}",
            "rule": alarm.rule.name if alarm.rule else "",
            "event": event.kind,
        }
        done = subprocess.run(
            [fill_message(part, fields) for part in self.settings.arguments],
            input=json.dumps(alarm.to_dict()).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=self.settings.timeout,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"{self.settings.arguments[0]} ended with {done.returncode}: {' '.join(said[-1:])}")

    def close(self) -> None:
        """Do nothing."""


class SoundSink:
    """Play a sound, or ring the terminal's bell."""

    def __init__(self, settings: SoundSettings) -> None:
        self.settings = settings
        self._player = next((p for p in _PLAYERS if shutil.which(p[0])), None) if settings.file else None

    def send(self, alarm: Alarm) -> None:
        """Play it once; not when an alarm is acknowledged or over."""
        if alarm.over or alarm.acknowledges:
            return
        if self._player is None:
            sys.stderr.write("\a")
            sys.stderr.flush()
            return
        subprocess.run([*self._player, self.settings.file], capture_output=True, timeout=60, check=False)

    def close(self) -> None:
        """Do nothing."""


def build_sinks(rules: Rules, spool: Path | None = None, say: Any = lambda text: None) -> dict[str, Sink]:
    """Build the sinks of a file of rules; see `SETTINGS` for the keys of each kind.

    Args:
        rules: the file.
        spool: folder for what a webhook could not deliver yet; the cache folder by default.
        say: gets remarks for the user.

    Raises:
        InputError: an unknown kind or key, a value of another kind, a file that cannot be written; with the line.
    """
    pages = [name for name, keys in rules.sinks.items() if keys["kind"] == "page"]
    if len(pages) > 1:
        raise InputError(f"{rules.path}, line {rules.lines[pages[1]]}: '{pages[0]}' is a page already; one is enough.")
    return {name: _build(rules, name, keys, spool, say) for name, keys in rules.sinks.items()}


def _build(rules: Rules, name: str, keys: Mapping[str, Any], spool: Path | None, say: Any) -> Sink:
    line = rules.lines.get(name)
    where = f"{rules.path}, line {line}: sink '{name}'" if line else name
    kind = str(keys["kind"])
    if kind not in SETTINGS:
        close = difflib.get_close_matches(kind, SETTINGS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"it can be {', '.join(SETTINGS)}."
        raise InputError(f"{where} has the unknown kind '{kind}'; {hint}")
    settings: Any = _filled(SETTINGS[kind], {key: value for key, value in keys.items() if key != "kind"}, where)
    if kind == "jsonl":
        if not settings.path:
            raise InputError(f"{where} needs a path: the file that gets the lines.")
        try:
            return JsonLinesSink(settings)
        except OSError as error:
            raise InputError(f"{where}: {settings.path} cannot be written ({error.strerror}).") from None
    if kind == "command":
        if not settings.arguments or shutil.which(settings.arguments[0]) is None:
            raise InputError(
                f"{where} needs arguments whose first is a program that exists: [notify-send, '{{text}}']."
            )
        fields = dict.fromkeys(("message", "text", "person", "time", "rule", "event"), "")
        try:
            for part in settings.arguments:
                fill_message(part, fields)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        return CommandSink(settings)
    if kind == "sound":
        if settings.file and not Path(settings.file).is_file():
            raise InputError(f"{where}: there is no file {settings.file}.")
        return SoundSink(settings)
    try:
        if kind == "page":
            return PageSink(settings, rules.rules, say)
        if kind == "webhook":
            return WebhookSink(settings, name, spool, say)
        return MqttSink(settings, [rule for rule in rules.rules if not rule.sinks or name in rule.sinks], say)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _filled(kind: type, keys: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    known = [item.name for item in dataclasses.fields(kind)]
    named = {known_key(key, known, where): value for key, value in keys.items()}
    return kind(**{key: convert(value, hints[key], f"{where}: {key}") for key, value in named.items()})
