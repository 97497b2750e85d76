"""One attempt at a node: its properties with their references filled in, and what it leaves for others."""

import random
import time
from collections.abc import Mapping
from typing import Final

import attrs

from flowcore.documents.workflows.fakes import Fakes
from flowcore.documents.workflows.numbers import number_of
from flowcore.documents.workflows.references import Scope, interpolate, to_text
from flowcore.errors import SourceError
from flowcore.ports import SourceCall
from flowcore.values import Instant, Json
from flowcore_adapters.sources.configuration import TimeLimit, stopped, time_limit

from .settings import WorkflowSettings

_NOTHING: Final[Mapping[str, Json]] = {}


def node_error(message: str, *, code: str = "node-error", retryable: bool = True) -> SourceError:
    """Return the failure of a node."""
    return SourceError(message, code=code, retryable=retryable)


def unfit(message: str) -> SourceError:
    """Return the failure of a node whose data make no sense; trying again cannot help."""
    return SourceError(message, code="bad-node", retryable=False)


@attrs.frozen(kw_only=True)
class Patch:
    """What a node leaves.

    Attributes:
        data: Results, by their keys.
        variables: Variables.
        more: What its step declares beside these, such as the branch of a switch.
    """

    data: Mapping[str, Json] = _NOTHING
    variables: Mapping[str, Json] = _NOTHING
    more: Mapping[str, Json] = _NOTHING


class NodeCall:
    """A node, as the function that runs it sees it.

    Attributes:
        id: The node's id.
        call: The attempt.
        settings: What it may reach.
    """

    def __init__(self, call: SourceCall, settings: WorkflowSettings) -> None:
        """Look at *call*, whose payload is what the nodes of the run share."""
        self.call = call
        self.settings = settings
        configuration = call.configuration
        self.id = to_text(configuration.get("node"))
        self._data = _mapping(configuration.get("data"))
        self._inputs = _mapping(configuration.get("inputs"))
        self._payload = _mapping(call.payload)
        self._scope: Scope | None = None

    @property
    def scope(self) -> Scope:
        """What references refer to."""
        if self._scope is None:
            self._scope = Scope(
                data=_mapping(self._payload.get("data")),
                variables=_mapping(self._payload.get("variables")),
                fakes=Fakes(random.random, Instant(time.time())),
            )
        return self._scope

    def raw(self, key: str) -> Json:
        """Return the property *key* as it is written."""
        return self._data.get(key)

    def get(self, key: str) -> Json:
        """Return the property *key*: what another node gives for it, or else with its references filled in.

        What another node gives is data: references in it are not looked at.
        """
        if self._inputs:
            given = self._inputs.get(key)
            if isinstance(given, str) and given in self.scope.variables:
                return self.scope.variables[given]
        value = self._data.get(key)
        if isinstance(value, (str, dict, list, tuple)):
            return interpolate(value, self.scope)
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return the property *key* as text; *default* when there is none, or an empty one."""
        return to_text(self.get(key)) or default

    def needed(self, key: str, message: str) -> str:
        """Return the property *key* as text.

        Raises:
            SourceError: It is missing or empty: *message*.
        """
        found = self.text(key)
        if not found.strip():
            raise unfit(message)
        return found

    def flag(self, key: str) -> bool:
        """Return whether the property *key* is true."""
        value = self.get(key)
        return value is True or (isinstance(value, str) and value.lower() == "true")

    def mapping(self, key: str) -> Mapping[str, Json]:
        """Return the property *key*; an empty mapping when it is none."""
        return _mapping(self.get(key))

    def limit(self, default_ms: float | None = None) -> TimeLimit:
        """Return when the attempt must be over: its own `timeout`, in milliseconds, counts as well.

        So does that of the condition until which it is tried: one try alone must not take longer than all may.
        """
        own_ms = number_of(self.get("timeout"))
        if own_ms is None or own_ms <= 0:
            own_ms = default_ms
        until = self.call.configuration.get("until")
        all_ms = number_of(until.get("timeout")) if isinstance(until, dict) else None
        if all_ms is not None and all_ms > 0:
            own_ms = all_ms if own_ms is None else min(own_ms, all_ms)
        return time_limit(self.call, None if own_ms is None else own_ms / 1000)

    def pause(self, seconds: float) -> None:
        """Let *seconds* pass.

        Raises:
            SourceError: The attempt was cancelled, or its time is over.
        """
        limit = time_limit(self.call)
        left = limit.left()
        if self.call.cancel.wait(min(seconds, left)):
            raise stopped()
        if seconds > left:
            raise limit.error()


def _mapping(value: Json) -> Mapping[str, Json]:
    # Not `Mapping`: to ask that takes several times as long, and every node asks five times.
    return value if isinstance(value, dict) else _NOTHING
