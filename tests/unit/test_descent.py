"""What a fork and a retry take over from their parent (issue: resume and fork; invariants I4 and I6)."""

import attrs
import pytest

from flowcore.descent import Descent, fork, retry
from flowcore.errors import CommandRejectedError, FlowDocumentError
from flowcore.ids import StepName
from flowcore.model import OnError, Source
from flowcore.run.events import RunFailed, RunSucceeded
from flowcore.run.evolve import fold
from flowcore.run.state import RunState
from tests.builders import RUN, T2, begun, failed, flow_of, skipped, started, step, succeeded

A, B, C, D = (StepName(name) for name in "abcd")
STEPS = (step("a", outputs=("x",)), step("b", "a"), step("c", "b"), step("d", on_error=OnError.CONTINUE))
FLOW = flow_of(*STEPS)


def ended(*, fails: bool = True) -> RunState:
    """Return a run in which `a` succeeded and `b` failed, so that `c` was skipped."""
    last = (failed("b"), skipped("c", "step 'b' failed"), RunFailed(at=T2)) if fails else (succeeded("b"),)
    return fold(
        [*begun(*STEPS), started("a"), succeeded("a", {"x": 1}), started("d"), succeeded("d"), started("b"), *last]
    )


def codes(error: pytest.ExceptionInfo[FlowDocumentError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


class TestRetry:
    """Failed and skipped steps are run again, and nothing else."""

    def test_what_succeeded_is_taken_over(self) -> None:
        assert retry(ended()) == Descent(parent=RUN, forked_from=None, imports={A: {"x": 1}, D: {}})

    def test_a_run_that_goes_on_cannot_be_retried(self) -> None:
        with pytest.raises(CommandRejectedError, match="only what has ended") as error:
            retry(ended(fails=False))
        assert error.value.code == "run-live"

    def test_nothing_is_done_again_when_all_is_well(self) -> None:
        with pytest.raises(CommandRejectedError) as error:
            retry(fold([*begun(step("a")), started("a"), succeeded("a"), RunSucceeded(at=T2)]))
        assert error.value.code == "nothing-to-retry"


class TestFork:
    """Everything not downstream of the step is taken over."""

    def test_what_does_not_depend_on_the_step_is_taken_over(self) -> None:
        assert fork(ended(), B, FLOW) == Descent(parent=RUN, forked_from=B, imports={A: {"x": 1}, D: {}})
        assert fork(ended(), D, FLOW).imports == {A: {"x": 1}}
        assert fork(ended(), A, FLOW).imports == {D: {}}

    def test_also_from_a_run_that_goes_on(self) -> None:
        assert fork(ended(fails=False), C, FLOW).imports == {A: {"x": 1}, B: {}, D: {}}

    def test_downstream_is_what_the_new_flow_says(self) -> None:
        diamond = flow_of(STEPS[0], step("b", "a"), step("n", "b"), step("c", "b", "n"), step("d"))
        assert fork(ended(fails=False), StepName("n"), diamond).imports == {A: {"x": 1}, B: {}, D: {}}

    def test_what_two_ways_lead_to_is_done_once(self) -> None:
        diamond = flow_of(*STEPS[:2], step("n", "a"), step("c", "b", "n"), step("d"))
        assert fork(ended(fails=False), A, diamond).imports == {D: {}}

    def test_how_often_a_step_is_tried_may_change(self) -> None:
        eager = flow_of(step("a", outputs=("x",), retry=5, on_error=OnError.SKIP), *STEPS[1:])
        assert A in fork(ended(), B, eager).imports

    def test_a_step_that_is_not_there_is_named(self) -> None:
        with pytest.raises(FlowDocumentError, match="no step 'bb' to fork from; there are: a, b, c, d") as error:
            fork(ended(), StepName("bb"), FLOW)
        assert codes(error) == ["unknown-step"]
        assert error.value.problems[0].hint == "did you mean `b`?"
        with pytest.raises(FlowDocumentError, match="there are: none") as error:
            fork(ended(), A, flow_of())
        assert error.value.problems[0].hint is None

    def test_every_step_that_does_not_fit_is_named(self) -> None:
        other = attrs.evolve(
            flow_of(
                attrs.evolve(STEPS[0], input="else", when="{{ `true` }}"),
                *STEPS[1:3],
                attrs.evolve(STEPS[3], source="other"),
            ),
            sources={"source": Source(type="value"), "other": Source(type="env")},
        )
        with pytest.raises(FlowDocumentError) as error:
            fork(ended(), B, other)
        assert codes(error) == ["fork-misfit", "fork-misfit"]
        assert [problem.path for problem in error.value.problems] == [("flow", 0), ("flow", 3)]
        assert "its input and when have changed since" in str(error.value)
        assert "its source has changed since (fork from `d` or from a step before it)" in str(error.value)
