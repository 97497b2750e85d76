"""What the engine of a command needs to run nodes."""

from collections.abc import Callable

import attrs

from flowcore.ids import RunId
from flowcore_adapters.runner.budget import Budget
from flowcore_adapters.runner.handing import Handing


@attrs.frozen
class Workshop:
    """What nodes need.

    Attributes:
        handing: Gives them their artifacts.
        budget: What they may use together.
        watch: Has it looked for what a run waits for where nobody tells.
    """

    handing: Handing
    budget: Budget
    watch: Callable[[RunId], None]
