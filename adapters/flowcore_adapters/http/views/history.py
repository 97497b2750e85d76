"""`/api/runs/...`: the events of a run, why a step stands where it stands, and what is different between two runs."""

from itertools import islice
from typing import Final

import attrs
import falcon

from flowcore.codec import encode
from flowcore.errors import CommandRejectedError, RunNotFoundError
from flowcore.ids import RunId, parse_run_id
from flowcore.json_text import to_json
from flowcore.ports import EventLog, Recorded
from flowcore.secrets import mask
from flowcore.values import Json
from flowcore.views.difference import difference
from flowcore.views.explain import explain
from flowcore_adapters.http.description.operations import UNCHANGED, Parameter, operation
from flowcore_adapters.http.description.schemas import (
    COUNT,
    FLAG,
    FROM_ONE,
    OBJECT,
    POSITION,
    TEXT,
    WHOLE,
    list_of,
    object_of,
)

from .query import read_query
from .resource import tell_unchanged

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
"""How many events a page may have."""


_LIST: Final = list_of(OBJECT)
_EVENT: Final = object_of(
    {
        "position": FROM_ONE,
        "version": FROM_ONE,
        "epoch": COUNT,
        "at": {"type": "number"},
        "type": TEXT,
        "schema": WHOLE,
        "data": OBJECT,
    }
)
_EVENTS: Final = object_of({"run_id": WHOLE, "next": POSITION, "events": list_of(_EVENT)})
_EXPLANATION: Final = object_of(
    {"run_id": WHOLE, "step": TEXT, "status": TEXT, "sentences": list_of(TEXT), "attempts": _LIST}
)
_DIFFERENCE: Final = object_of(
    {
        "equal": FLAG,
        "first": WHOLE,
        "second": WHOLE,
        "flow": _LIST,
        "states": _LIST,
        "outputs": _LIST,
        "timings": _LIST,
        "parting": {"type": ["object", "null"]},
    }
)


class EventsResource:
    """`GET /api/runs/{run_id}/events?after=&limit=`: pages that make the full list, also while it grows."""

    def __init__(self, log: EventLog) -> None:
        """Show the runs in *log*."""
        self._log = log

    @operation(
        "The events of a run, as they are stored",
        query=(
            Parameter("after", "Only what is past this position.", POSITION),
            Parameter("limit", "How many.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
        ),
        answers={200: _EVENTS, 304: UNCHANGED},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, run_id: str) -> None:
        """Answer with a page, and where the next one begins."""
        number = _run(self._log, run_id)
        after = read_query(request).after or 0
        limit = request.get_param_as_int("limit", min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
        later = (recorded for recorded in self._log.read(number) if recorded.position > after)
        page = list(islice(later, limit))
        last = page[-1].position if page else after
        _answer(request, response, last, {"run_id": number, "events": [_event(each) for each in page], "next": last})


class ExplainResource:
    """`GET /api/runs/{run_id}/explain?step=`: why a step stands where it stands, or stood `?at=` a position."""

    def __init__(self, log: EventLog) -> None:
        """Explain the runs in *log*."""
        self._log = log

    @operation(
        "Why a step stands where it stands",
        query=(
            Parameter("step", "Its name, or an item of its list: `fetch/3`.", TEXT, required=True),
            Parameter("at", "Why it stood so at this position.", POSITION),
        ),
        answers={200: _EXPLANATION, 304: UNCHANGED},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, run_id: str) -> None:
        """Answer with the explanation."""
        number = _run(self._log, run_id)
        step = request.get_param("step", required=True)
        at = read_query(request).at
        events = [each for each in self._log.read(number) if at is None or each.position <= at]
        try:
            found = explain(events, step)
        except CommandRejectedError as error:
            raise falcon.HTTPNotFound(title=str(error)) from error
        _answer(request, response, events[-1].position, attrs.asdict(found))


class DifferenceResource:
    """`GET /api/runs/{run_id}/diff/{other}`: what is different between two runs."""

    def __init__(self, log: EventLog) -> None:
        """Compare the runs in *log*."""
        self._log = log

    @operation("What is different between two runs", answers={200: _DIFFERENCE, 304: UNCHANGED})
    def on_get(self, request: falcon.Request, response: falcon.Response, run_id: str, other: str) -> None:
        """Answer with the differences."""
        numbers = [_run(self._log, each) for each in (run_id, other)]
        histories = [list(self._log.read(number)) for number in numbers]
        found = difference(histories[0], histories[1])
        position = max(events[-1].position for events in histories)
        _answer(request, response, position, {"equal": found.equal, **attrs.asdict(found)})


def _run(log: EventLog, text: str) -> RunId:
    run_id = parse_run_id(text)
    if run_id is None or not log.version(run_id):
        raise RunNotFoundError(f"there is no run {text[:40]}")
    return run_id


def _event(recorded: Recorded) -> dict[str, Json]:
    """Return an event as it is stored, secrets blackened."""
    encoded = encode(recorded.event)
    return {
        "position": recorded.position,
        "version": recorded.version,
        "epoch": recorded.epoch,
        "at": recorded.event.at,
        "type": encoded.type,
        "schema": encoded.schema,
        "data": mask(encoded.data),
    }


def _answer(request: falcon.Request, response: falcon.Response, position: int, document: Json) -> None:
    if not tell_unchanged(request, response, position):
        response.content_type = falcon.MEDIA_JSON
        response.data = to_json(document).encode()
