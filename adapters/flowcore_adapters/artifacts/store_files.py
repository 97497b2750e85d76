"""Files in which an operator says where the stores of a server are."""

from collections.abc import Mapping
from pathlib import Path

from flowcore.artifacts import Store
from flowcore.errors import EventFormatError, StoreConfigurationError
from flowcore.json_text import from_json
from flowcore.values import Json

from .factory import check_params


def read_stores(path: Path) -> Mapping[str, Store]:
    """Return the stores that the JSON file at *path* declares, by name: each with its `type` and its `params`.

    Raises:
        StoreConfigurationError: It cannot be read, or a store in it is declared wrongly; every problem is named.
    """
    try:
        declared = from_json(path.read_text(encoding="utf-8-sig"), unique=True)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "it is no UTF-8 text") from error
    except EventFormatError as error:
        raise _unusable(path, f"it is {error}") from error
    if not isinstance(declared, Mapping):
        raise _unusable(path, "it must be a mapping of names to `type` and `params`")
    stores: dict[str, Store] = {}
    problems: list[str] = []
    for name, each in declared.items():
        found = _store(each)
        if isinstance(found, Store):
            stores[name] = found
            wrong = check_params(found.type, found.params or {})
        else:
            wrong = [found]
        problems += [f"store '{name[:40]}': {problem}" for problem in wrong]
    if problems:
        raise _unusable(path, "; ".join(problems))
    return stores


def _store(declared: Json) -> Store | str:
    """Return the store that is *declared*, or why it is none."""
    if not isinstance(declared, Mapping) or not isinstance(declared.get("type"), str):
        return "it must be a mapping with `type`, a text, and `params`"
    params = declared.get("params")
    if params is None:
        return Store(type=str(declared["type"]), params={})
    if not isinstance(params, Mapping):
        return "its `params` must be a mapping"
    return Store(type=str(declared["type"]), params=params)


def _unusable(path: Path, reason: str) -> StoreConfigurationError:
    return StoreConfigurationError(f"the file of stores cannot be used: {path}: {reason}")
