"""Calls of sources, as the runner would make them."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from threading import Timer
from typing import Final

import pytest

from flowcore.errors import SourceError
from flowcore.ids import InstanceId, RunId
from flowcore.ports import SourceAdapter, SourceCall, SourceResult
from flowcore.values import Json
from flowcore_adapters.cancel import Cancellation

LONG_S: Final = 20.0
"""A deadline that no test is meant to reach, in seconds."""


def ignore(message: str) -> None:
    """Take a log line that the test does not look at."""


def make_call(
    configuration: Mapping[str, Json],
    payload: Json = None,
    *,
    deadline_s: float = LONG_S,
    cancel: Cancellation | None = None,
    log: Callable[[str], None] = ignore,
    instance: str = "step",
    timeout_s: float | None = None,
) -> SourceCall:
    """Return an attempt that must be over in *deadline_s* seconds."""

    def sink(message: str, *, stream: str = "source") -> None:
        log(message)

    return SourceCall(
        run_id=RunId(7),
        instance=InstanceId(instance),
        attempt=2,
        configuration=configuration,
        payload=payload,
        deadline=time.monotonic() + deadline_s,
        cancel=cancel or Cancellation(),
        log=sink,
        timeout_s=timeout_s,
    )


def give(
    source: SourceAdapter, configuration: Mapping[str, Json], payload: Json = None, *, deadline_s: float = LONG_S
) -> SourceResult:
    """Return what *source* gives."""
    return source.call(make_call(configuration, payload, deadline_s=deadline_s))


def fail(
    source: SourceAdapter, configuration: Mapping[str, Json], payload: Json = None, *, deadline_s: float = LONG_S
) -> SourceError:
    """Return the error that *source* fails with."""
    with pytest.raises(SourceError) as caught:
        give(source, configuration, payload, deadline_s=deadline_s)
    return caught.value


def cancelled_after(seconds: float, source: SourceAdapter, configuration: Mapping[str, Json]) -> tuple[str, float]:
    """Cancel a call of *source* after *seconds*; return the code it failed with and how long that took it."""
    cancel = Cancellation()
    timer = Timer(seconds, cancel.cancel)
    started = time.monotonic()
    timer.start()
    try:
        with pytest.raises(SourceError) as caught:
            source.call(make_call(configuration, cancel=cancel))
    finally:
        timer.cancel()
        timer.join()
    return caught.value.code, time.monotonic() - started - seconds


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Fail when the body takes longer than *seconds*."""
    started = time.monotonic()
    yield
    taken = time.monotonic() - started
    assert taken <= seconds, f"took {taken:.2f} s"
