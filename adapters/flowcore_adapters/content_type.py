"""What a file is, told from its first bytes and its name (contract flow-runs, section 9).

Content comes before the name: a text called `evil.png` is a text. The name only tells kinds of text apart, tells audio
from video where the container has room for both, and speaks for formats that nobody here can recognise.

`filetype` knows the signatures; what stands here is what it lacks or mistakes (SVG, MPEG-TS, 3GP, Ogg and ASF by what
is in them, and everything that is text).
"""

import codecs
import csv
import json
import re
from collections.abc import Mapping
from functools import cache
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from flowcore.documents.nodes.media_types import OCTETS, TEXT, canonical

HEAD: Final = 4096
"""How much of a file is looked at, in bytes."""

_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_AUDIO: Final = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_ASF_VIDEO: Final = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_OGG_VIDEO: Final = (b"\x80theora", b"BBCD\x00", b"\x01video\x00", b"OVP80")
_OGG_AUDIO: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_MARKS: Final = MappingProxyType(
    {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
)
_TEXTUAL_MAGIC: Final = (b"%PDF-", b"{\\rtf", b"%!PS")
"""Formats that may be pure text and are something else all the same."""
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_MARKUP: Final = re.compile(
    r"\s*(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>|\s+)", re.DOTALL | re.IGNORECASE
)
_ROOT: Final = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".js": "text/javascript",
        ".md": "text/markdown",
        ".sh": "application/x-sh",
        ".toml": "application/toml",
        ".yaml": "application/yaml",
        ".yml": "application/yaml",
    }
)
"""Kinds of text by extension that the standard library does not know, or not in every version."""
_MARKED_UP: Final = frozenset({"text/html", "text/xml"})
"""Kinds of text that are known by what is in them."""
_EXTENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/gzip": ".gz",
        "application/json": ".json",
        "application/xml": ".xml",
        "application/zip": ".zip",
        "audio/flac": ".flac",
        "audio/mp4": ".m4a",
        "audio/mpeg": ".mp3",
        "audio/ogg": ".ogg",
        "audio/wav": ".wav",
        "audio/x-ms-wma": ".wma",
        "image/bmp": ".bmp",
        "image/gif": ".gif",
        "image/heic": ".heic",
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "image/svg+xml": ".svg",
        "image/tiff": ".tiff",
        "image/webp": ".webp",
        "text/csv": ".csv",
        "text/html": ".html",
        "text/plain": ".txt",
        "video/3gpp": ".3gp",
        "video/mp2t": ".ts",
        "video/mp4": ".mp4",
        "video/mpeg": ".mpeg",
        "video/ogg": ".ogv",
        "video/webm": ".webm",
        "video/x-flv": ".flv",
        "video/x-matroska": ".mkv",
        "video/x-ms-wmv": ".wmv",
    }
)
"""The usual extensions; the table of the standard library has another one for some from version to version."""


def content_type_of(head: bytes, name: str = "") -> str:
    """Return the content type of a file, in lower case and without parameters.

    Args:
        head: Its first bytes: `HEAD` of them, or all there are.
        name: What it is called; any path before it is passed over.
    """
    head = head[:HEAD]
    name = PurePosixPath(name).name.lower()
    text = None if head.startswith(_TEXTUAL_MAGIC) else _text(head)
    if text is not None:
        return _kind_of_text(text, name, whole=len(head) < HEAD)
    return _container(head, name) or _known(head) or _by_name(name) or OCTETS


def extension_of(content: str) -> str:
    """Return the extension for files of the type *content*, such as ``.jpg``; empty when there is none."""
    known = canonical(content) or content
    return _EXTENSIONS.get(known) or _names().guess_extension(known) or ""


@cache
def _names() -> MimeTypes:
    """Return the standard library's table, without what this machine adds to it."""
    return MimeTypes()


def _container(head: bytes, name: str) -> str | None:
    """Return the type of a container that holds different things, told by what is in it."""
    if head[4:8] == b"ftyp":
        return _base_media(head, name)
    if head.startswith(b"OggS"):
        if any(mark in head for mark in _OGG_VIDEO):
            return "video/ogg"
        return "audio/ogg" if any(mark in head for mark in _OGG_AUDIO) else "application/ogg"
    if head.startswith(_ASF):
        if _ASF_VIDEO in head:
            return "video/x-ms-wmv"
        return "audio/x-ms-wma" if _ASF_AUDIO in head or name.endswith(".wma") else "video/x-ms-wmv"
    if _synchronous(head, 0, 188) or _synchronous(head, 4, 192):
        return "video/mp2t"
    if head.startswith((b"II+\x00", b"MM\x00+")):
        return "image/tiff"
    return None


def _base_media(head: bytes, name: str) -> str | None:
    """Return the type that the brand of an ISO base media file stands for, where `filetype` does not know it."""
    brand = head[8:12]
    if brand.startswith(b"3g2"):
        return "video/3gpp2"
    if brand.startswith((b"3gp", b"3ge", b"3gs", b"3gg", b"3gr")):
        return "video/3gpp"
    if brand in {b"M4A ", b"M4B ", b"M4P "} or (name.endswith(".m4a") and _known(head) in {None, "video/mp4"}):
        return "audio/mp4"
    return None


def _synchronous(head: bytes, offset: int, period: int) -> bool:
    """Return whether every packet begins with the byte that keeps a transport stream in step; at least two."""
    marks = head[offset::period]
    return len(marks) > 1 and marks.count(0x47) == len(marks)


def _known(head: bytes) -> str | None:
    import filetype

    found = filetype.guess_mime(head)
    return None if found is None else canonical(str(found))


@cache
def _recognised() -> frozenset[str]:
    """Return the types whose signatures are known: a name alone does not make a file one of these."""
    import filetype

    return frozenset(canonical(str(each.mime)) or "" for each in filetype.types) | set(_EXTENSIONS)


def _by_name(name: str) -> str | None:
    guess, encoding = _names().guess_type(name)
    if guess is None or encoding is not None or guess in _recognised() or guess.startswith("text/"):
        return None
    return canonical(guess)


def _text(head: bytes) -> str | None:
    """Return the text that *head* begins; None when it is none."""
    encoding = "utf-8"
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            head, encoding = head.removeprefix(mark), name
    try:
        # The last character may be cut off.
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=False)
    except UnicodeDecodeError:
        return None
    # Bytes that begin a character and go no further are no text.
    if head and not text:
        return None
    return None if _CONTROL.search(text) else text


def _kind_of_text(text: str, name: str, *, whole: bool) -> str:
    found = _markup(text)
    if found is not None:
        return found
    if _is_json(text, whole=whole):
        return "application/json"
    guess = _TEXTS.get(PurePosixPath(name).suffix) or _names().guess_type(name)[0] or ""
    if guess in _TEXTS.values() or (guess.startswith("text/") and guess not in _MARKED_UP):
        return guess
    return "text/csv" if _is_csv(text, whole=whole) else TEXT


def _markup(text: str) -> str | None:
    declared = text.lstrip()[:5].lower() == "<?xml"
    html = re.match(r"\s*<!doctype\s+html\b", text, re.IGNORECASE) is not None
    position = 0
    while (match := _MARKUP.match(text, position)) is not None:
        position = match.end()
    root = _ROOT.match(text, position)
    word = "" if root is None else root.group(1).lower()
    if word == "svg":
        return "image/svg+xml"
    if html or word == "html":
        return "text/html"
    return "application/xml" if declared else None


_DEEPEST: Final = 256
"""Whatever begins with more brackets than so is no JSON that anybody means."""


def _is_json(text: str, *, whole: bool) -> bool:
    text = text.strip() if whole else text.lstrip()
    if not text.startswith(("{", "[")) or len(text) - len(text.lstrip("[{ \t\r\n")) > _DEEPEST:
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        # What is cut off breaks near its end, or in a text that never ends.
        return not whole and (error.msg.startswith("Unterminated string") or len(text) - error.pos <= len("false,"))
    except RecursionError:
        return False
    return end == len(text) or not whole


def _is_csv(text: str, *, whole: bool) -> bool:
    """Return whether *text* is a table: two lines or more, with the same number of commas in each."""
    lines = text.splitlines()
    if not whole:
        lines.pop()
    try:
        widths = {len(row) for row in csv.reader(lines, strict=True)}
    except csv.Error:
        return False
    return len(lines) > 1 and len(widths) == 1 and widths.pop() > 1
