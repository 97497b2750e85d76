"""What a fork and a retry take over from their parent (docs/cli.md, fork and retry; invariants I4 and I6)."""

from typing import Final

import attrs
import pytest

from flowcore.artifacts import Artifact, ArtifactPort, Store, Well, WellSource
from flowcore.descent import Descent, fork, retry
from flowcore.errors import CommandRejectedError, FlowDocumentError
from flowcore.ids import InstanceId, StepName
from flowcore.model import Breakpoints, Dialect, Flow, OnError, Source
from flowcore.rehearsal import Success, recorded_results
from flowcore.run.commands import Settle, StartRun
from flowcore.run.decide import decide
from flowcore.run.effects import Consequences, pending
from flowcore.run.events import (
    ArtifactArrived,
    BodyStarted,
    BodySucceeded,
    Event,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepPaused,
)
from flowcore.run.evolve import fold
from flowcore.run.state import RunState
from flowcore.service import create_run, load, request
from flowcore.testing import MemoryEventLog
from flowcore.values import Json
from tests.builders import (
    RUN,
    T0,
    T1,
    T2,
    begun,
    body,
    created,
    failed,
    flow_of,
    skipped,
    started,
    step,
    succeeded,
)

L, Z = InstanceId("l"), StepName("z")
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

    def test_another_body_does_not_fit(self) -> None:
        old, new = (body("l", step("i", outputs=outputs)) for outputs in ((), ("x",)))
        state = fold([*begun(old, step("z", "l")), BodyStarted(instance=L, at=T0), started("l/i"), succeeded("l/i")])
        state = fold([BodySucceeded(instance=L, at=T1)], state)
        with pytest.raises(FlowDocumentError, match="its body has changed since"):
            fork(state, StepName("z"), flow_of(new, step("z", "l")))


class TestBodies:
    """What the steps of a body left is taken over with it, and the body is not begun again."""

    FLOW: Final = attrs.evolve(
        flow_of(body("l", step("i")), step("z", "l")), dialect=Dialect.WORKFLOW, halt_on_failure=True
    )
    LEFT: Final[dict[str, dict[str, Json]]] = {"l": {}, "l/i": {"data": {"k": 1}, "variables": {"n": 2}}}

    def parent(self) -> RunState:
        first: list[Event] = [
            attrs.evolve(created(), flow=self.FLOW),
            RunStarted(at=T0),
            BodyStarted(instance=L, at=T0),
        ]
        last: list[Event] = [BodySucceeded(instance=L, at=T1), started("z"), failed("z"), RunFailed(at=T2)]
        return fold([*first, started("l/i"), succeeded("l/i", self.LEFT["l/i"]), *last])

    @pytest.mark.parametrize("start", [None, Z])
    def test_it_is_as_it_was(self, start: StepName | None) -> None:
        parent = self.parent()
        descent = retry(parent) if start is None else fork(parent, start, self.FLOW)
        log, points = MemoryEventLog(), Breakpoints(steps=None)
        run_id = create_run(log, self.FLOW, at=T0, descent=descent, breakpoints=points)
        request(log, run_id, StartRun(at=T0))
        state = load(log, run_id)
        assert (state.context, state.outputs) == (self.LEFT["l/i"], self.LEFT)
        assert pending(state, T0) == (Consequences(),)
        assert [event.instance for event in decide(Settle(at=T0), state) if isinstance(event, StepPaused)] == ["z"]
        # Whoever goes on from the descendant has it too.
        assert retry(fold([failed("z"), RunFailed(at=T2)], fold([started("z")], state))).inner == {
            "l/i": self.LEFT["l/i"]
        }
        script = recorded_results(log.read(run_id))
        assert script["l/i"] == [Success(self.LEFT["l/i"])]


class TestArtifacts:
    """What a step has left, and what was put there for the run, is there for the new one."""

    def test_they_come_along(self) -> None:
        out, photo, other = (Artifact(store="default", name=name) for name in ("out", "photo", "other"))
        maker = attrs.evolve(step("m", awaits=("photo",)), artifact_outputs=(ArtifactPort(port="o", edge="out"),))
        flow = flow_of(maker, step("r", "m", awaits=("photo", "mask")))
        run = [*begun(*flow.steps), ArtifactArrived(edge="photo", artifact=photo, at=T0), started("m")]
        state = fold([*run, attrs.evolve(succeeded("m"), artifacts={"out": out, "more": other})])
        log = MemoryEventLog()
        run_id = create_run(log, flow, at=T0, descent=fork(state, StepName("r"), flow))
        found = load(log, run_id)
        assert (found.artifacts, set(found.readers)) == ({"photo": photo, "out": out}, {"photo", "mask"})
        assert dict(found.awaiting) == {1: {"mask"}}


def piped(*, well: Well | None = None, store: Store | None = None) -> Flow:
    """Return a flow of two steps: the first reads what comes in at `photo`, the second what the first leaves."""
    cut = attrs.evolve(
        step("cut", awaits=("photo",)),
        artifact_inputs=(ArtifactPort(port="i", edge="photo"),),
        artifact_outputs=(ArtifactPort(port="o", edge="out"),),
    )
    show = attrs.evolve(step("show", "cut"), artifact_inputs=(ArtifactPort(port="i", edge="out"),))
    return attrs.evolve(
        flow_of(cut, show),
        dialect=Dialect.NODES,
        stores={} if store is None else {"disk": store},
        wells={"photo": well or Well(store="default", source=WellSource.STATIC, key="a.png")},
    )


class TestEditedStores:
    """An artifact is taken over if it comes from the same hand and lies in the same place."""

    KEPT: Final = Store(type="s3fs", params={"MountPath": "/mnt", "BucketName": "a"})
    OTHER: Final = Store(type="s3fs", params={"MountPath": "/mnt", "BucketName": "b"})

    def parent(self) -> RunState:
        photo, out = Artifact(store="default", name="a.png"), Artifact(store="disk", name="out")
        first: list[Event] = [attrs.evolve(created(), flow=piped(store=self.KEPT)), RunStarted(at=T0)]
        arrival = ArtifactArrived(edge="photo", artifact=photo, at=T0)
        return fold([*first, arrival, started("cut"), attrs.evolve(succeeded("cut"), artifacts={"out": out})])

    def test_the_same_ones(self) -> None:
        state = self.parent()
        assert set(fork(state, StepName("show"), piped(store=self.KEPT)).artifacts) == {"photo", "out"}
        later = Well(store="default", source=WellSource.STATIC, key="a.png", lifetime_s=60.0)
        assert set(fork(state, StepName("show"), piped(well=later, store=self.KEPT)).artifacts) == {"photo", "out"}

    @pytest.mark.parametrize(
        ("flow", "changed"),
        [
            (piped(store=OTHER), "edge 'out' has"),
            (piped(), "edge 'out' has"),
            (
                piped(well=Well(store="default", source=WellSource.STATIC, key="b.png"), store=KEPT),
                "edge 'photo' has",
            ),
            (piped(well=Well(store="default", source=WellSource.UPLOAD), store=OTHER), "edge 'out' and edge 'photo'"),
        ],
    )
    def test_a_step_whose_artifacts_are_others_does_not_fit(self, flow: Flow, changed: str) -> None:
        with pytest.raises(FlowDocumentError, match=f"step 'cut' would take over .* but its {changed}") as error:
            fork(self.parent(), StepName("show"), flow)
        assert codes(error) == ["fork-misfit"]

    def test_what_is_done_anew_waits_for_the_new_object(self) -> None:
        flow = piped(well=Well(store="default", source=WellSource.STATIC, key="b.png"), store=self.KEPT)
        log = MemoryEventLog()
        descent = fork(self.parent(), StepName("cut"), flow)
        found = load(log, create_run(log, flow, at=T0, descent=descent))
        assert (set(descent.artifacts), dict(found.artifacts), dict(found.awaiting)) == ({"out"}, {}, {0: {"photo"}})

    def test_what_a_step_makes_now_has_not_arrived(self) -> None:
        old = piped(store=self.KEPT)
        maker = attrs.evolve(step("draw"), artifact_outputs=(ArtifactPort(port="o", edge="photo"),))
        flow = attrs.evolve(old, steps=(maker, *old.steps), wells={})
        with pytest.raises(FlowDocumentError, match="edge 'photo' has changed"):
            fork(self.parent(), StepName("show"), flow)
        assert set(fork(self.parent(), StepName("cut"), flow).artifacts) == {"out"}
