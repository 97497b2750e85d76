"""What an object may be called (contract flow-runs, section 13: names are checked segment by segment)."""

import pytest

from flowcore.errors import ObjectNameError
from flowcore.stores import check_object_name

GOOD = [
    "run_1733524800000/photo.png",
    "a",
    "a b/c d.txt",
    "größe/写真.png",
    "a/b.c/d..e",
    "-n/~/%2e%2e/*",
    "a" * 240,
    "/".join("a" * 32),
]
BAD = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/.hidden",
    ".incoming/x",
    "a\\b",
    "c:/a",
    "a\0b",
    "a\nb",
    "a\x7f",
    "a\x85b",
    "\ud800",
    "a" * 241,
    "/".join("a" * 33),
    "/".join(["a" * 200] * 6),
]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_returned(name: str) -> None:
    assert check_object_name(name) == name


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ObjectNameError):
        check_object_name(name)
