"""Bytes on their way into a store, and out of it."""

from collections.abc import Iterable, Iterator
from itertools import chain

from flowcore.errors import ObjectRangeError, ObjectTooLargeError
from flowcore.stores import StoredObject


def capped(chunks: Iterable[bytes], max_bytes: int | None) -> Iterator[bytes]:
    """Yield *chunks* as long as they are *max_bytes* together at most.

    Raises:
        ObjectTooLargeError: There are more.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if max_bytes is not None and size > max_bytes:
            raise ObjectTooLargeError(f"the object is larger than {max_bytes} bytes")
        yield chunk


def part_of(stored: StoredObject, start: int, length: int | None) -> int:
    """Return how many bytes there are of *stored* from *start* on, at most *length*.

    Raises:
        ObjectRangeError: *start* is beyond the end.
    """
    most = stored.size_bytes - start
    if start < 0 or most < 0:
        raise ObjectRangeError(f"'{stored.name}' has {stored.size_bytes} bytes, so none from {start} on")
    return most if length is None else max(0, min(length, most))


def split_head(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Return the first *size* bytes of *chunks*, fewer if there are no more, and all chunks, those bytes included."""
    rest = iter(chunks)
    head = bytearray()
    while len(head) < size and (chunk := next(rest, None)) is not None:
        head += chunk
    taken = bytes(head)
    return taken[:size], chain((taken,), rest)
