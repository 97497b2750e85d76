"""A definition's ports and flags by name, made once for all the nodes that use it."""

from collections.abc import Mapping, Sequence

import attrs

from .model import Definition, Flag, NodeDocument, Port


@attrs.frozen(kw_only=True)
class Shape:
    """What a definition declares, by name; of two of one name the first counts.

    Attributes:
        inputs: None when the family is open.
        outputs: None when the family is open.
        flags: None when the family is open.
    """

    definition: Definition
    inputs: Mapping[str, Port] | None
    outputs: Mapping[str, Port] | None
    flags: Mapping[str, Flag] | None


def shapes_of(document: NodeDocument) -> Mapping[str, Shape]:
    """Return the shapes of all definitions by `Publisher/Name`: the first one of a name counts (code NODE_001)."""
    found: dict[str, Shape] = {}
    for definition in document.definitions:
        if definition.full_name not in found:
            found[definition.full_name] = Shape(
                definition=definition,
                inputs=_by_name(definition.inputs),
                outputs=_by_name(definition.outputs),
                flags=None if definition.flags is None else {flag.name: flag for flag in definition.flags},
            )
    return found


def _by_name(ports: Sequence[Port] | None) -> Mapping[str, Port] | None:
    if ports is None:
        return None
    found: dict[str, Port] = {}
    for port in ports:
        found.setdefault(port.name, port)
    return found
