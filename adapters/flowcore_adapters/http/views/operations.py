"""What every view takes and answers, for `/openapi.json`."""

from collections.abc import Mapping
from typing import Final

from flowcore_adapters.http.description.operations import UNCHANGED, Answer, Parameter
from flowcore_adapters.http.description.schemas import OBJECT, POSITION, TEXT

from .query import LONGEST_WAIT_S

VIEW_QUERY: Final = (
    Parameter("at", "As it was when the log was at this position.", POSITION),
    Parameter("after", "A position that the caller has seen: 304 unless something has happened since.", POSITION),
    Parameter("wait", f"With `after`: for how many seconds to wait, {LONGEST_WAIT_S:g} at most.", {"type": "number"}),
)
RUN_QUERY: Final = (Parameter("run_id", "The run to show, in any spelling.", TEXT), *VIEW_QUERY)
"""The same where the run is not in the path."""
BUSY: Final = Answer("Too many requests are waiting for news.", OBJECT)
VIEW_ANSWERS: Final[Mapping[int, Answer]] = {
    304: UNCHANGED,
    404: Answer("There is no such run, or there was none yet.", OBJECT),
    503: BUSY,
}
"""The answers beside the view itself."""
