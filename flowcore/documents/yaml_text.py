"""YAML text as plain data, and back from a path in the data to its place in the text.

What is accepted is YAML 1.2 with the core schema, so far as JSON could hold it, plus the merge key `<<` of YAML 1.1,
which people still write. `yaml_composer` says how that is done safely.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

import attrs
import yaml

from flowcore.errors import FlowDocumentError, Path, Problem
from flowcore.values import Json

from .yaml_composer import QUOTE_EXPRESSION, Composer, EnoughError, place
from .yaml_scalars import shown

MAX_TAG_DIRECTIVES: Final = 1_000
"""How often `%TAG` may stand in a text: libyaml compares every such directive with all those before it."""

_LOADER: Final[type[yaml.CSafeLoader | yaml.SafeLoader]] = (
    yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
)
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BARE_EXPRESSION: Final = re.compile(r"(?:^|[:-])\s*\{\{")
_QUOTES_IN_EXPRESSION: Final = re.compile(r'"[^"]*\{\{(?:(?!\}\})[^"])*"[^\s,\]}]')
_NEAR: Final = 250
"""How many characters before and behind an error are looked at for quotes: the time is that number's square."""
_CHECK_INDENTATION: Final = "check the indentation of this line and of those before it"
_HINTS: Final = (
    ("mapping values are not allowed", "put text that holds `: ` in quotes, and check the indentation"),
    ("cannot start any token", "put text that begins with this character in quotes"),
    ("unexpected end of stream", "a quote is opened and never closed"),
    ("Unicode character escape", r"write the character itself, or \U and its 8 digits"),
    ("expected key", _CHECK_INDENTATION),
    ("expected '-' indicator", _CHECK_INDENTATION),
    ("expected <block end>", _CHECK_INDENTATION),
)


def load_yaml(text: str, *, file: str | None = None) -> Json:
    """Return the one document in *text*; None when there is nothing in it but comments.

    What aliases stand for is shared, not copied.

    Args:
        text: Of any content, but of a size that the caller finds acceptable.
        file: What to call it in problems.

    Raises:
        FlowDocumentError: It is not YAML, or not data that JSON could hold, or too much of it. Everything that was
            found up to where reading had to stop is in `problems`.
    """
    value, problems = read_yaml(text, file=file)
    if problems:
        raise FlowDocumentError(problems)
    return value


def read_yaml(text: str, *, file: str | None = None) -> tuple[Json, Sequence[Problem]]:
    """Return what `load_yaml` does, and the problems that leave the rest of the data as it is.

    Those are numbers that JSON cannot hold, keys given twice (the later one counts) and tags: the scalar stands as its
    text.

    Raises:
        FlowDocumentError: What was read is not all there, for one of the problems that it names.
    """
    composer = Composer(file)
    whole = False
    try:
        if text.count("%TAG") > MAX_TAG_DIRECTIVES:
            composer.stop("yaml-size", None, f"`%TAG` stands in the text more than {MAX_TAG_DIRECTIVES} times")
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
        whole = composer.whole
    except EnoughError:
        pass
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_marked(text, error, file))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The parser in C lets the errors of `str.encode` out, the one in Python those of `int` and `chr`.
        composer.problems.append(_unmarked(text, error, file))
    if not whole:
        raise FlowDocumentError(composer.problems)
    return composer.result, composer.problems


def _marked(text: str, error: yaml.MarkedYAMLError, file: str | None) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    begun = line if error.context_mark is None else error.context_mark.line + 1
    what = error.problem or "it cannot be read"
    rows = ["", *text.splitlines(), ""]  # an error at the end stands in the line after the last
    row = rows[min(line, len(rows) - 1)]
    if "undefined tag handle" in what:
        tag = row[column - 1 :].split(maxsplit=1)[0]
        message, hint = f"the tag `{shown(tag)}` is not allowed here", None
        return Problem(code="yaml-tag", message=message, hint=hint, file=file, line=line, column=column)
    message = f"this is not YAML: {what}"
    if error.context:
        message += f", {error.context}" + (f" that begins in line {begun}" if begun != line else "")
    if "\t" in row[: len(row) - len(row.lstrip())]:
        hint = "indent with spaces: for YAML a tab is no indentation"
    elif _BARE_EXPRESSION.search(row) or _BARE_EXPRESSION.search(rows[min(begun, len(rows) - 1)]):
        hint = QUOTE_EXPRESSION
    elif _QUOTES_IN_EXPRESSION.search(row[max(column - _NEAR, 0) : column + _NEAR]):
        hint = """for double quotes in an expression write single ones around it: '{{ flows."a-b".c }}'"""
    else:
        hint = next((hint for part, hint in _HINTS if part in what), None)
    return Problem(code="yaml-syntax", message=message, hint=hint, file=file, line=line, column=column)


def _unmarked(text: str, error: Exception, file: str | None) -> Problem:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return Problem(
            code="yaml-syntax", message=f"this is not YAML: {shown(str(error))}", file=file, line=1, column=1
        )
    # All that splits lines and is printable splits lines in YAML too.
    rows = (text[: found.start()] + "|").splitlines()
    return Problem(
        code="yaml-syntax",
        message=f"the character U+{ord(found.group()):04X} may not stand in a YAML text",
        file=file,
        line=len(rows),
        column=len(rows[-1]),
    )


@attrs.define
class _Spot:
    """A place that is asked for, or lies on the way to one."""

    inner: dict[str | int, "_Spot"] = attrs.field(factory=dict[str | int, "_Spot"])
    found: tuple[int, int] | None = None


@attrs.define
class _Level:
    """A mapping or list that the walk is in."""

    spot: _Spot
    index: int | None
    """The index of the item that comes next; None in a mapping."""
    value: _Spot | None = None
    """The spot of the value that comes next; None where a key comes next."""


def locate(text: str, paths: Collection[Path]) -> dict[Path, tuple[int, int]]:
    """Return where each of *paths* stands: the line and column, counted from 1, of the key, or of the item of a list.

    A path that is not there, or only by way of an alias, stands where its nearest ancestor does.

    Args:
        text: What `load_yaml` has accepted.
        paths: Where in the data.
    """
    root = _Spot()
    for path in paths:
        spot = root
        for part in path:
            spot = spot.inner.setdefault(part, _Spot())
    _walk(text, root)
    return {path: _nearest(root, path) for path in paths}


def _nearest(root: _Spot, path: Path) -> tuple[int, int]:
    nearest = root.found or (1, 1)
    spot = root
    for part in path:
        spot = spot.inner[part]
        nearest = spot.found or nearest
    return nearest


def _walk(text: str, root: _Spot) -> None:
    """Note where *root* and the spots in it are found."""
    nowhere = _Spot()
    levels: list[_Level] = []
    scalars: dict[str, str] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
            scalars[event.anchor] = event.value
        level = levels[-1] if levels else _Level(_Spot({0: root}), 0)
        if level.index is not None:
            spot = level.spot.inner.get(level.index, nowhere)
            level.index += 1
        elif level.value is not None:
            spot, level.value = level.value, None  # found already, by its key
        else:
            key = event.value if isinstance(event, yaml.ScalarEvent) else scalars[event.anchor or ""]
            spot = level.value = level.spot.inner.get(key, nowhere)
        spot.found = spot.found or place(event)
        if isinstance(event, yaml.CollectionStartEvent):
            levels.append(_Level(spot, 0 if isinstance(event, yaml.SequenceStartEvent) else None))
