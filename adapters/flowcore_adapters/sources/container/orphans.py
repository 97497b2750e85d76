"""Containers whose program has died: they are found by their label, and removed."""

import logging
from typing import Final

from flowcore.errors import SourceError

from .engine import connect, engine_trouble
from .limits import OWNER_LABEL, RUN_LABEL, owner_is_gone

_LOG: Final = logging.getLogger("flowcore.containers")


def remove_orphans() -> int:
    """Remove the containers that programs of this machine have left behind; return how many.

    Where there is no engine there are none.
    """
    try:
        client = connect()
    except SourceError:
        return 0
    from docker.errors import NotFound

    try:
        with engine_trouble("list containers"):
            found = client.containers(all=True, filters={"label": RUN_LABEL})
    except SourceError:
        return 0
    count = 0
    for each in found:
        if not owner_is_gone((each["Labels"] or {}).get(OWNER_LABEL, "")):
            continue
        try:
            with engine_trouble("remove a container"):
                try:
                    client.remove_container(each["Id"], force=True, v=True)
                except NotFound:
                    continue
            count += 1
        except SourceError as error:
            _LOG.warning("a container that was left behind is still there: %s", error)
    return count
