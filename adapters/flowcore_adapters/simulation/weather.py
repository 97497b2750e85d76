"""What goes wrong in one history, and what is run in it: drawn from the seed.

The odds are drawn anew for each seed. With fixed ones whole corners are never visited: a fault that is always likely
hides what only happens without it.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

import attrs

from flowcore.ids import StepName
from flowcore.model import Flow, OnError, Output, RetryPolicy, Source, Step

T = TypeVar("T")
_NAMES: Final = "abcdefgh"
_POLICIES: Final = (None, OnError.FAIL, OnError.SKIP, OnError.CONTINUE)
MOST_ITEMS: Final = 3


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
        rash=one(0.0, 0.1),
        jump=one(0.0, 0.0, 0.05),
        programs=one(1, 2, 3),
        runs=one(1, 1, 1, 2),
        workers=one(1, 2, 4),
        moves=one(20, 60, 120),
    )


def draw_flow(random: Random) -> Flow:
    """Return a flow of a few steps in any file order, their dependencies without a cycle."""
    steps: list[Step] = []
    looks, lists = random.choice((0.0, 0.2, 0.6)), random.choice((0.0, 0.2, 0.6))
    crowd = random.choice((0, 1, 2, 3))
    words: Sequence[OnError | None] = random.choice((_POLICIES, (None,), (OnError.CONTINUE, OnError.SKIP)))
    for name in _NAMES[: random.randint(1, random.choice((2, 5, 8)))]:
        earlier = [step.name for step in steps]
        fan_out = random.random() < lists
        steps.append(
            Step(
                name=StepName(name),
                source="source",
                outputs=(Output(name="v"),),
                depends_on=tuple(random.sample(earlier, min(len(earlier), random.randint(0, crowd)))),
                when="x" if random.random() < looks else None,
                for_each="x" if fan_out else None,
                max_parallel=random.choice((None, 1, 2)) if fan_out else None,
                retry=RetryPolicy(max_attempts=random.choice((1, 2, 4)), delay_s=random.choice((0.0, 1.0, 30.0))),
                on_error=random.choice(words),
            )
        )
    random.shuffle(steps)
    return Flow(sources={"source": Source(type="value")}, steps=tuple(steps), on_error=random.choice(_POLICIES))
