"""Printing what was asked for, and writing it to a file whole or not at all."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from flowcore_cli.exits import PROGRAM, CommandError, give_up_stdout, unwritable
from flowcore_cli.render import visible


def print_whole(text: str) -> None:
    """Print *text* on stdout and see that it is out; a reader that has gone is nobody's fault.

    Raises:
        CommandError: It cannot be written, for the disk is full perhaps.
    """
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_stdout()
    except OSError as error:
        give_up_stdout()
        raise unwritable(error) from error


def tell(text: str = "", *, nl: bool = True) -> None:
    """Print *text* on stderr; a terminal that is gone, or a full disk, ends nothing."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True, nl=nl)


def warn(warnings: Iterable[str]) -> None:
    """Print *warnings* on stderr."""
    for warning in warnings:
        tell(f"{PROGRAM}: {click.style('warning:', fg='yellow')} {visible(warning)}")


class OutputFile:
    """The file of `-o`: checked before the run, replaced after it."""

    def __init__(self, name: str) -> None:
        """Check that *name* can be written.

        Raises:
            CommandError: It cannot.
        """
        self._name = name
        # A link stays a link: what it points to is replaced.
        self._path = Path(os.path.realpath(name))
        if self._path.is_dir():
            raise CommandError(f"{name}: is a directory", hint="`-o` takes the name of a file")
        if not self._path.parent.is_dir():
            raise CommandError(f"{name}: its directory does not exist")
        target = self._path.parent if self._replaces else self._path
        if not os.access(target, os.W_OK):
            raise CommandError(f"{name}: permission denied")

    @property
    def _replaces(self) -> bool:
        """Whether the file can be replaced; a device or a pipe is written to."""
        return self._path.is_file() or not self._path.exists()

    def write(self, text: str) -> None:
        """Write *text*; a reader sees the old file or the whole new one.

        Raises:
            CommandError: It could not be written; the old file, if any, is as it was.
        """
        try:
            if self._replaces:
                self._replace(text)
            else:
                self._path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{self._name}: {error.strerror or error}") from error

    def _replace(self, text: str) -> None:
        temporary = self._path.with_name(f".{self._path.name[:200]}.{os.getpid()}.part")
        try:
            # Created by `open`, not by `tempfile`, so that the user's umask decides who may read it.
            with temporary.open("x", encoding="utf-8") as stream:
                with suppress(FileNotFoundError):
                    temporary.chmod(self._path.stat().st_mode & 0o777)
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
