"""The settings of the application for WSGI servers, as the environment has them (see `wsgi`)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from flowcore.artifacts import Store
from flowcore.documents.fields import LONGEST_S
from flowcore.errors import FlowcoreError, StoreConfigurationError
from flowcore_adapters.artifacts.store_files import read_stores
from flowcore_adapters.logs.location import default_path
from flowcore_adapters.node_choices import POLICIES, RUNTIMES
from flowcore_adapters.node_runtime import NodeRuntime

from .incoming.authority import origin_of, split_base
from .incoming.guard import SHORTEST_TOKEN, GuardSettings

_MOST: Final = 1000
"""So many threads or workers are more than any machine can use."""


class SettingsError(FlowcoreError):
    """The environment says something that cannot be; every variable concerned is named."""


@attrs.frozen(kw_only=True)
class Settings:
    """What the environment says, variable by variable.

    Attributes:
        named_db: The event log; None where nobody has named one.
        guard: What requests must bring; without a good token only this machine is answered, unless it says otherwise.
        threads: How many threads the server has; None where nobody says.
        start: Whether runs are driven here.
        private_targets: Whether flows may call addresses of this machine and of private networks.
    """

    named_db: Path | None
    guard: GuardSettings
    store_dir: Path | None
    stores: Mapping[str, Store]
    mount_roots: tuple[Path, ...]
    public_url: str | None
    threads: int | None
    start: bool
    workflows_root: Path
    batch_workers: int
    private_targets: bool
    runtime: NodeRuntime

    @property
    def db(self) -> Path:
        """The event log: the user's own where nobody has named another."""
        return self.named_db or default_path()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return what *environment* says; an empty variable says nothing.

    Raises:
        SettingsError: Something in it cannot be.
    """
    reader = _Reader(environment)
    settings = Settings(
        named_db=reader.file("FLOWCORE_DB"),
        guard=reader.guard(),
        store_dir=reader.path("FLOWCORE_STORE_DIR"),
        stores=reader.stores("FLOWCORE_STORES"),
        mount_roots=tuple(map(Path, reader.listed("FLOWCORE_MOUNT_ROOTS", os.pathsep))),
        public_url=reader.url("FLOWCORE_PUBLIC_URL"),
        threads=reader.count("FLOWCORE_THREADS"),
        start=reader.flag("FLOWCORE_START"),
        workflows_root=reader.directory("FLOWCORE_WORKFLOWS_ROOT"),
        batch_workers=reader.count("FLOWCORE_BATCH_WORKERS") or 4,
        private_targets=reader.flag("FLOWCORE_PRIVATE_TARGETS"),
        runtime=NodeRuntime(
            reader.word("FLOWCORE_NODE_RUNTIME", *RUNTIMES),
            reader.word("FLOWCORE_TIER_POLICY", *POLICIES),
            reader.seconds("FLOWCORE_NODE_TIMEOUT"),
        ),
    )
    reader.check()
    return settings


def read_guard(environment: Mapping[str, str]) -> GuardSettings:
    """Return what *environment* says about who is answered.

    Raises:
        SettingsError: Something in it cannot be.
    """
    reader = _Reader(environment)
    settings = reader.guard()
    reader.check()
    return settings


class _Reader:
    """Reads variables, and keeps what is wrong with them.

    Attributes:
        problems: What is wrong, for people.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment

    def check(self) -> None:
        if self.problems:
            raise SettingsError("; ".join(self.problems))

    def guard(self) -> GuardSettings:
        token = self.text("FLOWCORE_TOKEN")
        secured = self.flag("FLOWCORE_INSECURE_NO_AUTH") or len(token or "") >= SHORTEST_TOKEN
        return GuardSettings(
            token=token,
            allow_hosts=self.listed("FLOWCORE_ALLOW_HOSTS"),
            allow_origins=self.origins("FLOWCORE_ALLOW_ORIGINS"),
            local_only=not secured,
        )

    def text(self, name: str) -> str | None:
        return self._environment.get(name) or None

    def listed(self, name: str, separator: str = ",") -> tuple[str, ...]:
        parts = self._environment.get(name, "").split(separator)
        return tuple(part.strip() for part in parts if part.strip())

    def path(self, name: str) -> Path | None:
        found = self.text(name)
        return None if found is None else Path(found)

    def file(self, name: str) -> Path | None:
        found = self.path(name)
        if found is not None and not found.parent.is_dir():
            self.problems.append(f"{name} is '{str(found)[:100]}': its directory does not exist")
        return found

    def directory(self, name: str) -> Path:
        found = self.path(name) or Path()
        if not found.is_dir():
            self._refuse(name, "the path of a folder that is there")
        return found

    def origins(self, name: str) -> tuple[str, ...]:
        found = self.listed(name)
        if any(origin_of(each) != each.lower().rstrip("/") for each in found):
            # What never matches any would go unnoticed.
            self._refuse(name, "origins, such as https://ui.example.com, separated by commas")
        return found

    def url(self, name: str) -> str | None:
        found = self.text(name)
        if found is not None and split_base(found) is None:
            self._refuse(name, "what the server is called from outside, such as https://flows.example.com")
        return found

    def count(self, name: str) -> int | None:
        found = self.text(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdigit() and len(found) <= len(str(_MOST)) and 1 <= int(found) <= _MOST):
            self._refuse(name, f"a number from 1 to {_MOST}")
            return None
        return int(found)

    def seconds(self, name: str) -> float | None:
        found = self.text(name)
        if found is None:
            return None
        try:
            seconds = float(found)
        except ValueError:
            seconds = 0.0
        # Neither does it hold for what is no number at all.
        if not 0 < seconds <= LONGEST_S:
            self._refuse(name, f"a number of seconds, at most {LONGEST_S:.0f}")
            return None
        return seconds

    def flag(self, name: str) -> bool:
        found = self._environment.get(name, "")
        if found not in {"", "0", "1"}:
            self._refuse(name, "1, or not set")
        return found == "1"

    def word(self, name: str, usual: str, other: str) -> str:
        found = self.text(name) or usual
        if found not in {usual, other}:
            self._refuse(name, f"{usual} or {other}")
            return usual
        return found

    def stores(self, name: str) -> Mapping[str, Store]:
        found = self.path(name)
        try:
            return {} if found is None else read_stores(found)
        except StoreConfigurationError as error:
            self.problems.append(f"{name}: {error}")
            return {}

    def _refuse(self, name: str, wanted: str) -> None:
        self.problems.append(f"{name} is '{self._environment.get(name, '')[:100]}'; it must be {wanted}")
