"""What goes wrong in one history, and what is run in it: drawn from the seed.

The odds are drawn anew for each seed. With fixed ones whole corners are never visited: a fault that is always likely
hides what only happens without it.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

import attrs

from flowcore.descent import Descent, fork, retry
from flowcore.errors import CommandRejectedError
from flowcore.ids import StepName
from flowcore.model import Breakpoints, Dialect, Flow, Loop, Moment, OnError, Output, RetryPolicy, Source, Step
from flowcore.run.state import RunState

T = TypeVar("T")
_NAMES: Final = "abcdefgh"
_POLICIES: Final = (None, OnError.FAIL, OnError.SKIP, OnError.CONTINUE)
MOST_ITEMS: Final = 3
_DEEPEST: Final = 2
_EVEN: Final = 0.5
_DESCENDANTS: Final = 0.25
"""In how many histories one of the runs is gone on from when all have ended."""
_RETRIES: Final = 0.5
"""How many of those do again what went wrong; the others begin anew at a step."""
_LOOP: Final = Loop(condition="x", max_iterations=3)


@attrs.frozen(kw_only=True)
class Weather:
    """How often things go wrong in one history: odds between 0 and 1, for every move of the world.

    Attributes:
        crash: A program dies, between two events or while it appends.
        torn: Of the appends during which it dies, how many have reached the log all the same.
        freeze: A program stands still, so that its lease runs out, and wakes up later.
        rival: Another program tries to take a run over.
        failure: An attempt fails.
        final: Of the failures, how many are not worth a further attempt.
        silence: An attempt reports nothing unless it is cancelled.
        twice: A report, or a request, is sent a second time.
        late: A report is kept until much later.
        stop: Somebody asks for the end of a run.
        pause: Somebody pauses a run; `continue` comes as often.
        deliver: Somebody brings an artifact.
        rash: A program starts attempts, and looks at conditions, that nobody asked for.
        jump: The clock of a program jumps, up to an hour to and fro.
        programs: How many programs there are.
        runs: How many runs there are.
        workers: The limit of each run.
        moves: How long the faults last.
    """

    crash: float
    torn: float
    freeze: float
    rival: float
    failure: float
    final: float
    silence: float
    twice: float
    late: float
    stop: float
    pause: float
    deliver: float
    rash: float
    jump: float
    programs: int
    runs: int
    workers: int
    moves: int


def draw_weather(random: Random) -> Weather:
    """Return the odds of one history."""

    def one(*values: T) -> T:
        return random.choice(values)

    return Weather(
        crash=one(0.0, 0.0, 0.01, 0.05, 0.2),
        torn=one(0.0, 0.5, 1.0),
        freeze=one(0.0, 0.0, 0.02, 0.1),
        rival=one(0.0, 0.05, 0.3),
        failure=one(0.0, 0.1, 0.4, 0.9),
        final=one(0.0, 0.3),
        silence=one(0.0, 0.0, 0.1),
        twice=one(0.0, 0.1, 0.4),
        late=one(0.0, 0.1, 0.3),
        stop=one(0.0, 0.0, 0.01, 0.05),
        pause=one(0.0, 0.0, 0.05, 0.2),
        deliver=one(0.02, 0.2),
        rash=one(0.0, 0.1),
        jump=one(0.0, 0.0, 0.05),
        programs=one(1, 2, 3),
        runs=one(1, 1, 1, 2),
        workers=one(1, 2, 4),
        moves=one(20, 60, 120),
    )


def draw_flow(random: Random) -> Flow:
    """Return a flow of a few steps in any file order, their dependencies without a cycle."""
    odds = _Odds(random)
    return Flow(
        sources={"source": Source(type="value")},
        steps=_draw_steps(odds, _NAMES[: random.randint(1, random.choice((2, 5, 8)))], depth=0),
        on_error=random.choice(_POLICIES),
        dialect=random.choice((Dialect.FLOW, Dialect.FLOW, Dialect.WORKFLOW)),
        halt_on_failure=random.random() < odds.halts,
        await_s=random.choice((None, 20.0)),
    )


def draw_breakpoints(random: Random) -> Breakpoints | None:
    """Return where a run pauses; mostly nowhere."""
    return random.choice(
        (
            None,
            None,
            None,
            Breakpoints(moment=random.choice(tuple(Moment)), steps=None),
            Breakpoints(moment=random.choice(tuple(Moment)), marked=True, steps=(StepName("a"),)),
        )
    )


class _Odds:
    """How often the steps of one flow have what."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.looks, self.lists = random.choice((0.0, 0.2, 0.6)), random.choice((0.0, 0.2, 0.6))
        self.bodies = random.choice((0.0, 0.0, 0.2, 0.5))
        self.pauses, self.awaits = random.choice((0.0, 0.0, 0.2)), random.choice((0.0, 0.0, 0.3))
        self.halts = random.choice((0.0, 0.0, 1.0))
        self.crowd = random.choice((0, 1, 2, 3))
        self.words: Sequence[OnError | None] = random.choice((_POLICIES, (None,), (OnError.CONTINUE, OnError.SKIP)))


def _draw_steps(odds: _Odds, names: str, *, depth: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    random = odds.random
    for name in names:
        earlier = [step.name for step in steps]
        fan_out = random.random() < odds.lists
        body: tuple[Step, ...] = ()
        if depth < _DEEPEST and random.random() < odds.bodies:
            body = _draw_steps(odds, _NAMES[: random.randint(1, 3)], depth=depth + 1)
        steps.append(
            Step(
                name=StepName(name),
                source="source",
                outputs=() if body else (Output(name="v"),),
                depends_on=tuple(random.sample(earlier, min(len(earlier), random.randint(0, odds.crowd)))),
                when="x" if random.random() < odds.looks else None,
                for_each="x" if fan_out else None,
                max_parallel=random.choice((None, 1, 2)) if fan_out else None,
                retry=RetryPolicy(max_attempts=random.choice((1, 2, 4)), delay_s=random.choice((0.0, 1.0, 30.0))),
                on_error=random.choice(odds.words),
                breakpoint=random.random() < odds.pauses,
                pause=random.random() < odds.pauses,
                after_skips=random.random() < odds.looks,
                awaits=("photo",) if random.random() < odds.awaits else (),
                body=body,
                loop=Loop(condition="x", max_iterations=3)
                if body and not fan_out and random.random() < _EVEN
                else None,
            )
        )
    random.shuffle(steps)
    return tuple(steps)


def draw_descent(random: Random, state: RunState) -> Descent | None:
    """Return what a run takes over from the one of *state*, which has ended; None when none goes on from it."""
    if random.random() >= _DESCENDANTS:
        return None
    try:
        if random.random() < _RETRIES:
            return retry(state)
        return fork(state, random.choice(state.flow.steps).name, state.flow)
    except CommandRejectedError:
        # Everything has succeeded: there is nothing to do again.
        return None
