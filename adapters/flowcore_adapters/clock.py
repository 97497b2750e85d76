"""The system's clock."""

import time
from collections.abc import Callable
from typing import cast

from flowcore.values import Instant


class SystemClock:
    """A `Clock` that shows what the system shows."""

    # The functions of the system themselves: every step asks for both.
    now = staticmethod(cast("Callable[[], Instant]", time.time))
    monotonic = staticmethod(time.monotonic)
