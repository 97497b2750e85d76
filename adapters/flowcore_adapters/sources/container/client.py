"""What is asked of an engine, with its types: those of the docker package are half unknown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypedDict

from flowcore.values import Json


class ContainerState(TypedDict):
    """How a container is."""

    Status: str
    Running: bool
    OOMKilled: bool
    ExitCode: int


class ContainerDetails(TypedDict):
    """What an engine knows of a container."""

    State: ContainerState


class ListedContainer(TypedDict):
    """A container in a list."""

    Id: str
    Names: Sequence[str]
    Labels: Mapping[str, str] | None


class EngineClient(Protocol):
    """The part of `docker.APIClient` that is used here."""

    def create_host_config(self, **settings: object) -> Mapping[str, object]:
        """Return how a container is to be bounded."""
        ...

    def create_container(
        self,
        image: str,
        *,
        command: Sequence[str] | None,
        environment: Mapping[str, str],
        labels: Mapping[str, str],
        host_config: Mapping[str, object],
        volumes: Sequence[str],
        name: str,
    ) -> Mapping[str, str]:
        """Make a container; its `Id` is in the answer."""
        ...

    def put_archive(self, container: str, path: str, data: Iterable[bytes], /) -> bool:
        """Put a tar archive into a container."""
        ...

    def get_archive(self, container: str, path: str, /) -> tuple[Iterator[bytes], Mapping[str, Json]]:
        """Take a tar archive out of a container."""
        ...

    def attach_socket(self, container: str, /, *, params: Mapping[str, int]) -> object:
        """Return a socket that says what a container prints."""
        ...

    def start(self, container: str, /) -> None:
        """Start a container."""
        ...

    def kill(self, container: str, signal: str, /) -> None:
        """Send a signal to a container."""
        ...

    def wait(self, container: str, /) -> Mapping[str, int]:
        """Wait for the end of a container; its `StatusCode` is in the answer."""
        ...

    def inspect_container(self, container: str, /) -> ContainerDetails:
        """Return what is known of a container."""
        ...

    def remove_container(self, container: str, /, *, force: bool, v: bool) -> None:
        """Remove a container, with *v* its volumes too."""
        ...

    def containers(self, *, all: bool = False, filters: Mapping[str, str] | None = None) -> Sequence[ListedContainer]:  # noqa: A002 - the library's name
        """Return the containers that run, or all."""
        ...

    def volumes(self) -> Mapping[str, Sequence[Mapping[str, Json]] | None]:
        """Return the `Volumes`."""
        ...

    def pull(self, repository: str, /, *, stream: bool, decode: bool) -> Iterator[Mapping[str, Json]]:
        """Get an image and tell how far it is."""
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...
