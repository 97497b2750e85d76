"""The YAML flow as a front end: a merged mapping in, an immutable `Flow` out (contract status, section 1).

Everything that is wrong is found in one go; nothing of it is left for the run.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.catalog import Catalog
from flowcore.errors import Path
from flowcore.graph import find_cycles, walked
from flowcore.ids import StepName
from flowcore.model import (
    DEFAULT_TIMEOUT_S,
    Flow,
    OnError,
    Output,
    Secret,
    Step,
)
from flowcore.values import Json

from .fields import LONGEST_S, Fields, type_name
from .findings import Findings, did_you_mean
from .flow_sources import SourceTable
from .keys import fill_keys
from .plain import check_plain
from .references import ROOTS, Names, check_expressions, roots_of
from .step_parts import read_outputs, read_retry

TOP_KEYS: Final = ("name", "sources", "secrets", "runner", "flow")
RUNNER_KEYS: Final = ("on_error", "max_workers")
STEP_KEYS: Final = (
    "name",
    "source",
    "input",
    "output",
    "depends_on",
    "on_error",
    "when",
    "for_each",
    "max_parallel",
    "retry",
    "timeout",
    "breakpoint",
)
_INPUT_FORMS: Final = frozenset({"parameter", "filter", "body", "value"})
_MOST_WORKERS: Final = 1_000


def compile_flow(document: Mapping[str, Json], catalog: Catalog) -> Flow:
    """Compile the merged mapping of a flow file.

    Args:
        document: The mapping with `sources`, `runner` and `flow`; every key is optional.
        catalog: The kinds of sources that are available.

    Raises:
        FlowDocumentError: It cannot run; every problem is named, with its path in *document*.
    """
    return _Compiler(document, catalog).compile()


class _Compiler:
    """One compilation: the findings so far, and what the steps may refer to."""

    def __init__(self, document: Mapping[str, Json], catalog: Catalog) -> None:
        self._findings = Findings()
        self._catalog = catalog
        if not check_plain(document, self._findings):
            self._findings.check()
        self._findings.settle()
        self._top = Fields(document, (), self._findings, TOP_KEYS)
        self._sources = SourceTable(self._top.mapping("sources"), self._top.raw("flow"), catalog, self._findings)
        self._names = Names({}, {}, (), catalog)

    def compile(self) -> Flow:
        name = self._top.text("name") or ""
        runner = Fields(self._top.mapping("runner"), ("runner",), self._findings, RUNNER_KEYS)
        on_error = self._on_error(runner)
        max_workers = runner.whole("max_workers", most=_MOST_WORKERS)
        secrets = self._secrets()
        rows = [self._row(number, value) for number, value in enumerate(self._top.items("flow"))]
        outputs = self._outputs(rows)
        self._names = Names(
            {step: [output.name for output in found] for step, found in outputs.items()},
            self._sources.declared,
            tuple(secrets),
            self._catalog,
            self._sources.varying(),
        )
        steps = tuple(
            step for step in (self._step(fields, number, outputs) for number, fields in enumerate(rows)) if step
        )
        self._check_graph(steps)
        self._findings.check()
        return Flow(
            name=name,
            sources=self._sources.sources,
            steps=steps,
            on_error=on_error,
            max_workers=max_workers,
            secrets=secrets,
        )

    def _on_error(self, fields: Fields) -> OnError | None:
        text = fields.text("on_error")
        if text is None:
            return None
        try:
            return OnError(text.strip().lower())
        except ValueError:
            words = [str(policy) for policy in OnError]
            fields.refuse(
                "on_error",
                f"'on_error' must be one of {', '.join(words)}, not '{text}'",
                code="bad-value",
                hint=did_you_mean(text.lower(), words),
            )
            return None

    def _secrets(self) -> dict[str, Secret]:
        value = self._top.raw("secrets")
        if isinstance(value, (list, tuple)):
            for number, name in enumerate(value):
                if not isinstance(name, str):
                    message = f"what 'secrets' lists must be text, not {type_name(name)}"
                    self._findings.add("wrong-type", ("secrets", number), message)
            value = {name: name for name in value if isinstance(name, str)}
        elif value is None:
            value = {}
        elif not isinstance(value, dict):
            self._top.refuse("secrets", f"'secrets' must be a mapping or a list of names, not {type_name(value)}")
            value = {}
        found: dict[str, Secret] = {}
        for name, where in value.items():
            if isinstance(where, str):
                found[name] = Secret(env=where)
            elif isinstance(where, dict):
                fields = Fields(where, ("secrets", name), self._findings, ("env", "file"))
                secret = Secret(env=fields.text("env"), file=fields.text("file"))
                if (secret.env is None) == (secret.file is None):
                    message = f"secret '{name}' needs either 'env' or 'file'"
                    self._findings.add("missing-key", fields.path, message)
                found[name] = secret
            else:
                self._top.refuse("secrets", f"secret '{name}' must name an environment variable or a file")
        return found

    def _row(self, number: int, value: Json) -> Fields | None:
        path: Path = ("flow", number)
        if not isinstance(value, dict):
            self._findings.add("wrong-type", path, f"a step must be a mapping, not {type_name(value)}")
            return None
        return Fields(value, path, self._findings, STEP_KEYS)

    def _outputs(self, rows: Sequence[Fields | None]) -> dict[str, tuple[Output, ...]]:
        """Return the declared outputs of every step that has a proper name, which must be unique."""
        found: dict[str, tuple[Output, ...]] = {}
        first: dict[str, int] = {}
        for number, fields in enumerate(rows):
            if fields is None:
                continue
            name = fields.text("name")
            if fields.raw("name") is None or name == "":
                self._findings.add("missing-key", fields.path, "a step needs a 'name'")
            if not name:
                continue
            if name in found:
                message = f"two steps are called '{name}': flow[{first[name]}] and flow[{number}]"
                fields.refuse("name", message, code="duplicate-name", hint="give each step a name of its own")
                continue
            first[name] = number
            found[name] = read_outputs(fields, self._findings)
        return found

    def _step(self, fields: Fields | None, number: int, outputs: Mapping[str, tuple[Output, ...]]) -> Step | None:
        if fields is None:
            return None
        for_each = fill_keys(_braced(fields.raw("for_each")), (*fields.path, "for_each"), self._findings)
        if for_each is not None and not isinstance(for_each, (str, list, tuple)):
            fields.refuse("for_each", f"'for_each' must be a list or an expression, not {type_name(for_each)}")
        when = _braced(fields.raw("when"))
        if when is not None and not isinstance(when, (str, bool)):
            fields.refuse("when", f"'when' must be an expression or a boolean, not {type_name(when)}")
        roots = roots_of(each=for_each is not None)
        payload = fill_keys(_payload(fields.raw("input")), (*fields.path, "input"), self._findings)
        needed = dict.fromkeys(self._depends_on(fields))
        needed.update(dict.fromkeys(self._expressions(payload, (*fields.path, "input"), roots)))
        needed.update(dict.fromkeys(self._expressions(when, (*fields.path, "when"), ROOTS)))
        needed.update(dict.fromkeys(self._expressions(for_each, (*fields.path, "for_each"), ROOTS)))
        source, source_path = self._sources.of_step(fields, number)
        if source is not None:
            used = self._sources.steps_used(source, source_path, self._names, each=for_each is not None)
            needed.update(dict.fromkeys(used))
        max_parallel = fields.whole("max_parallel", most=_MOST_WORKERS)
        if max_parallel is not None and for_each is None:
            fields.refuse("max_parallel", "'max_parallel' is for steps with 'for_each'", code="bad-value")
        retry = read_retry(fields, self._findings)
        timeout_s = fields.number("timeout", above=0.0, most=LONGEST_S)
        on_error = self._on_error(fields)
        marked = fields.flag("breakpoint")
        name = fields.raw("name")
        if source is None or not isinstance(name, str) or not name:
            return None
        return Step(
            name=StepName(name),
            source=source,
            input=payload,
            outputs=outputs.get(name, ()),
            depends_on=tuple(StepName(parent) for parent in needed),
            when=when,
            for_each=for_each,
            max_parallel=max_parallel,
            retry=retry,
            timeout_s=DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s,
            on_error=on_error,
            breakpoint=marked,
        )

    def _expressions(self, value: Json, path: Path, roots: Sequence[str]) -> tuple[str, ...]:
        if value is None or value is True or value is False or (isinstance(value, str) and "{" not in value):
            return ()
        return tuple(check_expressions(value, path, self._findings, self._names, roots=roots))

    def _depends_on(self, fields: Fields) -> tuple[str, ...]:
        value = fields.raw("depends_on")
        if value is None:
            return ()
        listed: Sequence[Json] = [value] if isinstance(value, str) else fields.items("depends_on")
        found = tuple(name for name in listed if isinstance(name, str))
        for number, name in enumerate(listed):
            if not isinstance(name, str):
                message = f"what 'depends_on' lists must be the name of a step, not {type_name(name)}"
                self._findings.add("wrong-type", (*fields.path, "depends_on", number), message, hint=_quotes(name))
        missing = [name for name in found if name not in self._names.outputs]
        if missing:
            hints = [hint for hint in (did_you_mean(name, self._names.outputs) for name in missing) if hint]
            names = ", ".join(f"'{name}'" for name in missing)
            step = fields.raw("name")
            message = f"step '{step}' depends on {names}, which {'is' if len(missing) == 1 else 'are'} not in this flow"
            fields.refuse("depends_on", message, code="unknown-step", hint="; ".join(hints) or None)
        return tuple(name for name in found if name in self._names.outputs)

    def _check_graph(self, steps: Sequence[Step]) -> None:
        for cycle in find_cycles({step.name: step.depends_on for step in steps}):
            number = next(index for index, step in enumerate(steps) if step.name == cycle[0])
            walk = walked(cycle)
            alone = cycle[0] == cycle[1]
            message = f"the step waits for itself: {walk}" if alone else f"the steps wait for each other: {walk}"
            self._findings.add("cycle", ("flow", number), message)
        names = {step.name for step in steps}
        for number, step in enumerate(steps):
            parent, slash, item = step.name.rpartition("/")
            if slash and item.isdigit() and parent in names:
                message = f"'{step.name}' is also what item {item} of step '{parent}' would be called"
                self._findings.add("name-clash", ("flow", number, "name"), message)


def _braced(value: Json) -> Json:
    """Return a condition or a list with its braces: here a text without any is an expression too."""
    if isinstance(value, str) and "{{" not in value:
        return f"{{{{ {value} }}}}"
    return value


def _quotes(value: Json) -> str | None:
    """Return what to do where a text is asked for and *value* stands, if it may have been meant as one."""
    return None if isinstance(value, (dict, list, tuple)) or value is None else "put it in quotes"


def _payload(value: Json) -> Json:
    """Return the payload that an input means: the document's form `{type, value | template}` stands for its value."""
    if isinstance(value, dict) and set(value) in ({"type", "value"}, {"type", "template"}):
        kind = value["type"]
        if isinstance(kind, str) and kind in _INPUT_FORMS:
            return value.get("value", value.get("template"))
    return value
