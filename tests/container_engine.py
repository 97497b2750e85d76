"""Container engines for tests: Podman's service and Docker's, each on a socket and in a directory of its own, with a
tiny image that is made offline.
"""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Final

import attrs

from flowcore_adapters.sources.container.engine import connect

IMAGE: Final = "localhost/flowcore-test:latest"
REQUIRED: Final = "FLOWCORE_REQUIRE_ENGINE"
"""With this variable set a missing engine is a failure: so it is where the engine was installed on purpose."""
ENGINES: Final = "FLOWCORE_TEST_ENGINES"
"""The engines that the tests use: `podman`, `docker`, or both."""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "podman": ("podman", "runc", "busybox"),
    "docker": ("dockerd", "docker", "runc", "busybox"),
}
_PACKAGES: Final = {"podman": "podman runc busybox-static", "docker": "docker.io busybox-static"}
_STARTS_S: Final = 20.0
# What makes Podman work as root where the kernel has hybrid cgroups and raised limits are refused, as in small VMs.
_CONTAINERS: Final = """
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
pids_limit = 256
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_COMMAND: Final = 'CMD ["/bin/echo", "the image itself"]'
_COMMANDS: Final = (
    "sh", "cat", "cp", "cut", "date", "dd", "echo", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "printf",
    "rm", "seq", "sha256sum", "sleep", "sort", "tail", "tee", "touch", "tr", "true", "wc", "yes",
)  # fmt: skip


class NoEngineError(Exception):
    """There is no engine, and the message says why."""


@attrs.frozen
class TestEngine:
    """An engine.

    Attributes:
        address: What DOCKER_HOST should say.
        environment: What a program needs to use it.
    """

    __test__ = False

    address: str

    @property
    def environment(self) -> Mapping[str, str]:
        return {"DOCKER_HOST": self.address}


def wanted_engines() -> tuple[str, ...]:
    """Return the names of the engines that the tests use."""
    return tuple(os.environ.get(ENGINES, "podman").replace(",", " ").split())


@contextmanager
def container_engine(name: str) -> Generator[TestEngine]:
    """Have an engine until the end of the block.

    Raises:
        NoEngineError: There is none.
    """
    missing = [each for each in _NEEDED[name] if shutil.which(each) is None]
    if missing or os.geteuid() != 0:
        why = f"{', '.join(missing)} not found" if missing else "only root can start it here"
        raise NoEngineError(f"no container engine: {why} (Debian: apt-get install {_PACKAGES[name]})")
    # A socket's path has at most 108 bytes, so not below pytest's directories.
    place = Path(tempfile.mkdtemp(prefix="flowcore-engine-", dir="/tmp"))
    try:
        with _podman_service(place) if name == "podman" else _docker_service(place) as address:
            yield TestEngine(address)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _podman_service(place: Path) -> Generator[str]:
    environment = _configured(place)
    _engine("podman", "import", "--change", _COMMAND, "-", IMAGE, environment=environment, data=_root_directory())
    socket = place / "engine.sock"
    with _service(["podman", "system", "service", "--time=0", f"unix://{socket}"], socket, environment):
        try:
            yield f"unix://{socket}"
        finally:
            _engine("podman", "rm", "--all", "--force", "--volumes", environment=environment)


@contextmanager
def _docker_service(place: Path) -> Generator[str]:
    socket = place / "engine.sock"
    places = [f"--data-root={place / 'data'}", f"--exec-root={place / 'exec'}", f"--pidfile={place / 'pid'}"]
    # Nodes have no network, so the engine needs none: nothing of the machine's is changed.
    isolated = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
    with _service(["dockerd", *places, *isolated, f"--host=unix://{socket}"], socket, dict(os.environ)):
        at = ("docker", f"--host=unix://{socket}")
        _engine(*at, "import", "--change", _COMMAND, "-", IMAGE, data=_root_directory())
        try:
            yield f"unix://{socket}"
        finally:
            left = _engine(*at, "ps", "--all", "--quiet").split()
            if left:
                _engine(*at, "rm", "--force", "--volumes", *left)


@contextmanager
def _service(command: Sequence[str], socket: Path, environment: Mapping[str, str]) -> Generator[None]:
    """Have a program run that listens at *socket*, until the end of the block."""
    place = socket.parent
    with (
        (place / "service.log").open("wb") as told,
        subprocess.Popen(
            command,
            env=dict(environment),
            # Where it is started, a file `oom` is left when a container runs out of memory.
            cwd=place,
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,
        ) as service,
    ):
        try:
            _wait_for(socket, service)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGTERM)


def _configured(place: Path) -> dict[str, str]:
    (place / "containers.conf").write_text(_CONTAINERS, encoding="utf-8")
    storage = f'[storage]\ndriver = "vfs"\nrunroot = "{place}/run"\ngraphroot = "{place}/graph"\n'
    (place / "storage.conf").write_text(storage, encoding="utf-8")
    return {
        **os.environ,
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
    }


def _root_directory() -> bytes:
    """Return the image: a root directory with busybox in it."""
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as root:
        for name in (".", "bin", "dev", "etc", "flow", "proc", "sys", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            root.addfile(entry)
        busybox = shutil.which("busybox") or ""
        root.add(busybox, "bin/busybox")
        for name in _COMMANDS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            root.addfile(entry)
    return archive.getvalue()


def _engine(*command: str, environment: Mapping[str, str] | None = None, data: bytes = b"") -> str:
    """Have a client of an engine do something, and return what it says."""
    return subprocess.run(command, env=environment, input=data, capture_output=True, check=True).stdout.decode()


def left_behind() -> list[object]:
    """Return the containers and volumes that there are in the engine."""
    client = connect()
    return [*client.containers(all=True), *(client.volumes()["Volumes"] or [])]


def _wait_for(socket: Path, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _STARTS_S
    while not socket.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise NoEngineError(f"the engine does not start: {(socket.parent / 'service.log').read_text()[-300:]}")
        time.sleep(0.02)


def main() -> None:
    """See whether the engines of the command line can be started here; say which cannot, and why."""
    for name in sys.argv[1:]:
        try:
            with container_engine(name):
                pass
        except (NoEngineError, OSError, subprocess.SubprocessError) as error:
            sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
