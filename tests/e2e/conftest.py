"""What tests of containers share."""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from flowcore_adapters.node_choices import PROCESS
from flowcore_adapters.sources.container.engine import forget_clients
from tests.container_engine import REQUIRED, NoEngineError, TestEngine, container_engine, left_behind, wanted_engines


@pytest.fixture(scope="session")
def engines() -> Generator[Callable[[str], TestEngine]]:
    """One engine of each kind for the session, by its name; without one the tests are skipped, and say why."""
    started: dict[str, TestEngine] = {}
    with ExitStack() as stack:
        stack.callback(forget_clients)

        def engine(name: str) -> TestEngine:
            if name not in started:
                try:
                    started[name] = stack.enter_context(container_engine(name))
                except NoEngineError as error:
                    if os.environ.get(REQUIRED):
                        pytest.fail(str(error))
                    pytest.skip(str(error))
            return started[name]

        yield engine


@pytest.fixture(params=wanted_engines())
def engine(
    request: pytest.FixtureRequest, engines: Callable[[str], TestEngine], monkeypatch: pytest.MonkeyPatch
) -> Generator[TestEngine]:
    """The engine, where this process looks for it; nothing is left behind in it."""
    found = engines(request.param)
    monkeypatch.setenv("DOCKER_HOST", found.address)
    yield found
    assert left_behind() == []


@pytest.fixture(params=[*wanted_engines(), PROCESS])
def node_engine(
    request: pytest.FixtureRequest, engines: Callable[[str], TestEngine], monkeypatch: pytest.MonkeyPatch
) -> Generator[TestEngine | None]:
    """Each engine in turn, as `engine`; None for nodes without one."""
    if request.param == PROCESS:
        yield None
        return
    found = engines(request.param)
    monkeypatch.setenv("DOCKER_HOST", found.address)
    yield found
    assert left_behind() == []
