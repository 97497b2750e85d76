"""`wait`: time passing."""

import time
from typing import Final

import attrs

from flowcore.catalog import Kind, SourceType
from flowcore.ports import SourceCall, SourceResult

from .configuration import Reader, bad_configuration, parameter, parameters, read_seconds, stopped, time_limit


@attrs.frozen(kw_only=True)
class WaitConfiguration:
    """What a `wait` source is told."""

    seconds: float | None = parameter(Kind.SECONDS, "How long; without it the step's input says so.")


_TYPE: Final = SourceType(
    name="wait", about="Waits for some seconds; a stop ends it at once.", parameters=parameters(WaitConfiguration)
)
_read: Final = Reader(_TYPE, WaitConfiguration)


class WaitSource:
    """Waits."""

    type = _TYPE

    def call(self, call: SourceCall) -> SourceResult:
        """Wait, and return ``{"waited_s": seconds}``."""
        seconds = _read(call.configuration).seconds
        if seconds is None:
            if call.payload is None:
                raise bad_configuration("a `wait` source needs 'seconds', or an input that is a number")
            seconds = read_seconds("input", call.payload)
        limit = time_limit(call)
        started = time.monotonic()
        left = limit.left()
        if call.cancel.wait(min(seconds, left)):
            raise stopped()
        if seconds > left:
            raise limit.error()
        return SourceResult(data={"waited_s": round(time.monotonic() - started, 3)})
