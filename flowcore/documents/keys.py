"""Keys of mappings that hold braces: an expression in one reads nothing, so it stands for its text from the beginning.

That is what people need who want to write the two characters themselves: `{{ '{{' }}`, in a key as in a value.
"""

import re
from collections.abc import Mapping
from typing import Final

from flowcore.errors import ExpressionError, Path
from flowcore.expressions import check_template, compile_template
from flowcore.values import Json

from .fields import type_name
from .findings import Findings
from .yaml_scalars import shown

_EXPRESSION: Final = re.compile(r"\{\{.*\}\}", re.DOTALL)


def fill_keys(value: Json, path: Path, findings: Findings) -> Json:
    """Return *value* with the expressions in its keys filled in; note those that read something."""
    if isinstance(value, dict) and _has_braced_key(value):
        return fill_members(value, path, findings)
    if isinstance(value, (list, tuple)) and _has_braced_key(value):
        return [fill_keys(item, (*path, number), findings) for number, item in enumerate(value)]
    return value


def fill_members(value: Mapping[str, Json], path: Path, findings: Findings) -> Mapping[str, Json]:
    """Return the mapping *value* as `fill_keys` does."""
    found: dict[str, Json] = {}
    for key, item in value.items():
        where = (*path, key)
        name = _filled(key, where, findings) if _EXPRESSION.search(key) else key
        if name in found:
            findings.add("bad-value", where, f"two keys of this mapping are `{shown(name)}`")
        found[name] = fill_keys(item, where, findings)
    return found


def _has_braced_key(value: Json) -> bool:
    """Return whether there is such a key: nearly always there is none, and this copies nothing."""
    if isinstance(value, dict):
        return any("{{" in key for key in value) or any(map(_has_braced_key, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_has_braced_key, value))


def _filled(key: str, path: Path, findings: Findings) -> str:
    references, errors = check_template(key)
    for _, error in errors:
        findings.add("bad-expression", path, error.message, hint=error.hint)
    if references:
        message = f"the key `{shown(key)}` holds an expression that reads something; only values are filled in"
        hint = "let a step build the mapping, and take all of it: `{{ flows.<step>.<output> }}`"
        findings.add("bad-expression", path, message, hint=hint)
    if references or errors:
        return key
    try:
        name = compile_template(key).render({})
    except ExpressionError as error:
        findings.add("bad-expression", path, error.message, hint=error.hint)
        return key
    if isinstance(name, str):
        return name
    message = f"a key is text, but `{shown(key)}` gives {type_name(name)}"
    findings.add("bad-expression", path, message, hint="for the two characters themselves write `{{ '{{' }}`")
    return key
