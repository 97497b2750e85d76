"""The lines of a run's attempts, as the executions family shows them."""

import json

import attrs

from flowcore.ids import BatchId, InstanceId
from flowcore.run.events import Event, LogLine, StepLogged, TraceToggled
from flowcore.values import Instant
from flowcore.views import trace
from flowcore.views.trace import LogsDocument, LogsView, line_text
from tests.builders import T0, T1, begun, created, recorded, started, step

LINE = LogLine(at=Instant(1733524800.1234), stream="trace", message="succeeded")


def logged(name: str, *messages: str, attempt: int = 1, first: int = 0, stream: str = "trace") -> StepLogged:
    lines = tuple(LogLine(at=T1, stream=stream, message=message) for message in messages)
    return StepLogged(instance=InstanceId(name), attempt=attempt, first=first, lines=lines, at=T1)


def viewed(*events: Event) -> LogsView:
    view = LogsView()
    for each in recorded(events):
        view.evolve(each)
    return view


def logs(*events: Event) -> LogsDocument:
    return viewed(*events).render()


def test_a_line_as_the_family_writes_it() -> None:
    assert line_text(LINE, "fetch") == "[2024-12-06T22:40:00.123Z] [TRACE] fetch: succeeded"
    assert line_text(attrs.evolve(LINE, stream="stdout", message="hi"), "fetch") == (
        "[2024-12-06T22:40:00.123Z] [TRACE] fetch (stdout): hi"
    )


def test_nothing_yet() -> None:
    assert logs(created(step("a"))) == {"executionId": "exec-1", "traceLogs": False, "omitted": 0, "logs": []}


def test_every_part_of_a_line() -> None:
    events = (*begun(step("a", for_each=[1])), TraceToggled(enabled=True, at=T0), started("a/0"))
    assert logs(*events, logged("a/0", "hi", attempt=2, stream="stderr")) == {
        "executionId": "exec-1",
        "traceLogs": True,
        "omitted": 0,
        "logs": [
            {
                "timestamp": 101000,
                "nodeId": "a",
                "step": "a/0",
                "attempt": 2,
                "stream": "stderr",
                "message": "hi",
                "line": "[1970-01-01T00:01:41.000Z] [TRACE] a (stderr): hi",
            }
        ],
    }


def test_a_run_that_was_traced_from_its_beginning_and_is_not_any_more() -> None:
    first = attrs.evolve(created(step("a")), trace=True, batch=BatchId(0))
    assert (logs(first)["traceLogs"], logs(first)["executionId"]) == (True, "exec-0-1")
    assert logs(first, TraceToggled(enabled=False, at=T0))["traceLogs"] is False


def test_the_newest_lines_are_shown() -> None:
    events = (*begun(step("a")), started("a"), logged("a", *(str(number) for number in range(trace.MOST + 3))))
    document = logs(*events)
    assert (document["omitted"], len(document["logs"]), document["logs"][0]["message"]) == (3, trace.MOST, "3")


def test_position_and_encoding() -> None:
    view = viewed(*begun(step("a")), started("a"), logged("a", "ü"))
    assert (view.version, view.position) == (4, 4)
    assert json.loads(view.encode()) == view.render()
