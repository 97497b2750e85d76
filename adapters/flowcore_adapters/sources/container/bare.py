"""The same program without a container: same files, same environment, no isolation. Only on the operator's word."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs

from flowcore.errors import SourceError
from flowcore.ports import SourceCall
from flowcore_adapters.sources.child import Job, run_child
from flowcore_adapters.sources.configuration import bad_configuration, time_limit

from .contents import Content, Ended, Keeper, inputs_of
from .layout import Layout
from .lines import STDERR, STDOUT, LineSink, Output
from .places import VARIABLE, own_place
from .settings import ContainerConfiguration, texts, words_of

_CHUNK: Final = 256 * 1024
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_bare(call: SourceCall, configuration: ContainerConfiguration, layout: Layout) -> Ended:
    """Run the program in a directory of its own, which is removed whatever happens, and keep what it leaves.

    Raises:
        SourceError: There is no command (the image's own is in the image), or what `run_child` raises.
    """
    if not words_of(configuration):
        raise bad_configuration("without a container there is no image whose own command could be run: give a command")
    flags = texts(configuration.flags)
    with own_place() as place:
        return _run(call, configuration, attrs.evolve(layout, root=place), flags)


def _run(call: SourceCall, configuration: ContainerConfiguration, layout: Layout, flags: Mapping[str, str]) -> Ended:
    place = layout.root
    with ExitStack() as stack:
        _write(Path(place), inputs_of(call, layout, stack))
    environment = {
        "PATH": os.environ.get("PATH", _PATH),
        "HOME": place,
        "TMPDIR": place,
        "LANG": "C.UTF-8",
        **texts(configuration.env),
        **layout.environment(call, flags),
        VARIABLE: place,
    }
    job = Job(
        command=layout.words(words_of(configuration), flags),
        given=None,
        cwd=place,
        env={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
        max_output=configuration.max_output,
    )
    child = run_child(job, time_limit(call, configuration.timeout), call.cancel)
    ended = Ended(child.returncode, Output(STDOUT, _sink(call)), Output(STDERR, _sink(call)))
    for output, printed in ((ended.stdout, child.stdout), (ended.stderr, child.stderr)):
        output.feed(printed)
        output.end()
    ended.check(call)
    for port in () if call.files is None else call.files.outputs:
        _take_out(port, Path(layout.path_out(port)), Keeper(call, port, configuration.max_artifact))
    return ended


def _write(place: Path, files: Mapping[str, Content]) -> None:
    for name in ("in", "out"):
        (place / name).mkdir(mode=0o700)
    for name, content in files.items():
        with (place / "in" / name).open("wb") as file:
            file.writelines(content.chunks)


def _take_out(port: str, path: Path, keep: Keeper) -> None:
    try:
        # Not blocking: a named pipe in the place of a file must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError:
        raise _no_file(port) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _no_file(port)
        keep(Content(found.st_size, _pieces(descriptor, found.st_size)))
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    place = 0
    while place < size and (piece := os.pread(descriptor, min(_CHUNK, size - place), place)):
        place += len(piece)
        yield piece


def _no_file(port: str) -> SourceError:
    return SourceError(f"output '{port}' is no regular file", code="output-missing")


def _sink(call: SourceCall) -> LineSink:
    return lambda line, stream: call.log(line, stream=stream)
