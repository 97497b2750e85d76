"""What a container prints, as it prints it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol, cast

from .client import EngineClient
from .lines import STDERR, STDOUT

_STREAMS: Final = {1: STDOUT, 2: STDERR}


class _Closable(Protocol):
    def close(self) -> None: ...


class Frames(Protocol):
    """The library's function, which its stubs leave untyped."""

    def __call__(self, socket: object, *, tty: bool) -> Iterator[tuple[int, bytes]]:
        """Return the pieces."""
        ...


@contextmanager
def attached(client: EngineClient, container: str) -> Generator[Iterator[tuple[str, bytes]]]:
    """Give what *container* prints from here on, piece by piece, each with the name of its stream.

    To be entered before the container is started, so that nothing is lost. The library's own `attach` leaves its
    connection open.
    """
    import docker.utils.socket

    frames_of = cast("Frames", getattr(docker.utils.socket, "frames_iter"))  # noqa: B009 - its type is half unknown
    wanted = {"stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    socket = cast("_Closable", client.attach_socket(container, params=wanted))
    held = [cast("_Closable | None", getattr(socket, name, None)) for name in ("_response", "_sock")]
    try:
        frames = frames_of(socket, tty=False)
        yield ((_STREAMS.get(number, STDOUT), data) for number, data in frames)
    finally:
        # The response first: it wants to flush what it reads from. What is behind both is closed by neither of them.
        for each in (*held, socket):
            if each is not None:
                with suppress(OSError):
                    each.close()
