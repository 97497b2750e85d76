"""Files that nodes read and write: only below the root that the place allows."""

from pathlib import Path
from typing import Final

from flowcore.errors import SourceError

from .node import NodeCall, node_error, unfit

MAX_FILE: Final = 10_000_000
"""How large a file may be, in bytes."""


def find_file(node: NodeCall, name: str) -> Path:
    """Return the path that *name* means, links resolved.

    Raises:
        SourceError: It leads out of the root.
    """
    root = (node.settings.root or Path.cwd()).resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError, RuntimeError):
        raise unfit(f"'{name[:200]}' is no path") from None
    if not path.is_relative_to(root) or path == root:
        raise SourceError(
            f"the file '{name[:200]}' is not below the directory for workflow files",
            code="path-refused",
            retryable=False,
        )
    return path


def read_bytes(node: NodeCall, name: str, what: str) -> bytes:
    """Return what is in the file *name*, which people call *what*.

    Raises:
        SourceError: It cannot be read, or is too large.
    """
    path = find_file(node, name)
    try:
        # A pipe would keep us waiting for ever.
        if path.exists() and not path.is_file():
            raise unfit(f"{what} '{name}' is no file")
        with path.open("rb") as stream:
            found = stream.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise node_error(f"{what} not found: {name}", code="file-not-found") from None
    except OSError as error:
        raise trouble(what, name, error) from None
    if len(found) > MAX_FILE:
        raise unfit(f"{what} '{name}' is larger than {MAX_FILE // 1_000_000} MB")
    return found


def trouble(what: str, name: str, error: OSError) -> SourceError:
    """Return the failure of a node that could not do something with a file."""
    reason = (error.strerror or str(error)).lower()
    return node_error(f"{what} '{name}' cannot be used: {reason}", code="file-trouble")
