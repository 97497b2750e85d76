"""A run as the command shows it, and its last words."""

import click
import pytest

from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import Flow, OnError, Output, Source, Step
from flowcore.ports import Append
from flowcore.run.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    Event,
    FanOutStarted,
    RunCreated,
    RunFailed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepSkipped,
)
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_cli.records import RunRecord, counts_text
from flowcore_cli.summary import summary_text

RUN = RunId(1_733_524_800_000)
NOW = Instant(1_733_524_800.0)


def step(name: str, *depends_on: str, on_error: OnError | None = None, for_each: str | None = None) -> Step:
    needed = tuple(StepName(parent) for parent in depends_on)
    return Step(
        name=StepName(name),
        source="s",
        outputs=(Output(name="o"),),
        depends_on=needed,
        on_error=on_error,
        for_each=for_each,
    )


def record(flow: Flow, *events: Event) -> RunRecord:
    log = MemoryEventLog()
    log.append(Append(RUN, 0, [RunCreated(run_id=RUN, flow=flow, max_workers=4, at=NOW), *events]))
    return RunRecord(log, RUN)


def flow(*steps: Step, name: str = "etl") -> Flow:
    return Flow(name=name, sources={"s": Source(type="value")}, steps=steps)


def at(seconds: float) -> Instant:
    return Instant(NOW + seconds)


def start(name: str, attempt: int = 1) -> Event:
    return AttemptStarted(instance=InstanceId(name), attempt=attempt, at=at(1))


def succeed(name: str) -> Event:
    return AttemptSucceeded(instance=InstanceId(name), attempt=1, outputs={"o": 1}, at=at(2))


def fail(name: str, error: str, attempt: int = 1, retry_at: float | None = None) -> Event:
    due = None if retry_at is None else at(retry_at)
    return AttemptFailed(instance=InstanceId(name), attempt=attempt, code="x", error=error, retry_at=due, at=at(2))


def skip(name: str, reason: str) -> Event:
    return StepSkipped(instance=InstanceId(name), cause=SkipCause.UPSTREAM, reason=reason, at=at(2))


BEGIN = RunStarted(at=at(0.5))


def test_an_unknown_run_is_not_found() -> None:
    assert not RunRecord(MemoryEventLog(), RUN).found


def test_a_queued_run_has_no_times() -> None:
    found = record(flow(step("a")))
    assert found.found
    assert found.document() == {
        "run_id": RUN,
        "name": "etl",
        "state": "queued",
        "started_at": None,
        "ended_at": None,
        "duration": None,
        "step_counts": {
            "total": 1,
            "succeeded": 0,
            "failed": 0,
            "skipped": 0,
            "stopped": 0,
            "running": 0,
            "pending": 1,
        },
    }


def test_a_succeeded_run_is_summed_up_in_two_lines() -> None:
    found = record(flow(step("a")), BEGIN, start("a"), succeed("a"), RunSucceeded(at=at(2.5)))
    assert found.duration == 2.0
    assert found.outputs == {"a": {"o": 1}}
    assert click.unstyle(summary_text(found, f"flowcore-cli show {RUN}")) == (
        "✓ run 1733524800000 of etl succeeded in 2.00 s: 1 succeeded\n  recorded: flowcore-cli show 1733524800000"
    )


def test_a_failed_run_names_its_failures_with_their_notes() -> None:
    steps = flow(
        step("load"), step("notify", on_error=OnError.CONTINUE), step("report", "load"), step("mail", "notify")
    )
    found = record(
        steps,
        BEGIN,
        start("load"),
        start("notify"),
        fail("load", "process exited with code 2\nno such file: \x1b[31mx"),
        fail("notify", "HTTP status 500"),
        skip("report", "the run failed: load"),
        start("mail"),
        succeed("mail"),
        RunFailed(at=at(3)),
    )
    assert click.unstyle(summary_text(found, None)) == (
        "✗ run 1733524800000 of etl failed in 2.50 s: 1 succeeded, 2 failed, 1 skipped\n"
        "  failed   load: process exited with code 2\n"
        "           no such file: \\x1b[31mx\n"
        "  failed   notify: HTTP status 500 (tolerated: on_error: continue)\n"
        "  skipped  report: the run failed: load\n"
        "  not recorded (--no-db)"
    )


def test_a_failure_that_its_dependents_bear_is_tolerated() -> None:
    steps = flow(step("a"), step("b", "a", on_error=OnError.SKIP))
    found = record(steps, BEGIN, start("a"), fail("a", "no"), skip("b", "a failed"), RunSucceeded(at=at(3)))
    assert [each.tolerated for each in found.steps] == ["on_error: skip", None]


def test_a_stopped_run_says_who_stopped_it() -> None:
    stop = RunStopRequested(reason="SIGINT", at=at(1.5))
    found = record(flow(step("a")), BEGIN, stop, skip("a", "the run was stopped"), RunStopped(at=at(2)))
    assert click.unstyle(summary_text(found, None)).splitlines()[:2] == [
        "■ run 1733524800000 of etl stopped (SIGINT) in 1.50 s: 1 skipped",
        "  skipped  a: the run was stopped",
    ]


def test_attempts_are_counted_over_all_items() -> None:
    steps = flow(step("all", for_each="{{ `[1, 2]` }}"), step("one"))
    found = record(
        steps,
        BEGIN,
        FanOutStarted(step=StepName("all"), items=(1, 2), at=at(1)),
        start("all/0"),
        fail("all/0", "no", retry_at=3),
        start("all/0", 2),
        start("all/1"),
        start("one"),
    )
    assert [(each.name, each.attempts, each.items, each.state) for each in found.steps] == [
        ("all", 3, 2, "running"),
        ("one", 1, None, "running"),
    ]
    assert counts_text(found.counts) == "2 running"


def test_a_long_list_of_skipped_steps_is_cut() -> None:
    names = [f"s{number}" for number in range(12)]
    found = record(flow(*map(step, names)), BEGIN, *(skip(name, "stopped") for name in names), RunFailed(at=at(1)))
    assert "  skipped  and 2 more" in click.unstyle(summary_text(found, None)).splitlines()


@pytest.mark.parametrize("name", ["", "x"])
def test_a_flow_without_a_name_is_not_called_anything(name: str) -> None:
    found = record(flow(name=name), BEGIN, RunSucceeded(at=at(1)))
    head = click.unstyle(summary_text(found, None)).splitlines()[0]
    assert head == f"✓ run 1733524800000{' of x' if name else ''} succeeded in 0.50 s: no steps"
