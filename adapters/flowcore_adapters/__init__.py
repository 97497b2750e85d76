"""What touches the world: sources, logs, the runner and HTTP; and the Python API (documents/python-api.md).

The API's names are loaded when they are first used, so importing one part does not pay for the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .config import load_flow, load_yaml_files
    from .logs.memory import SharedMemoryEventLog
    from .logs.sqlite import SqliteEventLog
    from .runner.local import LocalRunner, run_flow
    from .runner_api import serve_runner_api_in_thread

__all__ = [
    "LocalRunner",
    "SharedMemoryEventLog",
    "SqliteEventLog",
    "load_flow",
    "load_yaml_files",
    "run_flow",
    "serve_runner_api_in_thread",
]

_HOMES: Final = {
    "LocalRunner": ".runner.local",
    "SharedMemoryEventLog": ".logs.memory",
    "SqliteEventLog": ".logs.sqlite",
    "load_flow": ".config",
    "load_yaml_files": ".config",
    "run_flow": ".runner.local",
    "serve_runner_api_in_thread": ".runner_api",
}


def __getattr__(name: str) -> object:
    """Load *name* from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
