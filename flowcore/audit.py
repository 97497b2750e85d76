"""Who has asked for what: the event that a call over HTTP leaves in what it has changed.

It is an event of runs and of batches alike, and a storage format as their others are (see `flowcore.run.events`).
"""

from enum import StrEnum

import attrs

from .values import Instant


class Credential(StrEnum):
    """What a caller has shown; never the thing itself."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 - the word, not a token
    SIGNED_URL = "signed-url"


@attrs.frozen(kw_only=True)
class CallAccepted:
    """A call has changed the run or the batch: "who, route, run" (contract safety, the guard).

    Nothing follows from it: what the call has led to are the events beside it.

    Attributes:
        peer: The address that the call came from; empty for a local socket, which has none.
        credential: What was shown for it.
        method: Such as `POST`.
        route: The path as the server's table has it, with names for its variable parts: neither values nor a query.
    """

    peer: str
    credential: Credential
    method: str
    route: str
    at: Instant
