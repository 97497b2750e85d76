"""Sets of content types: contract flow-runs, section 9."""

import pytest

from flowcore.documents.nodes.media_types import ANY, MediaTypes, canonical, lineage


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("image/png", "image/png"),
        (" Image/PNG ; q=1", "image/png"),
        ("image/*", "image/*"),
        ("*/*", "*/*"),
        ("image/jpg", "image/jpeg"),
        ("audio/x-flac", "audio/flac"),
        ("application/vnd.a+b.c-d_e", "application/vnd.a+b.c-d_e"),
        ("", None),
        ("image", None),
        ("image/", None),
        ("/png", None),
        ("*/png", None),
        ("ima*", None),
        ("image/p*", None),
        ("a/b/c", None),
        ("a b/c", None),
        ("image/png\n/", None),
    ],
)
def test_what_is_a_content_type(written: str, expected: str | None) -> None:
    assert canonical(written) == expected


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ([], ["image/png"], "image/png"),
        (["image/png"], [], "image/png"),
        ([], [], "*/*"),
        (["*/*"], ["image/*"], "image/*"),
        (["image/*"], ["image/png"], "image/png"),
        (["image/png"], ["image/*"], "image/png"),
        (["image/*"], ["image/*", "video/*"], "image/*"),
        (["image/*", "text/csv"], ["image/png", "text/*", "audio/ogg"], "image/png, text/csv"),
        (["image/png"], ["image/gif"], ""),
        (["image/*"], ["video/*"], ""),
        (["IMAGE/PNG"], ["image/png;x=y"], "image/png"),
        (["nonsense"], ["image/png"], "image/png"),
    ],
)
def test_what_is_in_both(first: list[str], second: list[str], common: str) -> None:
    one, two = MediaTypes.of(first), MediaTypes.of(second)
    assert [str(one & two), str(two & one)] == [common, common]
    assert (one & two).empty == (common == "")


@pytest.mark.parametrize(
    ("types", "content", "accepted"),
    [
        ([], "image/png", True),
        (["*/*"], "application/octet-stream", True),
        (["image/*"], "image/png", True),
        (["image/*"], "video/mp4", False),
        (["image/png"], "image/PNG; q=1", True),
        (["image/png"], "image/gif", False),
        (["audio/x-flac"], "audio/flac", True),
        (["text/plain"], "text/csv", True),
        (["text/csv"], "text/plain", False),
        (["text/plain"], "image/svg+xml", True),
        (["application/xml"], "image/svg+xml", True),
        (["application/octet-stream"], "image/png", True),
        (["image/png"], "application/octet-stream", False),
        (["image/png"], "no type", False),
    ],
)
def test_what_may_come_in(types: list[str], content: str, accepted: bool) -> None:
    assert MediaTypes.of(types).accepts(content) is accepted


def test_what_a_type_also_is() -> None:
    assert list(lineage("image/svg+xml")) == [
        "image/svg+xml",
        "application/xml",
        "text/plain",
        "application/octet-stream",
    ]
    assert list(lineage("text/csv")) == ["text/csv", "text/plain", "application/octet-stream"]
    assert list(lineage("application/octet-stream")) == ["application/octet-stream"]


def test_any_accepts_everything() -> None:
    assert ANY.accepts("whatever") is True
