"""What every artifact store does, whatever is behind it (flowcore/stores.py)."""

import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Final

import pytest

from flowcore.errors import (
    ObjectExistsError,
    ObjectNameError,
    ObjectNotFoundError,
    ObjectRangeError,
    ObjectTooLargeError,
)
from flowcore.stores import ArtifactStore
from flowcore_adapters.artifacts.factory import StoreSettings, open_store
from flowcore_adapters.artifacts.local import LocalArtifactStore
from flowcore_adapters.artifacts.objects import S3ArtifactStore
from tests.s3_server import S3Server, s3_server

MANY: Final = bytes(range(256)) * 4096 * 20
"""20 MiB: several chunks of reading, several parts of an upload."""


@pytest.fixture(scope="module")
def server() -> Generator[S3Server]:
    with s3_server() as started:
        yield started


@pytest.fixture(params=["local", "s3fs", "s3local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    kind = str(request.param)
    settings = StoreSettings(directory=tmp_path / "stores", mount_roots=(tmp_path / "mounts",))
    match kind:
        case "local":
            return open_store("default", kind, {}, settings)
        case "s3fs":
            params = {"MountPath": str(tmp_path / "mounts"), "BucketName": "flows"}
            return open_store("mine", kind, params, settings)
        case "s3local":
            return open_store("mine", kind, {"BucketName": uuid.uuid4().hex}, settings)
        case _:
            server: S3Server = request.getfixturevalue("server")
            found = open_store(
                "mine",
                kind,
                {
                    "Endpoint": server.endpoint,
                    "BucketName": server.bucket,
                    "AccessKey": "access",
                    "SecretKey": "secret",
                    "Secure": False,
                },
                settings,
            )
            for each in found.list():
                found.delete(each.name)
            return found


def content(store: ArtifactStore, name: str, **part: int) -> bytes:
    reader = store.open(name, **part)
    try:
        return b"".join(reader)
    finally:
        reader.close()
        reader.close()


def names(store: ArtifactStore, prefix: str = "") -> list[str]:
    return [each.name for each in store.list(prefix)]


@pytest.mark.parametrize("name", ["a", "run_1/photo.png", "run 1/größe 写真.txt", "a/b/c/d", "%2e%2e/x", "a+b&c=d?e#f"])
def test_what_was_put_is_found_again(store: ArtifactStore, name: str) -> None:
    stored = store.put(name, [b"one ", b"", b"two"])
    assert (stored.name, stored.size_bytes) == (name, 7)
    assert store.head(name) == stored
    assert content(store, name) == b"one two"
    assert names(store) == [name]


def test_an_empty_object_is_an_object(store: ArtifactStore) -> None:
    assert store.put("empty", []).size_bytes == 0
    assert content(store, "empty") == b""
    assert content(store, "empty", start=0, length=5) == b""


def test_large_objects_go_in_and_out_in_pieces(store: ArtifactStore) -> None:
    pieces = (MANY[start : start + 100_000] for start in range(0, len(MANY), 100_000))
    assert store.put("large", pieces).size_bytes == len(MANY)
    reader = store.open("large")
    chunks = list(reader)
    reader.close()
    # What is in memory anyway may come as it is.
    assert len(chunks) > 1 or not isinstance(store, LocalArtifactStore | S3ArtifactStore)
    assert b"".join(chunks) == MANY


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"start": 0, "length": 3}, b"012"),
        ({"start": 4}, b"456789"),
        ({"start": 7, "length": 100}, b"789"),
        ({"start": 9, "length": 1}, b"9"),
        ({"start": 10}, b""),
        ({"start": 3, "length": 0}, b""),
    ],
)
def test_a_part_can_be_read(store: ArtifactStore, part: dict[str, int], expected: bytes) -> None:
    store.put("digits", [b"0123456789"])
    reader = store.open("digits", **part)
    assert reader.stored.size_bytes == 10
    assert b"".join(reader) == expected
    reader.close()


@pytest.mark.parametrize("start", [11, 1000, -1])
def test_a_part_beyond_the_end_is_refused(store: ArtifactStore, start: int) -> None:
    store.put("digits", [b"0123456789"])
    with pytest.raises(ObjectRangeError):
        store.open("digits", start=start)


def test_a_second_put_replaces_the_first(store: ArtifactStore) -> None:
    store.put("a", [b"a longer text"])
    store.put("a", [b"short"])
    assert content(store, "a") == b"short"


def test_exclusive_creation_refuses_a_name_that_is_taken(store: ArtifactStore) -> None:
    store.put("a", [b"first"], create=True)
    with pytest.raises(ObjectExistsError):
        store.put("a", [b"second"], create=True)
    assert content(store, "a") == b"first"


def test_of_several_creators_one_wins(store: ArtifactStore) -> None:
    barrier = Barrier(4)
    refused: list[int] = []

    def create(number: int) -> None:
        barrier.wait()
        try:
            store.put("shared/a", [b"%d" % number], create=True)
        except ObjectExistsError:
            refused.append(number)

    threads = [Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(store, "shared/a") == b"%d" % ({0, 1, 2, 3} - set(refused)).pop()
    assert len(refused) == 3


@pytest.mark.parametrize("missing", ["a", "b/c", "a/b"])
def test_what_is_not_there_is_not_found(store: ArtifactStore, missing: str) -> None:
    store.put("b/d", [b""])
    with pytest.raises(ObjectNotFoundError):
        store.head(missing)
    with pytest.raises(ObjectNotFoundError):
        store.open(missing)
    store.delete(missing)
    assert names(store) == ["b/d"]


def test_nothing_is_below_an_object(store: ArtifactStore) -> None:
    store.put("a", [b"x"])
    with pytest.raises(ObjectNotFoundError):
        store.head("a/b")


def test_deleting_leaves_the_others(store: ArtifactStore) -> None:
    for name in ("a/b/c", "a/d", "e"):
        store.put(name, [b"x"])
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert names(store) == ["a/d", "e"]


def test_an_open_object_is_read_to_its_end_though_it_be_replaced(store: ArtifactStore) -> None:
    store.put("a", [b"before"])
    reader = store.open("a")
    store.put("a", [b"afterwards"])
    assert b"".join(reader) == b"before"
    reader.close()


def test_the_list_is_sorted_and_a_prefix_is_made_of_segments(store: ArtifactStore) -> None:
    for name in ("run/b", "run/a.txt", "run/a/x", "running", "other/z"):
        store.put(name, [b"x"])
    assert names(store) == ["other/z", "run/a.txt", "run/a/x", "run/b", "running"]
    assert names(store, "run") == names(store, "run/") == ["run/a.txt", "run/a/x", "run/b"]
    assert names(store, "nowhere") == []


@pytest.mark.parametrize("size", [11, 20_000_000])
def test_more_than_allowed_is_refused_and_nothing_is_kept(store: ArtifactStore, size: int) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2 * size:
            sent += 1_000_000
            yield bytes(1_000_000)

    store.put("a", [b"before"])
    with pytest.raises(ObjectTooLargeError):
        store.put("a", chunks(), max_bytes=size)
    assert sent <= size + 1_000_000
    assert content(store, "a") == b"before"
    assert store.put("b", [b"x" * 11], max_bytes=11).size_bytes == 11


@pytest.mark.parametrize("failure", [ConnectionResetError("the sender has gone"), KeyError("odd"), TimeoutError()])
@pytest.mark.parametrize("before", [0, 3, 20_000_000])
def test_when_the_sender_fails_nothing_is_kept_and_everybody_hears_why(
    store: ArtifactStore, failure: Exception, before: int
) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(before)
        raise failure

    with pytest.raises(type(failure)) as caught:
        store.put("a/b", chunks())
    assert caught.value is failure
    assert names(store) == []


@pytest.mark.parametrize(
    "name", ["", "..", "a/../b", "/etc/passwd", "a//b", ".a", "a\\b", "a:b", "a\nb", "a\0b", "x" * 1025]
)
@pytest.mark.parametrize("what", ["put", "open", "head", "delete"])
def test_bad_names_are_refused(store: ArtifactStore, name: str, what: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: store.put(name, [b""]),
        "open": lambda: store.open(name),
        "head": lambda: store.head(name),
        "delete": lambda: store.delete(name),
    }
    with pytest.raises(ObjectNameError):
        calls[what]()
