"""Stores of others, S3 first: through obstore, which speaks all their dialects (extra `stores`)."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, cast

from flowcore.errors import (
    ObjectExistsError,
    ObjectNotFoundError,
    StoreConfigurationError,
    StoreError,
)
from flowcore.stores import ObjectReader, StoredObject, check_object_name
from flowcore.values import Instant

from .chunks import capped, part_of

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, ObjectMeta
    from obstore.store import MemoryStore, S3Store

CHUNK: Final = 256 * 1024
"""How much is read at a time at least, in bytes."""
LONGEST_URL_S: Final = 7 * 24 * 3600.0
"""How long a signed URL may hold: longer ones are refused by the store, and not when they are signed."""
_SIGNED: Final = frozenset({"GET", "HEAD", "PUT"})
_LONGEST_REASON: Final = 300


class RemoteReader:
    """The bytes of an object that come from elsewhere."""

    def __init__(self, stored: StoredObject, stream: "BytesStream | None", trouble: "ObstoreArtifactStore") -> None:
        """Read *stream*; None for nothing."""
        self.stored = stored
        self._stream = stream
        self._store = trouble

    def __iter__(self) -> Iterator[bytes]:
        """Return the chunks."""
        while self._stream is not None:
            with self._store.trouble(self.stored.name):
                chunk = next(self._stream, None)
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Let go of the connection."""
        self._stream = None


class ObstoreArtifactStore:
    """A store behind obstore."""

    def __init__(self, store: "S3Store | MemoryStore", secrets: Iterable[str] = ()) -> None:
        """Keep objects in *store*; no error shows one of *secrets*."""
        self._store = store
        self._secrets = tuple(secret for secret in secrets if secret)

    def put(
        self, name: str, chunks: Iterable[bytes], *, max_bytes: int | None = None, create: bool = False
    ) -> StoredObject:
        """Keep *chunks*, in parts when there are many; with *create* they are in memory as a whole."""
        import obstore

        check_object_name(name)
        sender = _Sender(capped(chunks, max_bytes))
        try:
            with self.trouble(name):
                if create:
                    obstore.put(self._store, name, b"".join(sender), mode="create", use_multipart=False)
                else:
                    self._put(name, sender)
        except BaseException:
            if sender.failure is not None:
                raise sender.failure from None
            raise
        return self.head(name)

    def _put(self, name: str, sender: "_Sender") -> None:
        import obstore

        # Parts of an upload must not be small, and most artifacts are: those go in one request.
        first = bytearray()
        for chunk in sender:
            first += chunk
            if len(first) > _PART:
                break
        else:
            obstore.put(self._store, name, bytes(first), use_multipart=False)
            return
        obstore.put(self._store, name, _joined(bytes(first), sender), chunk_size=_PART, max_concurrency=2)

    def open(self, name: str, *, start: int = 0, length: int | None = None) -> ObjectReader:
        """Ask for the object; its bytes come while it is read."""
        import obstore

        check_object_name(name)
        options: GetOptions = {}
        if start or length is not None:
            stored = self.head(name)
            count = part_of(stored, start, length)
            if not count:
                # The library takes no range without bytes.
                return RemoteReader(stored, None, self)
            options["range"] = (start, start + count)
        with self.trouble(name):
            found = obstore.get(self._store, name, options=options)
            return RemoteReader(_stored(found.meta), found.stream(min_chunk_size=CHUNK), self)

    def head(self, name: str) -> StoredObject:
        """Ask about the object."""
        import obstore

        check_object_name(name)
        with self.trouble(name):
            return _stored(obstore.head(self._store, name))

    def delete(self, name: str) -> None:
        """Delete the object."""
        import obstore

        check_object_name(name)
        try:
            with self.trouble(name):
                obstore.delete(self._store, name)
        except ObjectNotFoundError:
            return

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects, once all are known."""
        import obstore

        segments = check_object_name(prefix.rstrip("/")) if prefix else None
        found: list[StoredObject] = []
        with self.trouble(prefix):
            # One of its overloads is of pyarrow, which nobody has.
            for page in obstore.list(self._store, segments):  # pyright: ignore[reportUnknownMemberType]
                found.extend(_stored(meta) for meta in page)
        yield from sorted(found, key=lambda each: each.name)

    @contextmanager
    def trouble(self, name: str) -> Generator[None]:
        """Turn what obstore raises into what a store raises: the first line of it, without secrets."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except FileNotFoundError:
            raise ObjectNotFoundError(f"there is no object '{name}'") from None
        except AlreadyExistsError:
            raise ObjectExistsError("there is an object of that name already") from None
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(f"the store cannot be used: {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        # What follows the first line is the inside of the library.
        text = str(error).strip().partition("\n")[0].strip()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:_LONGEST_REASON] or type(error).__name__


class S3ArtifactStore(ObstoreArtifactStore):
    """A bucket, whose own server takes URLs that are signed here."""

    def __init__(self, store: "S3Store", secrets: Iterable[str]) -> None:
        """Keep objects in the bucket of *store*."""
        super().__init__(store, secrets)
        self._bucket = store

    def sign(self, method: str, name: str, *, expires_in_s: float) -> str:
        """Return a URL; nothing is asked of the server."""
        import obstore

        check_object_name(name)
        if method not in _SIGNED:
            raise StoreError(f"no URL can be signed for {method[:20]}")
        if not 0 < expires_in_s <= LONGEST_URL_S:
            raise StoreError(f"a signed URL holds for at most {LONGEST_URL_S:.0f} s")
        verb = cast("Literal['GET', 'HEAD', 'PUT']", method)
        with self.trouble(name):
            return obstore.sign(self._bucket, verb, name, timedelta(seconds=expires_in_s))


_PART: Final = 8 * 1024 * 1024
"""How large the parts of an upload are, in bytes: S3 takes 10,000 of them, of 5 MiB at least."""


class _Sender:
    """Chunks, and what whoever sends them raised: the library would hide it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise


def _joined(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *first* and *rest*, nothing that is empty: the library takes an empty chunk for the end."""
    yield first
    yield from (chunk for chunk in rest if chunk)


def _stored(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(
        name=meta["path"], size_bytes=meta["size"], modified_at=Instant(meta["last_modified"].timestamp())
    )


def require_obstore() -> None:
    """See that obstore is installed.

    Raises:
        StoreConfigurationError: It is not.
    """
    if find_spec("obstore") is None:
        raise StoreConfigurationError("stores of the types s3 and s3local need obstore: pip install 'flowcore[stores]'")
