"""Ids of nodes as names of steps, and back.

A node's id is the client's text. As a step's name it stands in paths (`loop-1/3/click`), so the characters that have a
meaning there are written as percent signs and two digits. Steps that a node needs beside its own, such as the one that
looks at a loop's condition, bear its name with an addition; they are part of that node.
"""

import re
from typing import Final

from flowcore.ids import StepName

_RESERVED: Final = re.compile("[%/\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile("%([0-9A-F]{2})")
_ADDITION: Final = "%."
_EMPTY: Final = "%"
FAULT: Final = "fault"
"""The addition of the step that stands for a workflow which cannot run."""


def step_name(node_id: str, addition: str = "", *, inside: bool = False) -> StepName:
    """Return the name of the step of the node *node_id*, or of the step beside it that *addition* names.

    Args:
        inside: Whether the step is one of a body: a number could be taken for that of an iteration there.
    """
    quoted = _RESERVED.sub(_escape, node_id) or _EMPTY
    if inside and quoted.isascii() and quoted.isdecimal():
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return StepName(f"{quoted}{_ADDITION}{addition}" if addition else quoted)


def _escape(found: "re.Match[str]") -> str:
    return f"%{ord(found.group()):02X}"


def _unescape(found: "re.Match[str]") -> str:
    return chr(int(found[1], 16))


def node_id(name: str) -> str | None:
    """Return the id of the node that a step belongs to; None for a step that belongs to none.

    Args:
        name: A step's name, or an instance's path, whose last part counts unless that is the number of an iteration:
            `loop-1/3/click` is of the node `click`, `loop-1/3` of `loop-1`.
    """
    *above, last = name.split("/")
    if above and last.isascii() and last.isdecimal():
        last = above[-1]
    quoted, _, _ = last.partition(_ADDITION)
    if not quoted:
        return None
    return "" if quoted == _EMPTY else _ESCAPED.sub(_unescape, quoted)


def helps(name: str) -> bool:
    """Return whether a step, or an instance, only helps a node that has a step of its own."""
    _, found, addition = name.rpartition("/")[2].partition(_ADDITION)
    return bool(found) and addition != FAULT


def stands_for_fault(name: str) -> bool:
    """Return whether a step stands for a workflow that cannot run, and for nothing that is executed."""
    return name.endswith(f"{_ADDITION}{FAULT}")
