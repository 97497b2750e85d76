"""`GET /api/events`: the live events as Server-Sent Events, for any client that can read lines.

Every event has an id, the position in the log that it comes from: `2003`. When several come from one position, those
before the last have a number behind it, `2003.1`, so that a client that reconnects with `Last-Event-ID` gets what it
has missed, and nothing twice.
"""

import re
import time
from collections.abc import Callable, Generator, Iterator
from typing import Final

import attrs
import falcon

from flowcore.errors import LogError, RunNotFoundError
from flowcore.json_text import to_json
from flowcore.ports import EventLog
from flowcore_adapters.http.description.operations import Answer, Parameter, operation
from flowcore_adapters.http.description.schemas import OBJECT, POSITION, TEXT
from flowcore_adapters.http.incoming.admission import Admission
from flowcore_adapters.http.views.operations import BUSY
from flowcore_adapters.http.views.query import read_query
from flowcore_adapters.http.views.resource import GONE

from .feed import Emission, LiveFeed

HEARTBEAT_S: Final = 15.0
"""How long the stream may be silent, in seconds: proxies cut connections on which nothing moves."""
RETRY_MS: Final = 1000
"""How soon a client that has lost the connection shall come back, in milliseconds."""
_LOOK_S: Final = 0.25
"""How often, in seconds, it is seen whether somebody still listens."""
_EVENT_ID: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?")


@attrs.frozen
class Mark:
    """What a client has seen: everything up to *position*, and *more* of the events that come from the next one."""

    position: int
    more: int = 0


class EventStreamResource:
    """`GET /api/events?after=&run_id=`."""

    def __init__(self, log: EventLog, admission: Admission) -> None:
        """Tell what happens in *log*."""
        self._log = log
        self._admission = admission

    @operation(
        "What happens in all runs, as it happens, as Server-Sent Events",
        query=(
            Parameter("after", "The position in the log to begin after; without it, now.", POSITION),
            Parameter("run_id", "One run alone, in any spelling.", TEXT),
        ),
        answers={
            200: Answer("The events, until the client goes.", OBJECT, media="text/event-stream"),
            404: Answer("There is no such run.", OBJECT),
            503: BUSY,
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with a stream that goes on until the client goes or the server stops."""
        query = read_query(request)
        if query.run_id is not None and not self._log.version(query.run_id):
            # It would be silent for ever.
            raise RunNotFoundError(f"there is no run {query.run_id}")
        given = request.get_header("Last-Event-ID")
        mark = Mark(self._log.position() if query.after is None else query.after) if given is None else _mark(given)
        self._admission.take()
        response.content_type = "text/event-stream"
        # A proxy that collects an answer before it passes it on would make news of yesterday.
        response.set_headers([("Cache-Control", "no-cache, no-transform"), ("X-Accel-Buffering", "no")])
        feed = LiveFeed(self._log, mark.position, run_id=query.run_id)
        gone: Callable[[], bool] = request.env.get(GONE, _never)
        response.stream = EventStream(self._log, feed, mark, gone, self._admission.give_back)


class EventStream:
    """The body of the answer; whoever sends it must close it."""

    def __init__(
        self, log: EventLog, feed: LiveFeed, mark: Mark, gone: Callable[[], bool], done: Callable[[], None]
    ) -> None:
        """Send what *feed* tells until *gone*; then call *done*, once."""
        self._log = log
        self._feed = feed
        self._mark = mark
        self._gone = gone
        self._done: Callable[[], None] | None = done
        self._pieces = self._run()

    def __iter__(self) -> Iterator[bytes]:
        """Return the pieces."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece, as soon as there is one."""
        return next(self._pieces)

    def close(self) -> None:
        """End."""
        self._pieces.close()
        done, self._done = self._done, None
        if done is not None:
            done()

    def _run(self) -> Generator[bytes]:
        yield f"retry: {RETRY_MS}\n\n".encode()
        spoken = time.monotonic()
        try:
            while not self._gone():
                # Read before the feed: what is appended in between ends the wait at once.
                found = self._feed.take()
                if found:
                    yield "".join(self._written(found)).encode()
                    spoken = time.monotonic()
                    continue
                self._log.wait(self._feed.position, _LOOK_S)
                if time.monotonic() - spoken >= HEARTBEAT_S:
                    yield b": still here\n\n"
                    spoken = time.monotonic()
        except LogError:
            # It was closed: the server stops.
            return

    def _written(self, emissions: list[Emission]) -> Iterator[str]:
        for emission in emissions:
            skipped = self._mark.more if emission.position == self._mark.position + 1 else 0
            last = len(emission.events)
            for number, event in enumerate(emission.events, 1):
                if number > skipped:
                    id_ = str(emission.position) if number == last else f"{emission.position}.{number}"
                    yield f"id: {id_}\nevent: {event.name}\ndata: {to_json(event.payload)}\n\n"


def _mark(text: str) -> Mark:
    """Return what `Last-Event-ID` says.

    Raises:
        HTTPBadRequest: It is none of ours.
    """
    match = _EVENT_ID.fullmatch(text.strip())
    if match is None:
        raise falcon.HTTPBadRequest(title="'Last-Event-ID' must be the id of an event, such as 2003 or 2003.1")
    position, more = int(match.group(1)), match.group(2)
    return Mark(position) if more is None else Mark(position - 1, int(more))


def _never() -> bool:
    return False
