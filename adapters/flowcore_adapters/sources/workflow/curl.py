"""`apiCurl` nodes: a command line of curl, read here and never given to a shell or to curl."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote_plus

import attrs

from flowcore.documents.workflows.numbers import number_of
from flowcore.documents.workflows.references import interpolate_text
from flowcore.errors import SourceError

from .files import read_bytes
from .node import NodeCall, Patch, unfit
from .requests import TIMEOUT_MS, Message, form_data, send
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

_LONG: Final[Mapping[str, str]] = {
    "--request": "-X",
    "--header": "-H",
    "--data": "-d",
    "--data-ascii": "-d",
    "--data-raw": "--data-raw",
    "--data-binary": "--data-binary",
    "--data-urlencode": "--data-urlencode",
    "--json": "--json",
    "--form": "-F",
    "--form-string": "--form-string",
    "--user": "-u",
    "--user-agent": "-A",
    "--referer": "-e",
    "--cookie": "-b",
    "--max-time": "-m",
    "--connect-timeout": "--connect-timeout",
    "--url": "--url",
}
"""Options with a value, and what they are called here."""
_FLAGS: Final[Mapping[str, str]] = {
    "--get": "-G",
    "--head": "-I",
    "--location": "-L",
    "--silent": "-s",
    "--show-error": "-S",
    "--verbose": "-v",
    "--include": "-i",
    "--fail": "-f",
    "--compressed": "--compressed",
    "--no-buffer": "-N",
    "--globoff": "-g",
}
_WITH_VALUE: Final = frozenset(_LONG.values())
_WITHOUT: Final = frozenset(_FLAGS.values())
_ESCAPES: Final[Mapping[str, str]] = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CODE: Final = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})")
_BREAK: Final = re.compile(r"(?:\s|\\\r?\n)+")
_PART: Final = re.compile(
    r"""'(?P<single>[^']*)'|\$'(?P<ansi>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)\"|\\(?P<escaped>.)"""
    r"""|(?P<plain>\$(?!')|[^\s'"\\$]+)""",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|[0-7]{1,3}|.)", re.DOTALL)
_DOUBLE: Final = re.compile(r'\\(["\\$`]|\r?\n)')


def api_curl(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `apiCurl` nodes."""
    return NodeSource("apiCurl", "Makes the HTTP request that a curl command line describes.", _api_curl, settings)


def _api_curl(node: NodeCall) -> Patch:
    # Words are cut first and filled in afterwards: one value is one word, whatever is in it.
    command = node.raw("curlCommand")
    if not isinstance(command, str) or not command.strip():
        raise unfit("cURL command is required for API cURL node")
    words = [interpolate_text(word, node.scope) for word in split_words(command)]
    reading = _Reading(node)
    reading.read(words)
    message = reading.message()
    answer = send(node, message, node.limit(reading.timeout_ms or TIMEOUT_MS))
    return Patch(data={node.text("contextKey", "apiResponse"): answer})


def split_words(command: str) -> list[str]:
    """Return the words of a command line as bash would cut them, `$'...'` included; nothing is expanded.

    Raises:
        SourceError: A quote is never closed.
    """
    words: list[str] = []
    parts: list[str] = []
    place, count = 0, len(command)
    while place < count:
        broken = _BREAK.match(command, place)
        if broken is None:
            part, place = _part(command, place)
            parts.append(part)
            continue
        if parts:
            words.append("".join(parts))
            parts = []
        place = broken.end()
    return [*words, "".join(parts)] if parts else words


def _part(command: str, place: int) -> tuple[str, int]:
    """Return the next part of a word, and where it ends; an empty one is a part too."""
    found = _PART.match(command, place)
    if found is None:
        raise unfit("Failed to parse cURL command: a quote is never closed")
    if found["single"] is not None:
        text = found["single"]
    elif found["ansi"] is not None:
        text = _ESCAPED.sub(_escape, found["ansi"])
    elif found["double"] is not None:
        text = _DOUBLE.sub(lambda each: each[1].strip("\r\n"), found["double"])
    else:
        text = found["escaped"] or found["plain"] or ""
    return text, found.end()


def _escape(found: "re.Match[str]") -> str:
    code = _CODE.fullmatch(found[1])
    if code is None:
        return _ESCAPES.get(found[1], found[1])
    return chr(int(code[3], 8)) if code[3] else chr(int(code[1] or code[2], 16))


@attrs.define
class _Reading:
    """What the words of a command line say.

    Attributes:
        timeout_ms: How long the request may take, or None when they do not say.
    """

    node: NodeCall
    timeout_ms: float | None = None
    _urls: list[str] = attrs.field(factory=list[str])
    _method: str | None = None
    _headers: dict[str, str] = attrs.field(factory=dict[str, str])
    _data: list[bytes] = attrs.field(factory=list[bytes])
    _fields: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    _files: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    _get: bool = False
    _head: bool = False
    _json: bool = False

    def read(self, words: list[str]) -> None:
        """Take in *words*, the name of the program first or not at all.

        Raises:
            SourceError: There is an option that is not known here.
        """
        left = iter(words[1:] if words and words[0].lower() in {"curl", "curl.exe"} else words)
        for word in left:
            if word == "--":
                self._urls.extend(left)
            elif word.startswith("--"):
                self._long(word, left)
            elif word.startswith("-") and len(word) > 1:
                self._short(word, left)
            else:
                self._urls.append(word)

    def _long(self, word: str, left: Iterator[str]) -> None:
        name, equals, value = word.partition("=")
        if name in _FLAGS:
            self._flag(_FLAGS[name])
        elif name in _LONG:
            self._value(_LONG[name], value if equals else self._next(name, left))
        else:
            raise _unknown(name)

    def _short(self, word: str, left: Iterator[str]) -> None:
        """Take in short options, which may stand together: `-sSL`, `-XPOST`."""
        for place, letter in enumerate(word[1:], start=2):
            option = f"-{letter}"
            if option in _WITH_VALUE:
                self._value(option, word[place:] or self._next(option, left))
                return
            if option not in _WITHOUT:
                raise _unknown(option)
            self._flag(option)

    @staticmethod
    def _next(option: str, left: Iterator[str]) -> str:
        value = next(left, None)
        if value is None:
            raise unfit(f"Failed to parse cURL command: '{option}' needs a value")
        return value

    def _flag(self, option: str) -> None:
        self._get = self._get or option == "-G"
        self._head = self._head or option == "-I"

    def _value(self, option: str, value: str) -> None:
        match option:
            case "-X":
                self._method = value.upper()
            case "-H":
                name, _, content = value.partition(":")
                self._headers[name.strip()] = content.strip()
            case "-F" | "--form-string":
                self._form(value, literal=option == "--form-string")
            case "-u":
                self._headers["Authorization"] = f"Basic {b64encode(value.encode()).decode()}"
            case "-A":
                self._headers["User-Agent"] = value
            case "-e":
                self._headers["Referer"] = value
            case "-b":
                self._cookie(value)
            case "-m" | "--connect-timeout":
                seconds = number_of(value)
                self.timeout_ms = self.timeout_ms if seconds is None else seconds * 1000
            case "--url":
                self._urls.append(value)
            case _:
                self._json = self._json or option == "--json"
                self._data.append(self._content(option, value))

    def _cookie(self, value: str) -> None:
        if "=" not in value:
            raise unfit("Failed to parse cURL command: '-b' takes cookies (a=1; b=2) here, no file")
        self._headers["Cookie"] = value

    def _content(self, option: str, value: str) -> bytes:
        """Return what a data option adds to the body."""
        if option == "--data-raw":
            return value.encode("utf-8", "replace")
        if option == "--data-urlencode":
            name, equals, content = value.partition("=")
            return (f"{name}=" if equals and name else "").encode() + quote_plus(content if equals else value).encode()
        if not value.startswith("@"):
            return value.encode("utf-8", "replace")
        found = read_bytes(self.node, value[1:], "the file")
        return found.replace(b"\r", b"").replace(b"\n", b"") if option == "-d" else found

    def _form(self, value: str, *, literal: bool) -> None:
        name, _, content = value.partition("=")
        if not literal and content.startswith("@"):
            self._files.append((name, content[1:].partition(";")[0]))
        else:
            self._fields.append((name, content))

    def message(self) -> Message:
        """Return the request that was described.

        Raises:
            SourceError: There is no address, or more than one, or both data and a form.
        """
        if len(self._urls) != 1:
            what = "no URL" if not self._urls else "more than one URL"
            raise unfit(f"Failed to parse cURL command: there is {what} in it")
        (url,) = self._urls
        url = url if "://" in url else f"http://{url}"
        if self._data and (self._fields or self._files):
            raise unfit("Failed to parse cURL command: it has both data and a form")
        body, kind = form_data(self.node, self._fields, self._files)
        if self._data:
            body, kind = (b"" if self._json else b"&").join(self._data), "application/x-www-form-urlencoded"
            if self._json or _is_json(body):
                kind = "application/json"
        if self._get and self._data:
            url, body = _with_query(url, body or b""), None
        usual = "HEAD" if self._head else "GET" if body is None else "POST"
        return Message(method=self._method or usual, url=url, headers=self._headers, body=body, content_type=kind)


def _with_query(url: str, query: bytes) -> str:
    path, mark, fragment = url.partition("#")
    text = query.decode("utf-8", "replace")
    return f"{path}{'&' if '?' in path else '?'}{text}{mark}{fragment}"


def _is_json(body: bytes) -> bool:
    """Return whether *body* is JSON of the kind that nobody means as a form: an object or a list."""
    try:
        return isinstance(json.loads(body), (dict, list))
    except (ValueError, RecursionError):
        return False


def _unknown(option: str) -> SourceError:
    if option in {"-k", "--insecure"}:
        return unfit(f"Failed to parse cURL command: '{option}' is refused: certificates are always checked")
    known = ", ".join(sorted({*_LONG, *_FLAGS}))
    return unfit(f"Failed to parse cURL command: the option '{option[:40]}' is not known here; known: {known}")
