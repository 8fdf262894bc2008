"""Post alarms to a web address: signed, tried again until it is taken, kept on disk meanwhile."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vimonet.utils.errors import InputError
from vimonet.utils.files import cache_folder, write_text
from vimonet.watch.alarms import Alarm

_AGAIN: Final = (408, 425, 429)
"""Refusals that mean "later"; any other 4xx means that the receiver will never take it."""
_BACKOFF: Final = (1.0, 300.0)


@dataclass(frozen=True)
class WebhookSettings:
    """Post every alarm as JSON to a web address, at least once."""

    url: str = ""
    """http:// or https:// address."""
    secret_env: str = ""
    """Environment variable that holds the secret of the signature; without it, alarms are not signed."""
    timeout: float = 10.0
    """Seconds for one attempt."""
    first_wait: float = _BACKOFF[0]
    """Seconds before the second attempt; doubled each time, up to five minutes."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirection: it would turn the post into a get, and lead anywhere."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Refuse."""


class WebhookSink:
    """Post alarms in their order, and keep on disk what is not taken yet.

    Each post carries ``X-ViMoNet-Id`` (the same in every attempt: a receiver can tell repeats), and with a secret
    ``X-ViMoNet-Timestamp`` and ``X-ViMoNet-Signature: sha256=HEX``, the HMAC of ``TIMESTAMP.BODY``. Files of an earlier
    run are delivered first.

    Args:
        settings: address, secret, waits.
        name: name of the sink, of its folder within `spool`.
        spool: folder of what waits; ``watch`` in the cache folder by default.
        say: gets remarks for the user.

    Raises:
        InputError: no http address, or no secret in the named variable.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        name: str = "webhook",
        spool: Path | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        parts = urllib.parse.urlsplit(settings.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"the url is {settings.url!r}; expected an address such as https://example.org/alarm.")
        self.settings, self.name, self.say = settings, name, say
        self._secret = os.environ.get(settings.secret_env, "").encode() if settings.secret_env else b""
        if settings.secret_env and not self._secret:
            raise InputError(f"the environment variable {settings.secret_env} is not set; it holds the secret.")
        place = hashlib.sha256(settings.url.encode()).hexdigest()[:12]
        self.folder = (spool or cache_folder() / "watch") / f"{''.join(c for c in name if c.isalnum())}-{place}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._opener = urllib.request.build_opener(_Stay)
        self._wake, self._closed = threading.Event(), threading.Event()
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"webhook-{name}", daemon=True)
        self._thread.start()

    def send(self, alarm: Alarm) -> None:
        """Put an alarm on disk; it is posted as soon as the receiver takes it."""
        self._number += 1
        post = f"{alarm.event.id}-{'over' if alarm.over else 'raised'}-{alarm.rule.slug if alarm.rule else 'all'}"
        body = json.dumps(
            {"id": post, **{k: v for k, v in alarm.to_dict().items() if k != "id"}, "event_id": alarm.event.id}
        )
        write_text(self.folder / f"{time.time_ns():020d}-{self._number:06d}.json", body)
        self._wake.set()

    @property
    def waiting(self) -> list[Path]:
        """Files that are not delivered yet, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json"))

    def close(self) -> None:
        """Try what waits once more; the rest stays on disk for the next run."""
        self._closed.set()
        self._wake.set()
        self._thread.join(self.settings.timeout + 1)
        if left := len(self.waiting):
            wait = "alarm waits" if left == 1 else "alarms wait"
            self.say(f"sink {self.name}: {left} {wait} in {self.folder} until the receiver answers.")

    def _run(self) -> None:
        wait = self.settings.first_wait
        while True:
            failed = ""
            for file in self.waiting:
                failed = self._post(file)
                if failed:
                    break
                wait = self.settings.first_wait
            if self._closed.is_set():
                return
            if failed:
                self.say(f"sink {self.name}: {failed}; trying again in {wait:.0f} s.")
                self._closed.wait(wait)
                wait = min(2 * wait, _BACKOFF[1])
            else:
                self._wake.wait()
                self._wake.clear()

    def _post(self, file: Path) -> str:
        """Post one file and delete it; return why it has to be tried again."""
        body = file.read_bytes().strip()
        try:
            post = json.loads(body)["id"]
        except (ValueError, KeyError, TypeError):
            self._refused(file, "is not an alarm")
            return ""
        headers = {"Content-Type": "application/json", "User-Agent": "vimonet-watch", "X-ViMoNet-Id": str(post)}
        if self._secret:
            stamp = str(int(time.time()))
            signature = hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            headers |= {"X-ViMoNet-Timestamp": stamp, "X-ViMoNet-Signature": f"sha256={signature}"}
        request = urllib.request.Request(self.settings.url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.settings.timeout):
                pass
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code in _AGAIN:
                return f"the receiver answers {error.code}"
            self._refused(file, f"was refused with {error.code}")
            return ""
        except (OSError, ValueError) as error:
            return f"the receiver is not reached ({getattr(error, 'reason', None) or error})"
        file.unlink(missing_ok=True)
        return ""

    def _refused(self, file: Path, why: str) -> None:
        """Set aside what the receiver will never take."""
        place = self.folder / "refused"
        place.mkdir(exist_ok=True)
        file.replace(place / file.name)
        self.say(f"sink {self.name}: an alarm {why}; it lies in {place}.")
