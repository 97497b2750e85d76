"""The words in which an operator says how nodes are run; of each kind the first one is the usual one.

They stand by themselves, because the command names them in its help, before anything heavy is imported.
"""

from typing import Final

CONTAINER: Final = "container"
PROCESS: Final = "process"
RUNTIMES: Final = (CONTAINER, PROCESS)
CLAMP: Final = "clamp"
STRICT: Final = "strict"
POLICIES: Final = (CLAMP, STRICT)
