"""`/api/runs/...`: events, explanations and differences, without a network."""

import json
from typing import Any, Final

import pytest

from flowcore.ids import RunId
from flowcore.ports import Append
from flowcore.run.events import Event, RunCreated, RunFailed, RunStarted
from flowcore.secrets import reference
from flowcore_adapters.http.app import create_app
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.builders import T0, T2, failed, flow_of, skipped, started, step, succeeded
from tests.contract.wsgi_client import Answer, call

FIRST, SECOND = RunId(1733524800000), RunId(1733524800001)
FLOW: Final = flow_of(step("a", outputs=("x",)), step("b", "a"))


def history(run_id: RunId, *events: Event) -> Append:
    created = RunCreated(run_id=run_id, flow=FLOW, max_workers=4, at=T0)
    return Append(run_id, 0, [created, RunStarted(at=T0), *events])


@pytest.fixture
def log() -> SharedMemoryEventLog:
    log = SharedMemoryEventLog()
    log.append(history(FIRST, started("a"), succeeded("a", {"x": reference("TOKEN")}), started("b"), succeeded("b")))
    log.append(history(SECOND, started("a"), failed("a"), skipped("b", "step 'a' failed"), RunFailed(at=T2)))
    return log


def get(log: SharedMemoryEventLog, path: str, **headers: str) -> Answer:
    return call(create_app(log), path, headers=headers)


def document(answer: Answer) -> Any:  # noqa: ANN401 - whatever the answer holds
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


class TestEvents:
    def test_pages_make_the_full_list(self, log: SharedMemoryEventLog) -> None:
        whole = document(get(log, f"/api/runs/{SECOND}/events"))["events"]
        assert [event["version"] for event in whole] == [1, 2, 3, 4, 5, 6]
        found: list[object] = []
        after = 0
        while page := document(get(log, f"/api/runs/{SECOND}/events?limit=4&after={after}"))["events"]:
            found += page
            after = page[-1]["position"]
        assert found == whole

    def test_secrets_are_blackened(self, log: SharedMemoryEventLog) -> None:
        events = document(get(log, f"/api/runs/run_{FIRST}/events"))["events"]
        assert events[3]["data"]["outputs"] == {"x": "***"}
        assert events[3]["type"] == "AttemptSucceeded"

    @pytest.mark.parametrize("query", ["limit=0", "limit=9999", "limit=x", "after=-1"])
    def test_bad_pages(self, log: SharedMemoryEventLog, query: str) -> None:
        assert get(log, f"/api/runs/{FIRST}/events?{query}").status == 400


class TestExplain:
    def test_why(self, log: SharedMemoryEventLog) -> None:
        found = document(get(log, f"/api/runs/exec-{SECOND}/explain?step=b"))
        assert (found["status"], found["sentences"][0]) == ("skipped", "it was skipped: step 'a' failed")
        assert document(get(log, f"/api/runs/{SECOND}/explain?step=b&at=9"))["status"] == "pending"

    def test_what_is_not_there(self, log: SharedMemoryEventLog) -> None:
        unknown = get(log, f"/api/runs/{SECOND}/explain?step=aa")
        assert (unknown.status, "did you mean `a`?" in unknown.body.decode()) == (404, True)
        assert get(log, f"/api/runs/{SECOND}/explain").status == 400
        assert get(log, f"/api/runs/{SECOND}/explain?step=a&at=1").status == 404
        for path in ("/api/runs/5/explain?step=a", "/api/runs/x/events", f"/api/runs/{FIRST}/diff/5"):
            assert get(log, path).status == 404


class TestDiff:
    def test_two_runs(self, log: SharedMemoryEventLog) -> None:
        found = document(get(log, f"/api/runs/{FIRST}/diff/{SECOND}"))
        assert not found["equal"]
        assert [each["step"] for each in found["states"]] == ["a", "b"]
        assert found["parting"]["second"] == "AttemptFailed a"


def test_what_somebody_has_seen_is_not_sent_again(log: SharedMemoryEventLog) -> None:
    path = f"/api/runs/{FIRST}/diff/{SECOND}"
    etag = get(log, path).headers["etag"]
    again = call(create_app(log), path, headers={"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")
