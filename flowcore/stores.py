"""Where artifacts are kept: what the core asks of a store, and what an object may be called.

A store holds named bytes. A name is made of segments with slashes between them, such as `run_1733524800000/photo.png`;
whatever a store makes of it, a name never leads out of the store.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

import attrs

from .artifacts import Artifact
from .errors import ObjectNameError
from .values import Instant

DEFAULT_STORE: Final = "default"
"""The store that is there without being declared."""
LONGEST_NAME: Final = 1024
"""How long an object's name may be, in bytes of UTF-8: what S3 allows."""
LONGEST_SEGMENT: Final = 240
"""How long one segment may be, in bytes of UTF-8: a file's name may have 255."""
MOST_SEGMENTS: Final = 32
_FORBIDDEN: Final = frozenset("\\:\x7f")


def check_object_name(name: str) -> str:
    """Return *name*, which may be given to any store.

    Raises:
        ObjectNameError: It has an empty segment or one that begins with a dot, a backslash, a colon or a control
            character, or it is too long.
    """
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise ObjectNameError("an object's name must be valid Unicode") from None
    segments = encoded.split(b"/")
    if len(encoded) > LONGEST_NAME or len(segments) > MOST_SEGMENTS or max(map(len, segments)) > LONGEST_SEGMENT:
        raise ObjectNameError(
            f"an object's name has at most {LONGEST_NAME} bytes in at most {MOST_SEGMENTS} segments of at most"
            f" {LONGEST_SEGMENT}"
        )
    if any(not segment or segment.startswith(b".") for segment in segments):
        raise ObjectNameError("no segment of an object's name may be empty or begin with a dot")
    if not _FORBIDDEN.isdisjoint(name) or min(name) < " " or any("\x80" <= letter <= "\x9f" for letter in name):
        raise ObjectNameError("an object's name has no backslash, colon or control character")
    return name


@attrs.frozen(kw_only=True)
class StoredObject:
    """An object as its store knows it.

    Attributes:
        modified_at: When it was last written.
    """

    name: str
    size_bytes: int
    modified_at: Instant


class ObjectReader(Protocol):
    """The bytes of one object, or of a part of it: iterate once, then `close`.

    What is read is the object as it was when it was opened, though it be replaced or deleted in the meantime.
    """

    @property
    def stored(self) -> StoredObject:
        """The whole object."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Return the bytes, in chunks of moderate size."""
        ...

    def close(self) -> None:
        """Let go of it; may be called again."""
        ...


class ArtifactStore(Protocol):
    """Named bytes. Safe for threads; every method may raise `StoreError` when the store does not do its work."""

    def put(
        self, name: str, chunks: Iterable[bytes], *, max_bytes: int | None = None, create: bool = False
    ) -> StoredObject:
        """Keep *chunks* under *name*: all of them or, when anything goes wrong, *chunks* itself included, nothing.

        Nobody ever sees half an object; what *chunks* raises is passed on.

        Args:
            name: A name that `check_object_name` lets through.
            chunks: The bytes.
            max_bytes: How many there may be; None for any number.
            create: True to refuse a name that is taken, even if only since a moment ago.

        Raises:
            ObjectNameError: The name is none.
            ObjectTooLargeError: There are more than *max_bytes*.
            ObjectExistsError: *create*, and the name is taken.
        """
        ...

    def open(self, name: str, *, start: int = 0, length: int | None = None) -> ObjectReader:
        """Return the bytes of *name* from *start* (counted from 0), at most *length* of them; `close` it.

        Raises:
            ObjectNameError: The name is none.
            ObjectNotFoundError: There is no such object.
            ObjectRangeError: *start* is beyond the end.
        """
        ...

    def head(self, name: str) -> StoredObject:
        """Return what is known of *name* without its bytes.

        Raises:
            ObjectNameError: The name is none.
            ObjectNotFoundError: There is no such object.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete *name*; nothing happens when there is no such object.

        Raises:
            ObjectNameError: The name is none.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects below the segments *prefix* (`a` is one of `a/b` but not of `ab`), sorted by name."""
        ...


class SigningStore(ArtifactStore, Protocol):
    """A store whose own server takes signed URLs."""

    def sign(self, method: str, name: str, *, expires_in_s: float) -> str:
        """Return a URL that lets its bearer send *method* (`GET`, `HEAD` or `PUT`) for *name*; no cap on the size.

        Raises:
            ObjectNameError: The name is none.
            StoreError: It cannot sign.
        """
        ...


@attrs.frozen(kw_only=True)
class InputFile:
    """An artifact that is handed to an attempt.

    Attributes:
        extension: What a file's name should end with, such as `.png`; empty for nothing.
    """

    artifact: Artifact
    extension: str = ""


@attrs.frozen(kw_only=True)
class OutputFile:
    """An artifact that an attempt may leave.

    Attributes:
        extension: What a file's name should end with, such as `.png`; empty for nothing.
        required: Whether the attempt fails without it.
    """

    extension: str = ""
    required: bool = True


class AttemptFiles(Protocol):
    """The artifacts of one attempt, as its source sees them: those to read, and places for those to leave, by port."""

    @property
    def inputs(self) -> Mapping[str, InputFile]:
        """What is handed in."""
        ...

    @property
    def outputs(self) -> Mapping[str, OutputFile]:
        """What may be left."""
        ...

    def open(self, port: str) -> ObjectReader:
        """Return the bytes of an input; `close` it.

        Raises:
            StoreError: Its store does not do its work.
        """
        ...

    def keep(self, port: str, chunks: Iterable[bytes]) -> None:
        """Keep *chunks* as the artifact that the attempt leaves at an output; it counts when the attempt succeeds.

        Raises:
            SourceError: Nobody may be handed that: it is not of a type that the port has.
            StoreError: Its store does not do its work.
        """
        ...
