"""`value`: a value that is written in the flow, or computed by its expressions."""

from typing import Final

import attrs

from flowcore.catalog import Kind, SourceType
from flowcore.ports import SourceCall, SourceResult, make_source_result
from flowcore.values import Json

from .configuration import parameter, parameters


@attrs.frozen(kw_only=True)
class ValueConfiguration:
    """What a `value` source is told."""

    value: Json = parameter(Kind.ANY, "The value; without it the step's input is the value.")  # noqa: RUF009 - as attrs.field


_TYPE: Final = SourceType(
    name="value",
    about="Gives the value in its configuration, or else its input: for constants and for shaping what others gave.",
    parameters=parameters(ValueConfiguration),
    blocking=False,
)


class ValueSource:
    """Gives a value."""

    type = _TYPE

    def call(self, call: SourceCall) -> SourceResult:
        """Return the configured value, or the payload."""
        # Every value fits, so nothing is read; and a null that is written there is a value, not its absence.
        return make_source_result(data=call.configuration.get("value", call.payload))
