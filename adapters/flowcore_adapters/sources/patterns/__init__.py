"""Regular expressions from documents: whatever they are, a look ends in time."""

from .looks import (
    WITHHELD,
    WITHHELD_FROM_TOO_LARGE,
    blacken,
    evaluation_search,
    flaw,
    misspelling,
    search,
)

__all__ = [
    "WITHHELD",
    "WITHHELD_FROM_TOO_LARGE",
    "blacken",
    "evaluation_search",
    "flaw",
    "misspelling",
    "search",
]
