"""The JSON Schemas that the descriptions of bodies and parameters are made of."""

from collections.abc import Mapping
from typing import Final

from flowcore.values import Json

OBJECT: Final[Json] = {"type": "object"}
"""Any JSON object."""
ERROR: Final[Json] = {"$ref": "#/components/schemas/Error"}
"""What is wrong, in words: the body of every refusal."""
TEXT: Final[Json] = {"type": "string"}
FLAG: Final[Json] = {"type": "boolean"}
WHOLE: Final[Json] = {"type": "integer"}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}
FROM_ONE: Final[Json] = {"type": "integer", "minimum": 1}
POSITION: Final[Json] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
"""A position in the event log."""
_NOTHING: Final[Mapping[str, Json]] = {}


def list_of(items: Json) -> Json:
    """Return the schema of a list of *items*."""
    return {"type": "array", "items": items}


def object_of(
    properties: Mapping[str, Json], *, optional: Mapping[str, Json] = _NOTHING, closed: bool = False
) -> dict[str, Json]:
    """Return the schema of an object.

    Args:
        properties: What it always has, by name.
        optional: What it may have besides.
        closed: Whether it never has anything else.
    """
    schema: dict[str, Json] = {"type": "object", "properties": {**properties, **optional}}
    if properties:
        schema["required"] = list(properties)
    if closed:
        schema["additionalProperties"] = False
    return schema
