"""The container engine: Docker or Podman, whichever is there, through the one interface that both have."""

import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Final, cast

from flowcore.errors import SourceError

from .client import EngineClient

NO_ENGINE: Final = "no-container-engine"
_ADVICE: Final = (
    "start Docker or Podman's service (`systemctl start podman.socket`, or `podman system service`), or name its socket"
    " in DOCKER_HOST, or run nodes as plain processes with --node-runtime process"
)
_CONNECTIONS: Final = 64
"""How many containers can be talked to at once; each has one connection for its output, and shares others."""
_LONGEST_REASON: Final = 400
_CLIENTS: Final[dict[tuple[str, int], EngineClient]] = {}
_LOCK: Final = Lock()


def socket_places() -> tuple[Path, ...]:
    """Return where the sockets of engines usually are."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    places = ["/var/run/docker.sock", *([f"{own}/podman/podman.sock"] if own else []), "/run/podman/podman.sock"]
    return tuple(map(Path, places))


def find_engine() -> str:
    """Return the address of an engine.

    Raises:
        SourceError: There is none; the message says how to get one.
    """
    given = os.environ.get("DOCKER_HOST")
    if given:
        return given
    for place in socket_places():
        try:
            if stat.S_ISSOCK(place.stat().st_mode) and os.access(place, os.W_OK):
                return f"unix://{place}"
        except OSError:
            continue
    raise no_engine("")


def no_engine(reason: str) -> SourceError:
    """Return the failure of a call that finds no engine."""
    told = f" ({reason})" if reason else ""
    return SourceError(f"no container engine{told}: {_ADVICE}", code=NO_ENGINE, retryable=False)


def connect() -> EngineClient:
    """Return the client of this process for the engine that is there.

    Raises:
        SourceError: There is none, or what speaks to it is not installed.
    """
    if find_spec("docker") is None:
        raise SourceError(
            "no container engine: the docker package, which speaks to Podman too, is not installed: pip install"
            " 'flowcore[containers]', or run nodes as plain processes with --node-runtime process",
            code=NO_ENGINE,
            retryable=False,
        )
    address = find_engine()
    # A child of a fork must not share connections with its parent.
    key = (address, os.getpid())
    with _LOCK:
        client = _CLIENTS.get(key)
        if client is None:
            client = _CLIENTS[key] = _connected(address)
    return client


def _connected(address: str) -> EngineClient:
    import docker
    from docker.errors import DockerException

    try:
        _knock(address)
        return cast("EngineClient", docker.APIClient(base_url=address, version="auto", num_pools=_CONNECTIONS))
    except (DockerException, OSError) as error:
        raise no_engine(f"{address} does not answer: {first_line(str(error))}") from None


def _knock(address: str) -> None:
    """See that somebody listens at a socket: the library would leave its own open when nobody does."""
    scheme, _, path = address.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(path)


def forget_clients() -> None:
    """Let go of all connections."""
    with _LOCK:
        clients = [_CLIENTS.pop(key) for key in tuple(_CLIENTS)]
    for client in clients:
        client.close()


def first_line(text: str) -> str:
    """Return what an engine said, short enough for people."""
    return text.strip().partition("\n")[0][:_LONGEST_REASON]


@contextmanager
def engine_trouble(what: str) -> Generator[None]:
    """Turn what the engine refuses to do into a failure that may be tried again."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except (APIError, DockerException, OSError) as error:
        # What requests raises is an OSError too.
        reason = explanation(error)
        raise SourceError(f"the container engine cannot {what}: {reason}", code="container-engine") from None


def explanation(error: Exception) -> str:
    """Return what the engine said, without the address it was asked at."""
    told = getattr(error, "explanation", None)
    if isinstance(told, bytes):
        told = told.decode("utf-8", "replace")
    return first_line(told if isinstance(told, str) and told else str(error))
