"""What a step's `override` leaves of the variables of an `env` source: what is secret of the others falls away there.

An `env` source lists its variables under `vars`, and under `secret` those of them that are never shown. A step that
overrides it with some of the same `vars` wants no more than that, and wrote no `secret` that could be wrong; the source
itself goes on saying what is secret in the whole run. Who exchanges one for another has to say anew what is secret:
nobody else knows what the new one holds. So has a later file, behind which nothing is left of what an earlier one said.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.values import Json

from .merge import merge

_ENV: Final = "env"
_OPEN: Final = "{{"


def merge_source(base: Mapping[str, Json], override: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the source *base* with the changes of *override*, as `merge` does."""
    merged = merge([base, override])
    return merged if "secret" in _configuration(override) else _narrowed(merged, _variables(base))


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


def _configuration(source: Mapping[str, Json]) -> Mapping[str, Json]:
    configuration = source.get("configuration")
    return configuration if isinstance(configuration, Mapping) else {}


def _variables(source: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the names under `vars`, or None where they are known only when the run starts, or are no names."""
    listed = _configuration(source).get("vars")
    names: Sequence[Json] = listed if isinstance(listed, (list, tuple)) else () if listed is None else (listed,)
    found = [name for name in names if isinstance(name, str) and _OPEN not in name]
    return frozenset(found) if len(found) == len(names) else None
