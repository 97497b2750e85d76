"""Where the event log of a user is, when nobody says."""

import os
from pathlib import Path

from flowcore.errors import LogError


def default_path() -> Path:
    """Return the path of the user's log, in the state directory of the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification has relative paths ignored.
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return home / "flowcore" / "flowcore.db"


def make_default_path() -> Path:
    """Return `default_path`, whose directory is there from now on: nobody has named it, so nobody can have mistyped it.

    Raises:
        LogError: It cannot be made.
    """
    path = default_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    return path
