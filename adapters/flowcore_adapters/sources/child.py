"""A child process until the end of its whole group: bounded in time and output, and leaving nothing behind."""

import errno
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock, Timer
from typing import IO, Final

import attrs

from flowcore.errors import SourceError
from flowcore.ports import CancelToken
from flowcore_adapters.sources.configuration import TimeLimit, stopped, too_large

GRACE_S: Final = 2.0
"""How long a group may take to end after SIGTERM before it gets SIGKILL, in seconds."""
_LINGER_S: Final = 0.2
"""How long output is still read when the child has ended but somebody else holds its pipes, in seconds."""
_LOOK_S: Final = 0.05
"""How often to look whether the child has ended where the system cannot tell, in seconds."""
_LONGEST_S: Final = 3600.0
"""How long to wait at a stretch, in seconds: `poll` knows no number that is larger than an `int` of milliseconds."""
_CHUNK: Final = 65_536
_SCARCE: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
"""Why a child may not start now, and may start later."""


@attrs.frozen(kw_only=True)
class Job:
    """A program to run.

    Attributes:
        command: The program and its arguments.
        given: What it reads from standard input; None for nothing.
        env: Its whole environment.
        max_output: How many bytes it may print, on both streams together.
    """

    command: Sequence[str]
    given: bytes | None
    cwd: str | None
    env: Mapping[bytes, bytes]
    max_output: int


@attrs.frozen
class Ended:
    """What a child left."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_child(job: Job, limit: TimeLimit, cancel: CancelToken) -> Ended:
    """Run *job* and return what it left; its group is gone then.

    Raises:
        SourceError: It could not be started, took too long, printed too much, or was cancelled.
    """
    if cancel.cancelled:
        raise stopped()
    child = _Child(_start(job), job, limit)
    try:
        cancel.on_cancel(child.cancel)
        child.watch()
    finally:
        cancel.on_cancel(None)
        returncode = child.clear_away()
    if child.failure is not None:
        raise child.failure
    return Ended(returncode, bytes(child.out), bytes(child.err))


def _start(job: Job) -> subprocess.Popen[bytes]:
    try:
        # Nothing here may keep CPython from vfork (`preexec_fn` would): with fork a child costs several times as much.
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL if job.given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=job.cwd,
            env=job.env,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(str(error), code="not-started", retryable=error.errno in _SCARCE) from None
    except ValueError as error:
        # A NUL in an argument, or a lone surrogate.
        raise SourceError(f"the program cannot be started: {error}", code="not-started", retryable=False) from None


class _Child:
    """A running child, its pipes and its group.

    Attributes:
        out: What it has printed.
        failure: Why it was ended from here, if it was.
    """

    def __init__(self, process: subprocess.Popen[bytes], job: Job, limit: TimeLimit) -> None:
        self._process = process
        self._given = memoryview(job.given or b"")
        self._limit = limit
        self._max_output = self._left = job.max_output
        self._lock = Lock()
        self._reaped = False
        self._killer: Timer | None = None
        # Without `selectors`: threads start children one at a time, and all Python in between is time lost to all.
        self._poll = select.poll()
        self._reads: dict[int, bytearray] = {}
        self.out = bytearray()
        self.err = bytearray()
        self.failure: SourceError | None = None

    def cancel(self) -> None:
        """End it because nobody wants its output any more."""
        self._end(stopped())

    def _end(self, failure: SourceError) -> None:
        """Ask the whole group to end, and see to it that it does after the grace; the first failure holds."""
        with self._lock:
            if self._reaped or self.failure is not None:
                return
            self.failure = failure
            self._signal(signal.SIGTERM)
            self._killer = Timer(GRACE_S, self._kill)
            self._killer.daemon = True
            self._killer.start()

    def _kill(self) -> None:
        with self._lock:
            if not self._reaped:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The leader is not reaped yet, so its id, which is the group's, cannot have passed to anybody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def watch(self) -> None:
        """Read what the child prints until it has ended and its pipes are closed; end it when its time is over."""
        exit_fd = _exit_descriptor(self._process.pid)
        try:
            self._loop(exit_fd)
        finally:
            if exit_fd is not None:
                os.close(exit_fd)

    def _register(self, exit_fd: int | None) -> None:
        process = self._process
        for pipe, kept in ((process.stdout, self.out), (process.stderr, self.err)):
            if pipe is not None:
                self._reads[pipe.fileno()] = kept
                self._poll.register(pipe, select.POLLIN)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._poll.register(process.stdin, select.POLLOUT)
        if exit_fd is not None:
            self._poll.register(exit_fd, select.POLLIN)

    def _loop(self, exit_fd: int | None) -> None:
        self._register(exit_fd)
        limit, exited, late = self._limit.at, False, False
        while self._reads or not exited:
            patience = limit - time.monotonic()
            if patience <= 0:
                if exited or late:
                    # Somebody else holds the pipes; or even SIGKILL did not help (a process stuck in the kernel).
                    return
                late = True
                self._end(self._limit.error("; the process was ended"))
                limit = time.monotonic() + GRACE_S + _LINGER_S
                continue
            patience = min(patience, _LONGEST_S if exit_fd is not None else _LOOK_S)
            for descriptor, event in self._poll.poll(math.ceil(patience * 1000)):
                if descriptor == exit_fd:
                    self._poll.unregister(descriptor)
                    exited = True
                elif descriptor in self._reads:
                    self._read(descriptor, event)
                else:
                    self._write()
            if exit_fd is None and not exited:
                exited = _has_exited(self._process.pid)
            if exited:
                # Whoever still holds the pipes of a child that was ended has been asked to end too, and has its grace.
                limit = min(limit, time.monotonic() + (_LINGER_S if self.failure is None else GRACE_S))

    def _read(self, descriptor: int, event: int) -> None:
        # A pipe that was closed and holds nothing says so without being read.
        data = os.read(descriptor, _CHUNK) if event & select.POLLIN else b""
        if not data:
            self._poll.unregister(descriptor)
            del self._reads[descriptor]
            return
        self._left -= len(data)
        if self._left >= 0:
            self._reads[descriptor] += data
        elif self.failure is None:
            # What comes from here on is read and dropped, or the child could not hear that it is to end.
            self._end(too_large(self._max_output))

    def _write(self) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            written = os.write(pipe.fileno(), self._given[:_CHUNK])
            self._given = self._given[written:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It does not want to read on: that is its business.
            self._given = self._given[:0]
        if not self._given:
            self._poll.unregister(pipe)
            _close(pipe)

    def clear_away(self) -> int:
        """End what is left of the group, close the pipes, reap the child and return how it ended."""
        with self._lock:
            self._signal(signal.SIGKILL)
            self._reaped = True
        if self._killer is not None:
            self._killer.cancel()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                _close(pipe)
        try:
            return self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL


def _close(pipe: IO[bytes]) -> None:
    with suppress(OSError):
        pipe.close()


def _exit_descriptor(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the child has ended; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _has_exited(pid: int) -> bool:
    """Return whether the child has ended, without reaping it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
