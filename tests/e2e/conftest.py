"""What tests of containers share."""

import os
from collections.abc import Generator

import pytest

from flowcore_adapters.sources.container.engine import forget_clients
from tests.container_engine import REQUIRED, NoEngineError, TestEngine, container_engine, left_behind


@pytest.fixture(scope="session")
def shared_engine() -> Generator[TestEngine]:
    """One engine for the session; without one the tests are skipped, and say why."""
    engine = container_engine()
    try:
        found = engine.__enter__()
    except NoEngineError as error:
        if os.environ.get(REQUIRED):
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        yield found
    finally:
        forget_clients()
        engine.__exit__(None, None, None)


@pytest.fixture
def engine(shared_engine: TestEngine, monkeypatch: pytest.MonkeyPatch) -> Generator[TestEngine]:
    """The engine, where this process looks for it; nothing is left behind in it."""
    monkeypatch.setenv("DOCKER_HOST", shared_engine.address)
    yield shared_engine
    assert left_behind() == []
