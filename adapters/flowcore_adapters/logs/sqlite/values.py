"""Large values: beside the log, each once, in a file that is named after the SHA-256 of what is in it.

A row that refers to such values has null in their place in its payload, and names them in a column of its own, which no
data of a user can look like. The file is on the disk before the row is; a crash in between leaves a file that nobody
refers to, and which is never trusted: whoever has the same value compares first.
"""

import hashlib
import math
import os
import re
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from flowcore.codec import Data
from flowcore.errors import EventFormatError, LogError
from flowcore.json_text import from_json, to_json
from flowcore.values import Json

LARGE_BYTES: Final = 1024 * 1024
"""A value whose JSON text is longer goes beside the log."""
UNUSED_S: Final = 3600.0
"""How old a file must be before it is taken for left behind, in seconds: a younger one may be about to be used."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class LargeValues:
    """The large values of one log; safe for threads and for several processes."""

    def __init__(self, log: Path) -> None:
        """Keep them beside the file *log*; their directory is made for the first one."""
        self._directory = log.with_name(f"{log.name}.values")
        self._ready = False

    def put(self, text: str) -> str:
        """Have *text* on the disk, and return its digest.

        Raises:
            LogError: It cannot be written.
        """
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        path = self._directory / digest
        try:
            self._prepare()
            if not _holds(path, content):
                self._write(path, content)
            # Even if it was there: whoever wrote it may not have come to this yet.
            _sync(self._directory)
        except OSError as error:
            raise LogError(f"{path}: nothing was appended: {error.strerror}") from error
        return digest

    def keep(self, texts: Mapping[str, str]) -> None:
        """See, in the transaction that refers to *texts* (by digest), that nobody has taken one away since `put`.

        Raises:
            LogError: One is gone, and cannot be written again.
        """
        for digest, text in texts.items():
            if not (self._directory / digest).exists():
                self.put(text)

    def get(self, digest: str) -> Json:
        """Return the value of *digest*.

        Raises:
            EventFormatError: Its file is missing or damaged.
        """
        path = self._directory / digest
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EventFormatError(f"a large value cannot be read: {path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise EventFormatError(f"a large value is damaged: {path}")
        return from_json(content.decode())

    def unused(self, used: Collection[str]) -> Iterator[Path]:
        """Yield the files that are none of *used* (digests), and have been there for long enough.

        Raises:
            LogError: The directory cannot be read.
        """
        latest = time.time() - UNUSED_S
        try:
            paths = list(self._directory.iterdir())
        except FileNotFoundError:  # there never was a large value
            return
        except OSError as error:
            raise LogError(f"{self._directory}: {error.strerror}") from error
        for path in paths:
            if path.name not in used and _modified(path) < latest:
                yield path

    def delete_unused(self, used: Collection[str]) -> int:
        """Delete what `unused` yields, and return how many files that were.

        Raises:
            LogError: They cannot be deleted.
        """
        paths = list(self.unused(used))
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise LogError(f"{path}: {error.strerror}") from error
        return len(paths)

    def _prepare(self) -> None:
        """Have the directory, for the user alone, on the disk."""
        if not self._ready:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            _sync(self._directory.parent)
            self._ready = True

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file that is there whole or not at all."""
        # For the user alone, as `mkstemp` makes it.
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def extract(data: Data) -> tuple[Data, dict[str, str]]:
    """Return *data* with null for the large ones of its `outputs`, and their JSON texts by name."""
    outputs = data.get("outputs")
    if not isinstance(outputs, Mapping):
        return data, {}
    texts = {name: to_json(value) for name, value in outputs.items()}
    large = {name: text for name, text in texts.items() if is_large(text)}
    return {**data, "outputs": {**outputs, **dict.fromkeys(large)}}, large


def restore(data: Json, column: str, values: LargeValues) -> Json:
    """Return *data* with the values again that *column* names.

    Raises:
        EventFormatError: They are missing or damaged, or the two do not fit together.
    """
    digests = references(column)
    outputs = data.get("outputs") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(outputs, Mapping):
        raise EventFormatError("large values without outputs")
    strangers = [name for name in digests if outputs.get(name, "") is not None]
    if strangers:
        raise EventFormatError(f"large values do not fit the outputs: {', '.join(strangers)}")
    return {**data, "outputs": {**outputs, **{name: values.get(digest) for name, digest in digests.items()}}}


def references(column: str) -> dict[str, str]:
    """Return which outputs *column* names, and the digests of their values.

    Raises:
        EventFormatError: It is broken.
    """
    digests: dict[str, str] = {}
    named = from_json(column)
    for name, digest in named.items() if isinstance(named, Mapping) else [("", named)]:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise EventFormatError("broken references to large values")
        digests[name] = digest
    return digests


def is_large(text: str) -> bool:
    """Tell whether *text* is longer than `LARGE_BYTES`."""
    return len(text) > LARGE_BYTES or (not text.isascii() and len(text.encode()) > LARGE_BYTES)


def _holds(path: Path, content: bytes) -> bool:
    """Tell whether there is a file with exactly *content*."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False


def _modified(path: Path) -> float:
    """Return when *path* was last written to, in seconds since the epoch."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:  # in the meantime it was finished and got its name, or another process has deleted it
        return math.inf


def _sync(directory: Path) -> None:
    """Have the names in *directory* on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
