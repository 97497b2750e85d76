"""The stores of runs: those that their flows declare, those that the server has, and `default`."""

import json
from collections.abc import Mapping
from threading import Lock
from typing import Final

import attrs

from flowcore.artifacts import Artifact, Store, WellSource
from flowcore.documents.nodes.compilation import Compiled
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.errors import ObjectNotFoundError, StoreConfigurationError, StoreElsewhereError
from flowcore.ids import RunId, parse_run_id
from flowcore.model import Flow
from flowcore.ports import EventLog
from flowcore.run.events import RunCreated
from flowcore.stores import DEFAULT_STORE, ArtifactStore
from flowcore.values import Instant, Json
from flowcore_adapters.runner.ownership import is_this_program

from .factory import IN_MEMORY, SECRET_PARAMS, StoreSettings, open_store

_LOCAL: Final = Store(type="local", params={})


@attrs.frozen(kw_only=True)
class Declared:
    """What the log says of a run, as far as its artifacts go."""

    flow: Flow
    created_at: Instant


class StoreBook:
    """Opens stores, each once. Safe for threads."""

    def __init__(self, log: EventLog, settings: StoreSettings, configured: Mapping[str, Store] | None = None) -> None:
        """Look up what runs declare in *log*.

        Args:
            log: Where the runs are.
            settings: What the operator allows and has.
            configured: The server's own stores, by name: for flows that name one without saying how to reach it.
        """
        self._log = log
        self._settings = settings
        self._configured = dict(configured or {})
        self._lock = Lock()
        self._open: dict[str, ArtifactStore] = {}
        self._secrets: dict[tuple[RunId, str], Mapping[str, str]] = {}

    def declared(self, run_id: RunId) -> Declared | None:
        """Return what *run_id* declares; None when there is no such run."""
        first = next(self._log.read(run_id), None)
        if first is None or not isinstance(first.event, RunCreated):
            return None
        return Declared(flow=first.event.flow, created_at=first.event.at)

    def find(self, name: str, run: str = "") -> ArtifactStore:
        """Return the store that *run* calls *name*; the server's own when there is no run.

        Raises:
            StoreError: There is none, or it cannot be used.
        """
        if not run:
            return self._opened(name, self._server_store(name))
        run_id = parse_run_id(run)
        found = None if run_id is None else self.declared(run_id)
        if run_id is None or found is None:
            raise ObjectNotFoundError(f"there is no run '{run[:40]}'")
        return self.of(run_id, found.flow, name)

    def of(self, run_id: RunId, flow: Flow, name: str) -> ArtifactStore:
        """Return the store that a run of *flow* calls *name*.

        Raises:
            StoreElsewhereError: It is in the memory of the process that drives the run, which is another one.
            StoreError: There is none, or it cannot be used.
        """
        store = self._meant(run_id, flow, name)
        if store.type == IN_MEMORY:
            owner = self._log.ownership(run_id).owner
            if owner is not None and not is_this_program(owner):
                raise StoreElsewhereError(
                    f"store '{name}' is in the memory of {owner.name}, which drives the run: only that process takes"
                    " and hands out its objects. Ask that one, or let several processes have a store of the type"
                    " local, s3fs or s3"
                )
        return self._opened(name, store)

    def _meant(self, run_id: RunId, flow: Flow, name: str) -> Store:
        declared = flow.stores.get(name)
        if declared is None or declared.params is None:
            return self._server_store(name)
        with self._lock:
            hidden = self._secrets.get((run_id, name), {})
        return self._complete(name, declared, hidden)

    def _server_store(self, name: str) -> Store:
        found = self._configured.get(name) or (_LOCAL if name == DEFAULT_STORE else None)
        if found is None:
            raise StoreConfigurationError(
                f"there is no store '{name}': neither the flow nor the server says where it is"
            )
        return found

    def _complete(self, name: str, declared: Store, hidden: Mapping[str, str]) -> Store:
        """Return *declared* with its secrets: those that came with the flow, or those of the server's own store."""
        own = self._configured.get(name)
        if declared.type == "s3" and not hidden and own is not None and _same_place(declared, own):
            return own
        if declared.type == "s3" and not hidden:
            params = {**(declared.params or {}), "AccessKey": "...", "SecretKey": "..."}
            wanted = json.dumps({name: {"type": declared.type, "params": params}})
            raise StoreConfigurationError(
                f"the keys of store '{name}' are not known: give AccessKey and SecretKey in its Params when the run is"
                " started, or start this program with `--stores FILE`. Keys that came with a flow are recorded nowhere:"
                f" a program that was started since needs the second. FILE holds {wanted}"
            )
        return Store(type=declared.type, params={**(declared.params or {}), **hidden})

    def _opened(self, name: str, store: Store) -> ArtifactStore:
        params: Mapping[str, Json] = store.params or {}
        # The operator's own stores may be anywhere.
        trusted = store is self._configured.get(name)
        settings = attrs.evolve(self._settings, private_endpoints=True) if trusted else self._settings
        key = json.dumps([name, trusted, store.type, sorted(params.items(), key=lambda item: item[0])])
        with self._lock:
            found = self._open.get(key)
            if found is None:
                found = self._open[key] = open_store(name, store.type, params, settings)
            return found

    def prepare(self, compiled: Compiled) -> Mapping[str, Artifact]:
        """Return the objects of the static wells of *compiled*, by edge; every store is looked at.

        Raises:
            StoreConfigurationError: A store is declared wrongly, or not as the operator allows.
            StoreError: A store cannot be used.
            ObjectNotFoundError: An object is not there.
        """
        flow = compiled.flow
        stores: dict[str, ArtifactStore] = {}
        for name in dict.fromkeys(well.store for well in flow.wells.values()):
            declared = flow.stores.get(name)
            wanted = (
                self._server_store(name)
                if declared is None or declared.params is None
                else self._complete(name, declared, compiled.secrets.get(name, {}))
            )
            stores[name] = self._opened(name, wanted)
        found: dict[str, Artifact] = {}
        for edge, well in flow.wells.items():
            if well.source is WellSource.STATIC:
                # A static key has no variables, so it is the same for every run.
                stored = stores[well.store].head(name_on_edge(flow, edge, RunId(0), Instant(0.0)))
                found[edge] = Artifact(store=well.store, name=stored.name, size_bytes=stored.size_bytes)
        return found

    def keep(self, run_id: RunId, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Keep the *secrets* of the stores of a run, where nobody records them, for as long as this process lives."""
        with self._lock:
            for name, values in secrets.items():
                self._secrets[run_id, name] = values


def _same_place(declared: Store, own: Store) -> bool:
    """Return whether a flow means the server's own store: its keys are for no other place."""
    shown = {key: value for key, value in (own.params or {}).items() if key not in SECRET_PARAMS}
    return declared.type == own.type and dict(declared.params or {}) == shown
