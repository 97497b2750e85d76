"""What may be wrong with the stores: STORE_001 to STORE_005."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from flowcore.documents.fields import type_name
from flowcore.values import Json

from .model import BUILT_IN_STORE, NodeFlow, Store
from .report import Report
from .s3_names import misspelt


@attrs.frozen(kw_only=True)
class Params:
    """What the `Params` of a kind of store may hold.

    Attributes:
        required: Which of the texts must be there.
        secrets: Which of the texts must never be recorded or shown.
    """

    texts: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


STORE_TYPES: Final[Mapping[str, Params]] = MappingProxyType(
    {
        "s3": Params(
            texts=("Endpoint", "BucketName", "Location", "AccessKey", "SecretKey"),
            required=("BucketName",),
            booleans=("Secure",),
            secrets=("AccessKey", "SecretKey"),
        ),
        "s3local": Params(texts=("BucketName",), required=("BucketName",)),
        "s3fs": Params(texts=("MountPath", "BucketName"), required=("MountPath", "BucketName")),
        "local": Params(),
    }
)
"""The kinds of stores (contract flow-runs, section 7)."""


def check_stores(flow: NodeFlow, report: Report) -> None:
    """Note what is wrong with the stores."""
    seen: set[str] = set()
    used = {well.store for well in flow.wells}
    if flow.default_well is not None:
        used.add(flow.default_well.store)
    for store in flow.stores:
        if not store.name or store.name in seen:
            message = f"two stores are called '{store.name}'" if store.name else "a store needs a name"
            report.error("STORE_005", store.path, message)
        if store.name not in used and store.name not in seen:
            message = f"no well uses the store '{store.name}'"
            report.warn("STORE_004", store.path, message)
        seen.add(store.name)
        if store.type not in STORE_TYPES:
            allowed = ", ".join(STORE_TYPES)
            report.error(
                "STORE_002",
                (*store.path, "Type"),
                f"the store '{store.name}' has the type '{store.type}'; there are {allowed}",
                hint=report.guess(store.type.lower(), STORE_TYPES),
            )
        else:
            _check_params(store, STORE_TYPES[store.type], report)
    default = flow.default_well
    if default is not None and default.store not in seen and default.store != BUILT_IN_STORE:
        report.error(
            "STORE_001",
            (*default.path, "Store"),
            f"the default data well names the store '{default.store}', which is not declared",
            hint=report.guess(default.store, (*seen, BUILT_IN_STORE)),
        )


def _check_params(store: Store, params: Params, report: Report) -> None:
    path = (*store.path, "Params")
    if store.params is None:
        message = f"the store '{store.name}' has no Params"
        report.warn("STORE_003", store.path, message, hint="they are looked up by its name on the server")
        return
    given: dict[str, Json] = {}
    if not isinstance(store.params, Mapping):
        message = f"the Params of the store '{store.name}' must be an object, not {type_name(store.params)}"
        report.error("STORE_003", path, message)
        return
    known = {name.casefold(): name for name in (*params.texts, *params.booleans)}
    for key, value in store.params.items():
        name = known.get(key.casefold())
        if name is None:
            report.error(
                "STORE_003",
                (*path, key),
                f"a store of the type {store.type} has no parameter '{key}'",
                hint=report.guess(key, known.values()),
            )
        else:
            given[name] = value
    for name, value in given.items():
        # The value is never shown: it may be a secret.
        wanted = "true or false" if name in params.booleans else "text"
        fits = isinstance(value, bool) if name in params.booleans else isinstance(value, str) and "\0" not in value
        if value is not None and not fits:
            report.error("STORE_003", (*path, name), f"'{name}' must be {wanted}, not {type_name(value)}")
        wrong = misspelt(store.type, name, value) if isinstance(value, str) and fits else None
        if wrong is not None:
            report.error("STORE_003", (*path, name), wrong)
    for name in params.required:
        if given.get(name) in (None, ""):
            message = f"the store '{store.name}' of the type {store.type} needs the parameter '{name}'"
            report.error("STORE_003", path, message)
