"""Views that catch up from the log when somebody asks, and their bytes as long as nothing has changed."""

from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import attrs

from flowcore.errors import RunNotFoundError
from flowcore.ids import RunId
from flowcore.ports import EventLog
from flowcore.views.executions import ExecutionView
from flowcore.views.flow_runs import FlowRunView
from flowcore.views.follow import RunView, catch_up
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusView
from flowcore.views.trace import LogsView

from .kept import Kept

Headers: TypeAlias = tuple[tuple[str, str], ...]

CAPACITY: Final = 128
"""How many views are kept; the one that nobody has asked for longest goes first."""
PAST_CAPACITY: Final = 16
"""How many answers about the past are kept: enough for somebody who steps to and fro."""


class JsonView(RunView, Protocol):
    """A view that can write itself as JSON."""

    def encode(self) -> bytes:
        """Return it as JSON text in UTF-8."""
        ...


VIEWS: Final[Mapping[str, Callable[[], JsonView]]] = MappingProxyType(
    {
        "status": StatusView,
        "outputs": OutputsView,
        "execution": ExecutionView,
        "logs": LogsView,
        "flow-run": FlowRunView,
    }
)
"""The views by family."""


@attrs.frozen
class Page:
    """What a view looks like at one moment, ready to be sent.

    Attributes:
        position: The log position of the last event in it.
        etag: The same as an `ETag`.
        validators: The headers of a 304, and of every other answer too.
        headers: The headers of an answer with the *body*.
    """

    run_id: RunId
    version: int
    position: int
    etag: str
    body: bytes
    validators: Headers
    headers: Headers


class _Entry:
    """One live view; its lock keeps two requests from folding it at once."""

    __slots__ = ("lock", "page", "view")

    def __init__(self, view: JsonView) -> None:
        self.view = view
        self.lock = Lock()
        self.page: Page | None = None


class ViewCache:
    """The views of one log. Safe for threads: a reader waits for nobody but another reader of the same view."""

    def __init__(self, log: EventLog, *, capacity: int = CAPACITY) -> None:
        """Keep at most *capacity* views of *log*."""
        self._log = log
        self._entries = Kept[tuple[str, RunId], _Entry](capacity)
        self._past = Kept[tuple[str, RunId, int], Page](PAST_CAPACITY)

    def page(self, family: str, run_id: RunId) -> Page:
        """Return the view as it is now; costs what has happened since the last time.

        Raises:
            RunNotFoundError: There is no such run.
        """
        version = self._log.version(run_id)
        if not version:
            raise RunNotFoundError(f"there is no run {run_id}")
        entry = self._entries.get_or_make((family, run_id), lambda: _Entry(VIEWS[family]()))
        page = entry.page
        if page is not None and page.version == version:
            return page
        with entry.lock:
            page = entry.page
            # Another request may have brought it further than this one has seen.
            if page is None or page.version < version:
                page = entry.page = self._catch_up(entry, family, run_id)
            return page

    def past(self, family: str, run_id: RunId, position: int) -> Page:
        """Return the view as it was when the log had come to *position*; costs the events up to there.

        Raises:
            RunNotFoundError: There was no such run yet.
        """
        if position >= self._log.position():
            page = self.page(family, run_id)
            if page.position <= position:
                return page
        # From here on *position* is past, and what was then never changes.
        key = (family, run_id, position)
        known = self._past.get(key)
        if known is not None:
            return known
        view = catch_up(VIEWS[family](), self._log, run_id, until=position)
        if not view.version:
            raise RunNotFoundError(f"there was no run {run_id} yet when the log was at position {position}")
        page = _page(run_id, view)
        self._past.put(key, page)
        return page

    def _catch_up(self, entry: _Entry, family: str, run_id: RunId) -> Page:
        try:
            return _page(run_id, catch_up(entry.view, self._log, run_id))
        except BaseException:
            # Half of an event may be in it: the next request starts anew.
            entry.view = VIEWS[family]()
            entry.page = None
            raise


def _page(run_id: RunId, view: JsonView) -> Page:
    """Return what *view* looks like now.

    Raises:
        RunNotFoundError: It has seen nothing: what has that id is a batch.
    """
    if not view.version:
        raise RunNotFoundError(f"there is no run {run_id}")
    etag, body = f'"{view.position}"', view.encode()
    # RFC 9110, section 15.4.5: a 304 brings these, and nothing that only describes what is not sent.
    validators = (("Cache-Control", "no-cache"), ("ETag", etag))
    headers = (
        *validators,
        ("X-Flowcore-Run-Id", str(run_id)),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    )
    return Page(run_id, view.version, view.position, etag, body, validators, headers)
