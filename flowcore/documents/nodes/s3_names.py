"""How the texts in the `Params` of an s3 store are spelled: they become parts of URLs, and choose no other host."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


@attrs.frozen
class Spelling:
    """A rule.

    Attributes:
        pattern: What the whole text must match.
        told: The same for people.
    """

    pattern: re.Pattern[str]
    told: str


S3_SPELLINGS: Final[Mapping[str, Spelling]] = MappingProxyType(
    {
        # S3's own rule, but for the least length of three: other servers have shorter ones.
        "BucketName": Spelling(
            re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?"),
            "at most 63 of a-z, 0-9, dots and hyphens, with a letter or a digit at both ends and no two dots together",
        ),
        "Location": Spelling(re.compile(r"[a-z0-9-]{1,63}"), "at most 63 of a-z, 0-9 and hyphens"),
        # Nothing that one reader of URLs takes for the host, and another one for something else.
        "Endpoint": Spelling(
            re.compile(
                r"(?:https?://)?(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
                r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?"
            ),
            "a host such as s3.example.com, with http:// or https:// before it, or a port or a path behind it, if need"
            " be",
        ),
    }
)
"""The rules, by parameter."""


def misspelt(kind: str, name: str, value: str) -> str | None:
    """Return what is wrong with the text *value* of the parameter *name* of a store of type *kind*; None for nothing.

    The value itself is not told: people put secrets in wrong places.
    """
    rule = S3_SPELLINGS.get(name) if kind == "s3" and value else None
    return None if rule is None or rule.pattern.fullmatch(value) else f"'{name}' must be {rule.told}"
