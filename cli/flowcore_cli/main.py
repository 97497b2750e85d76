"""The command `flowcore-cli`: a group whose commands are imported when they are called.

What `--help` shows stands in a table here, so that it needs click and nothing else.
"""

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from types import MappingProxyType
from typing import Any, Final

import click
from typing_extensions import override

from flowcore_cli.exits import CommandError, SignalError, give_up_stdout, translate, unwritable

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "run": ("flowcore_cli.run", "Run a flow, show its progress, and print its outputs."),
        "serve": ("flowcore_cli.serve", "Serve the HTTP API, and run a flow in the background."),
        "webui": ("flowcore_cli.webui", "Show a run in a web page: of a flow, or of a runner elsewhere."),
        "validate": ("flowcore_cli.validate", "Check flow files and name everything that is wrong."),
        "graph": ("flowcore_cli.graph", "Print the graph of a flow: text, mermaid or dot."),
        "schema": ("flowcore_cli.schema", "Print the JSON Schema of flow files, for editors."),
        "init": ("flowcore_cli.init", "Write a commented flow to start from."),
        "batch": ("flowcore_cli.batch", "Run many flows and workflows, some at a time."),
        "runs": ("flowcore_cli.runs", "List the recorded runs, newest first."),
        "batches": ("flowcore_cli.batch", "List the recorded batches, newest first."),
        "resume": ("flowcore_cli.resume", "Go on with a run whose process died."),
        "retry": ("flowcore_cli.retry", "Run again what failed and what was skipped."),
        "fork": ("flowcore_cli.fork", "Start a new run from the middle of another one."),
        "stop": ("flowcore_cli.steering", "Stop a run, whichever process drives it."),
        "pause": ("flowcore_cli.steering", "Let nothing new of a run start."),
        "continue": ("flowcore_cli.steering", "Let a paused run go on."),
        "trace": ("flowcore_cli.steering", "Record the lines of a run's steps from here on."),
        "logs": ("flowcore_cli.logs", "Print the lines that the steps of a run wrote."),
        "show": ("flowcore_cli.show", "Show one recorded run: its steps, notes and outputs."),
        "artifacts": ("flowcore_cli.artifacts", "List the artifacts of a run."),
        "download": ("flowcore_cli.artifacts", "Write an artifact of a run to a file."),
        "upload": ("flowcore_cli.artifacts", "Give a run an object that it waits for."),
        "test": ("flowcore_cli.rehearse", "Rehearse a flow with the results that a run recorded."),
        "events": ("flowcore_cli.events", "Print what happened in a run or a batch, event by event."),
        "explain": ("flowcore_cli.explain", "Say why a step stands where it stands."),
        "diff": ("flowcore_cli.diff", "Say what is different between two runs."),
        "export": ("flowcore_cli.archives", "Write a run to one file."),
        "import": ("flowcore_cli.archives", "Read a run from a file into the log."),
        "purge": ("flowcore_cli.purge", "Delete runs that have ended."),
        "fsck": ("flowcore_cli.fsck", "Check the event log: every event, every invariant."),
        "sim": ("flowcore_cli.sim", "Search for bugs in the engine by simulation."),
    }
)
"""Every command with its module and the line that `--help` says about it.

The function there has the command's name, with an underscore where that is a word of Python's.
"""


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"flowcore-cli {version('flowcore')}")
        ctx.exit()


_VERSION: Final = click.Option(
    ["--version"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
"""Every command has it."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and that ends as `exits` says."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        attribute = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), attribute)
        if not any(parameter.name == "version" for parameter in command.params):
            command.params.append(_VERSION)
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0][:100], COMMANDS, n=1)
            ctx.fail(f"no such command '{args[0]}'" + (f" (did you mean `{close[0]}`?)" if close else ""))
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Do as click does; where stderr cannot be written either, the exit code says it alone."""
        _tame_streams()
        try:
            return super().main(*args, **kwargs)
        except OSError:
            # Whatever else goes wrong has been named before it comes here: what is left is that it cannot be said.
            sys.exit(CommandError.exit_code)

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line; `--help` and `--version` print here."""
        with _ends_well(debug=False):
            return super().make_context(info_name, args, parent, **extra)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        debug = bool(ctx.params.get("debug"))
        _log_to_stderr(debug=debug)
        with _ends_well(debug=debug):
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextmanager
def _ends_well(*, debug: bool) -> Generator[None]:
    """Have whatever is raised become a line on stderr and an exit code."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit) as error:
        full = _flush()
        if debug and error.__cause__ is not None:
            _print_traceback(error.__cause__)
        if full is not None and isinstance(error, click.exceptions.Exit) and error.exit_code == 0:
            raise full from None
        raise
    except KeyboardInterrupt:
        raise SignalError(2) from None
    except BrokenPipeError:
        # Whoever read our output has gone, `head` for one: that is nobody's fault.
        give_up_stdout()
        raise click.exceptions.Exit(0) from None
    except Exception as error:
        # The outermost edge: people get a line, not a traceback.
        full = _flush()
        if debug:
            _print_traceback(error)
        if isinstance(error, OSError) and (full is not None or _was_printing(error)):
            give_up_stdout()
            raise unwritable(error) from error
        raise translate(error) from error


def _was_printing(error: OSError) -> bool:
    """Return whether *error* came when click printed something, `--help` for one: it names no file."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code is click.echo.__code__


def _print_traceback(error: BaseException) -> None:
    from traceback import print_exception

    print_exception(error)


def _flush() -> CommandError | None:
    """Let go of what is printed; that it cannot be is returned, and must not hide why else we end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_stdout()
    except OSError as error:
        give_up_stdout()
        return unwritable(error)
    return None


def _open_streams() -> None:
    """See that there is something behind stdin, stdout and stderr: `>&-` closes one, and files would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.open(os.devnull, os.O_RDWR)
    # For as long as the program lasts; `os.fdopen` is what `open` would do with the descriptor that is there now.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _tame_streams() -> None:
    """Have text that the terminal's encoding lacks written as escapes instead of raising."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


def _log_to_stderr(*, debug: bool) -> None:
    """Have warnings of the running parts said on stderr; with *debug* everything they say."""
    import logging

    from flowcore_cli.render import visible

    class Handler(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            # The stream of this moment: a live display puts itself in its place.
            with suppress(OSError, ValueError):
                print(f"{record.name}: {visible(record.getMessage())}", file=sys.stderr)  # noqa: T201 - a log handler
            if record.exc_info is not None and record.exc_info[1] is not None and debug:
                _print_traceback(record.exc_info[1])

    logger = logging.getLogger("flowcore")
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
    logger.addHandler(Handler())
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False


@click.group(
    cls=LazyGroup,
    params=[_VERSION],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`flowcore-cli COMMAND --help` tells the options of a command.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks, and what the running parts log.")
def main(*, debug: bool) -> None:
    """Run flows, record them, and look at what was recorded."""
