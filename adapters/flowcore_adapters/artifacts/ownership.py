"""Whose an object is, by its name alone."""

from typing import Final

from flowcore.documents.nodes.object_names import variables_of

_OF_ONE_RUN: Final = frozenset({"RUN_ID", "UUID"})
"""Variables that make a name which no other run has."""


def is_of_one_run(key: str | None) -> bool:
    """Return whether the key of a well gives every run names of its own; None is no key, whose names begin with it."""
    return key is None or not _OF_ONE_RUN.isdisjoint(variables_of(key))
