"""When nodes behind a switch run: behind the branch that it takes, and not behind the others.

A node runs when one of the ways to it is open. Which ways those are is known beforehand: the branches of the switches
that come next before it, so a condition names those only, and none where some way passes no switch, or where all
branches of a switch meet again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from .faults import Fault, FaultError
from .graph import ORDINARY, Way

Taken: TypeAlias = frozenset[tuple[int, str]]
"""The branches behind one of which a node stands: switches and handles."""
_ALWAYS: Final = None
_PIECE: Final = 1_000
"""How long one expression becomes, in characters: well below what the language takes."""
MOST_TEXT: Final = 4_000_000
"""How long all conditions of a workflow may be together, in characters."""


class Branches:
    """The conditions of the nodes of one scope, which are asked for in the order in which they run."""

    def __init__(self, root: int, handles: Callable[[int], Sequence[str] | None], name: Callable[[int], str]) -> None:
        """Begin at the node *root*; *handles* gives those of a switch (None for no switch), *name* that of its step."""
        self._handles = handles
        self._name = name
        self._taken: dict[int, Taken | None] = {root: _ALWAYS}
        self._texts: dict[Taken, str] = {}
        self._left = MOST_TEXT

    def condition(self, index: int, ways: Iterable[Way]) -> str | None:
        """Return the condition under which *index* runs, to which *ways* lead from nodes asked about; None for always.

        Raises:
            FaultError: The conditions of the workflow become too long together.
        """
        taken = self._taken[index] = self._simple(self._open(ways))
        if taken is None:
            return None
        text = self._texts.get(taken)
        if text is None:
            text = self._texts[taken] = self._text(taken)
        self._left -= len(text)
        if self._left < 0:
            raise FaultError([Fault("Too many branches of switches lead to the same nodes")])
        return text

    def _open(self, ways: Iterable[Way]) -> Taken | None:
        found: Taken | None = None
        for way in ways:
            if way.source not in self._taken:
                # It comes from outside.
                continue
            handles = self._handles(way.source)
            behind = (
                self._taken[way.source]
                if handles is None or way.handle in ORDINARY
                else frozenset({(way.source, way.handle or "")})
            )
            if behind is None:
                return _ALWAYS
            # The usual node has one way; its set is that of the node before it, the same object.
            found = behind if found is None else found | behind
        return found

    def _simple(self, taken: Taken | None) -> Taken | None:
        """Return *taken* with the switches of which all branches are in it replaced by what leads to the switch."""
        while taken:
            by_switch = _grouped(taken)
            whole = next((switch for switch, found in by_switch.items() if self._covers(switch, found)), None)
            if whole is None:
                return taken
            before = self._taken[whole]
            if before is None:
                return _ALWAYS
            taken = frozenset(pair for pair in taken if pair[0] != whole) | before
        return taken

    def _covers(self, switch: int, handles: Sequence[str]) -> bool:
        return set(self._handles(switch) or ()) <= set(handles)

    def _text(self, taken: Taken) -> str:
        pieces = [
            piece for switch, handles in _grouped(taken).items() for piece in _pieces(self._name(switch), handles)
        ]
        if len(pieces) == 1:
            return f"{{{{ {pieces[0]} }}}}"
        # Texts that stand together are one text, which is empty when none of them says anything.
        return "".join(f"{{{{ {piece} && 'yes' || '' }}}}" for piece in pieces)


def _grouped(taken: Taken) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for switch, handle in sorted(taken):
        found.setdefault(switch, []).append(handle)
    return found


def _pieces(name: str, handles: Sequence[str]) -> Iterable[str]:
    branch = f"flows.{quoted(name)}.branch"
    listed: list[str] = []
    length = 0
    for handle in handles:
        if listed and length + len(handle) > _PIECE:
            yield f"contains({literal(listed)}, {branch})"
            listed, length = [], 0
        listed.append(handle)
        length += len(handle)
    if len(listed) == 1:
        yield f"{branch} == {literal(listed[0])}"
    else:
        yield f"contains({literal(listed)}, {branch})"


def quoted(name: str) -> str:
    """Return *name* as an expression names a member."""
    return json.dumps(name, ensure_ascii=False)


def literal(value: "str | list[str]") -> str:
    """Return *value* as it stands in an expression."""
    return "`" + json.dumps(value, ensure_ascii=False).replace("`", "\\u0060") + "`"
