"""The system's clock."""

import time

from flowcore.values import Instant


class SystemClock:
    """A `Clock` that shows what the system shows."""

    def now(self) -> Instant:
        """Return the time of the day."""
        return Instant(time.time())

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
