"""What `run`, `resume`, `retry` and `fork` have in common: they drive one run, show it, and say what became of it."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, redirect_stdout, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import attrs
import click

from flowcore_adapters.node_choices import CLAMP, CONTAINER
from flowcore_cli.exits import RunFailedError, SignalError
from flowcore_cli.output import OutputFile, print_whole, tell
from flowcore_cli.runtime import runtime_options
from flowcore_cli.selection import recorded_log
from flowcore_cli.storage import FORGOTTEN, db_option, left_words, log_options, open_log, show_command

if TYPE_CHECKING:
    from flowcore.ids import InstanceId, RunId
    from flowcore.model import Flow
    from flowcore.ports import EventLog
    from flowcore.run.events import PauseCause
    from flowcore_adapters.node_runtime import NodeRuntime
    from flowcore_adapters.registry import Registry
    from flowcore_cli.drive import Record
    from flowcore_cli.records import RunRecord
    from flowcore_cli.screens import Screen
    from flowcore_cli.workshop import Workshop

F = TypeVar("F", bound=Callable[..., Any])
EXIT_CODES = "Exit codes: 0 the run succeeded, 1 it failed, 2 bad input or usage, 130 ended by Ctrl-C, 143 by SIGTERM."


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the options of these commands say.

    Attributes:
        recorded: Whether the command is about a run that is in the log already.
    """

    as_json: bool
    output_file: str | None
    quiet: bool
    status_port: int | None
    exit_when_done: bool
    db: str | None
    no_db: bool = False
    durability: str = "full"
    recorded: bool = False
    store_dir: str | None = None
    mount_root: tuple[str, ...] = ()
    stores: str | None = None
    node_runtime: str = CONTAINER
    tier_policy: str = CLAMP
    node_timeout: float | None = None

    @property
    def runtime(self) -> "NodeRuntime":
        """How nodes are run."""
        from flowcore_adapters.node_runtime import NodeRuntime

        return NodeRuntime(self.node_runtime, self.tier_policy, self.node_timeout)

    def told(self, run_id: "RunId", paused_at: "tuple[InstanceId, PauseCause] | None") -> str:
        """Return what to say when a run has paused."""
        from flowcore_cli.pauses import pause_hint, paused_text

        return f"run {run_id} is paused {paused_text(paused_at)}\n  {pause_hint(run_id, paused_at, self.db)}"

    def open(self) -> "closing[EventLog]":
        """Open the log that the options mean; close it afterwards."""
        if self.recorded:
            return recorded_log(self.db)
        return closing(open_log(self.db, no_db=self.no_db, durability=self.durability))


@attrs.frozen
class Plan:
    """The run to drive.

    Attributes:
        record: Records it, or names the recorded one; called when all else is ready.
        pauses: Whether it may pause at steps.
        secrets: Those of the stores that a new run declares, by store and parameter; None for a run that is recorded.
    """

    flow: "Flow"
    record: "Record"
    pauses: bool = False
    secrets: "Mapping[str, Mapping[str, str]] | None" = None


Planner: TypeAlias = "Callable[[Registry, Callable[[], EventLog]], Plan]"
"""Returns what to drive, given the sources and a function that opens the log. What cannot run is refused here."""


Beside: TypeAlias = "Callable[[str], AbstractContextManager[str]]"
"""Begins, given the address of a server, and ends with its block; gives the address that people look at instead."""


def run_options(*, recorded: bool = False, serves: bool = False) -> Callable[[F], F]:
    """Give a command these options, packed into its argument `options`.

    Args:
        recorded: Whether it is about a run that is in the log already.
        serves: Whether it has a status port whether anybody asks for one or not: any that is free.
    """

    def decorate(command: F) -> F:
        @wraps(command)
        def packed(**given: object) -> object:
            named = {field.name: given.pop(field.name) for field in attrs.fields(RunOptions) if field.name in given}
            options = RunOptions(recorded=recorded, **cast("dict[str, Any]", named))
            if serves and options.status_port is None:
                options = attrs.evolve(options, status_port=0)
            if options.exit_when_done and options.status_port is None:
                raise click.UsageError("`--exit-when-done` goes with `--status-port`")
            return command(options=options, **given)

        where = db_option if recorded else log_options
        result = where(runtime_options(packed))
        for option in reversed(_OPTIONS):
            result = option(result)
        return cast("F", result)

    return decorate


_OPTIONS = (
    click.option(
        "-j", "--json", "as_json", is_flag=True, help="Print the outputs as JSON, and nothing else, on stdout."
    ),
    click.option(
        "-o",
        "--output-file",
        type=click.Path(),
        metavar="PATH",
        help="Write the outputs as JSON to this file, whole or not at all, and print nothing on stdout.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        help="Print nothing: no progress, no outputs, no summary. With -j: the JSON alone.",
    ),
    click.option(
        "--status-port",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Serve /status and /outputs on 127.0.0.1 at this port (0: any free one) until Ctrl-C.",
    ),
    click.option("--exit-when-done", is_flag=True, help="With --status-port: end with the run instead of serving on."),
)
max_workers_option = click.option(
    "--max-workers",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="How many steps go on at once. Default: what the flow says, else 4.",
)


def execute(options: RunOptions, planner: Planner, *, beside: "Beside | None" = None) -> None:
    """Drive the run that *planner* gives, and end as it ended.

    Args:
        options: How.
        planner: Gives the run.
        beside: What goes on beside the server of `--status-port`, as long as that does.

    Raises:
        RunFailedError: It did not succeed.
        SignalError: A signal ended it.
    """
    from flowcore_cli.drive import Drive
    from flowcore_cli.records import RunRecord
    from flowcore_cli.signals import Signals

    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        target = None if options.output_file is None else OutputFile(options.output_file)
        registry = options.runtime.registry()
        opened: list[EventLog] = []

        def log() -> "EventLog":
            if not opened:
                opened.append(stack.enter_context(options.open()))
            return opened[0]

        plan = planner(registry, log)
        server = own = None
        address = ""
        if options.status_port is not None:
            from flowcore_cli.server import OwnRun, start_server

            own = OwnRun()
            # Bound before anything is recorded: a port that is taken leaves no trace.
            server = stack.enter_context(start_server(log(), options.status_port, own=own))
            if not options.quiet:
                tell(f"status at {server.url}/status")
            address = server.url if beside is None else stack.enter_context(beside(server.url))
        screen = _screen(plan.flow, quiet=options.quiet, as_json=options.as_json)
        pauses = options.recorded or plan.pauses or any(step.pause for step in plan.flow.steps)
        workshop, record_run = _workshop(options, plan, log, stack)
        drive = Drive(
            log(),
            registry,
            screen,
            signals,
            record=record_run,
            told=options.told if pauses else None,
            nodes=workshop,
        )
        (run_id,) = drive.run_ids
        signals.last_words = "" if options.quiet else _last_words(options, run_id)
        if own is not None:
            own.run_id = run_id
        # What functions print is no output of the flow: stdout is for that, and for nothing else.
        with redirect_stdout(stack.enter_context(Path(os.devnull).open("w")) if options.quiet else sys.stderr):
            stopped_by = drive.run()
        record = RunRecord(log(), run_id)
        _print_outputs(record, target, as_json=options.as_json, quiet=options.quiet)
        if not options.quiet:
            from flowcore_cli.summary import summary_text

            shown_by = None if options.no_db else show_command(run_id, options.db)
            tell(summary_text(record, shown_by))
        if stopped_by is not None and (server is None or record.state == "stopped"):
            raise SignalError(stopped_by)
        if server is not None and not options.exit_when_done and stopped_by is None:
            if not options.quiet:
                tell(f"serving on at {address} until Ctrl-C")
            with suppress(SignalError):
                server.join()
        if record.state != "succeeded":
            raise RunFailedError


def _last_words(options: RunOptions, run_id: "RunId") -> str:
    if options.no_db:
        return FORGOTTEN.format("run")
    return left_words(f"run {run_id}", options.db, run_id)


def _workshop(
    options: RunOptions, plan: Plan, log: "Callable[[], EventLog]", stack: ExitStack
) -> "tuple[Workshop | None, Record]":
    """Return what the nodes of a flow need, None when it has none, and what records the run with what is there.

    Raises:
        StoreError: A store cannot be used, or an object that must be there is not; nothing is recorded then.
    """
    from flowcore.model import Dialect
    from flowcore_adapters.clock import SystemClock
    from flowcore_cli.runtime import StorePlaces, open_services
    from flowcore_cli.workshop import Workshop

    if plan.flow.dialect is not Dialect.NODES:
        return None, plan.record
    runtime = options.runtime
    directory = options.store_dir
    if options.no_db and directory is None:
        from tempfile import TemporaryDirectory

        directory = stack.enter_context(TemporaryDirectory(prefix="flowcore-"))
    places = StorePlaces(directory, options.mount_root, options.stores)
    clock = SystemClock()
    services = stack.enter_context(closing(open_services(log(), clock, places, options.db)))
    runtime.clear_up()
    workshop = Workshop(services.handing, runtime.budget(), services.polling.watch)
    if plan.secrets is None:
        return workshop, plan.record
    from flowcore.documents.nodes.compilation import Compiled
    from flowcore_adapters.node_runs import prepare_run

    compiled = Compiled(flow=plan.flow, secrets=plan.secrets)
    return workshop, prepare_run(plan.record, compiled, services.book, clock)


def _screen(flow: "Flow", *, quiet: bool, as_json: bool) -> "Screen":
    from flowcore_cli.screens import PlainScreen, SilentScreen, TerminalScreen

    terminal = sys.stderr.isatty()
    if quiet or (as_json and not terminal):
        return SilentScreen(speaks=not quiet)
    names = [step.name for step in flow.steps]
    if not terminal:
        return PlainScreen(names, sys.stderr)
    return TerminalScreen(names, ascii_only=not (sys.stderr.encoding or "").lower().startswith("utf"))


def _print_outputs(record: "RunRecord", target: OutputFile | None, *, as_json: bool, quiet: bool) -> None:
    from flowcore_cli.render import outputs_text, to_json

    if target is not None:
        target.write(to_json(record.outputs) + "\n")
    elif as_json:
        print_whole(to_json(record.outputs))
    elif not quiet:
        text = outputs_text(record.outputs, shorten=sys.stdout.isatty())
        # Where people see both, a line stands between the outputs and what is said before and after them.
        gap = sys.stderr.isatty() and sys.stdout.isatty()
        if text:
            tell(nl=gap)
            print_whole(text)
            tell(nl=gap)
