"""Which event log a command uses, and how it is opened."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.given import is_given

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog

F = TypeVar("F", bound=Callable[..., Any])

FORGOTTEN: Final = "the {} is left, and forgotten: it was recorded nowhere (`--no-db`)"
"""The last words about what `resume` cannot find."""
_DEFAULT = "the file flowcore/flowcore.db in the user's state directory, ~/.local/state unless XDG_STATE_HOME is set"


def db_option(command: F) -> F:
    """Give *command* the option `--db`."""
    about = f"The event log. Default: {_DEFAULT}."
    return click.option("--db", type=click.Path(dir_okay=False), envvar="FLOWCORE_DB", metavar="PATH", help=about)(
        command
    )


def log_options(command: F) -> F:
    """Give *command* the options that say where it records: `--db`, `--no-db` and `--durability`."""
    durability = click.option(
        "--durability",
        type=click.Choice(["full", "relaxed"]),
        default="full",
        show_default=True,
        help="What a recorded event survives. full: also a power failure. relaxed: a crash of the program, but the last"
        " events may be lost in a power failure; several times as fast.",
    )
    no_db = click.option("--no-db", is_flag=True, help="Record nowhere: the run is forgotten when the command ends.")
    return db_option(no_db(durability(command)))


def open_log(db: str | None, *, no_db: bool, durability: str) -> "EventLog":
    """Open the log that the options mean; close it afterwards.

    Raises:
        CommandError: It cannot be used, or the options contradict each other.
    """
    if no_db and is_given("db"):
        raise click.UsageError("`--db` and `--no-db` exclude each other", click.get_current_context())
    if no_db:
        from flowcore_adapters.logs.memory import SharedMemoryEventLog

        return SharedMemoryEventLog()
    from flowcore.errors import LogError
    from flowcore_adapters.logs.location import make_default_path
    from flowcore_adapters.logs.sqlite import SqliteEventLog

    path = log_path(db)
    try:
        if db is None:
            make_default_path()
        return SqliteEventLog(path, durability="full" if durability == "full" else "relaxed")
    except LogError as error:
        hint = "`--db PATH` names another event log, `--no-db` records nowhere"
        raise CommandError(f"the event log cannot be used: {error}", hint=hint) from error


def existing_log(db: str | None) -> "closing[EventLog] | None":
    """Return the log to read, to be closed, or None when nothing was ever recorded there: reading creates no file.

    Raises:
        CommandError: It cannot be used.
    """
    path = log_path(db)
    try:
        if not path.exists():
            return None
    except OSError as error:
        raise CommandError(f"the event log cannot be used: {path}: {error.strerror}") from error
    from flowcore.errors import LogError
    from flowcore_adapters.logs.sqlite import SqliteEventLog

    try:
        return closing(SqliteEventLog(path))
    except LogError as error:
        raise CommandError(f"the event log cannot be used: {error}") from error


def log_path(db: str | None) -> Path:
    """Return the path of the log that `--db` means."""
    if db is not None:
        return Path(db)
    from flowcore_adapters.logs.location import default_path

    try:
        return default_path()
    except RuntimeError as error:
        raise CommandError(f"no place for the event log: {error}", hint="name one with `--db PATH`") from error


def show_command(run_id: "RunId | str", db: str | None) -> str:
    """Return the command that shows *run_id* (a run, or a batch in words) again, typed where this one was."""
    return command_for("show", run_id, db)


def command_for(verb: str, run_id: "RunId | str", db: str | None) -> str:
    """Return the command *verb* for a run (or a batch in words), typed where this one was: it names the same log."""
    from shlex import quote

    return f"flowcore-cli {verb} {run_id}" + (f" --db {quote(db)}" if db is not None and is_given("db") else "")


def undriven(run_id: "RunId", db: str | None, what: str = "it") -> str:
    """Return what to say of a run that has not ended and that no program drives."""
    return f"nobody drives {what}: `{command_for('resume', run_id, db)}` does"


def left_words(what: str, db: str | None, run_id: "RunId | str" = "--all") -> str:
    """Return the last words about *what*, which is left in the midst of its stop: a run or batch, or all of them."""
    return f"{what} is left as it is: `{command_for('resume', run_id, db)}` brings it to its end"
