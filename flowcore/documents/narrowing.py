"""Merging sources whose variables become fewer: what is secret of those that are left out falls away with them.

An `env` source lists its variables under `vars`, and under `secret` those of them that are never shown. Who gives it a
smaller `vars`, in a later file or in an `override`, wants no more than that, and wrote no `secret` that could be wrong.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from flowcore.values import Json

from .merge import merge

_ENV: Final = "env"
_OPEN: Final = "{{"


def merge_flows(documents: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return *documents*, which are flows, as one, as `merge` does."""
    merged: dict[str, Json] = {}
    known: dict[str, Collection[str]] = {}
    for document in documents:
        merged = merge([merged, document])
        named = [name for name, source in _sources(document) if "secret" in _configuration(source)]
        if named:
            so_far = dict(_sources(merged))
            known.update((name, _variables(so_far[name])) for name in named)
    changed: dict[str, Json] = {
        name: _narrowed(source, known[name]) for name, source in _sources(merged) if name in known
    }
    return merge([merged, {"sources": changed}]) if changed else merged


def merge_source(base: Mapping[str, Json], override: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the source *base* with the changes of *override*, as `merge` does."""
    merged = merge([base, override])
    return merged if "secret" in _configuration(override) else _narrowed(merged, _variables(base))


def _narrowed(source: Mapping[str, Json], known: Collection[str]) -> dict[str, Json]:
    """Return *source* without the secrets that it does not read any more.

    Args:
        known: The variables that it read when its `secret` was written.
    """
    secret, now = _configuration(source).get("secret"), _variables(source)
    if source.get("type") != _ENV or not isinstance(secret, list) or _may_be_any(now):
        return dict(source)
    any_was_known = _may_be_any(known)
    kept: list[Json] = []
    for name in secret:
        if not isinstance(name, str) or not (any_was_known or name in known or name in now or _OPEN in name):
            # With an error in it the list stays as it is, so that the error is found at its place.
            return dict(source)
        if name in now or _OPEN in name:
            kept.append(name)
    return merge([source, {"configuration": {"secret": kept}}])


def _may_be_any(names: Iterable[str]) -> bool:
    """Return whether an expression among *names* may list any variable."""
    return any(_OPEN in name for name in names)


def _sources(document: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    sources = document.get("sources")
    if isinstance(sources, Mapping):
        yield from ((name, source) for name, source in sources.items() if isinstance(source, Mapping))


def _configuration(source: Mapping[str, Json]) -> Mapping[str, Json]:
    configuration = source.get("configuration")
    return configuration if isinstance(configuration, Mapping) else {}


def _variables(source: Mapping[str, Json]) -> Collection[str]:
    listed = _configuration(source).get("vars")
    names: Sequence[Json] = listed if isinstance(listed, (list, tuple)) else [listed]
    return frozenset(name for name in names if isinstance(name, str))
