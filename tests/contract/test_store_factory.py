"""Stores as flows declare them (contract flow-runs, section 7)."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from flowcore.errors import StoreConfigurationError, StoreError
from flowcore.values import Json
from flowcore_adapters.artifacts.factory import StoreSettings, check_params, open_store, redact_params
from flowcore_adapters.artifacts.objects import S3ArtifactStore

S3: dict[str, Json] = {"BucketName": "b", "AccessKey": "access-key", "SecretKey": "secret-key"}
BUCKET = (
    "'BucketName' must be at most 63 of a-z, 0-9, dots and hyphens, with a letter or a digit at both ends and no two"
    " dots together"
)
ENDPOINT = (
    "'Endpoint' must be a host such as s3.example.com, with http:// or https:// before it, or a port or a path behind"
    " it, if need be"
)
S3_PARAMS = "AccessKey, BucketName, Endpoint, Location, SecretKey, Secure"


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return StoreSettings(directory=tmp_path / "stores", mount_roots=(tmp_path / "mounts",))


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("s3", S3, []),
        ("s3", {**S3, "Endpoint": "127.0.0.1:9000", "Location": "eu-west-1", "Secure": False}, []),
        ("s3", {**S3, "Endpoint": None, "Secure": None}, []),
        ("s3", {}, ["'AccessKey' is missing", "'BucketName' is missing", "'SecretKey' is missing"]),
        ("s3", {**S3, "SecretKey": ""}, ["'SecretKey' is missing"]),
        ("s3", {**S3, "Secure": "no"}, ["'Secure' must be true or false"]),
        ("s3", {**S3, "BucketName": 7}, ["'BucketName' must be text"]),
        (
            "s3",
            {**S3, "Bucket": "b"},
            [
                f"a store of type s3 has no parameter 'Bucket'; it has {S3_PARAMS}",
            ],
        ),
        ("s3local", {"BucketName": "b"}, []),
        ("s3local", {"BucketName": "b", "X": 1}, ["a store of type s3local has no parameter 'X'; it has BucketName"]),
        ("s3fs", {"MountPath": "/data"}, ["'BucketName' is missing"]),
        ("local", {}, []),
        ("local", {"Path": "/etc"}, ["a store of type local has no parameter 'Path'; it has none"]),
        ("s3", {**S3, "BucketName": "my.photos-2", "Location": "", "Endpoint": ""}, []),
        ("s3", {**S3, "Endpoint": "https://s3.example.com:9000/minio/"}, []),
        ("s3", {**S3, "Endpoint": "http://[::1]:9000"}, []),
        ("s3", {**S3, "BucketName": "127.0.0.1:57517/x"}, [BUCKET]),
        ("s3", {**S3, "BucketName": "127.0.0.1:9000#"}, [BUCKET]),
        ("s3", {**S3, "BucketName": "b" * 64}, [BUCKET]),
        ("s3", {**S3, "BucketName": "../b"}, [BUCKET]),
        ("s3", {**S3, "BucketName": "a..b"}, [BUCKET]),
        ("s3", {**S3, "BucketName": "b\n"}, [BUCKET]),
        ("s3", {**S3, "Location": "evil.example:9000#"}, ["'Location' must be at most 63 of a-z, 0-9 and hyphens"]),
        ("s3", {**S3, "Endpoint": "http://127.0.0.1\\@s3.example.com"}, [ENDPOINT]),
        ("s3", {**S3, "Endpoint": "http://me:secret@s3.example.com"}, [ENDPOINT]),
        ("s3", {**S3, "Endpoint": "file:///etc"}, [ENDPOINT]),
        ("s3", {**S3, "Endpoint": "s3.example.com?x"}, [ENDPOINT]),
        ("s3local", {"BucketName": "Any bucket/at all"}, []),
        ("gcs", {}, ["there is no store type 'gcs'; there are s3, s3local, s3fs, local"]),
    ],
)
def test_everything_that_is_wrong_is_named(kind: str, params: dict[str, Json], expected: list[str]) -> None:
    assert check_params(kind, params) == expected


def test_a_wrong_declaration_opens_nothing(settings: StoreSettings) -> None:
    with pytest.raises(StoreConfigurationError, match=r"store 'mine': .*'X'.*; 'BucketName' is missing"):
        open_store("mine", "s3local", {"X": 1}, settings)


def test_secrets_are_blackened() -> None:
    assert redact_params({**S3, "Endpoint": "e"}) == {
        "BucketName": "b",
        "AccessKey": "***",
        "SecretKey": "***",
        "Endpoint": "e",
    }


@pytest.mark.parametrize("mount", ["/etc", "relative", "{root}/mounts/../elsewhere", "{root}/mounts/link"])
def test_a_mount_is_only_where_the_operator_allows(settings: StoreSettings, tmp_path: Path, mount: str) -> None:
    (tmp_path / "mounts").mkdir()
    (tmp_path / "mounts" / "link").symlink_to("/")
    params: dict[str, Json] = {"MountPath": mount.format(root=tmp_path), "BucketName": "b"}
    with pytest.raises(StoreConfigurationError, match="--mount-root"):
        open_store("mine", "s3fs", params, settings)


@pytest.mark.parametrize("where", ["outside", "mounts-beside"])
def test_a_bucket_is_no_way_out_of_the_mount(settings: StoreSettings, tmp_path: Path, where: str) -> None:
    """docs/artifacts.md: "files below a directory that the operator allows"."""
    (tmp_path / "mounts" / "disk").mkdir(parents=True)
    (tmp_path / where).mkdir()
    (tmp_path / where / "secret.txt").write_bytes(b"secret")
    (tmp_path / "mounts" / "disk" / "b").symlink_to(tmp_path / where)
    params: dict[str, Json] = {"MountPath": str(tmp_path / "mounts" / "disk"), "BucketName": "b"}
    with pytest.raises(StoreConfigurationError, match="--mount-root"):
        open_store("mine", "s3fs", params, settings)


@pytest.mark.parametrize("swapped", ["mounts/disk/b", "mounts/disk"])
def test_a_link_that_is_put_in_the_place_of_a_bucket_later_is_not_followed(
    settings: StoreSettings, tmp_path: Path, swapped: str
) -> None:
    params: dict[str, Json] = {"MountPath": str(tmp_path / "mounts" / "disk"), "BucketName": "b"}
    store = open_store("mine", "s3fs", params, settings)
    store.put("a", [b"x"])
    (tmp_path / "outside" / "b").mkdir(parents=True)
    for directory in (tmp_path / "outside", tmp_path / "outside" / "b"):
        (directory / "secret.txt").write_bytes(b"secret")
    (tmp_path / swapped).rename(tmp_path / "aside")
    (tmp_path / swapped).symlink_to(tmp_path / "outside")
    for use in (lambda: store.open("secret.txt"), lambda: list(store.list()), lambda: store.put("new", [b"x"])):
        with pytest.raises(StoreError, match="a link leads there"):
            use()
    assert sorted(path.name for path in (tmp_path / "outside").rglob("*")) == ["b", "secret.txt", "secret.txt"]


def test_a_bucket_may_be_a_link_within_the_mount(settings: StoreSettings, tmp_path: Path) -> None:
    (tmp_path / "mounts" / "real").mkdir(parents=True)
    (tmp_path / "mounts" / "b").symlink_to("real")
    params: dict[str, Json] = {"MountPath": str(tmp_path / "mounts"), "BucketName": "b"}
    open_store("mine", "s3fs", params, settings).put("a", [b"x"])
    assert (tmp_path / "mounts" / "real" / "a").read_bytes() == b"x"


def test_a_bucket_is_a_directory_of_the_mount(settings: StoreSettings, tmp_path: Path) -> None:
    mount = tmp_path / "mounts" / "disk"
    open_store("mine", "s3fs", {"MountPath": str(mount), "BucketName": "../x/.y"}, settings).put("a", [b"x"])
    assert (mount / "%2E.%2Fx%2F.y" / "a").read_bytes() == b"x"
    assert [path.name for path in mount.iterdir()] == ["%2E.%2Fx%2F.y"]


def test_local_stores_are_kept_apart(settings: StoreSettings) -> None:
    open_store("one", "local", {}, settings).put("a", [b"1"])
    assert list(open_store("two", "local", {}, settings).list()) == []
    assert (settings.directory / "one" / "a").read_bytes() == b"1"


def test_a_bucket_in_memory_is_found_again(settings: StoreSettings) -> None:
    open_store("one", "s3local", {"BucketName": "found-again"}, settings).put("a", [b"1"])
    assert [each.name for each in open_store("two", "s3local", {"BucketName": "found-again"}, settings).list()] == ["a"]


def test_a_dead_endpoint_is_told_soon_in_one_line_without_secrets(settings: StoreSettings) -> None:
    store = open_store("mine", "s3", {**S3, "Endpoint": "127.0.0.1:9", "Secure": False}, settings)
    started = time.monotonic()
    with pytest.raises(StoreError) as caught:
        store.head("a")
    assert time.monotonic() - started < 15
    text = str(caught.value)
    assert "\n" not in text
    assert "access-key" not in text
    assert "secret-key" not in text


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_a_bucket_signs_urls_of_its_own(settings: StoreSettings, method: str) -> None:
    store = open_store("mine", "s3", {**S3, "Endpoint": "127.0.0.1:9000", "Secure": False}, settings)
    assert isinstance(store, S3ArtifactStore)
    url = urlsplit(store.sign(method, "run 1/a.png", expires_in_s=900))
    assert (url.scheme, url.netloc, url.path) == ("http", "127.0.0.1:9000", "/b/run%201/a.png")
    assert parse_qs(url.query)["X-Amz-Expires"] == ["900"]
    assert "secret-key" not in url.query


@pytest.mark.parametrize(("method", "expires_in_s"), [("DELETE", 60), ("GET", 604_801), ("GET", 0)])
def test_some_urls_are_not_signed(settings: StoreSettings, method: str, expires_in_s: float) -> None:
    store = open_store("mine", "s3", S3, settings)
    assert isinstance(store, S3ArtifactStore)
    with pytest.raises(StoreError):
        store.sign(method, "a", expires_in_s=expires_in_s)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "http://169.254.169.254", "[::1]:9", "10.0.0.7", "localhost"])
def test_flows_from_elsewhere_reach_no_private_endpoint(settings: StoreSettings, endpoint: str) -> None:
    strict = attrs.evolve(settings, private_endpoints=False)
    with pytest.raises(StoreConfigurationError, match="private address"):
        open_store("mine", "s3", {**S3, "Endpoint": endpoint}, strict)
    assert isinstance(open_store("mine", "s3", {**S3, "Endpoint": endpoint}, settings), S3ArtifactStore)
    assert isinstance(open_store("mine", "s3", S3, strict), S3ArtifactStore)
