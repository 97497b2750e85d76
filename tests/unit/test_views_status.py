"""`GET /status`, sentence by sentence: documents/status-api.md."""

import json
from collections.abc import Sequence

import attrs
import pytest

from flowcore.ids import RunId
from flowcore.model import Loop, OnError
from flowcore.run.events import (
    Event,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
)
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.views.status import STATE_WORDS, StateWord, StatusDocument, StatusView, StepDocument, StepReport
from tests.builders import (
    LOST,
    RUN,
    T0,
    T1,
    T2,
    abandoned,
    arrived,
    begun,
    body,
    broken,
    called,
    created,
    entered,
    failed,
    fanned,
    imported,
    iterated,
    joined,
    left,
    logged,
    lost,
    met,
    missed,
    paused,
    recorded,
    rejected,
    resumed,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unguarded,
    unwell,
)

STOP = RunStopRequested(reason="enough", at=T1)


def viewed(*events: Event) -> StatusView:
    """Return a view of *events*."""
    view = StatusView()
    for each in recorded(events):
        view.evolve(each)
    return view


def status(*events: Event) -> StatusDocument:
    """Return the status after *events*."""
    return viewed(*events).render()


def shown(
    state: StateWord,
    started_at: float | None = None,
    ended_at: float | None = None,
    *,
    notes: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> StepDocument:
    """Return a step as it is shown."""
    return {
        "state": state,
        "started_at": started_at,
        "ended_at": ended_at,
        "notes": list(notes),
        "outputs": list(outputs),
    }


class TestTheRun:
    """`run_id` (integer) - Unique run identifier (milliseconds since epoch).

    `started_at` (float|null) - Run start timestamp (seconds since epoch).
    `ended_at` (float|null) - Run end timestamp (null if still running).
    `total_steps` (integer) - Total number of steps in flow.
    `completed_steps` (integer) - Number of steps finished (succeeded or failed).
    `current_step` (string|null) - First currently running step (backwards compatibility).
    `running_steps` (array) - List of currently running step names.
    `running_count` (integer) - Number of currently running steps.
    `steps` (object) - Per-step status information.
    """

    def test_before_the_first_event_there_is_nothing(self) -> None:
        assert status() == {
            "run_id": 0,
            "started_at": None,
            "ended_at": None,
            "total_steps": 0,
            "completed_steps": 0,
            "current_step": None,
            "running_steps": [],
            "running_count": 0,
            "steps": {},
        }

    def test_a_queued_run_has_all_its_steps_and_no_start(self) -> None:
        assert status(created(step("b", "a"), step("a"))) == {
            "run_id": RUN,
            "started_at": None,
            "ended_at": None,
            "total_steps": 2,
            "completed_steps": 0,
            "current_step": None,
            "running_steps": [],
            "running_count": 0,
            "steps": {"b": shown("pending"), "a": shown("pending")},
        }

    def test_a_running_run_names_what_runs_in_flow_order(self) -> None:
        run = begun(step("a", outputs=("users", "count")), step("b"), step("c"), step("d", "a"))
        landed = (started("c"), started("a"), started("b"), succeeded("a", {"users": [], "count": 0}))
        assert status(*run, *landed, started("d", at=T2)) == {
            "run_id": RUN,
            "started_at": T0,
            "ended_at": None,
            "total_steps": 4,
            "completed_steps": 1,
            "current_step": "b",
            "running_steps": ["b", "c", "d"],
            "running_count": 3,
            "steps": {
                "a": shown("succeeded", T0, T1, outputs=["users", "count"]),
                "b": shown("running", T0),
                "c": shown("running", T0),
                "d": shown("running", T2),
            },
        }

    def test_an_ended_run_has_an_end_and_nothing_running(self) -> None:
        run = begun(step("F", outputs=("v",)), step("D", "F"), step("other", outputs=("w",)))
        events = (
            started("F"),
            started("other"),
            failed("F"),
            skipped("D", "step 'F' failed"),
            succeeded("other", {"w": 1}),
            RunFailed(at=T2),
        )
        assert status(*run, *events) == {
            "run_id": RUN,
            "started_at": T0,
            "ended_at": T2,
            "total_steps": 3,
            "completed_steps": 2,
            "current_step": None,
            "running_steps": [],
            "running_count": 0,
            "steps": {
                "F": shown("failed", T0, T1, notes=["no"]),
                "D": shown("skipped", None, T2, notes=["step 'F' failed"]),
                "other": shown("succeeded", T0, T1, outputs=["w"]),
            },
        }

    def test_pausing_shows_no_difference(self) -> None:
        run = (*begun(step("a")), started("a"))
        paused = (*run, RunPaused(at=T1))
        assert status(*paused) == status(*run)
        assert status(*paused, RunContinued(at=T2)) == status(*run)
        assert viewed(*paused).status is RunStatus.PAUSED
        assert viewed(*paused, RunContinued(at=T2)).status is RunStatus.RUNNING

    def test_a_stopped_run_has_ended(self) -> None:
        run = (*begun(step("a"), step("b")), started("a"), STOP)
        gone = (skipped("b", "the run was stopped: enough", SkipCause.RUN_STOPPED), stopped("a"), RunStopped(at=T2))
        assert viewed(*run).status is RunStatus.RUNNING
        assert viewed(*run, *gone).status is RunStatus.STOPPED
        assert status(*run, *gone) == {
            "run_id": RUN,
            "started_at": T0,
            "ended_at": T2,
            "total_steps": 2,
            "completed_steps": 1,
            "current_step": None,
            "running_steps": [],
            "running_count": 0,
            "steps": {
                "a": shown("failed", T0, T1, notes=["stopped"]),
                "b": shown("skipped", None, T2, notes=["the run was stopped: enough"]),
            },
        }

    def test_a_run_that_was_stopped_in_the_queue_never_started(self) -> None:
        document = status(created(step("a")), skipped("a", "why"), RunStopped(at=T2))
        assert (document["started_at"], document["ended_at"]) == (None, T2)
        assert document["steps"] == {"a": shown("skipped", None, T2, notes=["why"])}


class TestTheSteps:
    """`state` (string) - Step state: `pending`, `running`, `succeeded`, `failed`, `skipped`.

    `started_at` (float|null) - Step start timestamp.
    `ended_at` (float|null) - Step end timestamp.
    `notes` (array) - Error messages (contains error string if failed).
    `outputs` (array) - List of output variable names defined by this step.
    """

    @staticmethod
    def only(*events: Event) -> StepDocument:
        """Return what is shown of the only step, which is called `a`."""
        return status(*events)["steps"]["a"]

    def test_there_is_a_word_for_every_status(self) -> None:
        assert {str(key): word for key, word in STATE_WORDS.items()} == {
            "pending": "pending",
            "ready": "pending",
            "running": "running",
            "retrying": "running",
            "paused": "pending",
            "succeeded": "succeeded",
            "failed": "failed",
            "skipped": "skipped",
            "stopped": "failed",
        }
        assert set(STATE_WORDS) == set(StepStatus)

    def test_a_step_before_which_the_run_has_paused_is_pending(self) -> None:
        run = (*begun(step("a")), paused("a"))
        assert self.only(*run) == shown("pending")
        assert self.only(*run, RunContinued(at=T2), started("a"), logged("a")) == shown("running", T0)

    def test_a_step_with_a_body_runs_from_its_beginning_to_its_end(self) -> None:
        run = (*begun(body("a", step("b"))), entered("a"))
        assert self.only(*run) == shown("running", T2)
        assert self.only(*run, started("a/b"), succeeded("a/b"), left("a")) == shown("succeeded", T2, T2)
        run = (*run, started("a/b"), failed("a/b"), unwell("a", "step 'b' failed: no"))
        assert self.only(*run) == shown("failed", T2, T2, notes=["step 'b' failed: no"])

    def test_what_goes_on_inside_is_not_shown(self) -> None:
        inner = (step("c", for_each="x"), step("d", for_each="x"), step("e"), step("f"), step("w", awaits=("photo",)))
        run = (*begun(body("a", *inner, loop=Loop(condition="x"))), iterated("a", 0))
        run = (*run, fanned("a/0/c", 1), started("a/0/c/0"), succeeded("a/0/c/0"), joined("a/0/c"))
        run = (*run, fanned("a/0/d", 1), started("a/0/d/0"), failed("a/0/d/0"), broken("a/0/d"))
        run = (*run, started("a/0/e"), stopped("a/0/e"), skipped("a/0/f", "x"))
        assert self.only(*run) == shown("running", T2)
        assert self.only(*run, unwell("a/0", "x")) == shown("running", T2)
        assert self.only(*run, left("a/0"), joined("a")) == shown("succeeded", T2, T2)

    def test_a_step_that_has_waited_in_vain_has_failed(self) -> None:
        run = (*begun(step("a", awaits=("photo", "mask"))), arrived("mask"))
        assert self.only(*run, missed("a")) == shown("failed", None, T2, notes=["nothing came for 'photo' within 1 s"])

    def test_a_step_that_may_start_is_pending_still(self) -> None:
        run = begun(step("a", when="x"))
        assert self.only(*run) == self.only(*run, met("a")) == shown("pending")

    def test_output_names_are_filled_on_success_only(self) -> None:
        run = (*begun(step("a", outputs=("v",))), started("a"))
        assert self.only(*run) == shown("running", T0)
        assert self.only(*run, succeeded("a", {"v": 1})) == shown("succeeded", T0, T1, outputs=["v"])
        assert self.only(*run, failed("a")) == shown("failed", T0, T1, notes=["no"])

    def test_what_was_cleaned_is_told_beside_a_success(self) -> None:
        run = (*begun(step("a")), started("a"), succeeded("a", notes=("NaN became null",)))
        assert self.only(*run) == shown("succeeded", T0, T1, notes=["NaN became null"])

    def test_a_step_between_two_attempts_is_running_since_its_first_and_notes_its_last_error(self) -> None:
        run = (*begun(step("a", retry=3)), started("a"), failed("a", retry=T2))
        assert self.only(*run) == shown("running", T0, notes=["no"])
        assert status(*run)["running_steps"] == ["a"]
        again = (*run, started("a", 2, at=T2))
        assert self.only(*again) == shown("running", T0, notes=["no"])
        assert self.only(*again, succeeded("a", attempt=2)) == shown("succeeded", T0, T1)
        assert self.only(*again, failed("a", attempt=2)) == shown("failed", T0, T1, notes=["no"])

    def test_a_retry_that_was_given_up_is_a_failure_with_its_last_error(self) -> None:
        run = (*begun(step("a", retry=3)), started("a"), failed("a", retry=T2), STOP, abandoned("a"))
        assert self.only(*run) == shown("failed", T0, T2, notes=["no"])
        assert status(*run)["running_steps"] == []

    def test_a_stopped_step_has_failed_with_the_note_stopped(self) -> None:
        run = (*begun(step("a")), started("a"), STOP, stopped("a"))
        assert self.only(*run) == shown("failed", T0, T1, notes=["stopped"])
        assert status(*run)["completed_steps"] == 1

    def test_a_skipped_step_never_started_and_ended_when_it_was_skipped_and_is_not_completed(self) -> None:
        run = (*begun(step("a", when="x")), skipped("a", "its condition is not met", SkipCause.CONDITION))
        assert self.only(*run) == shown("skipped", None, T2, notes=["its condition is not met"])
        assert status(*run)["completed_steps"] == 0

    def test_a_step_whose_condition_had_no_answer_failed_without_having_started(self) -> None:
        run = (*begun(step("a", when="x")), unguarded("a"))
        assert self.only(*run) == shown("failed", None, T1, notes=["no answer"])
        assert status(*run)["completed_steps"] == 1


class TestFanOuts:
    """A step with `for_each` is one step, whatever its items do."""

    RUN = (*begun(step("f", for_each="x", retry=2, outputs=("v",)), step("after", "f")), fanned("f", "x", "y"))

    @pytest.mark.parametrize(
        "events",
        [
            (),
            (started("f/1", at=T2),),
            (started("f/0"), succeeded("f/0", {"v": 1})),
            (started("f/0"), failed("f/0")),
            (started("f/0"), failed("f/0", retry=T2)),
            (started("f/0"), failed("f/0", retry=T2), started("f/0", 2, at=T2)),
            (started("f/0"), failed("f/0"), skipped("f/1", "the fan-out was given up")),
            (started("f/0"), STOP, stopped("f/0")),
            (started("f/0"), failed("f/0", retry=T2), STOP, abandoned("f/0")),
        ],
    )
    def test_it_runs_from_its_list_until_it_is_joined(self, events: tuple[Event, ...]) -> None:
        document = status(*self.RUN, *events)
        assert document["steps"] == {"f": shown("running", T0), "after": shown("pending")}
        assert (document["running_steps"], document["completed_steps"]) == (["f"], 0)

    def test_it_succeeds_as_a_whole(self) -> None:
        done = (started("f/0"), started("f/1"), succeeded("f/0", {"v": 1}), succeeded("f/1", {"v": 2}), joined("f"))
        document = status(*self.RUN, *done)
        assert document["steps"]["f"] == shown("succeeded", T0, T2, outputs=["v"])
        assert (document["running_steps"], document["completed_steps"]) == ([], 1)

    def test_it_fails_as_a_whole(self) -> None:
        document = status(*self.RUN, started("f/0"), failed("f/0"), skipped("f/1", "why"), broken("f"))
        assert document["steps"]["f"] == shown("failed", T0, T2, notes=["item 0: no"])
        assert (document["running_steps"], document["completed_steps"]) == ([], 1)


HISTORY = (
    created(
        step("ünï", retry=2, outputs=("v", "w")),
        step('"quoted"\n', "ünï", for_each="x", on_error=OnError.CONTINUE),
        step("late", "ünï", when="x"),
        step("lost", "late"),
    ),
    RunStarted(at=T0),
    started("ünï"),
    failed("ünï", retry=T2),
    RunPaused(at=T1),
    RunContinued(at=T2),
    started("ünï", 2, at=T2),
    succeeded("ünï", {"v": 1, "w": 2}, attempt=2),
    fanned('"quoted"\n', 1, 2),
    started('"quoted"\n/0'),
    skipped("late", "its condition is not met", SkipCause.CONDITION),
    skipped("lost", "step 'late' was skipped"),
    succeeded('"quoted"\n/0'),
    started('"quoted"\n/1'),
    succeeded('"quoted"\n/1'),
    joined('"quoted"\n'),
    RunSucceeded(at=T2),
)


class TestFolding:
    """Any prefix of a log is a valid state; the bytes are those of the document, whenever they were asked for."""

    def test_the_bytes_are_the_document_after_every_event(self) -> None:
        view = StatusView()
        for each in recorded(HISTORY):
            view.evolve(each)
            assert json.loads(view.encode()) == view.render()
            assert (view.version, view.position) == (each.version, each.position)

    @pytest.mark.parametrize("cut", range(len(HISTORY) + 1))
    def test_who_asks_once_gets_the_bytes_of_who_asked_all_the_time(self, cut: int) -> None:
        often = StatusView()
        for each in recorded(HISTORY[:cut]):
            often.evolve(each)
            often.encode()
        once = viewed(*HISTORY[:cut])
        assert once.encode() == often.encode() == often.encode()
        assert once.render() == often.render()
        assert json.loads(once.encode()) == once.render()

    @pytest.mark.parametrize("cut", range(2, len(HISTORY) + 1))
    def test_the_counters_add_up_wherever_the_log_is_cut(self, cut: int) -> None:
        document = status(*HISTORY[:cut])
        words = [row["state"] for row in document["steps"].values()]
        assert document["total_steps"] == len(words) == 4
        assert document["completed_steps"] == words.count("succeeded") + words.count("failed")
        assert document["running_count"] == words.count("running") == len(document["running_steps"])
        assert list(document["steps"]) == ["ünï", '"quoted"\n', "late", "lost"]

    def test_the_bytes_are_compact_json_in_utf_8(self) -> None:
        assert viewed(created(step("ü"))).encode().decode() == (
            '{"run_id":1,"started_at":null,"ended_at":null,"total_steps":1,"completed_steps":0,"current_step":null,'
            '"running_steps":[],"running_count":0,"steps":{"ü":{"state":"pending","started_at":null,"ended_at":null,'
            '"notes":[],"outputs":[]}}}'
        )

    def test_an_empty_flow_has_no_steps(self) -> None:
        view = viewed(*begun(), RunSucceeded(at=T2))
        assert json.loads(view.encode()) == view.render()
        assert view.render()["steps"] == {}


class TestReport:
    """The `status` object of the Python API: `run_id`, `started_at`, `ended_at`, and `steps` by name."""

    def test_a_report_says_the_same_in_objects(self) -> None:
        run = begun(step("F", outputs=("v",)), step("D", "F"), step("other", outputs=("w",)))
        events = (started("F"), started("other"), failed("F"), skipped("D", "why"), succeeded("other", {"w": 1}))
        report = viewed(*run, *events, RunFailed(at=T2)).report()
        assert (report.run_id, report.state, report.started_at, report.ended_at) == (RUN, RunStatus.FAILED, T0, T2)
        assert report.steps == {
            "F": StepReport(
                name="F", state="failed", started_at=T0, ended_at=T1, error="no", notes=("no",), outputs=()
            ),
            "D": StepReport(
                name="D", state="skipped", started_at=None, ended_at=T2, error=None, notes=("why",), outputs=()
            ),
            "other": StepReport(
                name="other", state="succeeded", started_at=T0, ended_at=T1, error=None, notes=(), outputs=("w",)
            ),
        }

    def test_a_report_never_changes(self) -> None:
        view = viewed(*begun(step("a")), started("a"))
        before = view.report()
        for each in recorded([*begun(step("a")), started("a"), succeeded("a")])[3:]:
            view.evolve(each)
        assert (before.steps["a"].state, view.report().steps["a"].state) == ("running", "succeeded")


class TestTakeover:
    """A run that another program goes on with, and one that goes on from another run."""

    def test_a_lost_attempt_leaves_the_step_running_with_a_note(self) -> None:
        run = (*begun(step("a")), started("a"), resumed(), lost("a"))
        assert status(*run)["steps"]["a"] == shown("running", T0, notes=[LOST])
        assert status(*run, started("a", 2), succeeded("a", attempt=2))["steps"]["a"] == shown("succeeded", T0, T1)

    def test_a_step_whose_last_attempt_was_lost_has_failed(self) -> None:
        run = (*begun(step("a")), started("a"), resumed(), lost("a", retry=None))
        assert status(*run)["steps"]["a"] == shown("failed", T0, T1, notes=[LOST])

    def test_what_was_reported_too_late_shows_nowhere(self) -> None:
        run = (*begun(step("a")), started("a"), resumed(), lost("a"), started("a", 2))
        assert status(*run, rejected("a")) == status(*run)
        assert status(*run, called()) == status(*run)

    def test_what_was_taken_over_has_succeeded(self) -> None:
        born = attrs.evolve(created(step("a", outputs=("x",)), step("b", "a")), parent=RunId(7))
        shows = status(born, imported("a", {"x": 1}))
        assert shows["steps"]["a"] == shown("succeeded", None, T0, notes=["taken over from run 7"], outputs=["x"])
        assert (shows["completed_steps"], shows["total_steps"]) == (1, 2)
