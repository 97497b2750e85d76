"""One YAML document from its parse events, in a loop of our own.

The library's ways from events to data are not for the texts of strangers: libyaml's composer calls itself for every
level of nesting and takes the process down when there are many, aliases multiply without bounds, a key given twice is
silently the later one, and plain scalars are read by the rules of YAML 1.1. Here depth, aliases and size are counted
while the events come, and reading stops at the first one too many. That is no matter of taste: to read 100,000
brackets to the end, libyaml's parser needs half a minute.
"""

import re
from typing import Final, NoReturn

import attrs
import yaml

from flowcore.errors import Path, Problem
from flowcore.values import Json

from .yaml_scalars import CORE, TAGGED, plain, shown

MAX_DEPTH: Final = 64
"""How deep mappings and lists may be nested, through aliases too (contract safety)."""
MAX_EVENTS: Final = 2_000_000
"""How many events a text may have (contract safety): a scalar or an alias is one, a mapping or a list two."""
MAX_ALIASED: Final = 1_000_000
"""How much all aliases together may stand for, in events and hundreds of characters."""
MAX_PROBLEMS: Final = 100
"""How many problems are noted before reading stops: nobody reads more."""
QUOTE_EXPRESSION: Final = 'put text with an expression in quotes: "{{ ... }}"'
"""What to do about braces that YAML took for its own."""

# A short text through a thousand aliases is nothing, a megabyte is a gigabyte: so many characters count as one event.
_CHARACTERS: Final = 100
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class EnoughError(Exception):
    """There is no use in reading on; why is noted."""


def place(event: yaml.Event | None) -> tuple[int, int]:
    """Return the line and column, counted from 1, where *event* begins; None stands for the beginning of the text."""
    mark = None if event is None else event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _index(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.index


@attrs.frozen
class _Anchored:
    """What an alias stands for."""

    value: Json
    source: str | None
    """The text of a scalar: as a key it counts, not the value."""
    depth: int
    size: int


@attrs.define(eq=False)
class _Frame:
    """A mapping or list whose end is still to come."""

    start: yaml.CollectionStartEvent
    value: dict[str, Json] | list[Json]
    key: str | None
    """The key whose value comes next; None where a key comes next, which in a list is never."""
    events_before: int
    aliased_before: int
    depth: int = 1
    """How many levels it has, itself included, as far as is known."""
    keys: dict[str, yaml.Event] = attrs.field(factory=dict[str, yaml.Event])
    merging: bool = False
    """Whether *key* is `<<`."""
    merged: dict[str, Json] | None = None
    """What `<<` brings."""


class Composer:
    """Builds the data of one document from its events."""

    __slots__ = ("_aliased", "_anchors", "_documents", "_events", "_file", "_stack", "problems", "result", "whole")

    def __init__(self, file: str | None) -> None:
        self._file = file
        self._stack: list[_Frame] = []
        # An anchor whose node is not finished stands for its frame.
        self._anchors: dict[str, _Anchored | _Frame] = {}
        self._events = 0
        self._aliased = 0
        self._documents = 0
        self.problems: list[Problem] = []
        self.result: Json = None
        self.whole = True
        """Whether the data is all there in spite of the problems: a scalar that has no value stands as its text."""

    def take(self, event: yaml.Event) -> None:
        """Take the next event in.

        Raises:
            EnoughError: There is no use in going on.
        """
        self._events += 1
        if self._events > MAX_EVENTS:
            self.stop("yaml-size", event, f"the document has more than {MAX_EVENTS} parts")
        # The most frequent first.
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                hint = "put each document into a file of its own: several files are merged"
                self.stop("yaml-documents", event, "a second document begins here; a file holds one", hint)

    def note(
        self, code: str, event: yaml.Event | None, message: str, hint: str | None = None, *, whole: bool = False
    ) -> None:
        """Note a problem at *event*, or at the beginning of the text, and at the path where reading is.

        Args:
            whole: Whether the data stays `whole`.
        """
        # The frames below a key that is no scalar have no place of their own.
        path: Path = ()
        for frame in self._stack:
            if isinstance(frame.value, list):
                path = (*path, len(frame.value))
            elif frame.key is None:
                break
            else:
                path = (*path, frame.key)
        line, column = place(event)
        self.problems.append(
            Problem(code=code, message=message, path=path, hint=hint, file=self._file, line=line, column=column)
        )
        self.whole = self.whole and whole
        if len(self.problems) >= MAX_PROBLEMS:
            self.whole = False
            raise EnoughError

    def stop(self, code: str, event: yaml.Event | None, message: str, hint: str | None = None) -> NoReturn:
        """Note a problem like `note`, the last one.

        Raises:
            EnoughError: Always.
        """
        self.note(code, event, message, hint)
        raise EnoughError

    def _refuse_tag(self, event: yaml.Event, tag: str) -> None:
        name = f"!!{tag.removeprefix(CORE)}" if tag.startswith(CORE) else tag
        hint = "only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq have a meaning, each for its kind of value"
        self.note("yaml-tag", event, f"the tag `{shown(name)}` is not allowed here", hint, whole=True)

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        text = event.value
        frame = self._stack[-1] if self._stack else None
        is_key = frame is not None and frame.key is None
        # A key is its text, whatever that looks like: only a tag, or an alias somewhere else, asks for its value.
        value = None if is_key and event.tag is None and event.anchor is None else self._read(event)
        if not text.isascii() and _SURROGATE.search(text):
            # It came as an escape, which the parser in Python lets pass.
            self.note("yaml-value", event, "the text holds half a character (a surrogate)")
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, text, 0, 1 + len(text) // _CHARACTERS)
        if frame is not None and is_key:
            merging = text == "<<" and event.tag is None and event.implicit[0]
            self._take_key(frame, text, event, merging=merging)
        else:
            self._put(value, 0)

    def _read(self, event: yaml.ScalarEvent) -> Json:
        try:
            if event.tag is None:
                return plain(event.value) if event.implicit[0] else event.value
            read = TAGGED.get(event.tag)
            if read is not None:
                return read(event.value)
        except ValueError as error:
            self.note("yaml-value", event, str(error), whole=True)
        else:
            self._refuse_tag(event, event.tag)
        return event.value

    def _take_key(self, frame: _Frame, key: str, event: yaml.Event, *, merging: bool = False) -> None:
        frame.key = key
        frame.merging = merging
        first = frame.keys.setdefault(key, event)
        if first is not event:
            hint = "several mappings are merged by a list: `<<: [*first, *second]`" if merging else None
            message = f"the key `{shown(key)}` is given twice: here and in line {place(first)[0]}"
            self.note("yaml-duplicate-key", event, message, hint, whole=not merging)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{CORE}map" if mapping else f"{CORE}seq"):
            self._refuse_tag(event, event.tag or "")
        if self._stack and self._stack[-1].key is None:
            # `{{ name }}` without quotes is a mapping as the key of a mapping.
            hint = QUOTE_EXPRESSION if mapping and event.flow_style else None
            self.note("yaml-key", event, f"a key is text, not a {'mapping' if mapping else 'list'}", hint)
        if len(self._stack) >= MAX_DEPTH:
            self.stop("yaml-depth", event, f"mappings and lists are nested deeper than {MAX_DEPTH} levels")
        frame = _Frame(event, {} if mapping else [], None if mapping else "", self._events, self._aliased)
        if event.anchor is not None:
            self._anchors[event.anchor] = frame
        self._stack.append(frame)

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._stack.pop()
        value = frame.value
        if frame.merged and isinstance(value, dict):
            value = {**frame.merged, **value}
        anchor = frame.start.anchor
        # An anchor of the same name further inside is the nearer one for whoever comes after.
        if anchor is not None and self._anchors[anchor] is frame:
            characters = _index(event) - _index(frame.start)
            events = self._events - frame.events_before + self._aliased - frame.aliased_before
            self._anchors[anchor] = _Anchored(value, None, frame.depth, events + characters // _CHARACTERS)
        self._put(value, frame.depth)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        anchored = self._anchors.get(event.anchor or "")
        if not isinstance(anchored, _Anchored):
            why = "there is no such anchor before it" if anchored is None else "it stands inside what it stands for"
            self.note("yaml-alias", event, f"the alias `*{shown(event.anchor or '')}` stands for nothing: {why}")
            anchored = _Anchored({}, "", 0, 0)  # which can be merged, so that nothing else is noted
        self._aliased += anchored.size
        if self._aliased > MAX_ALIASED:
            self.stop("yaml-alias", event, f"the aliases stand for more than {MAX_ALIASED} values")
        if len(self._stack) + anchored.depth > MAX_DEPTH:
            self.stop("yaml-depth", event, f"aliases nest mappings and lists deeper than {MAX_DEPTH} levels")
        frame = self._stack[-1] if self._stack else None
        if frame is None or frame.key is not None:
            self._put(anchored.value, anchored.depth)
        elif anchored.source is None:
            self.note("yaml-key", event, "a key is text, not the mapping or list of an alias")
            frame.key = ""
        else:
            self._take_key(frame, anchored.source, event)

    def _put(self, value: Json, depth: int) -> None:
        """Put *value*, which has *depth* levels, to where reading is."""
        if not self._stack:
            self.result = value
            return
        frame = self._stack[-1]
        # Merging a mapping adds no level: a chain of defaults may be long.
        frame.depth = max(frame.depth, depth if frame.merging else depth + 1)
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is None:
            frame.key = ""  # the end of a key that is no scalar, noted when it began
        else:
            if frame.merging:
                self._merge(frame, value)
            else:
                frame.value[frame.key] = value
            frame.key = None
            frame.merging = False

    def _merge(self, frame: _Frame, value: Json) -> None:
        frame.merged = {}
        # "Keys in mapping nodes earlier in the sequence override keys specified in later mapping nodes."
        for source in reversed(value) if isinstance(value, list) else [value]:
            if isinstance(source, dict):
                frame.merged.update(source)
            else:
                self.note("yaml-value", frame.keys["<<"], "`<<` takes a mapping or a list of mappings")
                return
