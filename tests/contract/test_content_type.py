"""What a file is: real files of every kind, and what only looks like one (contract flow-runs, section 9)."""

from pathlib import Path
from typing import Final

import pytest

from flowcore_adapters.content_type import HEAD, content_type_of, extension_of

SAMPLES: Final = Path(__file__).parents[1] / "data" / "contents"
ORIGINAL: Final = {
    "film.mp4": "video/mp4",
    "film.mkv": "video/x-matroska",
    "film.flv": "video/x-flv",
    "film.mpeg": "video/mpeg",
    "film.3gp": "video/3gpp",
    "film.ts": "video/mp2t",
    "film.ogv": "video/ogg",
    "sound.flac": "audio/flac",
    "sound.ogg": "audio/ogg",
    "sound.m4a": "audio/mp4",
    "sound.wma": "audio/x-ms-wma",
    "picture.png": "image/png",
    "picture.jpg": "image/jpeg",
    "picture.webp": "image/webp",
    "drawing.svg": "image/svg+xml",
    "picture.bmp": "image/bmp",
    "picture.tiff": "image/tiff",
    "picture.heic": "image/heic",
}
"""The 18 concrete types that the original names."""
MORE: Final = {
    "film.webm": "video/webm",
    "film.wmv": "video/x-ms-wmv",
    "film.m2ts": "video/mp2t",
    "stream.mpeg": "video/mpeg",
    "sound.opus": "audio/ogg",
    "sound.mp3": "audio/mpeg",
    "sound.wav": "audio/wav",
    "sound.mp4": "video/mp4",
    "picture.gif": "image/gif",
}


def head(name: str) -> bytes:
    """Return the first bytes of a sample."""
    return (SAMPLES / name).read_bytes()[:HEAD]


@pytest.mark.parametrize(("name", "expected"), [*ORIGINAL.items(), *MORE.items()])
def test_a_real_file_is_told_without_its_name(name: str, expected: str) -> None:
    assert content_type_of(head(name)) == expected


@pytest.mark.parametrize(("name", "expected"), [*ORIGINAL.items()])
def test_a_wrong_name_changes_nothing(name: str, expected: str) -> None:
    wrong = "a.png" if not expected.startswith("image/") else "a.txt"
    assert content_type_of(head(name), wrong) == expected


def test_the_types_of_the_original_are_eighteen() -> None:
    assert len(set(ORIGINAL.values())) == 18


@pytest.mark.parametrize(("name", "expected"), ORIGINAL.items())
def test_the_extension_of_a_type_is_the_usual_one(name: str, expected: str) -> None:
    assert extension_of(expected) == Path(name).suffix


def test_an_extension_is_found_for_other_types_or_is_none() -> None:
    assert [extension_of(each) for each in ("application/pdf", "IMAGE/JPG; q=1", "application/x-nobody", "")] == [
        ".pdf",
        ".jpg",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        pytest.param(b"", "", "text/plain", id="nothing"),
        pytest.param(b"hello\n", "", "text/plain", id="a short text"),
        pytest.param(b"hello\n", "evil.png", "text/plain", id="a text called a picture"),
        pytest.param(b"BMW makes cars\n", "", "text/plain", id="a text that begins like a bitmap"),
        pytest.param(b"MZ is how programs begin\n", "", "text/plain", id="a text that begins like a program"),
        pytest.param("größer\n".encode(), "", "text/plain", id="utf-8"),
        pytest.param(b"\xef\xbb\xbfhello", "", "text/plain", id="utf-8 with a mark"),
        pytest.param("\ufeffhello".encode("utf-16-le"), "", "text/plain", id="utf-16"),
        pytest.param("\ufeffhello".encode("utf-16-be"), "", "text/plain", id="utf-16, big end first"),
        pytest.param(b"ab\xc3", "", "text/plain", id="a character cut off"),
        pytest.param(b"\xc3", "", "application/octet-stream", id="half a character"),
        pytest.param(b"ab\xff\xfecd", "", "application/octet-stream", id="no utf-8"),
        pytest.param(b"ab\x00cd", "", "application/octet-stream", id="a text with NUL"),
        pytest.param(b"# title\n", "read.md", "text/markdown", id="markdown by its name"),
        pytest.param(b"echo\n", "run.sh", "application/x-sh", id="a script by its name"),
        pytest.param(b"const a = 1\n", "a.ts", "text/plain", id="a script that is no film"),
        pytest.param(b"a,b\n1,2\n", "", "text/csv", id="a table"),
        pytest.param(b'a,b\n"1,5",2\n', "", "text/csv", id="a table with quotes"),
        pytest.param(b"a,b\n1,2,3\n", "", "text/plain", id="no table"),
        pytest.param(b"a,b\n1,2,3\n", "t.csv", "text/csv", id="a table by its name"),
        pytest.param(b'a,b\n"1,2\n', "", "text/plain", id="a quote that never ends"),
        pytest.param(b"a, b\n", "", "text/plain", id="one line with a comma"),
        pytest.param(b'{"a": [1, 2]}\n', "", "application/json", id="json"),
        pytest.param(b" [1, 2]", "x.txt", "application/json", id="json called a text"),
        pytest.param(b"[INFO] started\n", "", "text/plain", id="a log"),
        pytest.param(b"[1] see page 2\n", "", "text/plain", id="a footnote"),
        pytest.param(b"[" * 4000, "", "text/plain", id="brackets"),
        pytest.param(b"[" * 9000, "", "text/plain", id="more brackets"),
        pytest.param(b'{"a": "' + b"x" * 5000 + b'"}', "", "application/json", id="json cut off in a text"),
        pytest.param(b'{"a": [' + b"true," * 1000 + b"1]}", "", "application/json", id="json cut off in a list"),
        pytest.param(b'{"a" 1,' + b"true," * 1000 + b"1]}", "", "text/plain", id="bad json, cut off"),
        pytest.param(b"a,b\n" * 2000, "", "text/csv", id="a table cut off"),
        pytest.param(b"<?xml version='1.0'?><note/>", "", "application/xml", id="xml"),
        pytest.param(b"<note/>", "", "text/plain", id="markup that says nothing of itself"),
        pytest.param(b"<!DOCTYPE html><p>", "", "text/html", id="html"),
        pytest.param(b"\n<html lang='en'>", "", "text/html", id="html without a doctype"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", "image/svg+xml", id="svg alone"),
        pytest.param(
            b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg:svg/>",
            "",
            "image/svg+xml",
            id="svg by prefix",
        ),
        pytest.param(b"<p>an <svg> in it</p>", "", "text/plain", id="a text about svg"),
        pytest.param(b"text\n", "x.svg", "text/plain", id="a text called svg"),
        pytest.param(b"%PDF-1.4\n% all ascii\n", "", "application/pdf", id="a page of pure text"),
        pytest.param(b"\x00\x00\x00\x1cftyp3g2a" + b"\x00" * 16, "", "video/3gpp2", id="3g2"),
        pytest.param(b"\x00\x00\x00\x18ftypM4B \x00\x00\x00\x00", "", "audio/mp4", id="an audio book"),
        pytest.param(b"II+\x00\x08\x00\x00\x00", "", "image/tiff", id="a big tiff"),
        pytest.param(b"OggS\x00\x02" + b"\x00" * 30, "", "application/ogg", id="ogg of something"),
        pytest.param(b"OggS\x00\x02" + b"\x00" * 22 + b"\x7fFLAC", "", "audio/ogg", id="flac in ogg"),
        pytest.param(b"\x1f\x8b\x08\x00" + b"\x00" * 20, "a.png", "application/gzip", id="gzip called a picture"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 40, "", "application/zip", id="zip"),
        pytest.param(b"\x00\x01\x02\x03", "a.png", "application/octet-stream", id="bytes called a picture"),
        pytest.param(b"\x00\x01\x02\x03", "a.csv", "application/octet-stream", id="bytes called a text"),
        pytest.param(b"\x00\x01\x02\x03", "a.pyc", "application/x-python-code", id="bytes that nobody knows, by name"),
        pytest.param(b"\x00\x01\x02\x03", "dir.d/a", "application/octet-stream", id="bytes without a name"),
        pytest.param(b"G" + b"\x00" * 187, "", "application/octet-stream", id="one packet is no stream"),
    ],
)
def test_content_comes_before_the_name(content: bytes, name: str, expected: str) -> None:
    assert content_type_of(content, name) == expected


def test_sound_in_a_container_for_films_is_told_by_its_name() -> None:
    assert content_type_of(head("sound.mp4"), "in/song.M4A") == "audio/mp4"
    assert content_type_of(head("picture.heic"), "song.m4a") == "image/heic"


def test_a_windows_stream_without_its_parts_is_told_by_its_name() -> None:
    header = head("sound.wma")[:16] + b"\x00" * 32
    assert [content_type_of(header, name) for name in ("", "a.wma")] == ["video/x-ms-wmv", "audio/x-ms-wma"]
