"""Checking a source's configuration against what its type declares, before anything runs.

A value that holds an expression is checked for its place only: its type is known when it is rendered, and the source
looks at it then.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flowcore.catalog import Kind, Parameter, SourceType
from flowcore.errors import ExpressionError, Path
from flowcore.expressions import compile_template, expression_end, to_text
from flowcore.values import Json

from .fields import type_name
from .findings import Findings, did_you_mean

_OPEN, _CLOSE = "{{", "}}"
_MARK, _END = "\ue000", "\ue001"
_HELD: Final = re.compile(f"{_MARK}([0-9]*){_END}")
_LISTED: Final = 20
"""How many names a message lists."""
_SHOWN: Final = 80
"""How much of a value a message shows, in characters."""
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BEFORE_THE_REST: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:?/?)?")
"""What may stand before an expression when the two together begin an address."""


def check_parts(source: SourceType, configuration: Mapping[str, Json], path: Path, findings: Findings) -> None:
    """Note what *source* needs and *configuration* lacks."""
    if source.open:
        return
    for group in source.requires_any:
        if not any(configuration.get(name) is not None for name in group):
            names = " or ".join(f"'{name}'" for name in group)
            findings.add("missing-key", path, f"a `{source.name}` source needs {names} in its configuration")
    for name, parameter in source.parameters.items():
        if parameter.required and configuration.get(name) is None:
            message = f"a `{source.name}` source needs '{name}' in its configuration"
            findings.add("missing-key", path, message, hint=parameter.about)


def check_configuration(
    source: SourceType, configuration: Mapping[str, Json], path: Path, findings: Findings
) -> Mapping[str, Json]:
    """Return *configuration* with its command lines split into words; note everything in it that does not fit."""
    if source.open:
        return configuration
    for name, parameter in source.parameters.items():
        _check_address(parameter, configuration, (*path, name), findings)
        _check_names(parameter.among, configuration, (*path, name), findings)
    return {name: _check(source, name, value, (*path, name), findings) for name, value in configuration.items()}


def _check(source: SourceType, name: str, value: Json, path: Path, findings: Findings) -> Json:
    parameter = source.parameters.get(name)
    if parameter is None:
        hint = did_you_mean(name, source.parameters) or "allowed here: " + ", ".join(source.parameters)
        findings.add("unknown-key", path, f"a `{source.name}` source has no '{name}'", hint=hint)
        return value
    if value is None:
        return value
    if parameter.kind is Kind.WORDS and isinstance(value, str):
        return _words(name, value, path, findings)
    wrong = None if isinstance(value, str) and _OPEN in value else _misfit(parameter, value)
    strange = () if wrong is None else _strange(parameter, value)
    for item, kind in strange:
        quotes = None if kind in {"a list", "a mapping"} else "put it in quotes"
        findings.add("wrong-type", (*path, item), f"what '{name}' lists must be text, not {kind}", hint=quotes)
    if strange:
        return value
    if wrong is not None:
        findings.add("wrong-type", path, f"'{name}' must be {wrong}, not {_said(value)}")
    elif parameter.choices and isinstance(value, str) and _OPEN not in value and value not in parameter.choices:
        allowed = ", ".join(parameter.choices)
        closest = did_you_mean(value, parameter.choices)
        findings.add("bad-value", path, f"'{name}' must be one of {allowed}, not '{value}'", hint=closest)
    elif parameter.flaw is not None:
        _check_texts(name, parameter.flaw, value, path, findings)
    return value


def _check_address(parameter: Parameter, configuration: Mapping[str, Json], path: Path, findings: Findings) -> None:
    name = str(path[-1])
    text = configuration.get(name)
    if not parameter.schemes or not isinstance(text, str):
        return
    # Of an address with an expression in it only what stands before that is known.
    known, opening, _ = text.partition(_OPEN)
    scheme = _SCHEME.match(known)
    allowed = _allowed(parameter)
    if scheme is not None:
        if scheme[1].lower() not in parameter.schemes:
            findings.add("bad-value", path, f"'{name}' must begin with {allowed}, not '{scheme[0]}'")
    # What it is joined to may come from where the source is used.
    elif not parameter.joined_to and not (opening and _BEFORE_THE_REST.fullmatch(known)):
        findings.add("bad-value", path, f"'{name}' must begin with {allowed}, not '{known[:_SHOWN]}'")


def check_joined(source: SourceType, configuration: Mapping[str, Json], path: Path, findings: Findings) -> None:
    """Note the relative addresses in *configuration*, that of a step as it is used, that there is nothing to join to.

    Of one in which an expression stands nobody knows whether it is relative.
    """
    for name, parameter in source.parameters.items():
        if not parameter.joined_to or configuration.get(parameter.joined_to) is not None:
            continue
        text = configuration.get(name)
        if isinstance(text, str) and _OPEN not in text and not _SCHEME.match(text):
            message = f"'{name}' must begin with {_allowed(parameter)}, not '{text[:_SHOWN]}'"
            if _SCHEME.match(text.lstrip()):
                hint = "take the space before the address away"
            else:
                message += f": there is no '{parameter.joined_to}' that it could be joined to"
                hint = f"write the whole address, or give a '{parameter.joined_to}'"
            findings.add("bad-value", (*path, name), message, hint=hint)


def _allowed(parameter: Parameter) -> str:
    """Return what an address may begin with, for people."""
    return " or ".join(f"{each}://" for each in parameter.schemes)


def _check_names(among: str, configuration: Mapping[str, Json], path: Path, findings: Findings) -> None:
    """Note the texts of *value* that are not listed under *among*, so far as that is known before anything runs."""
    name = str(path[-1])
    written, listed = configuration.get(name), configuration.get(among)
    if not among or not isinstance(written, (list, tuple, str)):
        return
    value, given = _known(written), _known(listed)
    known = [_known(each) for each in given] if isinstance(given, (list, tuple)) else [] if listed is None else [given]
    if None in known or (isinstance(written, str) and _OPEN not in written):
        # A text for a list is told as such.
        return
    names = [each for each in known if isinstance(each, str)]
    items = [_known(item) for item in (value if isinstance(value, (list, tuple)) else [value])]
    allowed = frozenset(names)
    strange = [(number, item) for number, item in enumerate(items) if isinstance(item, str) and item not in allowed]
    # Each hint compares with every name that is listed: the first ones show what is wrong.
    for number, item in strange[:_LISTED]:
        place = path if isinstance(written, str) else (*path, number)
        message = f"'{name}' must be of what '{among}' lists ({enumeration(names)}), not '{item[:_SHOWN]}'"
        hints = [did_you_mean(item, names)]
        if path[0] == "sources" or "override" in path:
            hints.append(f"where a later file or an 'override' gives another '{among}', write '{name}' again beside it")
        findings.add("bad-value", place, message, hint=" ".join(hint for hint in hints if hint) or None)


def enumeration(names: Sequence[str]) -> str:
    """Return *names* for a message, of very many the first."""
    if not names:
        return "nothing is listed"
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _known(value: Json) -> Json:
    """Return what *value* is when it is rendered, or None where that is known only then."""
    if not isinstance(value, str) or _OPEN not in value:
        return value
    try:
        template = compile_template(value)
        return None if template.references else template.render({})
    except ExpressionError:
        return None


def _check_texts(name: str, flaw: Callable[[str], str | None], value: Json, path: Path, findings: Findings) -> None:
    """Note what *flaw* finds in the texts of *value*; what holds an expression is known only when it is rendered."""
    if isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _check_texts(f"{name}[{number}]", flaw, item, (*path, number), findings)
        return
    text = to_text(value)
    wrong = None if _OPEN in text else flaw(text)
    if wrong is not None:
        findings.add("bad-value", path, f"'{name}' {wrong}")


def _misfit(parameter: Parameter, value: Json) -> str | None:
    """Return what *value* should have been, or None when it fits."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match parameter.kind:
        case Kind.TEXT:
            # `8080` where a text stands is what people write for text: the source takes its text.
            return None if isinstance(value, str) or number else "text"
        case Kind.NUMBER:
            return None if number else "a number"
        case Kind.SECONDS:
            return None if isinstance(value, (int, float)) and number and value > 0 else "a number of seconds above 0"
        case Kind.INTEGER:
            return None if number and isinstance(value, int) else "a whole number"
        case Kind.BOOLEAN:
            return None if isinstance(value, bool) else "true or false"
        case Kind.WORDS:
            fits = isinstance(value, (list, tuple)) and value and all(_plain(item) for item in value)
            return None if fits else "a text or a list of texts that is not empty"
        case Kind.TEXTS:
            return None if isinstance(value, str) or _texts(value) else "a list of texts"
        case Kind.NAMES:
            return None if isinstance(value, bool) or _texts(value) else "true, false or a list of texts"
        case Kind.MAPPING:
            return None if isinstance(value, dict) else "a mapping"
        case _:
            return None


def _strange(parameter: Parameter, value: Json) -> Sequence[tuple[int, str]]:
    """Return where in a list of texts something else stands, and what it is; nothing when that is not what is wrong."""
    if not isinstance(value, (list, tuple)) or parameter.kind not in {Kind.WORDS, Kind.TEXTS, Kind.NAMES}:
        return ()
    fits = _plain if parameter.kind is Kind.WORDS else _text
    return [(number, type_name(item)) for number, item in enumerate(value) if not fits(item)]


def _text(value: Json) -> bool:
    return isinstance(value, str)


def _plain(value: Json) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _texts(value: Json) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_text, value))


def _words(name: str, text: str, path: Path, findings: Findings) -> Json:
    """Split a command line as a shell would, its expressions whole: what they give can never become a second word."""
    held: list[str] = []
    plain: list[str] = []
    start = 0
    # The mark itself, wherever it stands in the text, is held like an expression.
    marked = text.replace(_MARK, f"{_MARK}{_END}")
    try:
        while (opening := marked.find(_OPEN, start)) >= 0:
            closing = expression_end(marked, opening + len(_OPEN)) + len(_CLOSE)
            # Private characters that no shell word gives a meaning stand for the expression while words are cut.
            plain.append(f"{marked[start:opening]}{_MARK}{len(held)}{_END}")
            held.append(marked[opening:closing].replace(f"{_MARK}{_END}", _MARK))
            start = closing
    except ExpressionError:
        # The check of the expressions says what is wrong with it.
        return [text]
    plain.append(marked[start:])
    try:
        words = shlex.split("".join(plain))
    except ValueError as error:
        findings.add("bad-value", path, f"'{name}' cannot be split into words: {str(error).lower()}")
        return [text]
    if not words:
        findings.add("bad-value", path, f"'{name}' is empty")
    return [_HELD.sub(lambda found: held[int(found[1])] if found[1] else _MARK, word) for word in words]


def _said(value: Json) -> str:
    """Return what *value* is, for people: a number by itself, anything else by its type."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}"
    return "an empty list" if value in ([], ()) else type_name(value)
