"""Merging sources whose variables become fewer: what is secret of those that are left out falls away with them.

An `env` source lists its variables under `vars`, and under `secret` those of them that are never shown. Who gives it
some of the same `vars`, in a later file or in an `override`, wants no more than that, and wrote no `secret` that could
be wrong. Who exchanges one for another has to say anew what is secret: nobody else knows what the new one holds.

What falls away does so once for each use, from the `secret` as it was written: what one file leaves out and a step
reads all the same is as secret as it was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from flowcore.values import Json

from .merge import merge

_ENV: Final = "env"
_OPEN: Final = "{{"


def merge_flows(documents: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return *documents*, which are flows, as one, as `merge` does."""
    merged: dict[str, Json] = {}
    known: dict[str, frozenset[str] | None] = {}
    for document in documents:
        merged = merge([merged, document])
        so_far = dict(_sources(merged))
        for name, given in _sources(document):
            if "secret" in _configuration(given):
                known[name] = _variables(so_far[name])
            elif name in known and "vars" in _configuration(given):
                known[name] = _further(known[name], so_far[name])
    whole = {name: source for name, source in _sources(merged) if name in known}
    sources: dict[str, Json] = {name: _narrowed(source, known[name]) for name, source in whole.items()}
    if not sources:
        return merged
    changed = merge([merged, {"sources": sources}])
    steps = merged.get("flow")
    elsewhere = {name: source for name, source in whole.items() if known[name] != _variables(source)}
    if elsewhere and isinstance(steps, (list, tuple)):
        changed["flow"] = [_step(step, elsewhere, known) for step in steps]
    return changed


def merge_source(base: Mapping[str, Json], override: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the source *base* with the changes of *override*, as `merge` does."""
    merged = merge([base, override])
    return merged if "secret" in _configuration(override) else _narrowed(merged, _variables(base))


def _step(step: Json, whole: Mapping[str, Mapping[str, Json]], known: Mapping[str, frozenset[str] | None]) -> Json:
    """Return *step* with what is secret of the source that it makes from one of *whole*, if it gives it other `vars`.

    In the document that source has lost what its own `vars` do not list.
    """
    source = step.get("source") if isinstance(step, Mapping) else None
    if not isinstance(step, Mapping) or not isinstance(source, Mapping):
        return step
    base, override = source.get("base"), source.get("override")
    if not isinstance(base, str) or base not in whole or not isinstance(override, Mapping):
        return step
    given = _configuration(override)
    if "vars" not in given or "secret" in given:
        return step
    used = merge([whole[base], override])
    if used.get("type") != _ENV:
        return step
    secret = _configuration(_narrowed(used, known[base])).get("secret")
    return merge([step, {"source": {"override": {"configuration": {"secret": secret}}}}])


def _narrowed(source: Mapping[str, Json], known: frozenset[str] | None) -> dict[str, Json]:
    """Return *source* without the secrets that it does not read any more.

    Args:
        known: The variables that it read beside all that is secret; None where that is not known.
    """
    secret, now = _configuration(source).get("secret"), _variables(source)
    if source.get("type") != _ENV or not isinstance(secret, (list, tuple)) or known is None or now is None:
        return dict(source)
    # With an error in it, or with others than there were, the list stays as it is: the error is found at its place.
    if not now <= known or not all(isinstance(name, str) and (name in known or _OPEN in name) for name in secret):
        return dict(source)
    kept: list[Json] = [name for name in secret if isinstance(name, str) and (name in now or _OPEN in name)]
    return merge([source, {"configuration": {"secret": kept}}])


def _further(known: frozenset[str] | None, source: Mapping[str, Json]) -> frozenset[str] | None:
    """Return *known* with what *source* lists now: who names it beside all that is secret has said that it is not."""
    secret, now = _configuration(source).get("secret"), _variables(source)
    if now is None or not isinstance(secret, (list, tuple)):
        return known
    return now | (known or frozenset()) if all(isinstance(name, str) and name in now for name in secret) else known


def _sources(document: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    sources = document.get("sources")
    if isinstance(sources, Mapping):
        yield from ((name, source) for name, source in sources.items() if isinstance(source, Mapping))


def _configuration(source: Mapping[str, Json]) -> Mapping[str, Json]:
    configuration = source.get("configuration")
    return configuration if isinstance(configuration, Mapping) else {}


def _variables(source: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the names under `vars`, or None where they are known only when the run starts, or are no names."""
    listed = _configuration(source).get("vars")
    names: Sequence[Json] = listed if isinstance(listed, (list, tuple)) else () if listed is None else (listed,)
    found = [name for name in names if isinstance(name, str) and _OPEN not in name]
    return frozenset(found) if len(found) == len(names) else None
