"""Files in which an operator says where the stores of a server are."""

import json
from collections.abc import Mapping
from pathlib import Path

from flowcore.artifacts import Store
from flowcore.errors import StoreConfigurationError

from .factory import check_params


def read_stores(path: Path) -> Mapping[str, Store]:
    """Return the stores that the JSON file at *path* declares, by name: each with its `type` and its `params`.

    Raises:
        StoreConfigurationError: It cannot be read, or a store in it is declared wrongly; every problem is named.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        stores = {
            str(name): Store(type=str(each["type"]), params=dict(each.get("params", {})))
            for name, each in found.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) else "it must be a mapping of names to `type` and `params`"
        )
        raise StoreConfigurationError(f"the file of stores cannot be used: {path}: {reason}") from error
    problems = [
        f"store '{name}': {each}"
        for name, store in stores.items()
        for each in check_params(store.type, store.params or {})
    ]
    if problems:
        raise StoreConfigurationError(f"the file of stores cannot be used: {path}: {'; '.join(problems)}")
    return stores
