"""Several documents as one: contract status, section 1, "several files merge left to right"."""

from collections.abc import Iterable, Mapping

from flowcore.errors import FlowDocumentError, Problem
from flowcore.values import Json

from .fields import type_name


def merge(documents: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return *documents* as one: mappings merge deeply, anything else is replaced by the later one.

    A list replaces a list, and null whatever there was. The documents stay as they are; the result may share values
    with them.
    """
    merged: dict[str, Json] = {}
    for document in documents:
        # A list of what is left to do, not recursion: mappings from Python code may be nested as deeply as they like.
        pending: list[tuple[dict[str, Json], Mapping[str, Json]]] = [(merged, document)]
        while pending:
            target, source = pending.pop()
            for key, value in source.items():
                present = target.get(key)
                if isinstance(present, Mapping) and isinstance(value, Mapping):
                    # A copy, because the present one may belong to an earlier document, or to an alias elsewhere in it.
                    copy = dict(present)
                    target[key] = copy
                    pending.append((copy, value))
                else:
                    target[key] = value
    return merged


def check_top_level(value: Json, file: str | None) -> Mapping[str, Json]:
    """Return *value*, the whole of a document, as a mapping; an empty document is an empty mapping.

    Raises:
        FlowDocumentError: It is anything else; the code is `not-a-mapping`.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    hint = "put the steps under the key `flow:`" if isinstance(value, list) else None
    raise FlowDocumentError(
        [
            Problem(
                code="not-a-mapping",
                message=f"a flow file is a mapping with keys such as `sources` and `flow`, not {type_name(value)}",
                hint=hint,
                file=file,
                line=1,
                column=1,
            )
        ]
    )
