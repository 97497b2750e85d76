"""SIGINT, SIGTERM and SIGHUP: the first is an item in the inbox of whoever drives a run, the second is the end."""

import os
import signal
import sys
import time
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Final, Self

from flowcore_cli.exits import SignalError

_CAUGHT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

LISTEN_S: Final = 0.25
"""How long the main thread may wait at a time, in seconds: no signal handler runs in the midst of some waits."""
TWICE_S: Final = 0.2
"""A signal that comes again so soon, in seconds, is the same one: `timeout` and other wrappers signal us, and then our
whole process group."""
_WORDS_S: Final = 0.2
"""How long the last words may take, in seconds: whoever should read them may have stopped reading."""


class Signals:
    """Catches the signals that ask for the end while it is entered.

    Before `collect` (and after `release`) a signal raises `SignalError` in the main thread: nothing is under way that
    would have to be recorded.

    Attributes:
        last_words: What a second signal has to say before it ends the program: what is left, and how to go on.
    """

    def __init__(self, last_words: str = "") -> None:
        """Catch nothing yet."""
        self.last_words = last_words
        self._inbox: SimpleQueue[Any] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._first: float | None = None

    def __enter__(self) -> Self:
        """Catch them."""
        # Elsewhere than in the main thread Python knows no handlers; whoever calls us there has handlers of its own.
        with suppress(ValueError):
            for number in _CAUGHT:
                # `nohup` has SIGHUP ignored: that is somebody's wish.
                if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let them be what they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def collect(self, inbox: "SimpleQueue[Any]") -> None:
        """From now on put a signal into *inbox*, as a `signal.Signals`; a second one ends the program at once."""
        self._first = None
        self._inbox = inbox

    def release(self) -> None:
        """From now on raise again."""
        self._inbox = None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._inbox is None:
            raise SignalError(number)
        now = time.monotonic()
        if self._first is None:
            self._first = now
        elif now - self._first > TWICE_S:
            _leave(number, self.last_words)
        else:
            return
        # Putting is safe in a handler: it takes no lock that the interrupted code could hold.
        self._inbox.put(signal.Signals(number))


def _leave(number: int, last_words: str) -> None:
    """End the program now: no waiting, no cleaning up but for the terminal and the child processes.

    Those are killed last of all: nothing is waited for between the first kill and our end, so that no thread of ours
    sees a child go and records the end of what was just said to be left.
    """
    show_cursor = ""
    with suppress(OSError, ValueError, AttributeError):
        show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    words = show_cursor + (f"{last_words}\n" if last_words else "")
    if words:
        _say_in_time(words.encode(errors="backslashreplace"))
    for child in _children():
        _kill(child)
    os._exit(128 + number)


def _say_in_time(words: bytes) -> None:
    """Write *words* to stderr, unless that takes too long or cannot be done.

    Past Python's streams, and in a bare thread: the code that the signal came upon may hold their locks, and those of
    `threading`. A terminal that was halted, or a pipe that nobody reads, keeps that thread for ever, and not us.
    """
    done = allocate_lock()
    done.acquire()

    def write() -> None:
        with suppress(OSError):
            os.write(2, words)
        done.release()

    with suppress(RuntimeError):
        start_new_thread(write, ())
        done.acquire(timeout=_WORDS_S)


def _children() -> list[int]:
    """Return our child processes: they have been asked to end already, and nobody will be left to ask again."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in Path("/proc/self/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _kill(child: int) -> None:
    with suppress(OSError):
        group = os.getpgid(child)
        if group == os.getpgrp():
            os.kill(child, signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGKILL)
