"""The sources that are available: those of flowcore, those of the program itself, and those that others have installed.

Others are found through entry points. Nobody looks for them before a flow names a source that is not there without
them, or somebody asks for all: reading the metadata of every installed package is a tenth of a start.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from typing_extensions import override

from flowcore.catalog import Catalog, SourceType
from flowcore.errors import SourceError
from flowcore.ports import SourceAdapter

from .sources.container import ContainerSource
from .sources.env import EnvSource
from .sources.legacy import LegacyProvider
from .sources.process import ProcessSource
from .sources.python import PythonSource
from .sources.rest import RestSource
from .sources.value import ValueSource
from .sources.wait import WaitSource
from .sources.workflow import FAMILIES, WorkflowSettings, node_source

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "flowcore.sources"
"""Classes that are called without arguments and give a `SourceAdapter`."""
LEGACY_GROUP: Final = "flowtoy.providers"
"""What people have already written (contract status, section 3): `cls(configuration)`, `call(input_payload)`."""
_OWN_PACKAGE: Final = "flowcore_adapters."


@attrs.frozen
class _Found:
    """What others have installed."""

    adapters: Mapping[str, SourceAdapter]
    warnings: tuple[str, ...]


class Registry:
    """Source adapters by the name of their type.

    Attributes:
        node_timeout_s: How long an attempt in a flow of nodes may take, in seconds; None for what its step says.
    """

    def __init__(
        self,
        adapters: Mapping[str, SourceAdapter],
        warnings: tuple[str, ...] = (),
        *,
        installed: bool = False,
        workflows: WorkflowSettings | None = None,
        node_timeout_s: float | None = None,
    ) -> None:
        """Hold *adapters*, and behind them, when *installed*, what others have installed.

        Args:
            workflows: What the nodes of workflows may reach; None for a place without any. Their sources are found by
                name, but not listed: nobody writes them into a flow file.
            node_timeout_s: The attribute.
        """
        self.node_timeout_s = node_timeout_s
        self._adapters = dict(adapters)
        self._workflows = workflows
        self._nodes: dict[str, SourceAdapter] = {}
        self._warnings = warnings
        self._installed = installed

    @cached_property
    def _found(self) -> "_Found":
        return _look(self._adapters) if self._installed else _Found({}, ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is installed and cannot be used, for people. A flow that does not use it runs all the same."""
        return (*self._warnings, *self._found.warnings)

    @property
    def catalog(self) -> Catalog:
        """What front ends need to know of the sources."""
        return _Catalog(self)

    def find(self, name: str) -> SourceAdapter | None:
        """Return the adapter of the type *name*, or None."""
        known = self._adapters.get(name) or self._node(name)
        return self._found.adapters.get(name) if known is None else known

    def _node(self, name: str) -> SourceAdapter | None:
        """Return the source of a type of node, which is made when it is first asked for."""
        known = self._nodes.get(name)
        if known is None and self._workflows is not None:
            known = node_source(name, self._workflows)
            if known is not None:
                self._nodes[name] = known
        return known

    def names(self) -> tuple[str, ...]:
        """Return the names of all types."""
        return (*self._adapters, *self._found.adapters)

    def adapter(self, name: str) -> SourceAdapter:
        """Return the adapter of the type *name*.

        Raises:
            SourceError: There is none.
        """
        found = self.find(name)
        if found is None:
            available = ", ".join(sorted(self.names()))
            message = f"there is no source type '{name}'; available: {available}"
            raise SourceError(message, code="unknown-source", retryable=False)
        return found


class _Catalog(Mapping[str, SourceType]):
    """The types of a registry; others are looked for only when one that is not known is asked for, or all are."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @override
    def __getitem__(self, name: str) -> SourceType:
        found = self._registry.find(name)
        if found is None:
            raise KeyError(name)
        return found.type

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names())

    @override
    def __len__(self) -> int:
        return len(self._registry.names())


def load_registry(
    extra: Mapping[str, SourceAdapter] | None = None,
    *,
    private_targets: bool = True,
    files_root: Path | None = None,
    node_timeout_s: float | None = None,
) -> Registry:
    """Return the sources of flowcore and what others have installed, and *extra* in front of both.

    Args:
        private_targets: Whether calls may go to addresses that are not public (contract safety: not for flows that come
            over HTTP, unless that is allowed).
        files_root: The directory below which the nodes of workflows read and write files; None for the working one.
        node_timeout_s: See `Registry`.
    """
    # Ours are here even when the metadata of this distribution is stale, as after a `git pull`.
    own: tuple[SourceAdapter, ...] = (
        ContainerSource(),
        EnvSource(),
        ProcessSource(),
        PythonSource(),
        RestSource(private_targets=private_targets),
        ValueSource(),
        WaitSource(),
    )
    return Registry(
        {**{adapter.type.name: adapter for adapter in own}, **(extra or {})},
        installed=True,
        workflows=WorkflowSettings(root=files_root, private_targets=private_targets),
        node_timeout_s=node_timeout_s,
    )


def _look(known: Mapping[str, SourceAdapter]) -> _Found:
    """Return what others have installed under names that are not *known*, and what of it cannot be used."""
    adapters: dict[str, SourceAdapter] = {}
    warnings: list[str] = []
    if not _others_declared():
        return _Found(adapters, ())
    from importlib.metadata import entry_points

    points = entry_points()
    for group in (GROUP, LEGACY_GROUP):
        for point in points.select(group=group):
            if point.name in known or point.name in adapters or point.name in FAMILIES:
                continue
            try:
                adapters[point.name] = _load(point, legacy=group == LEGACY_GROUP)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code
                what = "provider" if group == LEGACY_GROUP else "source"
                reason = f"{type(error).__name__}: {error}"
                warnings.append(f"{what} '{point.name}' ({point.value}) cannot be used: {reason}")
    return _Found(adapters, tuple(warnings))


def _load(point: "EntryPoint", *, legacy: bool) -> SourceAdapter:
    if legacy:
        return LegacyProvider(point.name, point.load())
    adapter: SourceAdapter = point.load()()
    if adapter.type.name != point.name:
        raise ValueError(f"its type is called '{adapter.type.name}'")
    return adapter


def _others_declared() -> bool:
    """Return whether anybody else may have installed sources.

    A short look at the files themselves: in most places nobody has, and then `importlib.metadata` is not needed.
    """
    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        return True
    for place in map(Path, dict.fromkeys(sys.path)):
        if place.is_file():
            # A zip file.
            return True
        try:
            with os.scandir(place) as entries:
                names = [entry.name for entry in entries if entry.name.lower().endswith((".dist-info", "egg-info"))]
        except OSError:
            continue
        if any(_declares(place / name / "entry_points.txt") for name in names):
            return True
    return False


def _declares(file: Path) -> bool:
    """Return whether the entry points in *file* are sources, and not ours."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[] ")
        elif group in {GROUP, LEGACY_GROUP}:
            _name, _, value = line.partition("=")
            if value and not value.strip().startswith(_OWN_PACKAGE):
                return True
    return False
