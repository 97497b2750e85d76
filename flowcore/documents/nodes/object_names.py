"""What an object is called in its store (contract flow-runs, section 7)."""

import hashlib
from datetime import UTC, datetime
from typing import Final

import attrs

from flowcore.ids import RunId, flow_run_id
from flowcore.model import Flow
from flowcore.values import Instant

from .templates import Variable, fill, parse_template

KEY_VARIABLES: Final = ("RUN_ID", "FLOW_NAME", "EDGE", "TIMESTAMP", "DATE", "YEAR", "MONTH", "DAY", "UUID")
"""What a key template may use."""
UNIQUE_VARIABLES: Final = frozenset({"RUN_ID", "UUID", "TIMESTAMP"})
"""Those that make a key another one for every run."""
_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_UNNAMED: Final = "unnamed"


@attrs.frozen(kw_only=True)
class Naming:
    """What a name may be made of.

    Attributes:
        run: The run's id as this family shows it.
        flow: The flow's name.
        uuid: One of its own for every edge of every run.
        at: The moment that the name is made at.
    """

    run: str
    flow: str
    uuid: str
    at: Instant


def encode_segment(text: str) -> str:
    """Return *text*, which a client wrote, as a part of a name that cannot lead anywhere else.

    Everything but `A-Z a-z 0-9 . _ -` is percent-encoded, and so are dots at the beginning.
    """
    encoded = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode("utf-8"))
    bare = encoded.lstrip(".")
    return "%2E" * (len(encoded) - len(bare)) + bare


def object_name(template: str | None, edge: str, naming: Naming, *, extension: str = "") -> str:
    """Return the name of the object on *edge*.

    Args:
        template: The well's key; None means ``<run>/<edge><extension>``.
        edge: The edge's name.
        naming: What the name is made of.
        extension: What the content's type adds to a name without a template, such as ``.jpg``.
    """
    if template is None:
        return f"{naming.run}/{encode_segment(edge)}{extension}"
    moment = datetime.fromtimestamp(naming.at, tz=UTC)
    values = {
        "RUN_ID": naming.run,
        "FLOW_NAME": encode_segment(naming.flow) or _UNNAMED,
        "EDGE": encode_segment(edge),
        # A colon may stand in no name of an object: not every store's disk can hold it.
        "TIMESTAMP": encode_segment(moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "DATE": moment.strftime("%Y-%m-%d"),
        "YEAR": moment.strftime("%Y"),
        "MONTH": moment.strftime("%m"),
        "DAY": moment.strftime("%d"),
        "UUID": naming.uuid,
    }
    return fill(parse_template(template), values)


def name_on_edge(flow: Flow, edge: str, run_id: RunId, at: Instant, *, extension: str = "") -> str:
    """Return what the artifact on *edge* is called in its store: for one run always the same.

    Args:
        flow: The compiled flow; its wells hold the templates.
        edge: An edge that has a well.
        run_id: The run.
        at: When the run was created.
        extension: As in `object_name`.
    """
    naming = Naming(run=flow_run_id(run_id), flow=flow.name, uuid=_uuid(run_id, edge, at), at=at)
    return object_name(flow.wells[edge].key, edge, naming, extension=extension)


def _uuid(run_id: RunId, edge: str, at: Instant) -> str:
    """Return a UUID (of version 8: made by our own rule) for *edge* of a run.

    Not by chance: who asks for an upload's URL again must hear of the same object.
    """
    digest = bytearray(hashlib.sha256(f"{run_id}/{edge}/{at!r}".encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def variables_of(template: str) -> tuple[str, ...]:
    """Return the names of the variables in *template*, in order."""
    return tuple(part.name for part in parse_template(template) if isinstance(part, Variable))
