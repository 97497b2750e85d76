"""One container from its making to its removal."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock, Thread, Timer
from typing import Final

import attrs

from flowcore.errors import SourceError
from flowcore.ports import CancelToken
from flowcore_adapters.sources.configuration import TimeLimit, stopped, too_large

from .archives import packed, unpacked
from .attachment import attached
from .client import ContainerState, EngineClient
from .contents import Content
from .engine import engine_trouble, explanation
from .limits import Limits, new_name
from .lines import STDERR, STDOUT, LineSink, Output

_LOG: Final = logging.getLogger("flowcore.containers")
GRACE_S: Final = 2.0
"""How long a container may take to end after SIGTERM before it gets SIGKILL, in seconds."""
KILLED: Final = 137
"""The exit code of a program that SIGKILL has ended."""
_REST: Final = 4
"""How many pieces, of 2 MB each, of an archive are read though nobody wants them."""
_PAUSES: Final = (0.005, 0.01, 0.02, 0.04, 0.08)
"""How long to wait, in seconds, before looking again whether a container has ended whose output has."""
_MISSING_PROGRAM: Final = ("executable file", "no such file or directory", "permission denied", "exec format error")


@attrs.frozen(kw_only=True)
class Job:
    """What to run.

    Attributes:
        command: The words of the command; none for the image's own.
        max_output: How many bytes it may print, on both streams together.
        place: Whether it has files: a volume of its own at `/flow`, which costs a node without files nothing.
    """

    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    limits: Limits
    max_output: int
    place: bool = True


class Workload:
    """A container; everything that is made here is removed by `remove`, whatever happens."""

    def __init__(self, client: EngineClient, job: Job, limit: TimeLimit, sink: LineSink) -> None:
        """Run *job* with *client*; lines go to *sink*."""
        self._client = client
        self._job = job
        self._limit = limit
        self._id: str | None = None
        self._lock = Lock()
        self._failure: SourceError | None = None
        self._timers: list[Timer] = []
        self.stdout = Output(STDOUT, sink)
        self.stderr = Output(STDERR, sink)

    def create(self, ensure_image: Callable[[str], None]) -> None:
        """Make the container; *ensure_image* is asked for the image when it is not there.

        Raises:
            SourceError: It cannot be made.
        """
        from docker.errors import ImageNotFound

        try:
            self._id = self._create()
        except ImageNotFound:
            ensure_image(self._job.image)
            self._id = self._create()

    def _create(self) -> str:
        from docker.errors import APIError, ImageNotFound
        from docker.types import LogConfig

        client, job = self._client, self._job
        host = client.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=job.limits.pids,
            mem_limit=job.limits.memory_bytes,
            memswap_limit=job.limits.memory_bytes,
            nano_cpus=job.limits.nano_cpus,
            tmpfs={"/tmp": "rw,mode=1777"},  # noqa: S108 - a mount of the container's own
            # Its output is read as it comes: nobody asks the engine for it later.
            log_config=LogConfig(type=LogConfig.types.NONE),
        )
        try:
            made = client.create_container(
                job.image,
                command=list(job.command) or None,
                environment=dict(job.environment),
                labels=dict(job.labels),
                host_config=host,
                # An anonymous volume: put into a tmpfs or a read-only root files are refused by one of the engines.
                volumes=["/flow"] if job.place else [],
                name=new_name(),
            )
        except ImageNotFound:
            raise
        except APIError as error:
            raise self._refused(error, "make a container") from None
        except OSError as error:
            raise SourceError(
                f"the container engine cannot make a container: {error}", code="container-engine"
            ) from None
        return made["Id"]

    def run(self, files: Mapping[str, Content], cancel: CancelToken) -> int:
        """Put *files* into `/flow/in`, run the program to its end and return its exit code.

        Raises:
            SourceError: It could not be started, took too long, printed too much, or was cancelled.
        """
        from docker.errors import APIError

        if cancel.cancelled:
            raise stopped()
        if self._job.place:
            with engine_trouble("put files into a container"):
                self._client.put_archive(self._name, "/flow", packed(files))
        cancel.on_cancel(self._cancel)
        self._at(self._limit.at, lambda: self._end(self._limit.error("; the container was ended")))
        try:
            # Attached before it starts, so that no line is lost.
            with attached(self._client, self._name) as pieces:
                if self._failure is not None:
                    raise self._failure
                self._client.start(self._name)
                self._read(pieces)
            return self._exit_code()
        except APIError as error:
            raise self._failure or self._refused(error, "start a container") from None
        except OSError as error:
            raise self._failure or SourceError(
                f"the container engine has gone: {error}", code="container-engine"
            ) from None
        finally:
            cancel.on_cancel(None)
            for timer in self._timers:
                timer.cancel()

    def _read(self, pieces: Iterator[tuple[str, bytes]]) -> None:
        left = self._job.max_output
        for stream, data in pieces:
            left -= len(data)
            if left >= 0:
                (self.stdout if stream == STDOUT else self.stderr).feed(data)
            else:
                # What comes from here on is read and dropped, or the container could not end.
                self._end(too_large(self._job.max_output))
        self.stdout.end()
        self.stderr.end()

    def _exit_code(self) -> int:
        state = self._client.inspect_container(self._name)["State"]
        for pause in _PAUSES:
            # Its output ends a moment before it does; the engine's own `wait` looks every quarter of a second.
            if not _alive(state):
                break
            time.sleep(pause)
            state = self._client.inspect_container(self._name)["State"]
        # It has closed its output and goes on: the timer sees to it that it ends.
        code = int(self._client.wait(self._name)["StatusCode"]) if _alive(state) else int(state["ExitCode"])
        if self._failure is not None:
            raise self._failure
        if code == KILLED or state["OOMKilled"]:
            # One of the engines does not say why, but it was not us.
            size = self._job.limits.memory_bytes / 1024**2
            raise SourceError(
                f"the container was killed, probably out of memory (limit {size:.0f} MB)", code="out-of-memory"
            )
        return code

    def take_out(self, port: str, path: str, keep: Callable[[Content], None]) -> bool:
        """Hand what is at *path* to *keep*; return False when there is nothing.

        Raises:
            SourceError: It is no regular file, or it cannot be taken out.
        """
        from docker.errors import NotFound

        with engine_trouble("take files out of a container"):
            try:
                chunks, _ = self._client.get_archive(self._name, path)
            except NotFound:
                return False
        try:
            with unpacked(iter(chunks), port) as content:
                keep(content)
        finally:
            # Read to its end, the connection can be used again; what is left of a file that is too large is left.
            for _ in islice(chunks, _REST):
                pass
        return True

    def remove(self) -> None:
        """Remove the container and its volume, running or not."""
        from docker.errors import NotFound

        if self._id is None:
            return
        try:
            with engine_trouble("remove a container"):
                try:
                    self._client.remove_container(self._id, force=True, v=True)
                except NotFound:
                    return
        except SourceError as error:
            _LOG.warning("a container is left behind until the next start: %s", error)

    @property
    def _name(self) -> str:
        if self._id is None:
            raise RuntimeError("there is no container yet")
        return self._id

    def _cancel(self) -> None:
        # Whoever cancels must not be kept waiting for the engine.
        Thread(target=self._end, args=(stopped(),), name="flowcore-container-stop", daemon=True).start()

    def _end(self, failure: SourceError) -> None:
        """Ask the container to end, and see to it that it does after the grace; the first failure holds."""
        with self._lock:
            if self._failure is not None:
                return
            self._failure = failure
        self._signal("SIGTERM")
        self._at(time.monotonic() + GRACE_S, lambda: self._signal("SIGKILL"))

    def _signal(self, name: str) -> None:
        from docker.errors import DockerException

        try:
            self._client.kill(self._name, name)
        except (DockerException, OSError) as error:
            # It has ended already, mostly.
            _LOG.debug("%s: %s", name, explanation(error))

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        if not math.isfinite(moment):
            return
        timer = Timer(max(0.0, moment - time.monotonic()), action)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _refused(self, error: Exception, what: str) -> SourceError:
        reason = explanation(error)
        lower = reason.lower()
        if "invalid reference format" in lower or "invalid repository name" in lower:
            return SourceError(f"'{self._job.image}' is no name of an image", code="image-name", retryable=False)
        if any(sign in lower for sign in _MISSING_PROGRAM):
            shown = self._job.command[0] if self._job.command else "the image's own command"
            message = f"the program '{shown}' cannot be started in the image {self._job.image}: {reason}"
            return SourceError(message, code="not-started", retryable=False)
        return SourceError(f"the container engine cannot {what}: {reason}", code="container-engine")


def _alive(state: ContainerState) -> bool:
    return state["Running"] or state["Status"] in {"running", "stopping", "initialized", "created"}
