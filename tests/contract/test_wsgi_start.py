"""Under another WSGI server the environment says whether runs are started and driven there."""

import atexit
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowcore_adapters.http.wsgi import get_app
from tests.contract.batch_server import BASE, QUICK, until
from tests.contract.wsgi_client import call

SENT = {"Content-Type": "application/json"}


@pytest.fixture
def closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """What the process does at its end, here at that of the test: the last that was asked for comes first."""
    found: list[Callable[[], object]] = []

    def register(action: Callable[..., object], **options: object) -> None:
        found.append(lambda: action(**options))

    monkeypatch.setattr(atexit, "register", register)
    monkeypatch.setenv("FLOWCORE_DB", str(tmp_path / "log.db"))
    monkeypatch.setenv("FLOWCORE_WORKFLOWS_ROOT", str(tmp_path))
    yield found
    for action in reversed(found):
        action()


def test_a_server_that_starts_runs(closing: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_START", "1")
    monkeypatch.setenv("FLOWCORE_BATCH_WORKERS", "2")
    app = get_app()
    body = json.dumps({"workflows": [QUICK] * 3}).encode()
    batch_id = call(app, f"{BASE}/execute", method="POST", body=body, headers=SENT).document["batchId"]
    path = f"{BASE}/execution/batch/{batch_id}"
    until(lambda: bool(call(app, path).document["status"] == "completed"))
    # The log, and what drives runs.
    assert len(closing) == 2


def test_one_that_does_not(closing: list[Callable[[], object]]) -> None:
    body = json.dumps({"workflow": QUICK}).encode()
    assert call(get_app(), f"{BASE}/execute", method="POST", body=body, headers=SENT).status == 404
    assert len(closing) == 1
