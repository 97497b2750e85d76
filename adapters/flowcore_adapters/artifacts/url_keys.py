"""The keys that upload and download URLs are signed with.

A key set is lines of `name:key`, the key in base64url. The first one signs, every one of them is good for checking: to
change the key put a new line in front, and take the old one away once its URLs have expired.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final

import attrs

from flowcore.errors import StoreConfigurationError

VARIABLE: Final = "FLOWCORE_URL_KEY"
"""The environment variable that has the key set; without it there is a file."""
_SHORTEST: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@attrs.frozen
class UrlKeys:
    """A key set.

    Attributes:
        current: The name of the key that signs.
    """

    current: str
    _keys: Mapping[str, bytes] = attrs.field(repr=False)

    def find(self, name: str) -> bytes | None:
        """Return the key *name*, or None."""
        return self._keys.get(name)

    @property
    def key(self) -> bytes:
        """The key that signs."""
        return self._keys[self.current]


def parse_keys(text: str, where: str) -> UrlKeys:
    """Return the key set that *text* spells; commas part keys as well as line breaks do.

    Raises:
        StoreConfigurationError: It spells none; the message names *where* and shows no key.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(text.replace(",", "\n").split(), 1):
        name, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _NAME.fullmatch(name) or len(key) < _SHORTEST or name in keys:
            raise StoreConfigurationError(
                f"{where}: entry {number} is no key: `name:key` is one, with a name of its own and at least"
                f" {_SHORTEST} bytes in base64url"
            )
        keys[name] = key
    if not keys:
        raise StoreConfigurationError(f"{where}: there is no key")
    return UrlKeys(next(iter(keys)), keys)


def new_keys() -> str:
    """Return a key set of one new key, as text."""
    return f"{token_hex(4)}:{base64.urlsafe_b64encode(token_bytes(_SHORTEST)).decode().rstrip('=')}\n"


def load_keys(path: Path) -> UrlKeys:
    """Return the key set of the environment or of the file *path*, which is made when it is missing.

    Raises:
        StoreConfigurationError: It has no keys, or others may read the file.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return parse_keys(given, VARIABLE)
    try:
        with suppress(FileExistsError):
            _create(path)
        return parse_keys(_read(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise StoreConfigurationError(f"the key file {path} cannot be used: {reason}") from error


def _create(path: Path) -> None:
    """Make the file at once and whole: another process may be looking for it at the same time."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(new_keys())
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)
    finally:
        new.unlink()


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _OTHERS:
            raise StoreConfigurationError(
                f"the key file {path} may be read by others: `chmod 600` it, and replace the key that is in it"
            )
        return file.read()
