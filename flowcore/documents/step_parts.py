"""The outputs of a step, and its retry policy: the two parts of a step that are documents of their own."""

from typing import Final

from flowcore.errors import ExpressionError
from flowcore.expressions import compile_search
from flowcore.model import NO_RETRY, Output, OutputType, RetryPolicy

from .fields import LONGEST_S, Fields, type_name
from .findings import Findings, did_you_mean

OUTPUT_KEYS: Final = ("name", "type", "value", "required")
RETRY_KEYS: Final = ("max_attempts", "delay", "factor", "max_delay", "jitter")


def read_outputs(fields: Fields, findings: Findings) -> tuple[Output, ...]:
    """Return the outputs that a step declares."""
    found: dict[str, Output] = {}
    for number, value in enumerate(fields.items("output")):
        path = (*fields.path, "output", number)
        if not isinstance(value, dict):
            message = f"an output must be a mapping with a 'name', not {type_name(value)}"
            findings.add("wrong-type", path, message)
            continue
        output = _output(Fields(value, path, findings, OUTPUT_KEYS), findings)
        if output is None:
            continue
        if output.name in found:
            findings.add("duplicate-name", path, f"two outputs are called '{output.name}'")
        found[output.name] = output
    return tuple(found.values())


def _output(fields: Fields, findings: Findings) -> Output | None:
    name = fields.text("name")
    if fields.raw("name") is None or name == "":
        findings.add("missing-key", fields.path, "an output needs a 'name'")
    words = [str(kind) for kind in OutputType]
    kind = (fields.text("type") or "raw").lower()
    if kind not in words:
        message = f"'type' of an output must be one of {', '.join(words)}, not '{kind}'"
        fields.refuse("type", message, code="bad-value", hint=did_you_mean(kind, words))
        kind = "raw"
    value = fields.text("value")
    if kind == "jmespath":
        _check_search(fields, value, findings)
    elif value is not None:
        message = f"'value' is for outputs of type jmespath; this one is {kind}"
        fields.refuse("value", message, code="bad-value", hint="add `type: jmespath`")
    required = fields.flag("required")
    if not name:
        return None
    return Output(name=name, type=OutputType(kind), value=value if kind == "jmespath" else None, required=required)


def _check_search(fields: Fields, value: str | None, findings: Findings) -> None:
    if fields.raw("value") is None:
        message = "an output of type jmespath needs a 'value': the expression"
        findings.add("missing-key", fields.path, message)
    if value is None:
        return
    try:
        compile_search(value)
    except ExpressionError as error:
        fields.refuse("value", error.message, code="bad-expression", hint=error.hint)


def read_retry(fields: Fields, findings: Findings) -> RetryPolicy:
    """Return how often a step is tried."""
    value = fields.raw("retry")
    if value is None:
        return NO_RETRY
    if not isinstance(value, dict):
        attempts = fields.whole("retry", most=1_000)
        return NO_RETRY if attempts is None else RetryPolicy(max_attempts=attempts)
    inner = Fields(value, (*fields.path, "retry"), findings, RETRY_KEYS)
    attempts = inner.whole("max_attempts", most=1_000)
    delay_s = inner.number("delay", most=LONGEST_S)
    factor = inner.number("factor", least=1.0, most=100.0)
    longest_s = inner.number("max_delay", most=LONGEST_S)
    jitter = inner.number("jitter", most=1.0)
    standard = RetryPolicy()
    return RetryPolicy(
        max_attempts=3 if attempts is None else attempts,
        delay_s=standard.delay_s if delay_s is None else delay_s,
        factor=standard.factor if factor is None else factor,
        max_delay_s=standard.max_delay_s if longest_s is None else longest_s,
        jitter=standard.jitter if jitter is None else jitter,
    )
