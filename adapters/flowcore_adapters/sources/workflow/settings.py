"""What the place where workflows run allows them."""

from pathlib import Path
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class WorkflowSettings:
    """What nodes may reach.

    Attributes:
        root: The directory below which files are read and written; None for the working directory.
        private_targets: Whether requests may go to addresses that are not public.
    """

    root: Path | None = None
    private_targets: bool = True


DEFAULT_SETTINGS: Final = WorkflowSettings()
