"""What a flow says about an HTTP call."""

from collections.abc import Mapping
from typing import Final

import attrs

from flowcore.catalog import Kind
from flowcore.values import Json
from flowcore_adapters.sources.configuration import MAX_OUTPUT, parameter
from flowcore_adapters.sources.exchange.tokens import TOKEN, TOKEN_CHARACTERS

_SHOWN: Final = 40


def _no_method(text: str) -> str | None:
    """Return why *text* is no HTTP method: servers have methods of their own, but all of them are tokens."""
    if TOKEN.fullmatch(text):
        return None
    words = f"a word such as GET, POST or PROPFIND of {TOKEN_CHARACTERS}"
    return f"must be an HTTP method, {words}, not '{text[:_SHOWN]}'"


@attrs.frozen(kw_only=True)
class RestConfiguration:
    """What a `rest` source is told."""

    url: str | None = parameter(
        Kind.TEXT,
        "The address; a relative one is joined to `base_url`.",
        schemes=("http", "https"),
        joined_to="base_url",
    )
    base_url: str | None = parameter(
        Kind.TEXT, "Without `url` the step's input, a path, is joined to it.", schemes=("http", "https")
    )
    method: str = parameter(Kind.TEXT, "The HTTP method.", default="GET", flaw=_no_method)
    headers: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Headers of the request.")
    params: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Query parameters; a list repeats its name.")
    input_mode: str | None = parameter(
        Kind.TEXT,
        "What becomes of the step's input: a query parameter, or the body as JSON.",
        choices=("parameter", "body"),
    )
    param_name: str = parameter(Kind.TEXT, "The name of that query parameter.", default="id")
    timeout: float | None = parameter(
        Kind.SECONDS, "How long the call may take, in seconds; the step's `timeout` holds as well."
    )
    max_output: int = parameter(
        Kind.INTEGER, "How many bytes the answer may have, unpacked.", default=MAX_OUTPUT, at_least=1
    )
    follow_other_hosts: bool = parameter(
        Kind.BOOLEAN, "Follow redirects to other hosts too, without headers that may be secret.", default=False
    )
