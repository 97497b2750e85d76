"""What was found to be wrong."""

import attrs


@attrs.frozen
class Violation:
    """One thing that must not be.

    Attributes:
        invariant: Its name in the contract, such as `I6`.
        message: What is wrong and what is allowed, for people.
        position: The position of the event that shows it.
    """

    invariant: str
    message: str
    position: int
