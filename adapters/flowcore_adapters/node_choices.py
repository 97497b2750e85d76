"""The words in which an operator says how nodes are run; of each kind the first one is the usual one.

They stand by themselves, because the command names them in its help, before anything heavy is imported.
"""

from typing import Final

from flowcore.artifacts import Fit

CONTAINER: Final = "container"
PROCESS: Final = "process"
RUNTIMES: Final = (CONTAINER, PROCESS)
CLAMP: Final = Fit.CLAMP.value
POLICIES: Final = (CLAMP, Fit.STRICT.value)
