"""The system's clock."""

import time

from flowcore_adapters.clock import SystemClock


def test_the_time() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1
    assert clock.monotonic() <= clock.monotonic()
