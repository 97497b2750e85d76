"""Cancelling a call."""

from threading import TIMEOUT_MAX, Event, Lock
from typing import Final

from flowcore.ports import CancelAction

_LOCK: Final = Lock()
"""One lock for all tokens: it is held for moments, and a lock of its own would be most of what a token costs."""


class Cancellation:
    """A `CancelToken` and the means to cancel it; every attempt has one, so nothing is made before it is needed."""

    # On the class: an attempt that nobody cancels stores nothing.
    cancelled = False
    _event: Event | None = None
    _action: CancelAction | None = None

    def cancel(self) -> None:
        """Cancel, once: whoever waits goes on, and the action is done by this thread."""
        with _LOCK:
            if self.cancelled:
                return
            self.cancelled = True
            event, action = self._event, self._action
            self._action = None
        if event is not None:
            event.set()
        if action is not None:
            action()

    def wait(self, timeout_s: float) -> bool:
        """Block until cancelled or *timeout_s* is over; return whether it was cancelled."""
        with _LOCK:
            if self.cancelled:
                return True
            if self._event is None:
                self._event = Event()
            event = self._event
        return event.wait(min(timeout_s, TIMEOUT_MAX))

    def on_cancel(self, action: CancelAction | None) -> None:
        """Have *action* done when cancelled, or at once when it is too late; None takes it back."""
        with _LOCK:
            late = self.cancelled
            if not late:
                self._action = action
        if late and action is not None:
            action()
