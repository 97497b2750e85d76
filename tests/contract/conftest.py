"""What most of the contracts stand on; a module that needs another one has its own under the same name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.batch_server import Server


@pytest.fixture
def log() -> Iterator[SharedMemoryEventLog]:
    """Return an empty log."""
    opened = SharedMemoryEventLog()
    yield opened
    opened.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the workflows root of the server."""
    return tmp_path


@pytest.fixture
def server(log: SharedMemoryEventLog, root: Path) -> Iterator[Server]:
    """Return the API over the log, with an engine behind it."""
    made = Server(log, root)
    yield made
    made.close()
