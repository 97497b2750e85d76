"""What people write who know Jinja, Python or Liquid, and how it is said here.

In JMESPath a name after a pipe is a field of what was piped, so a filter that does not exist would quietly give null.
"""

from collections.abc import Mapping
from typing import Final

_CUT: Final = "there is no counterpart: let a step do it"
_LETTERS: Final = "there is no counterpart; `lower` and `upper` there are"
_NO_MARKUP: Final = "leave it away: nothing is escaped here"
_WITHOUT: Final = "leave it away: `x[]`, `x[*]`, `keys(x)` and `unique(x)` are lists already"
_TEXT: Final = "write `x | to_string`"
_TRIM: Final = "write `x | trim`"
_LENGTH: Final = "write `x | length`"
_FILTER: Final = "write `x[?condition]`"

FILTERS: Final[Mapping[str, str]] = {
    # Jinja's own (its documentation, "List of Builtin Filters"), so far as there is no function of that name here
    "attr": "write `x.name`",
    "batch": _CUT,
    "capitalize": _LETTERS,
    "center": _CUT,
    "count": _LENGTH,
    "d": "write `x | default('none')`",
    "dictsort": "write `x | sort(keys(@))` for its names",
    "e": _NO_MARKUP,
    "escape": _NO_MARKUP,
    "filesizeformat": _CUT,
    "first": "write `x | [0]`",
    "float": "write `x | to_number`",
    "forceescape": _NO_MARKUP,
    "format": "texts are joined by standing together: `{{ a }}{{ b }}`",
    "groupby": _FILTER,
    "indent": _CUT,
    "items": "write `x | keys` or `x | values`",
    "last": "write `x | [-1]`",
    "list": _WITHOUT,
    "pprint": "write `x | tojson`",
    "random": "there is no counterpart: an expression gives the same every time",
    "reject": _FILTER,
    "rejectattr": _FILTER,
    "safe": _NO_MARKUP,
    "select": _FILTER,
    "selectattr": _FILTER,
    "slice": "write `x[0:3]`",
    "string": _TEXT,
    "striptags": _CUT,
    "title": _LETTERS,
    "truncate": _CUT,
    "urlencode": "there is no counterpart: a `rest` source encodes its `params` itself",
    "urlize": _CUT,
    "wordcount": "write `x | split | length`",
    "wordwrap": _CUT,
    "xmlattr": _CUT,
    # Python, Ansible and Liquid
    "bool": "a condition takes any value as it is; a text is compared: `x == 'true'`",
    "downcase": "write `x | lower`",
    "len": _LENGTH,
    "lstrip": _TRIM,
    "reversed": "write `x | reverse`",
    "rstrip": _TRIM,
    "size": _LENGTH,
    "sorted": "write `x | sort`",
    "str": _TEXT,
    "strip": _TRIM,
    "uniq": "write `x | unique`",
    "upcase": "write `x | upper`",
}
"""The filters of others and what to write instead."""

LITERALS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("none", "None", "null", "nil", "undefined"), "null"),
    **dict.fromkeys(("true", "True"), "true"),
    **dict.fromkeys(("false", "False"), "false"),
}
"""The words of others for null and the booleans, which here would be names of fields, and what stands in backticks."""
