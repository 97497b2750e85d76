"""Where two histories part, in words."""

import pytest

from flowcore.ids import RunId
from flowcore.views.difference import Difference, Parting
from flowcore_cli.diff import _lines


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("AttemptFailed a", "AttemptSucceeded a", "event 4: a: attempt failed | a: attempt succeeded"),
        ("RunSucceeded", None, "event 4: run succeeded | nothing more"),
    ],
)
def test_events_are_told_in_words(first: str, second: str | None, told: str) -> None:
    parting = Parting(version=4, first=first, second=second)
    found = Difference(first=RunId(1), second=RunId(2), flow=(), states=(), outputs=(), timings=(), parting=parting)
    assert list(_lines(found))[-1].splitlines()[-1] == told
