"""What people write who know Jinja, Python or Liquid, and how it is said here.

In JMESPath a name after a pipe is a field of what was piped, so a filter that does not exist would quietly give null.
"""

import re
from collections.abc import Mapping
from typing import Final

_CUT: Final = "there is no counterpart: let a step do it"
_LETTERS: Final = "there is no counterpart; `lower` and `upper` there are"
_NO_MARKUP: Final = "leave it away: nothing is escaped here"
_WITHOUT: Final = "leave it away: `x[]`, `x[*]`, `keys(x)` and `unique(x)` are lists already"
_TEXT: Final = "write `x | to_string`"
_TRIM: Final = "write `x | trim`"
_LENGTH: Final = "write `x | length`"
_JSON: Final = "write `x | to_json`"
_MATCH: Final = "write `x | regex_match('^a')`"
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
    "pprint": _JSON,
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
    # Python, Ansible, jq and Liquid
    "b64decode": _CUT,
    "b64encode": _CUT,
    "bool": "a condition takes any value as it is; a text is compared: `x == 'true'`",
    "combine": "write `merge(x, y)`",
    "downcase": "write `x | lower`",
    "from_yaml": _CUT,
    "fromjson": "write `x | from_json`",
    "jsonify": _JSON,
    "len": _LENGTH,
    "lstrip": _TRIM,
    "regex_findall": _CUT,
    "regex_replace": "there is no counterpart; `x | replace('a', 'b')` replaces plain text",
    "regex_search": _MATCH,
    "reversed": "write `x | reverse`",
    "rstrip": _TRIM,
    "size": _LENGTH,
    "sorted": "write `x | sort`",
    "str": _TEXT,
    "strip": _TRIM,
    "ternary": "for a choice write `x && 'a' || 'b'`",
    "to_nice_json": _JSON,
    "to_nice_yaml": _CUT,
    "to_yaml": _CUT,
    "uniq": "write `x | unique`",
    "upcase": "write `x | upper`",
}
"""The filters of others and what to write instead."""

CALLS: Final[Mapping[str, str]] = {
    "get": "write `x.name`",
    "json": "did you mean `to_json`, or `from_json` for what a text spells",
    "match": _MATCH,
    "now": "there is no counterpart: an expression gives the same every time; `run.started_at` is when the run began",
    "range": _CUT,
    "search": _MATCH,
    "test": _MATCH,
}
"""What else people call, of names that are too common to be refused where they may be fields."""

LITERALS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("none", "None", "null", "nil", "undefined"), "null"),
    **dict.fromkeys(("true", "True"), "true"),
    **dict.fromkeys(("false", "False"), "false"),
}
"""The words of others for null and the booleans, which here would be names of fields, and what stands in backticks."""

IDIOMS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"^-(?!\d)|-$"),
        "write `{{ x }}` without the dash: spaces around it stay, or are cut by `| trim`; there is no arithmetic",
    ),
    (re.compile(r"^let\b"), "there is no `let`: write it out where it is used, or pipe it on: `x | {a: @}`"),
    (re.compile(r"(?<![\w)\]])\$"), "there is no `$`: that is JSONPath; leave it away: `users[0].id`"),
    (re.compile(r"\?\?"), "for what stands in for null write `a || b`"),
    (re.compile(r"(?<!\[)\?"), "for a choice write `condition && a || b`"),
    (re.compile(r"\bif\b.*\belse\b"), "for a choice write `condition && a || b`"),
    (
        re.compile(r"\bis\s+(?:not\s+)?(?:defined|none)\b"),
        "what is missing is null: write `x == `null`` or `x || 'fallback'`",
    ),
    (re.compile(r"\bnot\s+in\b|\bin\b"), "write `contains(list, value)`"),
    (re.compile(r"\band\b|\bor\b|\bnot\b"), "write `&&` for and, `||` for or, `!` for not"),
    (re.compile(r"(?:\[|\.)\s*'|\[\s*\""), 'write `x.key`, or `x."a key"` for a name with other characters'),
    (
        re.compile(r"\b(?:tojson|to_json)\([^()]"),
        "write `x | to_json`: it takes nothing else, and its text stands in one line",
    ),
    (
        re.compile(r"\w\([^()]*\b\w+\s*=(?!=)"),
        "what a function takes has no names: `map(&name, list)`, `x | join(', ')`",
    ),
    (re.compile(r"\{\s*\}"), "an empty mapping is written `` `{}` ``"),
    (re.compile(r"(?:[=!<>]=|[<>])\s*-?\d"), "a number is written in backticks: `x > `3``"),
    (re.compile(r"\d\s*(?:[=!<>]=|[<>])"), "a number is written in backticks: `x > `3``"),
    (
        re.compile(r"\b(\w+)\((?:[^()]*[\s,])?(-?\d[\d.]*)"),
        r"a number is written in backticks: `` `\2` ``, as in `x | round(`2`)`",
    ),
    (
        re.compile(r"[\w)\]`'\"]\s*(?://|\*\*|[-+*/%~])\s*[\w(`'\"]"),
        "there is no arithmetic: let a step compute it; texts are joined by standing together: `{{ a }}{{ b }}`",
    ),
    (re.compile(r"(?<![=!<>])=(?!=)"), "equal is written `==`"),
)
"""What texts look like that are no JMESPath, without what stands in quotes, and the hint for each; the first counts."""
