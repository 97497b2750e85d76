"""Calls in the air, which can be cut from another thread.

A timeout of a socket is about one read: a server that sends a byte now and then outlives every one of them. So the
connection that a call uses is known to its `Flight`, which one watchdog thread cuts when its time is over, and a cancel
at any time.
"""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from math import inf
from typing import Final

from flowcore.ports import CancelToken
from flowcore_adapters.sources.configuration import TimeLimit


class Flight:
    """One call in the air, and the switch that cuts its connection: what blocks on it goes on at once.

    Attributes:
        connections: How many connections were made for it; none when one that was kept has served it.
        was_cut: Whether the switch was thrown while the call held a connection, or before.
    """

    def __init__(self, limit: TimeLimit, *, private_targets: bool) -> None:
        """Start without a connection; connect to public addresses only without *private_targets*."""
        self.limit = limit
        self.private_targets = private_targets
        self.connections = 0
        self.was_cut = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._own: socket.socket | None = None
        self._waiting: threading.Event | None = None

    def hold(self, connection: socket.socket) -> None:
        """Take *connection* as the one to cut.

        Raises:
            TimeoutError: It is too late.
        """
        self._take(connection, None)

    def hold_for_handshake(self, connection: socket.socket) -> None:
        """Take *connection* as the one to cut, also while TLS has taken its descriptor away from it.

        Raises:
            TimeoutError: It is too late.
        """
        copy = connection.dup()
        self._take(copy, copy)

    def wait(self, done: threading.Event, until: float) -> bool:
        """Wait for *done*, at most until the moment *until*; return whether it came about.

        Raises:
            TimeoutError: The call was cut.
        """
        with self._lock:
            if self.was_cut:
                raise TimeoutError
            self._waiting = done
        found = done.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            self._waiting = None
            if self.was_cut:
                raise TimeoutError
        return found

    def let_go(self) -> None:
        """Forget the connection: from here on it is somebody else's."""
        with self._lock:
            self._forget()

    def cut(self) -> None:
        """Cut the connection, and every one that this call still makes."""
        # Under the lock: between looking and cutting the connection could pass to another call.
        with self._lock:
            self.was_cut = True
            if self._waiting is not None:
                self._waiting.set()
            if self._socket is not None:
                with suppress(OSError):
                    # The plain socket's method: that of TLS would take the session from under the reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _take(self, connection: socket.socket, own: socket.socket | None) -> None:
        with self._lock:
            self._forget()
            if not self.was_cut:
                self._socket, self._own = connection, own
                return
        if own is not None:
            own.close()
        raise TimeoutError

    def _forget(self) -> None:
        if self._own is not None:
            self._own.close()
        self._socket = self._own = None


class _Current(threading.local):
    """The call that this thread is making: urllib3 has no way to hand it through to a connection."""

    flight: Flight | None = None


CURRENT: Final = _Current()


@contextmanager
def in_flight(limit: TimeLimit, cancel: CancelToken, *, private_targets: bool) -> Generator[Flight]:
    """Make the connections that this thread uses in the body end at *limit* and when cancelled."""
    flight = Flight(limit, private_targets=private_targets)
    _WATCHDOG.watch(flight)
    CURRENT.flight = flight
    try:
        cancel.on_cancel(flight.cut)
        yield flight
    finally:
        cancel.on_cancel(None)
        CURRENT.flight = None
        _WATCHDOG.release(flight)
        flight.let_go()


class _Watchdog:
    """Cuts flights when their time is over; one thread for all of them, started with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._flights: dict[Flight, float] = {}
        self._next = inf
        self._thread: threading.Thread | None = None

    def watch(self, flight: Flight) -> None:
        with self._changed:
            self._flights[flight] = flight.limit.at
            # A fork leaves its child without the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="flowcore-rest-watchdog", daemon=True)
                self._thread.start()
            elif flight.limit.at < self._next:
                self._changed.notify()

    def release(self, flight: Flight) -> None:
        with self._changed:
            self._flights.pop(flight, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for flight in [flight for flight, at in self._flights.items() if at <= now]:
                    del self._flights[flight]
                    flight.cut()
                self._next = min(self._flights.values(), default=inf)
                self._changed.wait(None if self._next == inf else min(self._next - now, threading.TIMEOUT_MAX))


_WATCHDOG: Final = _Watchdog()
