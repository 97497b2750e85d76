"""Providers written for flowtoy: a class with `__init__(configuration)` and `call(input_payload=None)`."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Protocol, TypeGuard

from flowcore.catalog import SourceType
from flowcore.cleaning import clean
from flowcore.errors import SourceError
from flowcore.ports import SourceCall, SourceResult
from flowcore.values import Json


class Provider(Protocol):
    """An object that such a class makes."""

    def call(self, input_payload: object = None) -> object:
        """Return an envelope ``{"status": {"success", "code", "notes"}, "data", "meta"}``, or the data itself."""
        ...


class LegacyProvider:
    """Makes a `SourceAdapter` of such a class; its configuration is its own business."""

    def __init__(self, name: str, provider: Callable[[dict[str, Json]], Provider]) -> None:
        """Call *provider* for every attempt of a source of type *name*."""
        self.type = SourceType(name=name, about="A provider written for flowtoy.", parameters={}, open=True)
        self._provider = provider

    def call(self, call: SourceCall) -> SourceResult:
        """Call the provider and unpack its envelope."""
        try:
            # Copies: what a provider does to what it gets must not reach what others are given.
            answer = self._provider(deepcopy(dict(call.configuration))).call(deepcopy(call.payload))
        except SourceError:
            raise
        except (Exception, SystemExit) as error:
            text = str(error)
            name = type(error).__name__
            raise SourceError(f"{name}: {text}" if text else name, code="exception") from error
        status = answer.get("status") if _is_mapping(answer) else None
        if not _is_mapping(answer) or not _is_mapping(status):
            return SourceResult(data=answer)
        notes = _notes(status.get("notes"))
        if not status.get("success", True):
            code = status.get("code")
            raise SourceError(
                "; ".join(notes) or "the provider reported a failure",
                code="source-failed" if code is None else str(code),
            )
        return SourceResult(data=answer.get("data"), meta=_meta(answer.get("meta")), notes=notes)


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))


def _notes(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if _is_list(value):
        return tuple(str(note) for note in value)
    return (str(value),)


def _meta(value: object) -> Mapping[str, Json]:
    """Return what a provider says about its call; what is no JSON is no fact."""
    try:
        meta, _notes_on_it = clean(value)
    except SourceError:
        return {}
    return meta if isinstance(meta, dict) else {}
