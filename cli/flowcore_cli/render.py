"""Text for people: values, tables, times. Names and notes are data: no terminal and no markup ever reads them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from flowcore.values import Json

# C0, DEL and C1 (a terminal obeys them), marks that turn the direction of text (they make a name look like another),
# and lone surrogates (no encoding has them).
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_UNSAFE_IN_JSON: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# What reads as something else than text, or would not be seen to end: written in quotes.
_QUOTED: Final = re.compile(
    r"|(?i:null|true|false|~)|[-+.]?\d[\w.:+-]*|[\s\"'\[\]{}#&*!|>%@`,?:-].*|.*\s|.*:\s.*|.*\s#.*|.*:"
)
_QUOTED_INSIDE: Final = re.compile(r".*[,\[\]{}\"].*")
_MARKS: Final = {
    "succeeded": ("✓", "ok", "green"),
    "failed": ("✗", "x", "red"),
    "stopped": ("■", "x", "yellow"),
    "skipped": ("-", "-", "bright_black"),
    "running": ("▸", ">", "cyan"),
    "retrying": ("↻", ">", "yellow"),
    "paused": ("‖", "|", "yellow"),
}
WIDTH: Final = 100
"""How wide a value on one line may be, in characters."""
MOST_LINES: Final = 60
"""How many lines of one output a terminal gets."""
MOST_CHARACTERS: Final = 4_000
"""How much of one line of text a terminal gets."""


def visible(text: str) -> str:
    """Return *text* as one line that does nothing to a terminal: control characters are written as escapes."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte


def to_json(value: object, *, indent: int | None = 2) -> str:
    """Return *value* as JSON text; what would do something to a terminal is written as JSON escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def counted(number: int, noun: str) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a span of time as people read it: `0.42 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`."""
    seconds = max(seconds, 0.0)
    if seconds < 9.995:  # noqa: PLR2004 - where two decimals would make it 10.00
        return f"{seconds:.2f} s"
    if seconds < 59.95:  # noqa: PLR2004 - where one decimal would make it 60.0
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def clock_time(at: float) -> str:
    """Return a moment in the local time zone: `2024-12-07 01:02:03`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def mark(state: str, *, ascii_only: bool = False) -> str:
    """Return the sign for *state*, in its colour."""
    sign, plain, colour = _MARKS.get(state, ("·", ".", "bright_black"))
    return click.style(plain if ascii_only else sign, fg=colour)


def colour_of(state: str) -> str:
    """Return the colour for *state*."""
    return _MARKS.get(state, ("", "", "bright_black"))[2]


def outputs_text(outputs: "Mapping[str, Mapping[str, Json]]", *, shorten: bool) -> str:
    """Return the outputs of a run for people: a block for each step.

    Args:
        outputs: By step and output name.
        shorten: Cut what is long and say so: for terminals.
    """
    blocks: list[str] = []
    for step, values in outputs.items():
        lines = [click.style(visible(step), bold=True)]
        if not values:
            lines[0] += click.style("  no outputs", dim=True)
        for name, value in values.items():
            lines.extend(f"  {line}" for line in _shortened(_member(name, value, shorten=shorten), shorten=shorten))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _shortened(lines: Iterator[str], *, shorten: bool) -> Iterator[str]:
    if not shorten:
        yield from lines
        return
    yield from islice(lines, MOST_LINES)
    if next(lines, None) is not None:
        yield click.style("  ... there is more: --json prints all of it", dim=True)


def _member(name: str, value: "Json", *, shorten: bool) -> Iterator[str]:
    """Yield the lines of `name: value`; the first stands at the margin."""
    key = click.style(f"{_key(name)}:", fg="cyan")
    inline = None if _is_rows(value) else _inline(value, WIDTH - len(name), nested=False)
    if inline is not None:
        yield f"{key} {inline}"
    elif isinstance(value, str):
        yield from _text(key, value, shorten=shorten)
    else:
        yield key
        yield from _block(value, shorten=shorten)


def _is_rows(value: "Json") -> bool:
    """Return whether *value* is a list of several mappings: a line for each reads better than all on one."""
    return isinstance(value, (list, tuple)) and len(value) > 1 and all(isinstance(item, dict) for item in value)


def _block(value: "Json", *, shorten: bool) -> Iterator[str]:
    """Yield the lines of a mapping or a list that is too long for one, indented."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from (f"  {line}" for line in _member(name, item, shorten=shorten))
    elif isinstance(value, (list, tuple)):
        for item in value:
            inline = None if _is_rows(item) else _inline(item, WIDTH, nested=False)
            if inline is not None:
                yield f"  - {inline}"
            elif isinstance(item, str):
                yield from (f"  {line}" for line in _text("-", item, shorten=shorten))
            else:
                # The first member of a mapping stands beside the dash, as in YAML.
                lines = _block(item, shorten=shorten)
                yield f"  - {next(lines)[2:]}"
                yield from (f"  {line}" for line in lines)


def _text(key: str, text: str, *, shorten: bool) -> Iterator[str]:
    """Yield a text that needs lines of its own; `|` stands before them, as in YAML."""
    lines = text.split("\n")
    if len(lines) == 1:
        yield f"{key} {_cut(text, shorten=shorten)}"
        return
    # `|` ends with a line feed, `|-` does not: the difference is kept, as in YAML.
    ends = not lines[-1]
    yield f"{key} {'|' if ends else '|-'}"
    for line in lines[:-1] if ends else lines:
        yield f"  {_cut(line.expandtabs(4).removesuffix(chr(13)), shorten=shorten)}"


def _cut(line: str, *, shorten: bool) -> str:
    if shorten and len(line) > MOST_CHARACTERS:
        more = click.style(f"... {len(line) - MOST_CHARACTERS:,} more characters", dim=True)
        return f"{visible(line[:MOST_CHARACTERS])} {more}"
    return visible(line)


def _inline(value: "Json", room: int, *, nested: bool) -> str | None:
    """Return *value* on one line, or None when it is longer than *room*."""
    if isinstance(value, str):
        if len(value) > room or "\n" in value:
            return None
        return _scalar(value, nested=nested)
    if isinstance(value, dict):
        parts = ((f"{_key(name)}: ", item) for name, item in value.items())
        return _joined("{", parts, "}", room)
    if isinstance(value, (list, tuple)):
        return _joined("[", (("", item) for item in value), "]", room)
    return json.dumps(value)


def _joined(start: str, parts: "Iterable[tuple[str, Json]]", end: str, room: int) -> str | None:
    found: list[str] = []
    room -= 2
    for prefix, item in parts:
        text = _inline(item, room - len(prefix), nested=True)
        if text is None:
            return None
        room -= len(prefix) + len(text) + 2
        if room < -2:  # noqa: PLR2004 - the last one has no comma
            return None
        found.append(prefix + text)
    return start + ", ".join(found) + end


def _key(name: str) -> str:
    return _scalar(name, nested=True)


def _scalar(text: str, *, nested: bool) -> str:
    if _QUOTED.fullmatch(text) or (nested and _QUOTED_INSIDE.fullmatch(text)) or _UNSAFE.search(text):
        return visible(json.dumps(text, ensure_ascii=False))
    return text


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, states: int | None = None) -> str:
    """Return rows under *headers* as aligned text; every cell is made visible and stays on its line.

    Args:
        headers: One for each column.
        rows: The cells.
        states: The column that holds a state, to be coloured, counted from 0.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max((cell_width(row[index]) for row in cells), default=0) for index in range(len(headers))]
    widths = [max(width, len(header)) for width, header in zip(widths, headers, strict=True)]
    lines = [click.style(_aligned([*headers], widths), dim=True)]
    for row in cells:
        styled = [click.style(cell, fg=colour_of(cell)) if index == states else cell for index, cell in enumerate(row)]
        lines.append(_aligned(styled, widths, [cell_width(cell) for cell in row]))
    return "\n".join(lines)


def _aligned(cells: Sequence[str], widths: Sequence[int], lengths: Sequence[int] | None = None) -> str:
    lengths = [len(cell) for cell in cells] if lengths is None else lengths
    spaced = [cell + " " * (width - length) for cell, width, length in zip(cells, widths, lengths, strict=True)]
    return "  ".join(spaced).rstrip()


def padded(name: str, width: int) -> str:
    """Return *name* made visible, with spaces up to *width* columns."""
    shown = visible(name)
    return shown + " " * (width - cell_width(shown))


def cell_width(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)
