"""Tokens: what methods and names of headers are made of (RFC 9110, section 5.6.2)."""

import re
from typing import Final

_MARKS: Final = "!#$%&'*+-.^_`|~"
TOKEN: Final = re.compile(rf"[A-Za-z0-9{re.escape(_MARKS)}]+")
TOKEN_CHARACTERS: Final = f"a-z, A-Z, 0-9 and {_MARKS}"
"""The same for people."""
