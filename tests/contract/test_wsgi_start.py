"""Under another WSGI server the environment says whether runs are started and driven there."""

import atexit
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from flowcore.errors import StoreConfigurationError
from flowcore_adapters.http.environment import SettingsError
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
    assert len(closing) == 1


def test_one_that_does_not(closing: list[Callable[[], object]]) -> None:
    body = json.dumps({"workflow": QUICK}).encode()
    assert call(get_app(), f"{BASE}/execute", method="POST", body=body, headers=SENT).status == 404
    assert len(closing) == 1


COPY: Final[dict[str, Any]] = {
    "Flow": {
        "Nodes": [
            {
                "ID": "copy",
                "Uses": "lab/copy",
                "Inputs": [{"Name": "src", "Edge": "raw"}],
                "Outputs": [{"Name": "dst", "Edge": "done"}],
            }
        ],
        "DataWells": [{"Edge": "raw", "Store": "default", "Source": "upload"}, {"Edge": "done", "Store": "shelf"}],
    },
    "NodeDefs": [
        {
            "Publisher": "lab",
            "Name": "copy",
            "Image": "lab/copy",
            "Inputs": [{"Name": "src", "Required": True}],
            "Outputs": [{"Name": "dst", "Required": True}],
            "Command": {"Exec": "cp ${src} ${dst}"},
        }
    ],
}
FLOWS: Final = "/api/v1/flow"


class TestNodes:
    """Flows of nodes, as the server drives them that the environment describes."""

    @pytest.fixture
    def shelf(self, closing: list[Callable[[], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return where a store of the server is, in an environment that has one."""
        assert not closing
        document = {"shelf": {"type": "s3fs", "params": {"MountPath": str(tmp_path / "mnt"), "BucketName": "shelf"}}}
        (tmp_path / "stores.json").write_text(json.dumps(document), "utf-8")
        monkeypatch.setenv("FLOWCORE_START", "1")
        monkeypatch.setenv("FLOWCORE_NODE_RUNTIME", "process")
        monkeypatch.setenv("FLOWCORE_NODE_TIMEOUT", "60.5")
        monkeypatch.setenv("FLOWCORE_STORES", str(tmp_path / "stores.json"))
        monkeypatch.setenv("FLOWCORE_MOUNT_ROOTS", f"{tmp_path / 'other'}:{tmp_path / 'mnt'}")
        return tmp_path / "mnt" / "shelf"

    def test_a_run_goes_on_when_its_object_has_come(
        self, shelf: Path, closing: list[Callable[[], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process that has started it is gone by then: another one goes on."""
        monkeypatch.setenv("FLOWCORE_PUBLIC_URL", "https://flows.example.com")
        first = get_app()
        document = copied()
        run = call(first, f"{FLOWS}/test", method="POST", body=json.dumps(document).encode(), headers=SENT).document
        (waiting,) = run["WaitingURLs"]
        url = waiting["PutURL"].removeprefix("https://flows.example.com")
        assert url.startswith("/api/v1/upload/default/")
        while closing:
            closing.pop()()
        second = get_app()
        assert call(second, url, method="PUT", body=b"a photo").status == 200
        path = f"{FLOWS}/status/{run['ID']}"
        until(lambda: bool(call(second, path).document["Status"] == "COMPLETE"))
        assert [file.read_bytes() for file in shelf.rglob("*") if file.is_file()] == [b"a photo"]
        assert (tmp_path / "artifacts" / "default").is_dir()
        plain = call(second, path).document["Artifacts"]
        assert list(plain["done"]) == ["StoreName", "ObjectName", "EdgeName"]
        artifacts = call(second, f"{path}?download_urls=1").document["Artifacts"]
        for edge in ("raw", "done"):
            artifact = artifacts[edge]
            url = artifact.pop("GetURL").removeprefix("https://flows.example.com")
            assert (artifact.pop("TTL")[-1], artifact) == ("Z", plain[edge])
            assert call(second, url).body == b"a photo"
            assert call(second, url, method="PUT", body=b"another").status == 403

    @pytest.mark.parametrize(
        ("setting", "why"),
        [
            ("FLOWCORE_NODE_RUNTIME=podman", "FLOWCORE_NODE_RUNTIME is 'podman'; it must be container or process"),
            ("FLOWCORE_TIER_POLICY=lax", "FLOWCORE_TIER_POLICY is 'lax'; it must be clamp or strict"),
            (
                "FLOWCORE_STORES=missing.json",
                "the file of stores cannot be used: missing.json: No such file or directory",
            ),
            ("FLOWCORE_DB=gone/dir/x.db", "FLOWCORE_DB is 'gone/dir/x.db': its directory does not exist"),
            ("FLOWCORE_THREADS=many", "FLOWCORE_THREADS is 'many'; it must be a number from 1 to 1000"),
            ("FLOWCORE_BATCH_WORKERS=0", "FLOWCORE_BATCH_WORKERS is '0'; it must be a number from 1 to 1000"),
            ("FLOWCORE_NODE_TIMEOUT=nan", "FLOWCORE_NODE_TIMEOUT is 'nan'; it must be a number of seconds, at most"),
            ("FLOWCORE_NODE_TIMEOUT=long", "FLOWCORE_NODE_TIMEOUT is 'long'; it must be a number of seconds"),
            ("FLOWCORE_START=yes", "FLOWCORE_START is 'yes'; it must be 1, or not set"),
            ("FLOWCORE_PUBLIC_URL=flows.example.com", "FLOWCORE_PUBLIC_URL is 'flows.example.com'; it must be what"),
            ("FLOWCORE_PUBLIC_URL=https://[", "FLOWCORE_PUBLIC_URL is 'https://['; it must be what"),
            ("FLOWCORE_ALLOW_ORIGINS=ui.example.com", "FLOWCORE_ALLOW_ORIGINS is 'ui.example.com'; it must be origins"),
            (
                "FLOWCORE_WORKFLOWS_ROOT=/nowhere",
                "FLOWCORE_WORKFLOWS_ROOT is '/nowhere'; it must be the path of a folder",
            ),
        ],
    )
    def test_what_the_environment_says_wrongly_is_told(
        self,
        shelf: Path,
        closing: list[Callable[[], object]],
        monkeypatch: pytest.MonkeyPatch,
        setting: str,
        why: str,
    ) -> None:
        name, _, value = setting.partition("=")
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError, match=re.escape(why)):
            get_app()
        # Nothing was opened for it: whoever asks again and again leaves nothing behind.
        assert not Path("gone").exists()
        assert (closing, (shelf.parents[1] / "log.db").exists()) == ([], False)

    def test_all_of_it_is_told_at_once(self, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert not shelf.exists()
        monkeypatch.setenv("FLOWCORE_THREADS", "-1")
        monkeypatch.setenv("FLOWCORE_TIER_POLICY", "lax")
        with pytest.raises(SettingsError, match=r"FLOWCORE_THREADS is '-1'.*; FLOWCORE_TIER_POLICY is 'lax'"):
            get_app()

    def test_what_was_opened_is_closed_when_the_rest_fails(
        self, shelf: Path, closing: list[Callable[[], object]], tmp_path: Path
    ) -> None:
        assert not shelf.exists()
        (tmp_path / "artifacts").mkdir()
        (tmp_path / "artifacts" / "url.key").write_text("no key", "utf-8")
        threads = threading.active_count()
        for _ in range(3):
            with pytest.raises(StoreConfigurationError):
                get_app()
        assert (closing, threading.active_count()) == ([], threads)

    def test_without_starting_runs_it_takes_what_they_wait_for(
        self, shelf: Path, closing: list[Callable[[], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not shelf.exists()
        body = json.dumps(copied()).encode()
        run = call(get_app(), f"{FLOWS}/test", method="POST", body=body, headers=SENT).document
        while closing:
            closing.pop()()
        monkeypatch.delenv("FLOWCORE_START")
        monkeypatch.setenv("FLOWCORE_STORE_DIR", str(tmp_path / "artifacts"))
        other = get_app()
        assert call(other, f"{FLOWS}/test", method="POST", body=body, headers=SENT).status == 503
        (waiting,) = call(other, f"{FLOWS}/status/{run['ID']}").document["WaitingURLs"]
        url = waiting["PutURL"].removeprefix("http://127.0.0.1:8000")
        assert call(other, url, method="PUT", body=b"a photo").status == 200


def copied() -> dict[str, Any]:
    """Return a flow that copies an upload into a store of the server."""
    return {**COPY, "Flow": {**COPY["Flow"], "Stores": [{"Name": "shelf", "Type": "s3fs"}]}}
