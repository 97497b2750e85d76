"""What the expressions of one run may see, and what must not be seen of it."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from flowcore.cleaning import clean
from flowcore.errors import ExpressionError, FlowDocumentError, Problem, SourceError
from flowcore.ids import InstanceId, RunId
from flowcore.model import Flow, Secret, Source
from flowcore.ports import SourceCall
from flowcore.run.sight import outputs_left, outputs_seen, place_of, shared
from flowcore.run.state import InstanceState, RunState
from flowcore.secrets import Redactor
from flowcore.values import Instant, Json
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.registry import Registry

from .plan import StepPlan, mapping, recorded_template

_NO_ITEM: Final = -1


class RunContext:
    """The roots of a run's expressions: `flows`, `sources`, `run`, `secrets`, and `item` and `index` in a fan-out.

    Attributes:
        redactor: What takes the values of secrets out of everything that leaves a source.
    """

    def __init__(self, state: RunState, registry: Registry) -> None:
        """Read the environment for the flow of *state*: the values of its `env` sources and of its secrets.

        Raises:
            FlowDocumentError: A secret is not to be found; all of those are named.
        """
        flow = state.flow
        secrets = read_secrets(flow)
        sources, marked = _source_values(flow, registry)
        self.redactor = Redactor({**secrets, **marked})
        self._hides = bool(self.redactor)
        self._state = state
        self._base: dict[str, Json] = {
            "flows": state.outputs,
            "sources": sources,
            "secrets": secrets,
            "run": {"id": state.run_id, "name": flow.name, "started_at": state.started_at},
        }
        self._share()

    def started(self, at: Instant | None) -> None:
        """Show *at* as `run.started_at`."""
        run = self._base["run"]
        self._base["run"] = {**run, "started_at": at} if isinstance(run, dict) else run

    def follow(self, state: RunState) -> None:
        """Show the outputs of *state* from here on: the run was folded anew."""
        self._state = state
        self._base["flows"] = state.outputs
        self._share()

    def _share(self) -> None:
        """Show what the steps of a workflow share."""
        self._base.update(shared(self._state))

    def roots(self, instance: InstanceState, plan: StepPlan) -> Mapping[str, Json]:
        """Return the roots for one instance of the step of *plan*, secrets revealed."""
        if instance.item == _NO_ITEM and not instance.scope and not self._hides:
            return self._base
        return self._seen_by(instance, plan.steps_used)

    def guard_roots(self, instance: InstanceState, steps_used: Sequence[str]) -> Mapping[str, Json]:
        """Return the roots for `when` and `for_each`, which read the outputs of *steps_used*, secrets revealed."""
        if not instance.scope and not self.redactor:
            return self._base
        return self._seen_by(instance, steps_used)

    def iteration_roots(self, step: InstanceState, number: int, steps_used: Sequence[str]) -> Mapping[str, Json]:
        """Return the roots for the condition of a loop, which sees the steps of iteration *number* first."""
        flows = outputs_left(self._state, step, number, steps_used)
        return {**self._base, "flows": self._revealed(flows), "index": number}

    def _seen_by(self, instance: InstanceState, steps_used: Sequence[str]) -> Mapping[str, Json]:
        roots = dict(self._base)
        roots["flows"] = self._revealed(outputs_seen(self._state, instance, steps_used))
        place = place_of(self._state, instance)
        if place is not None:
            roots["item"], roots["index"] = self._revealed(place.item), place.index
        return roots

    def _revealed(self, value: Json) -> Json:
        return self.redactor.reveal(value) if self.redactor else value


def read_secrets(flow: Flow) -> dict[str, str]:
    """Return the values of the secrets of *flow*.

    Raises:
        FlowDocumentError: Some are not to be found; all of those are named.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for name, secret in flow.secrets.items():
        try:
            found[name] = _secret(secret)
        except (OSError, KeyError, ValueError) as error:
            where = f"environment variable {secret.env}" if secret.env else f"file {secret.file}"
            message = f"secret '{name}' is not to be found: {where} {_reason(error)}"
            problems.append(Problem(code="missing-secret", path=("secrets", name), message=message))
    if problems:
        raise FlowDocumentError(problems)
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return "is not set"
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else "is no UTF-8 text"


def _secret(secret: Secret) -> str:
    if secret.env is not None:
        return os.environ[secret.env]
    # A file made by an editor or `echo` ends with a line break that nobody means to be part of the secret.
    return Path(secret.file or "").expanduser().read_text(encoding="utf-8").rstrip("\r\n")


def _source_values(flow: Flow, registry: Registry) -> tuple[dict[str, Json], dict[str, str]]:
    """Return what `sources.<name>` shows, and of that what is marked secret, as `<name>.<variable>`."""
    values: dict[str, Json] = {}
    marked: dict[str, str] = {}
    for name, source in flow.sources.items():
        adapter = registry.adapter(source.type)
        if not adapter.type.values:
            continue
        shown, secret = _read(source, registry)
        values[name] = shown
        hidden = _marked(secret, shown)
        texts = {each: value for each, value in shown.items() if isinstance(value, str)}
        marked.update((f"{name}.{each}", value) for each, value in texts.items() if each in hidden)
    return values, marked


def _marked(secret: Json, variables: Collection[str]) -> Collection[str]:
    """Return those of *variables* that *secret*, as an `env` source has it, hides; one text is what an expression gave.

    When it names what there is not, nobody knows what was meant, and all are hidden. So may a flow have been recorded.
    """
    if secret is None or secret is False:
        return ()
    named = [secret] if isinstance(secret, str) else secret
    if not isinstance(named, (list, tuple)):
        return variables
    names = [each for each in named if isinstance(each, str) and each in variables]
    return names if len(names) == len(named) else variables


def _read(source: Source, registry: Registry) -> tuple[Mapping[str, Json], Json]:
    try:
        template = recorded_template(source.configuration)
    except ExpressionError:
        # The steps that use it say so.
        return {}, None
    if any(reference.root != "secrets" for reference in template.references):
        # It depends on steps: it can be used as a step's source, but there is nothing to read before the run.
        return {}, None
    try:
        configuration = mapping(template.render({}))
        call = SourceCall(
            run_id=RunId(0),
            instance=InstanceId(""),
            attempt=1,
            # A name that is wrong in `secret` is told by the step; here it must not uncover the others.
            configuration={key: value for key, value in configuration.items() if key != "secret"},
            payload=None,
            deadline=float("inf"),
            cancel=Cancellation(),
            log=_ignore,
        )
        data, _notes = clean(registry.adapter(source.type).call(call).data)
    except (SourceError, ExpressionError):
        # The step that uses it as its source will say what is wrong.
        return {}, None
    return mapping(data), configuration.get("secret")


def _ignore(message: str, *, stream: str = "source") -> None:
    """Take a log line from a source that only reads the environment."""
