"""Sets of content types: what a port accepts (contract flow-runs, section 9).

A set is written as a list of `type/subtype`, `type/*` and `*/*`; parameters and case do not count, and a port that
names no types takes any. Two sets meet when some content is in both: `image/*` and `image/png` meet, either way round.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs
from typing_extensions import override

_PART: Final = r"[a-z0-9!#$&^_.+-]+"
_WRITTEN: Final = re.compile(rf"({_PART})/({_PART}|\*)|\*/\*", re.IGNORECASE)
_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/x-gzip": "application/gzip",
        "application/x-zip-compressed": "application/zip",
        "audio/m4a": "audio/mp4",
        "audio/mp3": "audio/mpeg",
        "audio/vnd.wave": "audio/wav",
        "audio/wave": "audio/wav",
        "audio/x-flac": "audio/flac",
        "audio/x-m4a": "audio/mp4",
        "audio/x-wav": "audio/wav",
        "image/jpg": "image/jpeg",
        "image/pjpeg": "image/jpeg",
        "image/x-ms-bmp": "image/bmp",
        "image/x-png": "image/png",
        "text/json": "application/json",
        "text/xml": "application/xml",
        "video/3gp": "video/3gpp",
        "video/flv": "video/x-flv",
        "video/matroska": "video/x-matroska",
    }
)
"""Other spellings of one and the same type."""
_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/json": "text/plain",
        "application/xml": "text/plain",
        "image/svg+xml": "application/xml",
    }
)
"""What is also of another type, and of which."""
OCTETS: Final = "application/octet-stream"
TEXT: Final = "text/plain"


def canonical(written: str) -> str | None:
    """Return the content type that *written* means, without parameters and in lower case; None when it is none."""
    bare = written.partition(";")[0].strip()
    if _WRITTEN.fullmatch(bare) is None:
        return None
    return _ALIASES.get(bare.lower(), bare.lower())


def lineage(content: str) -> Iterator[str]:
    """Yield *content* and all that it also is: SVG is XML, which is text, which are bytes."""
    yield content
    while (kind := _KINDS.get(content)) is not None:
        content = kind
        yield content
    if content.startswith("text/") and content != TEXT:
        yield TEXT
    if content != OCTETS:
        yield OCTETS


@attrs.frozen
class MediaTypes:
    """A set of content types.

    Attributes:
        all: Whether every content type is in it; the other two then say nothing.
        tops: The `type` of every `type/*`.
        exact: Every `type/subtype`.
    """

    all: bool = False
    tops: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()

    @classmethod
    def of(cls, written: Iterable[str]) -> "MediaTypes":
        """Return the set that the list *written* means; what is no content type is passed over, and nothing is any."""
        types = [found for found in map(canonical, written) if found is not None]
        if not types or "*/*" in types:
            return ANY
        return cls(
            tops=frozenset(found[:-2] for found in types if found.endswith("/*")),
            exact=frozenset(found for found in types if not found.endswith("/*")),
        )

    @property
    def empty(self) -> bool:
        """Whether no content is in it."""
        return not (self.all or self.tops or self.exact)

    def __and__(self, other: "MediaTypes") -> "MediaTypes":
        """Return what is in both."""
        if self.all:
            return other
        if other.all:
            return self
        within = {found for found in self.exact if found.partition("/")[0] in other.tops}
        within |= {found for found in other.exact if found.partition("/")[0] in self.tops}
        return MediaTypes(tops=self.tops & other.tops, exact=self.exact & other.exact | within)

    def accepts(self, content: str) -> bool:
        """Return whether a file of the type *content* may come in: it, or what it also is, is in the set."""
        if self.all:
            return True
        known = canonical(content)
        if known is None:
            return False
        return any(kind in self.exact or kind.partition("/")[0] in self.tops for kind in lineage(known))

    @override
    def __str__(self) -> str:
        """Return the set as people write it."""
        return "*/*" if self.all else ", ".join(self.written())

    def written(self) -> tuple[str, ...]:
        """Return the list that means the set, sorted; an empty one for everything."""
        return tuple(sorted({*self.exact, *(f"{top}/*" for top in self.tops)}))


ANY: Final = MediaTypes(all=True)
"""The set of everything."""
