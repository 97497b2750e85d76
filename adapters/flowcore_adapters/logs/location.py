"""Where the event log of a user is, when nobody says."""

import os
from pathlib import Path


def default_path() -> Path:
    """Return the path of the user's log, in the state directory of the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification has relative paths ignored.
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return home / "flowcore" / "flowcore.db"
