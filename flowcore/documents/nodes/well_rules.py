"""What may be wrong with the data wells: WELL_001 to WELL_009.

The default data well obeys the same rules as the others (contract flow-runs, section 11, number 13), but for its store,
which is STORE_001, and its edge, which does not matter.
"""

from typing import Final

from flowcore.errors import ObjectNameError, Path
from flowcore.stores import check_object_name
from flowcore.values import Instant

from .edges import EdgeTable
from .model import BUILT_IN_STORE, SOURCES, DataWell, NodeFlow
from .object_names import KEY_VARIABLES, UNIQUE_VARIABLES, Naming, object_name, variables_of
from .report import Report
from .templates import Broken, parse_template

_SAMPLE: Final = Naming(run="run_1", flow="flow", uuid="00000000-0000-8000-8000-000000000000", at=Instant(0.0))
"""What a key is tried out with: of any other run's names only letters and digits differ."""


def check_wells(table: EdgeTable, flow: NodeFlow, report: Report) -> None:
    """Note what is wrong with the wells."""
    stores = {store.name for store in flow.stores} | {BUILT_IN_STORE}
    seen: set[str] = set()
    told: set[str] = set()
    for well in flow.wells:
        if well.edge not in table.edges:
            report.error(
                "WELL_002",
                (*well.path, "Edge"),
                f"a well is on the edge '{well.edge}', which no node uses",
                hint=report.guess(well.edge, table.edges),
            )
        if well.edge in seen and well.edge not in told:
            told.add(well.edge)
            report.error("WELL_003", well.path, f"two wells are on the edge '{well.edge}'")
        seen.add(well.edge)
        if well.store not in stores:
            report.error(
                "WELL_004",
                (*well.path, "Store"),
                f"the well of the edge '{well.edge}' names the store '{well.store}', which is not declared",
                hint=report.guess(well.store, stores),
            )
        _check_source(well, f"the well of the edge '{well.edge}'", report)
    default = flow.default_well
    if default is not None:
        _check_source(default, "the default data well", report)
        _check_shared(default, table, report)


def _check_source(well: DataWell, called: str, report: Report) -> None:
    if well.source is not None and well.source not in SOURCES:
        report.error(
            "WELL_001",
            (*well.path, "Source"),
            f"{called} has the source '{well.source}'; there are {', '.join(SOURCES)}",
            hint=report.guess(well.source.lower(), SOURCES, "without `Source` it keeps what a node produces"),
        )
    if well.source == "static" and not well.key:
        hint = "`Key` names the object that is there"
        report.error("WELL_006", well.path, f"{called} is static, but has no key", hint=hint)
    elif well.key is not None:
        _check_key(well, well.key, called, report)


def _check_key(well: DataWell, key: str, called: str, report: Report) -> None:
    path = (*well.path, "Key")
    allowed = ", ".join(KEY_VARIABLES)
    parts = parse_template(key)
    for part in parts:
        if isinstance(part, Broken):
            message = f"`{part.text}` in the key of {called} names no variable"
            report.error("WELL_005", path, message, hint="write `${RUN_ID}`")
    used = variables_of(key)
    for name in used:
        if name not in KEY_VARIABLES:
            message = f"`${{{name}}}` in the key of {called} is no variable; there are {allowed}"
            report.error("WELL_005", path, message, hint=report.guess(name, KEY_VARIABLES))
    if well.source == "static":
        if used:
            message = f"{called} is static, but `${{{used[0]}}}` in its key would name another object for each run"
            report.error("WELL_007", path, message)
    elif well.source is not None:
        if not any(name in KEY_VARIABLES for name in used):
            message = f"the key of {called} is '{key}' for every run, so each would overwrite the one before"
            report.error("WELL_008", path, message, hint="add `${RUN_ID}`")
    elif UNIQUE_VARIABLES.isdisjoint(used):
        message = f"the key of {called} is '{key}', which other runs will have too: the last one is kept"
        report.warn("WELL_008", path, message, hint="add `${RUN_ID}`, `${UUID}` or `${TIMESTAMP}`")
    if key and not any(isinstance(part, Broken) for part in parts) and all(name in KEY_VARIABLES for name in used):
        _check_name(key, called, path, report)


def _check_name(key: str, called: str, path: Path, report: Report) -> None:
    """Warn of what the start of a run would refuse."""
    try:
        check_object_name(object_name(key, "edge", _SAMPLE))
    except ObjectNameError as error:
        message = f"the key of {called} is '{key:.140}', so no run can start: {error}"
        report.warn("WELL_009", path, message, hint="such as `pictures/${RUN_ID}/${EDGE}`")


def _check_shared(default: DataWell, table: EdgeTable, report: Report) -> None:
    """Warn when the default well would give several edges of one run the same object."""
    if default.key is None or default.source == "static" or not {"EDGE", "UUID"}.isdisjoint(variables_of(default.key)):
        return
    edges = [edge.name for edge in table.edges.values() if table.well_of(edge) is default]
    if len(edges) > 1:
        message = f"the default data well gives the edges '{edges[0]}' and '{edges[1]}' of one run the same object"
        report.warn("WELL_008", (*default.path, "Key"), message, hint="add `${EDGE}`")
