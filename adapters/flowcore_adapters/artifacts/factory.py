"""Stores as flows declare them: a type and its `Params` (contract flow-runs, section 7)."""

import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import attrs

from flowcore.documents.nodes.s3_names import misspelt
from flowcore.errors import StoreConfigurationError
from flowcore.stores import ArtifactStore
from flowcore.values import Json
from flowcore_adapters.sources.exchange.addresses import is_public

from .local import LocalArtifactStore
from .objects import ObstoreArtifactStore, S3ArtifactStore, require_obstore

if TYPE_CHECKING:
    from obstore.store import S3Config

SECRET_PARAMS: Final = frozenset({"AccessKey", "SecretKey"})
"""Parameters that no log and no error may show."""
IN_MEMORY: Final = "s3local"
"""The type of stores that are in the memory of one process."""
_REQUIRED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "s3": frozenset({"BucketName", "AccessKey", "SecretKey"}),
        IN_MEMORY: frozenset({"BucketName"}),
        "s3fs": frozenset({"MountPath", "BucketName"}),
        "local": frozenset(),
    }
)
_OPTIONAL: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"s3": frozenset({"Endpoint", "Location", "Secure"})})
_REGION: Final = "us-east-1"
_CONNECT_S: Final = 5
_REQUEST_S: Final = 60
_RETRY_S: Final = 10


@attrs.frozen(kw_only=True)
class StoreSettings:
    """What the operator allows and has.

    Attributes:
        directory: Where the stores of this machine are; `default` is one of them.
        mount_roots: Directories below which the `MountPath` of an `s3fs` store may be.
        private_endpoints: Whether flows may name servers that are not public: not where others than this machine may
            send flows (contract safety).
    """

    directory: Path
    mount_roots: tuple[Path, ...] = ()
    private_endpoints: bool = True


def check_params(kind: str, params: Mapping[str, Json]) -> list[str]:
    """Return everything that is wrong with *params* of a store of type *kind*, for people; no value of a secret."""
    required = _REQUIRED.get(kind)
    if required is None:
        return [f"there is no store type '{kind[:40]}'; there are {', '.join(_REQUIRED)}"]
    known = required | _OPTIONAL.get(kind, frozenset())
    problems = [
        f"a store of type {kind} has no parameter '{name[:40]}'; it has {', '.join(sorted(known)) or 'none'}"
        for name in params
        if name not in known
    ]
    problems += [f"'{name}' is missing" for name in sorted(required) if params.get(name) in (None, "")]
    for name in sorted(known & params.keys()):
        value = params[name]
        wanted, fits = ("true or false", bool) if name == "Secure" else ("text", str)
        if value is not None and not isinstance(value, fits):
            problems.append(f"'{name}' must be {wanted}")
        wrong = misspelt(kind, name, value) if isinstance(value, str) else None
        if wrong is not None:
            problems.append(wrong)
    return problems


def redact_params(params: Mapping[str, Json]) -> dict[str, Json]:
    """Return *params* fit for logs: secrets blackened."""
    return {name: "***" if name in SECRET_PARAMS and value else value for name, value in params.items()}


def open_store(name: str, kind: str, params: Mapping[str, Json], settings: StoreSettings) -> ArtifactStore:
    """Return the store *name* of type *kind*.

    Raises:
        StoreConfigurationError: It is declared wrongly, or not as the operator allows; every problem is named.
        StoreError: It cannot be used.
    """
    problems = check_params(kind, params)
    if problems:
        raise StoreConfigurationError(f"store '{name}': {'; '.join(problems)}")
    given = {key: value for key, value in params.items() if isinstance(value, str)}
    match kind:
        case "s3":
            if not settings.private_endpoints:
                _refuse_private(name, given.get("Endpoint", ""))
            return _bucket(given, secure=params.get("Secure") is not False)
        case "s3local":
            return _memory(given["BucketName"])
        case "s3fs":
            return LocalArtifactStore(_mounted(name, given, settings), resolved=True)
        case _:
            return LocalArtifactStore(settings.directory / _directory(name))


def _refuse_private(name: str, endpoint: str) -> None:
    """See that *endpoint* is a server of the internet; nothing is one: the store's own."""
    if not endpoint:
        return
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        found = socket.getaddrinfo(parts.hostname or "", parts.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise StoreConfigurationError(f"store '{name}': its Endpoint is not known") from None
    if not all(is_public(str(entry[4][0])) for entry in found):
        raise StoreConfigurationError(
            f"store '{name}': its Endpoint is a private address, which flows may not name here; a store of the server"
            " itself may (--stores)"
        )


def _bucket(given: Mapping[str, str], *, secure: bool) -> S3ArtifactStore:
    require_obstore()
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    endpoint = given.get("Endpoint", "")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'https' if secure else 'http'}://{endpoint}"
    # None is not the same as nothing to the library.
    where: S3Config = {"endpoint": endpoint} if endpoint else {}
    secrets = (given["SecretKey"], given["AccessKey"])
    try:
        store = S3Store(
            given["BucketName"],
            config=where,
            access_key_id=given["AccessKey"],
            secret_access_key=given["SecretKey"],
            region=given.get("Location") or _REGION,
            virtual_hosted_style_request=not endpoint,
            client_options={
                "allow_http": not secure or endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=_CONNECT_S),
                "read_timeout": timedelta(seconds=_REQUEST_S),
                # The length of a transfer says nothing; that it stands still does.
                "timeout": timedelta(days=1),
            },
            # Left alone it goes on for three minutes; whoever asked has a retry of its own.
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=_RETRY_S)},
        )
    except (BaseError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        for secret in secrets:
            reason = reason.replace(secret, "***")
        raise StoreConfigurationError(f"the store cannot be used: {reason}") from None
    return S3ArtifactStore(store, secrets)


_MEMORIES: Final[dict[str, ObstoreArtifactStore]] = {}
"""One store for each bucket of this process: what one run leaves there, another one finds."""


def _memory(bucket: str) -> ObstoreArtifactStore:
    require_obstore()
    from obstore.store import MemoryStore

    return _MEMORIES.setdefault(bucket, ObstoreArtifactStore(MemoryStore()))


def _mounted(name: str, given: Mapping[str, str], settings: StoreSettings) -> Path:
    mount = Path(given["MountPath"])
    # The real path: a link below an allowed directory, the bucket's own included, may lead anywhere.
    real = (mount / _directory(given["BucketName"])).resolve()
    roots = [root.resolve() for root in settings.mount_roots]
    if not mount.is_absolute() or not any(real.is_relative_to(root) for root in roots):
        raise StoreConfigurationError(
            f"store '{name}': its MountPath is not below a directory that the operator allows (--mount-root)"
        )
    return real


def _directory(name: str) -> str:
    """Return the name of a directory for *name*, which is somebody's text."""
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
