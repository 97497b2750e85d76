"""Checking what expressions refer to, and reading a step's dependencies out of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from flowcore.catalog import Catalog
from flowcore.errors import Path
from flowcore.expressions import Reference, check_template, spelled
from flowcore.values import Json

from .findings import Findings, did_you_mean

ROOTS = ("flows", "sources", "run", "secrets")
ITEM_ROOTS = ("item", "index")
_MOST_TOLD: Final = 100
"""How many wrong names of one value are told: a hint is a look at every name there is."""
_RUN_FIELDS = ("id", "name", "started_at")


def roots_of(*, each: bool) -> Sequence[str]:
    """Return where expressions may start; *each* in a fan-out, where there is an item."""
    return (*ROOTS, *ITEM_ROOTS) if each else ROOTS


@attrs.define
class Names:
    """What the expressions of a flow may refer to.

    Attributes:
        outputs: The declared outputs of every step.
        sources: Type and configuration of every declared source.
        secrets: The names of the flow's secrets.
        varying: What the configuration of a source reads, as it is written, where nothing can be read of the source
            itself: values are read once, before the run, when there are no others.
    """

    outputs: Mapping[str, Sequence[str]]
    sources: Mapping[str, tuple[str, Mapping[str, Json]]]
    secrets: Sequence[str]
    catalog: Catalog
    varying: Mapping[str, str] = attrs.field(factory=dict[str, str])


def written(reference: Reference) -> str:
    """Return *reference* as people write it."""
    return ".".join(map(spelled, (reference.root, *reference.names)))


def check_expressions(
    value: Json, path: Path, findings: Findings, names: Names, *, roots: Sequence[str] = ROOTS
) -> Iterator[str]:
    """Note what is wrong with the expressions in *value*, and yield the names of the steps they refer to."""
    found, errors = check_template(value)
    for where, error in errors:
        findings.add("bad-expression", (*path, *where), error.message, hint=error.hint)
    most = findings.count + _MOST_TOLD
    for number, reference in enumerate(found):
        if findings.count >= most:
            message = (
                f"{_MOST_TOLD} names in these expressions are wrong; {len(found) - number} more were not looked at"
            )
            findings.add("unknown-name", path, message, hint="mend those first")
            return
        yield from _check(reference, path, findings, names, roots)


def _check(reference: Reference, path: Path, findings: Findings, names: Names, roots: Sequence[str]) -> Iterator[str]:
    root, parts = reference.root, reference.names
    if root not in roots:
        known = ", ".join(f"`{name}`" for name in roots)
        if root in ITEM_ROOTS:
            hint: str | None = "only the input and the source of a step with `for_each` have an `item` and an `index`"
        elif root in names.outputs:
            hint = f"write `flows.{spelled(root)}`"
        else:
            hint = did_you_mean(root, roots)
        findings.add("unknown-root", path, f"an expression starts with {known}, not with `{spelled(root)}`", hint=hint)
    elif root == "flows":
        yield from _check_step(parts, path, findings, names)
    elif root == "sources":
        _check_source(parts, path, findings, names)
    elif root == "secrets":
        _check_secret(parts, path, findings, names)
    elif root == "run" and parts and parts[0] not in _RUN_FIELDS:
        allowed = ", ".join(_RUN_FIELDS)
        hint = did_you_mean(parts[0], _RUN_FIELDS)
        findings.add("unknown-name", path, f"`run` has {allowed}, but no `{spelled(parts[0])}`", hint=hint)


def _check_step(parts: Sequence[str], path: Path, findings: Findings, names: Names) -> Iterator[str]:
    if not parts:
        findings.add("unnamed-step", path, "`flows` alone names no step", hint="write `flows.<step>.<output>`")
        return
    step = parts[0]
    if step not in names.outputs:
        hint = did_you_mean(step, names.outputs, spell=spelled)
        findings.add("unknown-step", path, f"`flows.{spelled(step)}` names no step of this flow", hint=hint)
        return
    yield step
    if len(parts) > 1 and parts[1] not in names.outputs[step]:
        declared = names.outputs[step]
        message = f"step '{step}' declares no output `{spelled(parts[1])}`"
        given = "its outputs: " + ", ".join(declared) if declared else "it declares none: give it an `output`"
        findings.add("unknown-output", path, message, hint=did_you_mean(parts[1], declared, spell=spelled) or given)


def _check_source(parts: Sequence[str], path: Path, findings: Findings, names: Names) -> None:
    readable = [
        name for name, (kind, _) in names.sources.items() if kind in names.catalog and names.catalog[kind].values
    ]
    if not parts:
        findings.add(
            "unnamed-source", path, "`sources` alone names no source", hint="write `sources.<name>.<variable>`"
        )
        return
    name = parts[0]
    if name not in names.sources:
        hint = did_you_mean(name, names.sources, spell=spelled)
        findings.add("unknown-source", path, f"`sources.{spelled(name)}` names no source of this flow", hint=hint)
    elif name not in readable:
        message = f"the values of source '{name}' cannot be read in an expression: it is no `env` source"
        findings.add("unreadable-source", path, message, hint="make a step of it and read `flows.<step>.<output>`")
    elif name in names.varying:
        message = (
            f"the values of source '{name}' cannot be read in an expression: they are read before the run starts, and"
            f" its own configuration reads `{names.varying[name]}`"
        )
        hint = f"make a step of it, `source: {name}`, and read `flows.<step>.<output>`"
        findings.add("unreadable-source", path, message, hint=hint)
    elif len(parts) > 1:
        variables = names.sources[name][1].get("vars")
        listed = variables if isinstance(variables, (list, tuple)) else [variables]
        texts = [item for item in listed if isinstance(item, str)]
        if parts[1] not in texts and not any("{{" in text for text in texts):
            hint = did_you_mean(parts[1], texts, spell=spelled)
            message = f"source '{name}' does not list `{spelled(parts[1])}` in its vars"
            findings.add("unknown-variable", path, message, hint=hint)


def _check_secret(parts: Sequence[str], path: Path, findings: Findings, names: Names) -> None:
    if not parts:
        findings.add("unnamed-secret", path, "`secrets` alone names no secret", hint="write `secrets.<name>`")
    elif parts[0] not in names.secrets:
        hint = did_you_mean(parts[0], names.secrets, spell=spelled) or "declare it at the top, under `secrets`"
        findings.add("unknown-secret", path, f"`secrets.{spelled(parts[0])}` is not declared", hint=hint)
