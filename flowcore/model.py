"""The immutable model of a flow: what every front end compiles its documents into.

Texts hold their `{{ expressions }}` as written; `flowcore.expressions` compiles them where they are used. A `Flow` is
stored whole in the first event of a run, so a field here is part of the storage format (see `codec`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs
from attrs.validators import ge, optional

from .artifacts import ArtifactPort, Resources, Store, Well
from .ids import StepName
from .values import Json

DEFAULT_MAX_WORKERS: Final = 4
"""How many steps of a run go on at once when nobody says (contract status, section 4)."""
DEFAULT_TIMEOUT_S: Final = 300.0
"""How long an attempt may take when nobody says, in seconds (contract safety)."""


class Dialect(StrEnum):
    """Which kind of document a flow was written as: what its texts mean, and what is said of it, differ."""

    FLOW = "flow"
    """Sources and a flow of steps; `{{ expressions }}` everywhere."""
    WORKFLOW = "workflow"
    """Nodes and edges over shared data; `${references}`, which the sources resolve themselves."""
    NODES = "nodes"
    """Nodes with definitions, in containers, over artifacts."""


class OnError(StrEnum):
    """What a failure means: for the run, or for the step that depends on the failed one."""

    FAIL = "fail"
    SKIP = "skip"
    CONTINUE = "continue"


class OutputType(StrEnum):
    """How an output is taken from the source's data."""

    RAW = "raw"
    JSON = "json"
    JMESPATH = "jmespath"


@attrs.frozen(kw_only=True)
class Output:
    """A named value that a step leaves for others.

    Attributes:
        value: The JMESPath expression of a `jmespath` output, else None.
        required: True when a missing value (null) fails the step.
    """

    name: str
    type: OutputType = OutputType.RAW
    value: str | None = None
    required: bool = False


@attrs.frozen(kw_only=True)
class Source:
    """Where a step's data comes from: a type of the catalog and its configuration."""

    type: str
    configuration: Mapping[str, Json] = attrs.field(factory=dict[str, Json])


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a failing step is tried, and how long to wait between.

    Attributes:
        max_attempts: All attempts, the first included; at least 1.
        delay_s: The pause after the first failure, in seconds.
        factor: What each further pause is multiplied with.
        max_delay_s: No pause is longer, in seconds; a `Retry-After` of the other side is obeyed up to it too.
        jitter: The share of a pause that is left to chance, 0 to 1: 0.1 means 10 % shorter to 10 % longer.
        within_s: No attempt begins later than this after the first one began, in seconds; None: whenever it is due.
    """

    max_attempts: int = attrs.field(default=1, validator=ge(1))
    delay_s: float = 1.0
    factor: float = 2.0
    max_delay_s: float = 60.0
    jitter: float = 0.1
    within_s: float | None = None


NO_RETRY: Final = RetryPolicy()


@attrs.frozen(kw_only=True)
class Loop:
    """How often a body runs: once, and again as long as the condition says so.

    Attributes:
        condition: Looked at after each iteration, over what its steps have left: again when it is true.
        max_iterations: More than so many fail the step.
    """

    condition: Json
    max_iterations: int = attrs.field(default=1000, validator=ge(1))


@attrs.frozen(kw_only=True)
class Step:
    """A unit of work, or a body of steps that runs once, for each item of a list, or as long as a condition says.

    Attributes:
        source: The key of its source in `Flow.sources`.
        input: The payload, expressions unrendered; None is no payload.
        depends_on: Every step that must be settled first: those named and those that its expressions refer to.
        when: A condition; when its value is null, false or empty the step is skipped.
        for_each: The list (or the expression that gives one) to run the step over, one instance for each item; or None.
        max_parallel: How many instances of the fan-out go on at once; None leaves it to the run's `max_workers`.
        timeout_s: How long one attempt may take, in seconds.
        on_error: Its own word on failures, or None.
        breakpoint: A mark: a run that was started with breakpoints pauses here.
        unbroken: True for a step that no breakpoint concerns, whichever they are.
        pause: Whether the run pauses when the step is reached, whatever its breakpoints are.
        kind: What its document calls this sort of step; empty when that is the type of its source.
        after_skips: Whether it goes on when a step that it depends on was skipped by its condition.
        awaits: The edges whose artifacts must have arrived before it starts, beside what its dependencies make.
        artifact_inputs: The artifacts that are handed to it; of several for one port, the last.
        artifact_outputs: The artifacts that it leaves.
        resources: What it may use of its host, or None for no bounds.
        body: Steps that run in its place, in a scope of their own: their dependencies and policies are among
            themselves. A step with a body calls no source and leaves no outputs.
        loop: How often the body runs, or None for once, or once for each item of `for_each`.
    """

    name: StepName
    source: str
    input: Json = None
    outputs: tuple[Output, ...] = ()
    depends_on: tuple[StepName, ...] = ()
    when: Json = None
    for_each: Json = None
    max_parallel: int | None = attrs.field(default=None, validator=optional(ge(1)))
    retry: RetryPolicy = NO_RETRY
    timeout_s: float = DEFAULT_TIMEOUT_S
    on_error: OnError | None = None
    breakpoint: bool = False
    pause: bool = False
    kind: str = ""
    after_skips: bool = False
    awaits: tuple[str, ...] = ()
    artifact_inputs: tuple[ArtifactPort, ...] = ()
    artifact_outputs: tuple[ArtifactPort, ...] = ()
    resources: Resources | None = None
    body: tuple["Step", ...] = ()
    loop: Loop | None = None
    unbroken: bool = False

    @property
    def guarded(self) -> bool:
        """Whether `when` or `for_each` must be looked at before the step starts."""
        return self.when is not None or self.for_each is not None


@attrs.frozen(kw_only=True)
class Secret:
    """Where a secret's value is found when it is used; the value itself is never stored.

    Attributes:
        env: The environment variable that holds it, or None.
        file: The file that holds it, or None.
    """

    env: str | None = None
    file: str | None = None


@attrs.frozen(kw_only=True)
class Flow:
    """A declared flow: steps in file order over named sources.

    Attributes:
        name: What people call it; empty when nobody does.
        on_error: The policy of steps that say nothing, or None when nobody says.
        max_workers: How many steps go on at once, or None when nobody says.
        secrets: Names for `{{ secrets.<name> }}`.
        dialect: The kind of document that it was written as.
        halt_on_failure: Whether the failure of any step halts the run, whatever depends on it.
        stores: Where artifacts are kept, by name.
        wells: Where the artifact of an edge is kept and comes from, by edge.
        await_s: How long artifacts are waited for from the start of the run, in seconds; None for ever.
    """

    name: str = ""
    sources: Mapping[str, Source] = attrs.field(factory=dict[str, Source])
    steps: tuple[Step, ...] = ()
    on_error: OnError | None = None
    max_workers: int | None = attrs.field(default=None, validator=optional(ge(1)))
    secrets: Mapping[str, Secret] = attrs.field(factory=dict[str, Secret])
    dialect: Dialect = Dialect.FLOW
    halt_on_failure: bool = False
    stores: Mapping[str, Store] = attrs.field(factory=dict[str, Store])
    wells: Mapping[str, Well] = attrs.field(factory=dict[str, Well])
    await_s: float | None = None


class Moment(StrEnum):
    """When a breakpoint pauses the run."""

    PRE = "pre"
    """Before the step starts."""
    POST = "post"
    """After it has succeeded."""
    BOTH = "both"


@attrs.frozen(kw_only=True)
class Breakpoints:
    """Where a run pauses; only steps of the flow itself, never those of a body.

    Attributes:
        marked: Whether it pauses at the steps that are marked (`Step.breakpoint`).
        steps: The steps at which it pauses beside those; None for every step.
    """

    moment: Moment = Moment.PRE
    marked: bool = False
    steps: tuple[StepName, ...] | None = ()

    def covers(self, step: Step) -> bool:
        """Return whether there is a breakpoint at *step*."""
        if step.unbroken:
            return False
        return self.steps is None or step.name in self.steps or (self.marked and step.breakpoint)
