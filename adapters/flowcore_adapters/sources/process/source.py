"""The source: what to run, what to pass to it, and what its end means."""

import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs

from flowcore.catalog import Kind, SourceType
from flowcore.errors import SourceError
from flowcore.expressions import to_text
from flowcore.ports import Redact, SourceCall, SourceResult
from flowcore.values import Json
from flowcore_adapters.sources.configuration import (
    MAX_OUTPUT,
    Reader,
    bad_configuration,
    parameter,
    parameters,
    time_limit,
)
from flowcore_adapters.sources.patterns import blacken, flaw, misspelling

if TYPE_CHECKING:
    from flowcore_adapters.sources.child import Ended

_TAIL: Final = 400
"""How much of standard error a note shows, in characters."""


@attrs.frozen(kw_only=True)
class ProcessConfiguration:
    """What a `process` source is told."""

    command: tuple[str, ...] = parameter(
        Kind.WORDS, "The program and its arguments; one text is split into words.", required=True
    )
    pass_to: str = parameter(
        Kind.TEXT,
        "What becomes of the step's input: the last argument, standard input, or `{{ input }}` in the command.",
        choices=("arg", "stdin", "template"),
        default="arg",
    )
    timeout: float | None = parameter(
        Kind.SECONDS, "How long it may take, in seconds; the step's `timeout` holds as well."
    )
    cwd: str | None = parameter(Kind.TEXT, "The directory to run in.")
    env: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Environment variables beside those of flowcore itself.")
    max_output: int = parameter(
        Kind.INTEGER, "How many bytes it may print, on both streams together.", default=MAX_OUTPUT, at_least=1
    )
    redact_args: bool = parameter(Kind.BOOLEAN, "Keep the arguments out of the logs.", default=True)
    redact_patterns: tuple[str, ...] = parameter(
        Kind.TEXTS,
        "Regular expressions; what they match is blackened in logs and notes.",
        default=(),
        flaw=flaw,
        late_flaw=misspelling,
    )
    log_full_command: bool = parameter(Kind.BOOLEAN, "Show all arguments in the logs.", default=False)


_TYPE: Final = SourceType(
    name="process",
    about="Runs a program. Its output is the data: `stdout`, `stderr`, `returncode`, and `json` when stdout is JSON.",
    parameters=parameters(ProcessConfiguration),
    payload_names=("input", "json"),
    template_when=("pass_to", "template"),
)
_read: Final = Reader(_TYPE, ProcessConfiguration)


class ProcessSource:
    """Runs programs, each in a process group of its own that ends with it."""

    type = _TYPE

    def call(self, call: SourceCall) -> SourceResult:
        """Run the program and return ``{stdout, stderr, returncode, json?}``."""
        # A flow without programs does without `subprocess`.
        from flowcore_adapters.sources.child import Job, run_child

        configuration = _read(call.configuration)
        command: Sequence[str] = configuration.command
        given: bytes | None = None
        if call.payload is not None:
            match configuration.pass_to:
                case "arg":
                    command = [*command, to_text(call.payload)]
                case "stdin":
                    given = to_text(call.payload).encode("utf-8", "replace")
                case _:
                    # `template`: it stands in the command already, where the flow has put it.
                    pass
        call.log(f"run {_redacted(_shown(configuration, command), configuration)}")
        job = Job(
            command=command,
            given=given,
            cwd=configuration.cwd,
            env=_environment(configuration, call),
            max_output=configuration.max_output,
        )
        ended = run_child(job, time_limit(call, configuration.timeout), call.cancel)
        return _result(ended, configuration, call.redact)


def _environment(configuration: ProcessConfiguration, call: SourceCall) -> dict[bytes, bytes]:
    """Return the environment of the child: ours, what is configured, and what a receiver can tell repeated calls by."""
    # As bytes, which is what the system takes: to decode the whole environment only to encode it again, or to read it
    # through `os.environb`, costs more than everything else that is done here. What is inside has always been the same.
    environment = dict[bytes, bytes](vars(os.environ).get("_data", os.environb))
    for name, value in (configuration.env or {}).items():
        if value is None:
            continue
        try:
            environment[os.fsencode(name)] = os.fsencode(to_text(value))
        except UnicodeEncodeError:
            raise bad_configuration(f"'env.{name}' is no valid Unicode") from None
    environment[b"FLOWCORE_RUN_ID"] = b"%d" % call.run_id
    environment[b"FLOWCORE_STEP"] = call.instance.encode()
    environment[b"FLOWCORE_ATTEMPT"] = b"%d" % call.attempt
    environment[b"FLOWCORE_IDEMPOTENCY_KEY"] = call.idempotency_key.encode()
    return environment


def _shown(configuration: ProcessConfiguration, command: Sequence[str]) -> str:
    """Return *command* as the logs may show it: what stands in arguments, the step's input above all, is nobody's."""
    if configuration.log_full_command or not configuration.redact_args:
        return str(list(command))
    return str([command[0], f"<{len(command) - 1} args>"])


def _redacted(text: str, configuration: ProcessConfiguration) -> str:
    # Read with the configuration: by now they are regular expressions.
    return blacken(text, configuration.redact_patterns) if configuration.redact_patterns else text


def _result(ended: "Ended", configuration: ProcessConfiguration, redact: Redact) -> SourceResult:
    notes: list[str] = []
    stdout, stderr = _text("stdout", ended.stdout, notes), _text("stderr", ended.stderr, notes)
    if ended.returncode != 0:
        raise SourceError(_failure(ended.returncode, redact(_redacted(stderr, configuration))), code="exit-code")
    data: dict[str, object] = {"stdout": stdout, "stderr": stderr, "returncode": 0}
    if stdout:
        with suppress(ValueError, RecursionError):
            data["json"] = json.loads(stdout)
    return SourceResult(data=data, notes=tuple(notes))


def _text(name: str, data: bytes, notes: list[str]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        notes.append(f"{name} was no valid UTF-8; what could not be read was replaced")
        return data.decode(errors="replace")


def _failure(returncode: int, stderr: str) -> str:
    text = f"process exited with code {returncode}"
    if returncode < 0:
        number = -returncode
        known = number in {member.value for member in signal.Signals}
        text += f" (ended by {signal.Signals(number).name if known else f'signal {number}'})"
    told = stderr.strip()
    return text if not told else f"{text}: {told if len(told) <= _TAIL else f'...{told[-_TAIL:]}'}"
