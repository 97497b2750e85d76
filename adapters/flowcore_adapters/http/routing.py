"""What the application's table of paths is made of: a path, who answers, and what the caller must be allowed to do."""

from enum import StrEnum

import attrs


class Scope(StrEnum):
    """What a caller needs to be allowed to do; each includes those before it."""

    OPEN = "open"
    SIGNED = "signed"
    """Nothing but a good signature in the URL, which allows one thing with one object."""
    READ = "read"
    OPERATE = "operate"
    EXECUTE = "execute"
    ADMIN = "admin"


@attrs.frozen
class Route:
    """One path of the application; there is none without a scope."""

    path: str
    resource: object
    scope: Scope
