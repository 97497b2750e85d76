"""What may be wrong with a node and its use of a definition: NODE_001 to NODE_010."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from flowcore.errors import Path

from .model import DEFAULT_TIER, Binding, Flag, Node, NodeFlow, Port
from .report import Report
from .shapes import Shape
from .tiers import TIERS, tier_name

_MOST_MISSING: Final = 20
"""How many missing ports or flags of one node are told; so the work for a node is a matter of what it binds."""


def check_nodes(flow: NodeFlow, shapes: Mapping[str, Shape], report: Report) -> None:
    """Note what is wrong with the nodes."""
    first: dict[str, Path] = {}
    told: set[str] = set()
    for node in flow.nodes:
        _check_id(node, first, told, report)
        shape = shapes.get(node.uses)
        if shape is None:
            report.error(
                "NODE_001",
                (*node.path, "Uses"),
                f"{_called(node)} uses '{node.uses}', but there is no such definition",
                hint=report.guess(node.uses, shapes, "a definition is named `Publisher/Name`"),
            )
        else:
            _check_use(node, shape, report)
        _check_double(node.inputs, ("input", "it waits for all of them, and the last one counts"), node, report)
        _check_double(node.outputs, ("output", "what is left there goes to each of its edges"), node, report)


def _called(node: Node) -> str:
    return f"node '{node.id}'" if node.id else "a node without ID"


def _check_id(node: Node, first: dict[str, Path], told: set[str], report: Report) -> None:
    if not node.id:
        report.error("NODE_008", node.path, "a node needs an ID", hint="any text that no other node has")
    if node.id in first and node.id not in told:
        told.add(node.id)
        message = f"the ID '{node.id}' is used more than once" if node.id else "more than one node has no ID"
        report.error("NODE_007", (*node.path, "ID"), message, hint="give each node an ID of its own")
    first.setdefault(node.id, node.path)


def _check_double(bindings: Sequence[Binding], words: tuple[str, str], node: Node, report: Report) -> None:
    kind, hint = words
    seen: set[str] = set()
    for binding in bindings:
        if binding.name in seen:
            message = f"{_called(node)} binds its {kind} '{binding.name}' more than once"
            report.warn("NODE_010", binding.path, message, hint=hint)
        seen.add(binding.name)


def _check_use(node: Node, shape: Shape, report: Report) -> None:
    definition = shape.definition
    _check_ports(node, node.inputs, shape.inputs, ("input", "NODE_002"), report)
    _check_ports(node, node.outputs, shape.outputs, ("output", "NODE_003"), report)
    _check_flags(node, shape.flags, report)
    if tier_name(definition.tier) not in TIERS:
        report.error(
            "NODE_004",
            (*definition.path, "Tier"),
            f"definition '{definition.full_name}' asks for the tier '{definition.tier}', which does not exist",
            hint=report.guess(definition.tier.lower(), TIERS, f"{DEFAULT_TIER} is used when nothing is said"),
        )


def _check_ports(
    node: Node,
    bindings: Sequence[Binding],
    ports: Mapping[str, Port] | None,
    words: tuple[str, str],
    report: Report,
) -> None:
    kind, missing = words
    declared = ports or {}
    for binding in bindings:
        if binding.name not in declared and (ports is not None or not binding.name):
            report.error(
                "NODE_009",
                (*binding.path, "Name"),
                f"{_called(node)} binds the {kind} '{binding.name}', which '{node.uses}' does not have",
                hint=report.guess(binding.name, declared),
            )
    bound = {binding.name for binding in bindings}
    for name in _unmet(declared, bound):
        report.error(missing, node.path, f"{_called(node)} must bind the {kind} '{name}' of '{node.uses}'")


def _check_flags(node: Node, flags: Mapping[str, Flag] | None, report: Report) -> None:
    for value in node.flags:
        message = f"{_called(node)} sets the flag '{value.name}', which '{node.uses}' does not declare"
        if flags is None:
            hint = "it says nothing of flags, so any is let through; `Flags: []` would say that there are none"
            report.warn("NODE_006", (*value.path, "Name"), message, hint=hint)
        elif value.name not in flags:
            report.error("NODE_006", (*value.path, "Name"), message, hint=report.guess(value.name, flags))
    for name in _unmet(flags or {}, {value.name for value in node.flags}):
        report.error("NODE_005", node.path, f"{_called(node)} must set the flag '{name}' of '{node.uses}'")


def _unmet(declared: Mapping[str, Port | Flag], given: AbstractSet[str]) -> Iterator[str]:
    """Yield what is required and not *given*, up to a number that somebody may still read."""
    missing = (name for name, each in declared.items() if each.required and name not in given)
    return islice(missing, _MOST_MISSING)
