"""A container engine for tests: Podman's service on a socket of its own, with a tiny image that is made offline.

Where there is no Podman the engine of this machine is used, if there is one that lets the image be made.
"""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Final

import attrs

from flowcore_adapters.sources.container.engine import connect

IMAGE: Final = "localhost/flowcore-test:latest"
REQUIRED: Final = "FLOWCORE_REQUIRE_ENGINE"
"""With this variable set a missing engine is a failure: so it is where the engine was installed on purpose."""
_NEEDED: Final = ("podman", "runc", "busybox")
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


@contextmanager
def container_engine() -> Generator[TestEngine]:
    """Have an engine until the end of the block.

    Raises:
        NoEngineError: There is none.
    """
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        why = f"{', '.join(missing)} not found" if missing else "only root can start it here"
        raise NoEngineError(f"no container engine: {why} (Debian: apt-get install podman runc busybox-static)")
    # A socket's path has at most 108 bytes, so not below pytest's directories.
    place = Path(tempfile.mkdtemp(prefix="flowcore-engine-", dir="/tmp"))
    try:
        environment = _configured(place)
        _import_image(place, environment)
        socket = place / "engine.sock"
        with (
            (place / "service.log").open("wb") as told,
            subprocess.Popen(
                ["podman", "system", "service", "--time=0", f"unix://{socket}"],
                env=environment,
                # Where it is started, a file `oom` is left when a container runs out of memory.
                cwd=place,
                stdout=subprocess.DEVNULL,
                stderr=told,
                start_new_session=True,
            ) as service,
        ):
            try:
                _wait_for(socket, service)
                yield TestEngine(f"unix://{socket}")
            finally:
                _podman(environment, "rm", "--all", "--force", "--volumes")
                with suppress(ProcessLookupError):
                    os.killpg(service.pid, signal.SIGTERM)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _configured(place: Path) -> dict[str, str]:
    (place / "containers.conf").write_text(_CONTAINERS, encoding="utf-8")
    storage = f'[storage]\ndriver = "vfs"\nrunroot = "{place}/run"\ngraphroot = "{place}/graph"\n'
    (place / "storage.conf").write_text(storage, encoding="utf-8")
    return {
        **os.environ,
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
    }


def _import_image(place: Path, environment: Mapping[str, str]) -> None:
    """Make the image: a root directory with busybox in it."""
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
    subprocess.run(
        ["podman", "import", "--change", 'CMD ["/bin/echo", "the image itself"]', "-", IMAGE],
        env=dict(environment),
        input=archive.getvalue(),
        capture_output=True,
        check=True,
        cwd=place,
    )


def _podman(environment: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(["podman", *arguments], env=dict(environment), capture_output=True, check=False)


def left_behind() -> list[object]:
    """Return the containers and volumes that there are in the engine."""
    client = connect()
    return [*client.containers(all=True), *(client.volumes()["Volumes"] or [])]


def _wait_for(socket: Path, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _STARTS_S
    while not socket.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise NoEngineError(
                f"podman's service does not start: {(socket.parent / 'service.log').read_text()[-300:]}"
            )
        time.sleep(0.02)
