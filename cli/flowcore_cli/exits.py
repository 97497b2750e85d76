"""How the command ends: every exit code but 0 lives on an exception (contract safety).

- 0: done; the run succeeded.
- 1: the run failed (`RunFailedError`).
- 2: bad input, bad usage, or another error, named on stderr (`CommandError`, and click's own `UsageError`).
- 130, 143: ended by SIGINT, by SIGTERM: 128 and the signal's number (`SignalError`).
"""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click
from typing_extensions import override

from flowcore_cli.render import counted, visible

if TYPE_CHECKING:
    from flowcore.errors import Problem

PROGRAM = "flowcore-cli"


class CommandError(click.ClickException):
    """Something that stands in the way, named in one line: exit code 2."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Say what is wrong in *message*, and what to do in *hint*."""
        super().__init__(message)
        self.hint = hint

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        hint = "" if self.hint is None else click.style(f" ({visible(self.hint)})", dim=True)
        click.echo(f"{click.style(f'{PROGRAM}:', fg='red')} {visible(self.message)}{hint}", err=True)


class ProblemsError(CommandError):
    """Flow files that cannot run: every problem on a line of its own, exit code 2."""

    def __init__(self, problems: "Iterable[Problem]") -> None:
        """Keep *problems*, in the order in which they stand in the files."""
        self.problems = in_reading_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        for problem in self.problems:
            click.echo(problem_line(problem), err=True)
        errors = sum(problem.severity == "error" for problem in self.problems)
        click.echo(f"{counted(errors, 'problem')}: nothing was run", err=True)


class RunFailedError(click.exceptions.Exit):
    """The run failed, and its summary has said so: exit code 1."""

    def __init__(self) -> None:
        """Say nothing more."""
        super().__init__(1)


class SignalError(click.exceptions.Exit):
    """Ended by a signal: exit code 128 + its number, as shells count."""

    def __init__(self, number: int) -> None:
        """Keep the signal's *number*."""
        super().__init__(128 + number)
        self.number = number


def in_reading_order(problems: "Iterable[Problem]") -> "Sequence[Problem]":
    """Return *problems* file by file and from top to bottom, as whoever mends them goes."""
    found = list(problems)
    files = {name: number for number, name in reversed([*enumerate(problem.file for problem in found)])}
    return sorted(found, key=lambda each: (files[each.file], each.line or 0, each.column or 0))


def problem_line(problem: "Problem") -> str:
    """Return *problem* as one line for a terminal: the place stands out, the hint stands back."""
    hint = "" if problem.hint is None else f" ({problem.hint})"
    text = str(problem).removesuffix(hint)
    place = text[: len(text) - len(problem.message)]
    kind = "" if problem.severity == "error" else click.style("warning: ", fg="yellow")
    return (
        kind
        + click.style(visible(place), bold=True)
        + visible(problem.message)
        + (click.style(visible(hint), dim=True) if hint else "")
    )


def translate(error: Exception) -> click.ClickException:
    """Return how *error*, which a command let go, ends the program."""
    from flowcore.errors import FlowcoreError, FlowDocumentError, LogError

    match error:
        case FlowDocumentError(problems=problems):
            return ProblemsError(problems)
        case LogError():
            return CommandError(str(error), hint="`--db PATH` names another event log")
        case FlowcoreError():
            return CommandError(str(error))
        case OSError(strerror=str(reason), filename=None):
            return CommandError(reason)
        case OSError(strerror=str(reason), filename=name):
            return CommandError(f"{name}: {reason}")
        case _:
            return CommandError(f"{type(error).__name__}: {error}", hint="a bug: `--debug` shows where it is")


def unwritable(error: OSError) -> CommandError:
    """Return what to say when stdout cannot be written: the disk is full, perhaps."""
    return CommandError(f"stdout cannot be written: {error.strerror}")


def give_up_stdout() -> None:
    """Send what is still to be printed nowhere, so that the interpreter's own last flush cannot fail."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
