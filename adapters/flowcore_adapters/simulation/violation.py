"""What a history ends with when something is wrong."""


class ViolationError(AssertionError):
    """An invariant does not hold."""
