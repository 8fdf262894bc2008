"""Show a watch as a page: live skeletons, the source's health, events, and alarms that are acknowledged there.

The page has a thread of its own. Each browser gets server-sent events with the newest state at most `RATE` times a
second; one that takes them slowly misses what was in between, and one that takes nothing is let go.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.page.document import FIGURE
from vimonet.utils.errors import InputError
from vimonet.utils.settings import Bounds, Count
from vimonet.watch.alarms import Alarm
from vimonet.watch.kept_events import KeptEvents
from vimonet.watch.live_state import LiveState, Told, compact_json
from vimonet.watch.rules import Rule, Rules
from vimonet.watch.stream import Event, PersonId, PoseFrame

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vimonet.watch.loop import Watch

PORT: Final = 8010
"""Port of the page unless another is given."""
RATE: Final = 20.0
"""Times a second at which the newest state is sent."""
PAGE_RULES: Final = (
    Rule("Fall", "fall", cool_down=0.0),  # of another person, perhaps
    Rule("Lies still", "lying_still", duration=10.0, cool_down=0.0),
    Rule("Source lost", "source_lost", duration=5.0),
    Rule("Picture black", "picture_black", duration=5.0),
    Rule("Picture frozen", "picture_frozen", duration=5.0),
)
"""What has to be acknowledged where the user gives no rules."""
FLAG: Final = "--page"
"""Flag that adds a page, and the name of its sink."""
_STUCK: Final = 20.0
"""Seconds in which a browser must take what is sent; then its place is free."""
_BEAT: Final = 5.0
"""Seconds after which a browser is sent something even if nothing is new, so that it knows the watch lives."""
_BUFFER: Final = 32 << 10
"""Bytes that the system keeps for a browser that is slow: old frames are not worth more."""


@dataclass(frozen=True)
class PageSettings:
    """Show alarms, live skeletons and events on a page of this machine, where alarms are acknowledged."""

    port: Annotated[int, Bounds(0, 65535)] = PORT
    """Port of the page; 0 for a free one."""
    host: str = "127.0.0.1"
    """Address that it listens on; any but this machine's own needs a token_file."""
    token_file: str = ""
    """File of tokens, one a line, of which the page asks for one."""
    hosts: tuple[str, ...] = ()
    """Names under which browsers may call it, beside its address."""
    clients: Count = 8
    """Pages that may be open at one time."""
    keep: str = ""
    """File in which the events are kept, so that they outlive the watch; without it they do not."""


class PageSink:
    """Serve the page of a watch.

    It is a sink for alarms and a detector that finds nothing; `event` takes every event.

    Args:
        settings: where it listens, and who may open it.
        rules: whose zones it draws.
        say: gets remarks for the user.

    Raises:
        InputError: the port is taken, the host is open without a token, the file of events is another's, or the extra
            ``serve`` is missing.
    """

    def __init__(
        self, settings: PageSettings, rules: Sequence[Rule] = (), say: Callable[[str], None] = lambda text: None
    ) -> None:
        from vimonet.serve.listening import address_of, check_reach, listen, read_tokens

        tokens = read_tokens(settings.token_file or None)
        check_reach(settings.host, tokens, "a token_file")
        self.state, self.settings = LiveState(), settings
        self._about: dict[str, Any] = {"zones": [{"name": r.name, "zone": r.zone} for r in rules if r.zone is not None]}
        self._ending, self._open = threading.Event(), 0
        try:
            import uvicorn

            self._app = self._application(tokens)
        except ImportError as error:
            raise InputError(
                f"the page needs the package {error.name}; install it with: pip install 'vimonet[serve]'."
            ) from None
        self._kept = KeptEvents(Path(settings.keep), self.state, say) if settings.keep else None
        self._socket = listen(settings.host, settings.port)
        self.address = address_of(settings.host, self._socket.getsockname()[1])
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)  # of every connection
        config = uvicorn.Config(
            self._app,
            access_log=False,
            log_config=None,
            log_level="critical",  # failures of ours are logged by `Outside`
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._socket]), name="vimonet page", daemon=True
        )

    def start(self, watch: Watch) -> str:
        """Show a watch from now on, and return the page's address."""
        self.state.attach(watch)
        self._about |= {"source": watch.source.name, "live": watch.source.live, "pictures": watch.source.pictures}
        self._thread.start()
        if self._kept is not None:
            self._kept.start()
        return self.address

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Show a frame of a person; no event comes of it."""
        return self.state.push(frame)

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """Show a person no longer."""
        return self.state.gone(person, time)

    def event(self, event: Event) -> None:
        """List an event."""
        self.state.event(event)

    def send(self, alarm: Alarm) -> None:
        """Show an alarm until it is acknowledged."""
        self.state.alarm(alarm)

    def close(self) -> None:
        """Tell the open pages that the watch has ended, and stop."""
        self._ending.set()
        if self._thread.is_alive():
            time.sleep(2 / RATE)  # for the last words
            self._server.should_exit = True
            self._thread.join(3.0)
        self._socket.close()
        if self._kept is not None:
            self._kept.close()

    def _application(self, tokens: list[str]) -> FastAPI:
        from fastapi import FastAPI
        from starlette.middleware import Middleware
        from starlette.responses import Response

        from vimonet.serve.guards import Door, Outside
        from vimonet.serve.page_files import LiveStream, add_page
        from vimonet.serve.server_errors import ApiError, PlainJSON, add_error_handlers
        from vimonet.serve.server_limits import ServerLimits
        from vimonet.serve.server_metrics import Metrics

        settings = self.settings
        door = Middleware(Door, host=settings.host, tokens=tokens, limits=ServerLimits(hosts=settings.hosts))
        app = FastAPI(openapi_url=None, middleware=[Middleware(Outside, metrics=Metrics()), door])
        add_error_handlers(app)
        add_page(app, "watch.html")

        @app.get("/v1/watch/live", response_class=Response)
        async def live() -> Response:
            if self._open >= settings.clients:
                text = f"{settings.clients} pages show this watch already; close one."
                raise ApiError(503, text, "too_many_pages", headers={"Retry-After": "5"})
            self._open += 1
            return LiveStream(self._messages(), _STUCK, self._left)

        @app.post("/v1/watch/events/{event_id}/acknowledge")
        async def acknowledge(event_id: str) -> PlainJSON:
            found = self.state.acknowledge(event_id)
            if found is None:
                raise ApiError(404, "there is no such event; the oldest are forgotten.", "not_found")
            return PlainJSON(found)

        return app

    def _left(self) -> None:
        self._open -= 1

    async def _messages(self) -> AsyncIterator[str]:
        """Yield what is new, as server-sent events."""
        figure = {"figure": FIGURE, "joint_names": JOINT_NAMES}
        yield _sent({"about": compact_json({**figure, **self._about})})
        told, last = Told(), 0.0
        while not self._ending.is_set():
            news, now = self.state.news(told), time.monotonic()
            if news or now - last > _BEAT:
                last = now
                yield _sent(news)
            await asyncio.sleep(1 / RATE)
        yield _sent({**self.state.news(told), "over": "true"})


def _sent(parts: dict[str, str]) -> str:
    return "data: {" + ",".join(f'"{key}":{text}' for key, text in parts.items()) + "}\n\n"


def with_page(rules: Rules | None, port: int) -> Rules:
    """Add a page to rules, which shows the alarms of all of them; without rules to those of `PAGE_RULES`.

    Raises:
        InputError: the port cannot be one, or the rules have a page.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"{FLAG} is {port}; expected a port from 0 to 65535.")
    rules = rules or Rules(PAGE_RULES)
    if any(keys["kind"] == "page" for keys in rules.sinks.values()):
        raise InputError(f"{FLAG}: {rules.path} names a page already; leave one of them out.")
    sinks = {**rules.sinks, FLAG: {"kind": "page", "port": port}}
    every = (replace(rule, sinks=(*rule.sinks, FLAG)) if rule.sinks else rule for rule in rules.rules)
    return replace(rules, rules=tuple(every), sinks=sinks)


def page_of(sinks: dict[str, Any]) -> PageSink | None:
    """Return the page among sinks; None without one."""
    return next((sink for sink in sinks.values() if isinstance(sink, PageSink)), None)
