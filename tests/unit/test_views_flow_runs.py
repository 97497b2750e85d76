"""The flow run object: documents/flow-api.md, contract flow-runs sections 2 to 4, design section 6."""

import json
from collections.abc import Sequence

import attrs
import pytest

from flowcore.artifacts import Artifact
from flowcore.documents.nodes.compilation import compile_nodes
from flowcore.documents.nodes.validation import check_document
from flowcore.ids import InstanceId, RunId
from flowcore.model import Flow
from flowcore.ports import Recorded
from flowcore.run.events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    Event,
    LogLine,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepHeld,
    StepLogged,
    StepSkipped,
)
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.values import Instant, Json
from flowcore.views.flow_runs import NODE_WORDS, RUN_WORDS, FlowRunDocument, FlowRunView
from tests.builders import begun, body, entered, fanned, recorded, started, step
from tests.node_documents import BASES, changed

RUN = RunId(1772533800123)
T0 = Instant(1772533800.4)
"""2026-03-03T10:30:00Z, and a bit."""
RESIZE = InstanceId("resize-1")


def flow(base: str, changes: dict[str, Json] | None = None) -> Flow:
    """Return the flow of a document."""
    return compile_nodes(check_document(changed(BASES[base], changes or {})).document).flow


def view_of(what: Flow, *events: Event) -> FlowRunView:
    """Return the view of a run that was created, and then of *events*."""
    view = FlowRunView()
    created = RunCreated(run_id=RUN, flow=what, max_workers=4, at=T0)
    for number, event in enumerate((created, *events), 1):
        view.evolve(Recorded(run_id=RUN, position=number, version=number, event=event))
        assert json.loads(view.encode()) == view.render()
    return view


def shown(what: Flow, *events: Event) -> FlowRunDocument:
    """Return what is shown of a run after *events*."""
    return view_of(what, *events).render()


def later(seconds: float) -> Instant:
    """Return a moment after the start."""
    return Instant(T0 + seconds)


BEGUN: Sequence[Event] = (RunStarted(at=T0), AttemptStarted(instance=RESIZE, attempt=1, at=T0))


def test_the_documents_first_answer() -> None:
    expected: FlowRunDocument = {
        "ID": "run_1772533800123",
        "Status": "RUNNING",
        "NodeState": {"resize-1": {"Status": "RUNNING", "Logs": [], "Error": "", "Attempt": 1, "MaxAttempts": 3}},
        "Artifacts": {},
        "WaitingURLs": [],
        "StartedAt": "2026-03-03T10:30:00Z",
    }
    assert shown(flow("open"), *BEGUN) == expected


def test_the_documents_second_answer() -> None:
    document = shown(
        flow("open"),
        *BEGUN,
        StepLogged(
            instance=RESIZE,
            attempt=1,
            first=0,
            lines=(
                LogLine(at=later(5.3), stream="stdout", message="Image resized successfully"),
                LogLine(at=later(5.4), stream="trace", message="not the container's own"),
            ),
            at=later(5.5),
        ),
        AttemptSucceeded(
            instance=RESIZE,
            attempt=1,
            outputs={},
            artifacts={"output-image": Artifact(store="default", name="abc123.jpg")},
            at=later(6),
        ),
        RunSucceeded(at=later(6)),
    )
    assert (
        json.dumps(document, indent=2)
        == """{
  "ID": "run_1772533800123",
  "Status": "COMPLETE",
  "NodeState": {
    "resize-1": {
      "Status": "COMPLETE",
      "Logs": [
        {
          "timestamp": "2026-03-03T10:30:05Z",
          "message": "Image resized successfully"
        }
      ],
      "Error": "",
      "Attempt": 1,
      "MaxAttempts": 3
    }
  },
  "Artifacts": {
    "output-image": {
      "StoreName": "default",
      "ObjectName": "abc123.jpg",
      "EdgeName": "output-image"
    }
  },
  "WaitingURLs": [],
  "StartedAt": "2026-03-03T10:30:00Z"
}"""
    )


def node(document: FlowRunDocument, name: str = "resize-1") -> tuple[str, str, str, int]:
    """Return the status of the run, and status, error and attempt of a node."""
    found = document["NodeState"][name]
    return document["Status"], found["Status"], found["Error"], found["Attempt"]


def failed(attempt: int, *, retry: bool) -> Event:
    """Return the failure of an attempt."""
    return AttemptFailed(
        instance=RESIZE,
        attempt=attempt,
        code="exit",
        error="exit code 3",
        at=later(attempt),
        retry_at=later(attempt + 1) if retry else None,
    )


def again(attempt: int) -> Event:
    """Return the start of another attempt."""
    return AttemptStarted(instance=RESIZE, attempt=attempt, at=later(attempt))


def test_a_queued_run_has_not_begun() -> None:
    assert node(shown(flow("open"))) == ("STOPPED", "IDLE", "", 0)
    assert shown(flow("open"))["StartedAt"] == "2026-03-03T10:30:00Z"


def test_a_node_that_may_start_is_ready() -> None:
    assert node(shown(flow("open"), RunStarted(at=T0))) == ("RUNNING", "READY", "", 0)


def test_a_node_that_cannot_start_yet_is_ready_with_a_reason() -> None:
    held = StepHeld(instance=RESIZE, reason="it needs more", at=later(1))
    assert node(shown(flow("open"), RunStarted(at=T0), held)) == ("RUNNING", "READY", "it needs more", 0)
    assert node(shown(flow("open"), RunStarted(at=T0), held, *BEGUN[1:])) == ("RUNNING", "RUNNING", "", 1)
    history = (*BEGUN, failed(1, retry=True), held)
    assert node(shown(flow("open"), *history)) == ("RUNNING", "RETRYING", "exit code 3; it needs more", 1)


def test_a_node_is_retrying_during_the_pause_and_running_during_the_attempt() -> None:
    history = (*BEGUN, failed(1, retry=True))
    assert node(shown(flow("open"), *history)) == ("RUNNING", "RETRYING", "exit code 3", 1)
    history = (*history, again(2))
    assert node(shown(flow("open"), *history)) == ("RUNNING", "RUNNING", "exit code 3", 2)
    history = (*history, AttemptSucceeded(instance=RESIZE, attempt=2, outputs={}, at=later(3)))
    assert node(shown(flow("open"), *history)) == ("COMPLETE", "COMPLETE", "", 2)
    assert node(shown(flow("open"), *history, RunSucceeded(at=later(3)))) == ("COMPLETE", "COMPLETE", "", 2)


def test_the_last_failure_is_an_error_at_once() -> None:
    history = (*BEGUN, failed(1, retry=True), again(2), failed(2, retry=True), again(3), failed(3, retry=False))
    assert node(shown(flow("open"), *history)) == ("ERROR", "ERROR", "exit code 3", 3)
    assert node(shown(flow("open"), *history, RunFailed(at=later(9)))) == ("ERROR", "ERROR", "exit code 3", 3)


def test_logs_accumulate_over_attempts() -> None:
    def line(attempt: int) -> Event:
        lines = (LogLine(at=later(attempt), stream="stderr", message=f"try {attempt}"),)
        return StepLogged(instance=RESIZE, attempt=attempt, first=0, lines=lines, at=later(attempt))

    document = shown(flow("open"), *BEGUN, line(1), failed(1, retry=True), again(2), line(2))
    assert [each["message"] for each in document["NodeState"]["resize-1"]["Logs"]] == ["try 1", "try 2"]


def test_an_attempt_that_was_lost_is_none_of_the_nodes_own() -> None:
    lost = AttemptLost(instance=RESIZE, attempt=1, error="lost", at=later(1), retry_at=later(1))
    assert node(shown(flow("open"), *BEGUN, lost)) == ("RUNNING", "RETRYING", "lost", 1)
    assert node(shown(flow("open"), *BEGUN, lost, again(2))) == ("RUNNING", "RUNNING", "lost", 1)


def test_a_run_that_waits_for_an_upload() -> None:
    document = shown(flow("photo"), RunStarted(at=T0))
    assert node(document, "shrink") == ("WAITING", "IDLE", "", 0)
    assert document["WaitingURLs"] == [
        {
            "Artifact": {"StoreName": "attic", "ObjectName": "run_1772533800123/original", "EdgeName": "original"},
            "PutURL": "",
            "TTL": "",
        }
    ]


def test_an_upload_that_came_is_an_artifact() -> None:
    came = ArtifactArrived(edge="original", artifact=Artifact(store="attic", name="a.png"), at=later(1))
    document = shown(flow("photo"), RunStarted(at=T0), came)
    assert node(document, "shrink") == ("RUNNING", "READY", "", 0)
    assert document["Artifacts"] == {"original": {"StoreName": "attic", "ObjectName": "a.png", "EdgeName": "original"}}
    assert document["WaitingURLs"] == []


def test_a_static_object_is_nothing_to_put() -> None:
    changes: dict[str, Json] = {"Flow.DataWells[0].Source": "static", "Flow.DataWells[0].Key": "logo.png"}
    document = shown(flow("photo", changes), RunStarted(at=T0))
    assert (document["Status"], document["WaitingURLs"]) == ("WAITING", [])


def test_an_edge_without_a_well_is_nothing_to_put() -> None:
    what = attrs.evolve(flow("photo"), wells={})
    assert shown(what, RunStarted(at=T0))["WaitingURLs"] == []


def test_an_upload_that_never_came_fails_the_run() -> None:
    missed = AwaitFailed(step=flow("photo").steps[0].name, code="artifact-missing", error="nothing came", at=later(9))
    document = shown(flow("photo"), RunStarted(at=T0), missed)
    assert node(document, "shrink") == ("ERROR", "ERROR", "nothing came", 0)
    assert document["WaitingURLs"] == []


def test_a_paused_run_waits() -> None:
    assert node(shown(flow("open"), RunStarted(at=T0), RunPaused(at=T0))) == ("WAITING", "READY", "", 0)
    resumed = (RunStarted(at=T0), RunPaused(at=T0), RunContinued(at=later(1)))
    assert node(shown(flow("open"), *resumed)) == ("RUNNING", "READY", "", 0)


def test_a_stopped_run() -> None:
    asked = (*BEGUN, RunStopRequested(reason="enough", at=later(1)))
    assert node(shown(flow("open"), *asked)) == ("STOPPED", "RUNNING", "", 1)
    stopped = (*asked, AttemptStopped(instance=RESIZE, attempt=1, at=later(2)), RunStopped(at=later(2)))
    assert node(shown(flow("open"), *stopped)) == ("STOPPED", "IDLE", "", 1)


def test_what_never_ran_of_a_failed_run_is_idle() -> None:
    first, second = InstanceId("first"), InstanceId("second")
    document = shown(
        flow("chain"),
        RunStarted(at=T0),
        ArtifactArrived(edge="raw", artifact=Artifact(store="attic", name="a"), at=T0),
        AttemptStarted(instance=first, attempt=1, at=T0),
        AttemptFailed(instance=first, attempt=1, code="exit", error="no", at=later(1), retry_at=None),
        StepSkipped(instance=second, cause=SkipCause.UPSTREAM, reason="step 'first' failed", at=later(1)),
        RunFailed(at=later(1)),
    )
    assert node(document, "first") == ("ERROR", "ERROR", "no", 1)
    assert node(document, "second") == ("ERROR", "IDLE", "", 0)


def test_every_status_has_a_word() -> None:
    assert (set(NODE_WORDS), set(RUN_WORDS)) == (set(StepStatus), set(RunStatus))


def test_a_view_of_nothing() -> None:
    expected: FlowRunDocument = {
        "ID": "run_0",
        "Status": "STOPPED",
        "NodeState": {},
        "Artifacts": {},
        "WaitingURLs": [],
        "StartedAt": "",
    }
    assert FlowRunView().render() == expected


@pytest.mark.parametrize("name", ['a"b', "größe", "\\", "</script>"])
def test_any_name_of_a_node_is_written_as_json(name: str) -> None:
    what = flow("open", {"Flow.Nodes[0].ID": name})
    assert list(shown(what, RunStarted(at=T0))["NodeState"]) == [name]


def test_what_is_in_a_body_or_a_fan_out_belongs_to_its_node() -> None:
    """Runs of every kind of flow are shown; the family has no word for what is in a step."""
    view = FlowRunView()
    line = (LogLine(at=T0, stream="stdout", message="inside"),)
    events = (
        *begun(body("g", body("h", step("a"))), step("f", for_each="x")),
        entered("g"),
        entered("g/h"),
        started("g/h/a"),
        StepLogged(instance=InstanceId("g/h/a"), attempt=1, first=0, lines=line, at=T0),
        fanned("f", 1, 2),
        started("f/1"),
        StepLogged(instance=InstanceId("f/1"), attempt=1, first=0, lines=line, at=T0),
    )
    for each in recorded(events):
        view.evolve(each)
    states = view.render()["NodeState"]
    assert {name: (state["Status"], state["Attempt"], len(state["Logs"])) for name, state in states.items()} == {
        "g": ("RUNNING", 1, 1),
        "f": ("RUNNING", 1, 1),
    }
    assert json.loads(view.encode())["NodeState"] == states
