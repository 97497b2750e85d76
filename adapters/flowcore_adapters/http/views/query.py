"""Reading the query of a view: which run, as of when, and how long to wait for news."""

import math
from typing import Final

import attrs
import falcon

from flowcore.ids import RunId, parse_run_id

LONGEST_WAIT_S: Final = 60.0
"""Who wants to wait longer asks again: proxies and clients cut connections on which nothing moves."""
_LARGEST: Final = 2**63 - 1
_LONGEST: Final = len(str(_LARGEST))


@attrs.frozen
class ViewQuery:
    """What a request wants to see.

    Attributes:
        run_id: The run; None for the most recent one.
        at: The log position to look back to, or None for now.
        after: The log position that the caller has seen, or None.
        wait_s: How long to wait for something after it, in seconds; at most `LONGEST_WAIT_S`.
    """

    run_id: RunId | None = None
    at: int | None = None
    after: int | None = None
    wait_s: float = 0.0

    def of(self, run_id: RunId | None) -> "ViewQuery":
        """Return the same question about *run_id*: for paths that name the run themselves."""
        return attrs.evolve(self, run_id=run_id)


LATEST: Final = ViewQuery()


def read_query(request: falcon.Request) -> ViewQuery:
    """Return what *request* asks for.

    Raises:
        HTTPBadRequest: A parameter is repeated or malformed.
    """
    if not request.query_string:
        return LATEST
    given = read_once(request)
    query = ViewQuery(
        run_id=_run_id(given.get("run_id")),
        at=_position("at", given.get("at")),
        after=_position("after", given.get("after")),
        wait_s=_seconds(given.get("wait")),
    )
    if "wait" in given and query.after is None:
        raise _bad("'wait' goes with 'after': the position that you have seen")
    if query.at is not None and query.after is not None:
        raise _bad("'at' looks back and 'after' waits for news: give one of them")
    return query


def read_once(request: falcon.Request) -> dict[str, str]:
    """Return the parameters of *request*.

    Raises:
        HTTPBadRequest: One is repeated.
    """
    given: dict[str, str] = {}
    for name, value in request.params.items():
        if not isinstance(value, str):
            raise _bad(f"{name[:40]!r} is given more than once")
        # Browsers and proxies add parameters of their own, to get round caches for example: they do no harm.
        given[name] = value
    return given


def _bad(message: str) -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(title=message)


def _run_id(text: str | None) -> RunId | None:
    if text is None:
        return None
    run_id = parse_run_id(text)
    if run_id is None:
        raise _bad("'run_id' is no run id: 1733524800000, exec-1733524800000 and run_1733524800000 are")
    return run_id


def _position(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST or int(text) > _LARGEST:
        raise _bad(f"'{name}' must be a log position: a whole number, as an ETag shows it")
    return int(text)


def _seconds(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise _bad(f"'wait' must be a number of seconds, up to {LONGEST_WAIT_S:g}")
    return min(seconds, LONGEST_WAIT_S)
