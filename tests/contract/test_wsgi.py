"""The application that the environment describes (`flowcore_adapters.http.wsgi`), in this process."""

import atexit
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from flowcore.model import Flow
from flowcore.service import create_run
from flowcore.values import Instant
from flowcore_adapters.artifacts.services import artifact_services
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http import wsgi
from flowcore_adapters.http.lazy import LazyApplication
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.contract.wsgi_client import call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TOKEN = "t" * 32
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
THREADED = {"wsgi.multithread": True}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where the log is: one run is in it."""
    opened: list[SqliteEventLog] = []
    at_exit: list[Callable[[], None]] = []

    def remembered(path: Path) -> SqliteEventLog:
        opened.append(SqliteEventLog(path))
        return opened[-1]

    monkeypatch.setattr(wsgi, "SqliteEventLog", remembered)
    monkeypatch.setattr(atexit, "register", at_exit.append)
    for name in ("TOKEN", "ALLOW_HOSTS", "ALLOW_ORIGINS", "THREADS", "INSECURE_NO_AUTH", "STORE_DIR", "URL_KEY"):
        monkeypatch.delenv(f"FLOWCORE_{name}", raising=False)
    found = tmp_path / "flowcore.db"
    monkeypatch.setenv("FLOWCORE_DB", str(found))
    create_run(remembered(found), Flow(sources={}, steps=()), at=Instant(1733524800.0))
    yield found
    for close in reversed(at_exit):
        close()
    for log in opened:
        log.close()


def lazy() -> "WSGIApplication":
    return LazyApplication(wsgi._make, wsgi._TROUBLE)


def test_the_log_of_the_environment(path: Path) -> None:
    assert path.exists()
    assert call(wsgi.get_app()).document["run_id"] == 1733524800000
    assert call(lazy()).document["run_id"] == 1733524800000


def test_the_log_of_the_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWCORE_DB")
    monkeypatch.setenv("XDG_STATE_HOME", str(path.parent / "state"))
    assert call(wsgi.get_app()).document == {"status": "no-runner"}
    assert (path.parent / "state" / "flowcore" / "flowcore.db").exists()


def test_importing_opens_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = path.parent / "new" / "flowcore.db"
    monkeypatch.setenv("FLOWCORE_DB", str(nowhere))
    fresh: ModuleType = importlib.reload(wsgi)
    assert callable(fresh.app)
    assert not nowhere.exists()


def test_a_log_that_cannot_be_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = lazy()
    good = path.read_bytes()
    wrong = path.parent / "wrong.db"
    wrong.write_bytes(b"no database" * 1000)
    monkeypatch.setenv("FLOWCORE_DB", str(wrong))
    answer = call(application)
    assert (answer.status, answer.document) == (500, {"error": "the event log cannot be opened"})
    assert call(application, method="HEAD").body == b""
    # As soon as it can be opened, it is.
    wrong.write_bytes(good)
    assert call(application).status == 200


@pytest.mark.parametrize("token", [None, "", "short"])
def test_without_a_good_token_only_this_machine_is_answered(
    path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    assert path.exists()
    if token is not None:
        monkeypatch.setenv("FLOWCORE_TOKEN", token)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    application = lazy()
    assert call(application, headers=headers).status == 200
    assert call(application, headers=headers, environ=ELSEWHERE).status == 403
    assert call(application, "/healthz", environ=ELSEWHERE).status == 200
    monkeypatch.setenv("FLOWCORE_INSECURE_NO_AUTH", "1")
    assert call(lazy(), headers=headers, environ=ELSEWHERE).status == 200


def test_with_a_token_the_whole_world_may_ask(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.exists()
    monkeypatch.setenv("FLOWCORE_TOKEN", TOKEN)
    assert call(lazy(), environ=ELSEWHERE).status == 401
    assert call(lazy(), headers={"Authorization": f"Bearer {TOKEN}"}, environ=ELSEWHERE).status == 200


def test_names_and_origins(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.exists()
    monkeypatch.setenv("FLOWCORE_ALLOW_HOSTS", " a.example.com, b.example.com:443 ,")
    monkeypatch.setenv("FLOWCORE_ALLOW_ORIGINS", "https://ui.example.com")
    hosts = ("a.example.com", "b.example.com:443", "b.example.com", "localhost:8000", "localhost:9", "")
    found = {host: call(lazy(), headers={"Host": host}).status for host in hosts}
    assert found == {
        "a.example.com": 200,
        "b.example.com:443": 200,
        "b.example.com": 421,
        "localhost:8000": 200,
        "localhost:9": 421,
        "": 421,
    }
    assert call(lazy(), headers={"Origin": "https://ui.example.com"}).status == 200


def test_only_a_server_with_threads_to_spare_has_requests_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.exists()
    target = "/status?after=1&wait=0.01"
    assert call(lazy(), target, environ={"wsgi.multithread": False}).status == 503
    assert call(lazy(), target, environ=THREADED).status == 304
    monkeypatch.setenv("FLOWCORE_THREADS", "4")
    assert call(lazy(), target, environ=THREADED).status == 503
    monkeypatch.setenv("FLOWCORE_THREADS", "16")
    assert call(lazy(), target, environ=THREADED).status == 304


def test_objects_are_put_and_fetched_where_there_is_a_place_for_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = artifact_services(SharedMemoryEventLog(), SystemClock(), tmp_path / "artifacts").signer
    url = signer.sign(signer.ticket("PUT", "default", "a", max_bytes=10))
    assert path.exists()
    assert call(lazy(), url, method="PUT", body=b"x").status == 415
    monkeypatch.setenv("FLOWCORE_STORE_DIR", str(tmp_path / "artifacts"))
    assert call(lazy(), url, method="PUT", body=b"bytes").status == 200
    assert call(lazy(), signer.sign(signer.ticket("GET", "default", "a"))).body == b"bytes"
    (tmp_path / "artifacts" / "url.key").chmod(0o644)
    refused = call(lazy(), url, method="PUT", body=b"bytes")
    assert (refused.status, refused.document) == (500, {"error": "the artifacts cannot be used"})
