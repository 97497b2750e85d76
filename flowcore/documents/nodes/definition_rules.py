"""What may be wrong with a definition that is used: TYPE_001, DEF_001 to DEF_004."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from flowcore.errors import Path

from .command_lines import broken_in, split_command, variables_used
from .media_types import canonical
from .model import Definition, Node, NodeFlow, Port
from .report import Report
from .shapes import Shape

_WORD: Final = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST: Final = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])"
)
IMAGE_NAME: Final = re.compile(
    rf"(?:{_HOST}(?::[0-9]+)?/)?{_WORD}(?:/{_WORD})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
"""What container engines take for the name of an image: a registry, words, a tag and a digest."""


def check_definitions(flow: NodeFlow, shapes: Mapping[str, Shape], report: Report) -> None:
    """Note what is wrong with the definitions that are used; the others are not looked at."""
    users: dict[str, list[Node]] = {}
    for node in flow.nodes:
        if node.uses in shapes:
            users.setdefault(node.uses, []).append(node)
    for name, nodes in users.items():
        definition = shapes[name].definition
        _check_types(definition, "input", definition.inputs, report)
        _check_types(definition, "output", definition.outputs, report)
        _check_names(shapes[name], nodes, report)
        _check_command(shapes[name], nodes, report)
        _check_image(definition, report)


def _check_types(definition: Definition, family: str, ports: Sequence[Port] | None, report: Report) -> None:
    for port in ports or ():
        for number, written in enumerate(port.types):
            if canonical(written) is None:
                report.error(
                    "TYPE_001",
                    (*port.path, "Type", number),
                    f"'{written}' is no content type (the {family} '{port.name}' of '{definition.full_name}')",
                    hint="write `type/subtype`, `type/*` or `*/*`, as in image/png",
                )


def _check_names(shape: Shape, nodes: Sequence[Node], report: Report) -> None:
    """A name must stand for one thing: among what is declared, and in an open family among what each node uses."""
    definition = shape.definition
    declared: dict[str, str] = {}
    for family, each in (("input", definition.inputs), ("output", definition.outputs), ("flag", definition.flags)):
        for member in each or ():
            _claim(declared, member.name, family, definition.path, report)
    for node in nodes:
        mine: dict[str, str] = {}
        for family, used in _open_names(shape, node):
            for name in used:
                taken = declared.get(name) or mine.get(name)
                if taken is not None:
                    _tell(name, taken, family, node.path, report)
                mine.setdefault(name, family)


def _open_names(shape: Shape, node: Node) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the names that *node* uses of each open family, each once."""
    if shape.inputs is None:
        yield "input", dict.fromkeys(binding.name for binding in node.inputs)
    if shape.outputs is None:
        yield "output", dict.fromkeys(binding.name for binding in node.outputs)
    if shape.flags is None:
        yield "flag", dict.fromkeys(value.name for value in node.flags)


def _claim(names: dict[str, str], name: str, family: str, path: Path, report: Report) -> None:
    if name in names:
        _tell(name, names[name], family, path, report)
    names.setdefault(name, family)


def _tell(name: str, first: str, second: str, path: Path, report: Report) -> None:
    both = f"two {first}s" if first == second else f"an {first} and {'a' if second == 'flag' else 'an'} {second}"
    message = f"'{name}' is the name of {both}, so `${{{name}}}` could mean either"
    report.error("DEF_001", path, message, hint="give each a name of its own")


def _check_command(shape: Shape, nodes: Sequence[Node], report: Report) -> None:
    definition = shape.definition
    path = (*definition.path, "Command", "Exec")
    try:
        words = split_command(definition.command)
    except ValueError as error:
        message = f"the command of '{definition.full_name}' cannot be split into words: {str(error).lower()}"
        report.error("DEF_003", path, message, hint="close the quote, or write a backslash before it")
        return
    for text in broken_in(words):
        message = f"`{text}` in the command of '{definition.full_name}' names no variable"
        report.warn("DEF_002", path, message, hint="write `${Name}`")
    # What one node binds may be absent for another: an open definition cannot say, so it is known.
    known = {*(shape.inputs or ()), *(shape.outputs or ()), *(shape.flags or ())}
    known.update(name for node in nodes for _, used in _open_names(shape, node) for name in used)
    for name in variables_used(words):
        if name not in known:
            message = f"the command of '{definition.full_name}' uses `${{{name}}}`, which is no input, output or flag"
            report.warn("DEF_002", path, message, hint=report.guess(name, known, "it will be empty"))


def _check_image(definition: Definition, report: Report) -> None:
    # Without containers no image is needed.
    if definition.image and IMAGE_NAME.fullmatch(definition.image) is None:
        message = f"'{definition.image:.140}', the image of '{definition.full_name}', is no name of an image"
        hint = "words in small letters with slashes between them, and a tag: `lab/shrink:2`"
        report.warn("DEF_004", (*definition.path, "Image"), message, hint=hint)
