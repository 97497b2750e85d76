"""What is said while a run goes on, from its events and from nothing else."""

from collections.abc import Sequence
from io import StringIO

import click
import pytest

from flowcore.ids import InstanceId, StepName
from flowcore.run.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    RunContinued,
    RunPaused,
    RunStarted,
    SkipCause,
    StepSkipped,
)
from flowcore.values import Instant
from flowcore_cli.live import LiveScreen
from flowcore_cli.progress import MOMENT_S, Tracker
from flowcore_cli.screens import PlainScreen, Screen, SilentScreen, TerminalScreen

NAMES = ("fetch_users", "load", "all")


def started(name: str, at: float = 0.0, attempt: int = 1) -> Event:
    return AttemptStarted(instance=InstanceId(name), attempt=attempt, at=Instant(at))


def succeeded(name: str, at: float, notes: tuple[str, ...] = ()) -> Event:
    return AttemptSucceeded(instance=InstanceId(name), attempt=1, outputs={}, at=Instant(at), notes=notes)


def failed(name: str, at: float, error: str, retry_at: float | None = None) -> Event:
    due = None if retry_at is None else Instant(retry_at)
    return AttemptFailed(instance=InstanceId(name), attempt=1, code="x", error=error, retry_at=due, at=Instant(at))


def skipped(name: str, reason: str) -> Event:
    return StepSkipped(instance=InstanceId(name), cause=SkipCause.UPSTREAM, reason=reason, at=Instant(0.0))


def fan_out(items: int, at: float = 0.0) -> Event:
    return FanOutStarted(step=StepName("all"), items=tuple(range(items)), at=Instant(at))


SCRIPTS: list[tuple[Sequence[Event], str]] = [
    ([started("load"), succeeded("load", 0.42)], "load         running\nload         succeeded  0.42 s\n"),
    (
        [started("load"), succeeded("load", 1, ("NaN became null",))],
        "load         running\nload         succeeded  1.00 s  NaN became null\n",
    ),
    (
        [started("load"), failed("load", 2, "exit 1\nstderr: why")],
        "load         running\nload         failed     2.00 s  exit 1\n",
    ),
    (
        [started("load"), failed("load", 1, "refused", 3), started("load", 3, 2), succeeded("load", 4)],
        (
            "load         running\nload         retrying   in 2.00 s: refused\n"
            "load         running    attempt 2\nload         succeeded  4.00 s\n"
        ),
    ),
    (
        [
            started("load"),
            failed("load", 1, "refused", 3),
            RetryAbandoned(instance=InstanceId("load"), at=Instant(2.0)),
        ],
        "load         running\nload         retrying   in 2.00 s: refused\nload         failed     2.00 s\n",
    ),
    ([skipped("load", "fetch_users failed")], "load         skipped    fetch_users failed\n"),
    (
        [GuardFailed(step=StepName("load"), code="x", error="no answer", at=Instant(1.0))],
        "load         failed     no answer\n",
    ),
    (
        [started("load"), AttemptStopped(instance=InstanceId("load"), attempt=1, at=Instant(1.0))],
        "load         running\nload         stopped    1.00 s\n",
    ),
    (
        [
            fan_out(2),
            started("all/0"),
            started("all/1"),
            succeeded("all/0", 1),
            succeeded("all/1", 1),
            FanOutSucceeded(step=StepName("all"), at=Instant(2.0)),
        ],
        "all          running    2 items\nall          succeeded  2.00 s\n",
    ),
    (
        [
            fan_out(2),
            failed("all/0", 1, "bad"),
            skipped("all/1", "all failed"),
            FanOutFailed(step=StepName("all"), error="item 0: bad", at=Instant(2.0)),
        ],
        "all          running    2 items\nall/0        failed     bad\nall          failed     2.00 s  item 0: bad\n",
    ),
    (
        [RunPaused(at=Instant(0.0)), RunContinued(at=Instant(1.0)), RunStarted(at=Instant(0.0))],
        "paused     nothing new starts\nrunning    the run goes on\n",
    ),
    (
        [started("load"), failed("load", 1, "\x1b[2J\nx")],
        "load         running\nload         failed     1.00 s  \\x1b[2J\n",
    ),
]


@pytest.mark.parametrize(("events", "expected"), SCRIPTS)
def test_a_line_for_everything_that_happens_to_a_step(events: Sequence[Event], expected: str) -> None:
    stream = StringIO()
    screen = PlainScreen(NAMES, stream)
    screen.take(events)
    screen.tick()
    screen.close()
    assert "\n".join(line.lstrip() for line in stream.getvalue().split("\n")) == expected


def test_names_are_no_terminal_commands() -> None:
    stream = StringIO()
    PlainScreen(["\x1b[31m[red]"], stream).take([started("\x1b[31m[red]")])
    assert stream.getvalue() == "\\x1b[31m[red]  running\n"


def test_the_tracker_counts_steps_and_items() -> None:
    tracker = Tracker(NAMES)
    for event in (
        fan_out(3),
        started("load"),
        succeeded("all/0", 1),
        succeeded("load", 1),
        skipped("fetch_users", "x"),
    ):
        tracker.take(event)
    assert (tracker.total, tracker.settled, list(tracker.running)) == (3, 2, ["all"])
    assert tracker.running["all"].detail == "1 of 3"


@pytest.mark.parametrize("screen", [SilentScreen(), PlainScreen(NAMES, StringIO())])
def test_what_concerns_the_command_is_said_on_stderr(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    screen.take([])
    screen.tick()
    screen.say("SIGINT: stopping the run")
    screen.close()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "SIGINT: stopping the run\n")


def test_the_live_display_takes_markup_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    screen = LiveScreen(["[red]a[/red]", ":smile:", "c"], 0.0)
    events = [started("[red]a[/red]"), failed("[red]a[/red]", 1, "[/] [bold]\x1b[2J"), started(":smile:"), fan_out(2)]
    screen.take(events)
    screen.tick()
    screen.say("[said]")
    screen.close()
    shown = capsys.readouterr().err
    for text in ("[red]a[/red]", "[/] [bold]\\x1b[2J", ":smile:", "1 of 3", "1 failed", "[said]"):
        assert text in shown
    assert "\x1b[2J" not in shown


def test_the_live_display_of_a_large_flow_tells_what_went_wrong_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("LINES", "10")
    names = [f"step{number}" for number in range(100)]
    screen = LiveScreen(names, 0.0)
    screen.take([started(name) for name in names[:50]])
    screen.take([succeeded("step0", 1), failed("step1", 1, "broken")])
    screen.tick()
    screen.close()
    shown = click.unstyle(capsys.readouterr().err)
    assert "✗ step1" in shown
    assert "✓ step0" not in shown
    assert "more" in shown


def test_a_quick_run_is_told_of_without_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    screen = TerminalScreen(["load", "bad"], ascii_only=True)
    screen.take([started("load"), succeeded("load", 0.1), failed("bad", 0.1, "[b]oh\nno")])
    screen.tick()
    screen.say("said")
    screen.close()
    assert click.unstyle(capsys.readouterr().err) == "said\n  ok load  0.10 s\n  x bad   failed  [b]oh\n"


def test_a_longer_run_becomes_a_live_display(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = TerminalScreen(["load"], ascii_only=False)
    monkeypatch.setattr("flowcore_cli.screens.time.time", lambda: screen._since + MOMENT_S)  # pyright: ignore[reportPrivateUsage]
    screen.take([started("load", screen._since)])
    screen.tick()
    screen.take([succeeded("load", screen._since + 1)])
    screen.say("said")
    screen.close()
    shown = click.unstyle(capsys.readouterr().err)
    assert "✓ load  1.00 s" in shown
    assert "said" in shown
