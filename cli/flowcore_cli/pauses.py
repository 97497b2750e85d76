"""Where a run pauses, and what to type then."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.storage import command_for

if TYPE_CHECKING:
    from flowcore.ids import InstanceId, RunId
    from flowcore.model import Breakpoints, Flow
    from flowcore.run.events import PauseCause

ALL: Final = "all"
MARKED: Final = "marked"
_PLACES: Final = {
    "breakpoint-pre": "before step '{}', at a breakpoint",
    "breakpoint-post": "after step '{}', at a breakpoint",
    "wait": "at step '{}', which asks for it",
}


def read_breakpoints(flow: "Flow", wanted: Sequence[str], moment: str | None) -> "Breakpoints | None":
    """Return the breakpoints that `--break` and `--break-at` mean for *flow*; None for none.

    Raises:
        CommandError: There is no such step.
    """
    from difflib import get_close_matches

    from flowcore.ids import StepName
    from flowcore.model import Breakpoints, Moment

    if not wanted:
        if moment is not None:
            raise click.UsageError("`--break-at` goes with `--break`", click.get_current_context())
        return None
    names = {str(step.name) for step in flow.steps}
    steps = [name for name in wanted if name not in {ALL, MARKED}]
    for name in steps:
        if name not in names:
            close = get_close_matches(name, names, 1)
            hint = f"did you mean '{close[0]}'?" if close else "`--break all` pauses at every step"
            raise CommandError(f"there is no step '{name}' to pause at", hint=hint)
    return Breakpoints(
        moment=Moment(moment or Moment.PRE),
        marked=MARKED in wanted,
        steps=None if ALL in wanted else tuple(StepName(name) for name in steps),
    )


def paused_text(paused_at: "tuple[InstanceId, PauseCause] | None") -> str:
    """Return where a run is paused, in words."""
    from flowcore_cli.render import visible

    if paused_at is None:
        return "by hand: nothing new starts"
    name, cause = paused_at
    return _PLACES[cause].format(visible(name))


def pause_hint(run_id: "RunId", paused_at: "tuple[InstanceId, PauseCause] | None", db: str | None) -> str:
    """Return what to type for a run that is paused."""
    command = command_for("continue", run_id, db)
    if paused_at is None:
        return f"`{command}` lets it go on"
    skip = "`--skip` leaves the step out, " if paused_at[1] == "breakpoint-pre" else ""
    return f"`{command}` lets it go on; {skip}`--no-breakpoints` pauses at none any more"
