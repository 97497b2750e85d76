"""`/status`, `/outputs` and `/healthz`, without a network: documents compared whole."""

import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import falcon
import pytest
from typing_extensions import override

from flowcore.errors import EventFormatError, LogError
from flowcore.ids import RunId
from flowcore.ports import Recorded
from flowcore.views.follow import catch_up
from flowcore.views.status import StatusView
from flowcore_adapters.http.app import create_app, routes
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.routing import Route, Scope
from flowcore_adapters.http.views.cache import PAST_CAPACITY, ViewCache
from flowcore_adapters.http.views.query import LONGEST_WAIT_S
from flowcore_adapters.http.views.resource import GONE
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.driven_run import RUN, T0, Driven, step
from tests.contract.wsgi_client import Answer, call
from tests.watched_log import WatchedLog

PLENTY_S: Final = 30.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
JSON_HEADERS: Final = {
    "content-type": "application/json",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
}


class TestStatus:
    """Returns current flow execution status including step states, timestamps, and progress."""

    def test_a_run_that_is_going_on(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log)
        run.start()
        run.begin("fetch_users")
        run.succeed("fetch_users", users=[{"id": 1, "name": "Alice"}], count=1)
        position = run.begin("process_data")
        answer = call(create_app(log), "/status")
        assert answer.status == 200
        assert answer.headers == JSON_HEADERS | {
            "etag": f'"{position}"',
            "x-flowcore-run-id": str(RUN),
            "content-length": str(len(answer.body)),
        }
        assert answer.document == {
            "run_id": 1733524800000,
            "started_at": T0 + 1,
            "ended_at": None,
            "total_steps": 2,
            "completed_steps": 1,
            "current_step": "process_data",
            "running_steps": ["process_data"],
            "running_count": 1,
            "steps": {
                "fetch_users": {
                    "state": "succeeded",
                    "started_at": T0 + 2,
                    "ended_at": T0 + 3,
                    "notes": [],
                    "outputs": ["users", "count"],
                },
                "process_data": {
                    "state": "running",
                    "started_at": T0 + 4,
                    "ended_at": None,
                    "notes": [],
                    "outputs": [],
                },
            },
        }

    def test_a_run_that_has_not_started(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        pending: dict[str, Any] = {"state": "pending", "started_at": None, "ended_at": None, "notes": [], "outputs": []}
        assert call(create_app(log), "/status").document == {
            "run_id": 1733524800000,
            "started_at": None,
            "ended_at": None,
            "total_steps": 2,
            "completed_steps": 0,
            "current_step": None,
            "running_steps": [],
            "running_count": 0,
            "steps": {"fetch_users": pending, "process_data": pending},
        }

    def test_a_run_that_failed(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log)
        run.start()
        run.begin("fetch_users")
        run.fail("fetch_users", "HTTP status 500 <ü>")
        document = call(create_app(log), "/status").document
        assert document["completed_steps"] == 1
        assert document["ended_at"] == T0 + 3
        assert document["steps"]["fetch_users"]["notes"] == ["HTTP status 500 <ü>"]
        assert [each["state"] for each in document["steps"].values()] == ["failed", "skipped"]

    def test_steps_stand_in_the_order_of_the_flow(self, log: SharedMemoryEventLog) -> None:
        names = ["zeta", "alpha", "10", "9", "ä"]
        Driven(log, *map(step, names))
        assert list(call(create_app(log), "/status").document["steps"]) == names

    def test_no_run_at_all(self, log: SharedMemoryEventLog) -> None:
        answer = call(create_app(log), "/status")
        assert (answer.status, answer.document) == (200, {"status": "no-runner"})
        assert answer.headers == JSON_HEADERS | {"content-length": str(len(answer.body))}


class TestOutputs:
    """Returns output values from all completed steps. (...) available immediately after step completion."""

    def test_as_soon_as_a_step_is_done(self, log: SharedMemoryEventLog) -> None:
        run, application = Driven(log), create_app(log)
        assert call(application, "/outputs").document == {}
        run.start()
        run.begin("fetch_users")
        assert call(application, "/outputs").document == {}
        position = run.succeed("fetch_users", users=[{"id": 1, "name": "Bob"}], count=1)
        answer = call(application, "/outputs")
        assert answer.document == {"fetch_users": {"users": [{"id": 1, "name": "Bob"}], "count": 1}}
        assert answer.etag == f'"{position}"'
        run.begin("process_data")
        run.succeed("process_data", result="processed")
        assert call(application, "/outputs").document == {
            "fetch_users": {"users": [{"id": 1, "name": "Bob"}], "count": 1},
            "process_data": {"result": "processed"},
        }

    def test_no_run_at_all(self, log: SharedMemoryEventLog) -> None:
        answer = call(create_app(log), "/outputs")
        assert (answer.status, answer.document) == (200, {})


class TestWhichRun:
    """For the most recent run and for `?run_id=`; every family accepts every form and any run."""

    def test_the_most_recent_one(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log)
        for _ in range(3):
            run_id = Driven(log).run_id
            assert call(application).document["run_id"] == run_id

    @pytest.mark.parametrize("spelling", [f"{RUN}", f"exec-{RUN}", f"run_{RUN}"])
    @pytest.mark.parametrize("path", ["/status", "/outputs"])
    def test_every_spelling(self, log: SharedMemoryEventLog, path: str, spelling: str) -> None:
        Driven(log)
        Driven(log)
        assert call(create_app(log), f"{path}?run_id={spelling}").headers["x-flowcore-run-id"] == str(RUN)

    @pytest.mark.parametrize("path", ["/status", "/outputs"])
    def test_an_unknown_one(self, log: SharedMemoryEventLog, path: str) -> None:
        Driven(log)
        for query in ("run_id=7", "run_id=7&at=1", "run_id=7&at=0", "run_id=7&after=1&wait=10"):
            answer = call(create_app(log), f"{path}?{query}")
            assert answer.status == 404
            assert list(answer.document) == ["error"]
        assert call(create_app(log), f"{path}?run_id=7").document == {"error": "there is no run 7"}

    def test_unknown_ones_do_not_push_known_ones_out(self, log: SharedMemoryEventLog) -> None:
        run_id, cache = Driven(log).run_id, ViewCache(log, capacity=1)
        page = cache.page("status", run_id)
        for unknown in range(5):
            with pytest.raises(LookupError):
                cache.page("status", RunId(unknown))
        assert cache.page("status", run_id) is page

    def test_the_one_not_asked_for_longest_is_forgotten_first(self, log: SharedMemoryEventLog) -> None:
        first, second, third = (Driven(log).run_id for _ in range(3))
        cache = ViewCache(log, capacity=2)
        pages = [cache.page("status", run_id) for run_id in (first, second, first, third)]
        assert cache.page("status", first) is pages[0]
        assert cache.page("status", second) is not pages[1]
        assert cache.page("status", second) == pages[1]


MALFORMED = [
    "run_id=",
    "run_id=abc",
    "run_id=exec_1",
    "run_id=-1",
    "run_id=1.5",
    "run_id=1%00",
    "run_id=..%2F..",
    "run_id=" + "1" * 10_000,
    "run_id=1&run_id=1",
    "at=1&at=1",
    "after=1&after=2",
    "after=1&wait=1&wait=1",
    "cachebuster=1&cachebuster=2",
    "at=",
    "at=x",
    "at=-1",
    "at=1.0",
    "at=%2B1",
    "at=%D9%A3",
    "at=9223372036854775808",
    "at=" + "9" * 10_000,
    "at=1&after=1",
    "after=",
    "after=x",
    "after=-1",
    "after=%221%22",
    "wait=1",
    "wait=",
    "after=1&wait=",
    "after=1&wait=x",
    "after=1&wait=-1",
    "after=1&wait=nan",
    "after=1&wait=inf",
    "after=1&wait=1e400",
]


@pytest.mark.parametrize("path", ["/status", "/outputs"])
@pytest.mark.parametrize("query", MALFORMED, ids=lambda query: query[:30])
def test_a_malformed_query_is_refused(log: SharedMemoryEventLog, path: str, query: str) -> None:
    Driven(log)
    answer = call(create_app(log), f"{path}?{query}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.document) == ["error"]
    assert len(answer.body) < 200


def test_parameters_of_others_do_no_harm(log: SharedMemoryEventLog) -> None:
    Driven(log)
    assert call(create_app(log), "/status?_=1733524800&utm_source=x").document["run_id"] == RUN


class TestETag:
    """Every view answers `ETag` (log position) with 304."""

    @pytest.mark.parametrize("path", ["/status", "/outputs"])
    def test_nothing_new(self, log: SharedMemoryEventLog, path: str) -> None:
        Driven(log)
        application = create_app(log)
        etag = call(application, path).etag
        answer = call(application, path, headers={"If-None-Match": etag})
        assert (answer.status, answer.body, answer.etag) == (304, b"", etag)
        # RFC 9110, section 15.4.5: these, and nothing that only describes what is not sent.
        assert answer.headers == {"cache-control": "no-cache", "etag": etag}

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ('"1"', 304),
            ('W/"1"', 304),
            ("*", 304),
            ('"0", "1"', 304),
            ('W/"7" , W/"1"', 304),
            ('"2"', 200),
            ("1", 200),
            ('"11"', 200),
            ("", 200),
        ],
    )
    def test_what_matches(self, log: SharedMemoryEventLog, header: str, expected: int) -> None:
        Driven(log)
        answer = call(create_app(log), headers={"If-None-Match": header})
        assert (answer.status, answer.etag) == (expected, '"1"')

    def test_it_is_the_position_of_the_last_event_of_this_run(self, log: SharedMemoryEventLog) -> None:
        first, application = Driven(log), create_app(log)
        etag = call(application, f"/status?run_id={RUN}").etag
        Driven(log).start()
        assert call(application, f"/status?run_id={RUN}").etag == etag
        assert call(application, f"/status?run_id={RUN}", headers={"If-None-Match": etag}).status == 304
        first.start()
        answer = call(application, f"/status?run_id={RUN}", headers={"If-None-Match": etag})
        assert (answer.status, answer.etag) == (200, '"4"')

    def test_a_most_recent_run_that_is_another_one_is_news(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        application = create_app(log)
        etag = call(application).etag
        Driven(log)
        assert call(application, headers={"If-None-Match": etag}).status == 200

    def test_unchanged_bytes_are_made_once(self, log: SharedMemoryEventLog) -> None:
        run, cache = Driven(log), ViewCache(log)
        page = cache.page("status", run.run_id)
        assert cache.page("status", run.run_id) is page
        run.start()
        assert cache.page("status", run.run_id) is not page


class TestShortcut:
    """What is answered past falcon is answered as falcon would: a parameter that nobody knows makes the difference."""

    @pytest.mark.parametrize("path", ["/status", "/outputs", "/healthz", "/nothing"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
    @pytest.mark.parametrize("seen", [None, '"2"', 'W/"1", W/"2"', '"1"', "*", ""])
    @pytest.mark.parametrize("started", [False, True])
    def test_the_same_answer(
        self, log: SharedMemoryEventLog, path: str, method: str, seen: str | None, *, started: bool
    ) -> None:
        if started:
            Driven(log).start()
        application = create_app(log)
        headers = {} if seen is None else {"If-None-Match": seen}
        quick, full = (call(application, f"{path}{query}", method=method, headers=headers) for query in ("", "?_=1"))
        assert quick == full

    @pytest.mark.parametrize("trouble", [LogError("gone"), ZeroDivisionError("odd")])
    def test_the_same_error(self, trouble: Exception) -> None:
        log = BrokenLog()
        Driven(log)
        application = create_app(log)
        log.trouble = trouble
        quick, full = call(application, "/status"), call(application, "/status?_=1")
        assert quick == full
        assert quick.status == 500


class TestAt:
    """`?at=` is the same fold stopped earlier."""

    def test_every_moment_of_two_runs(self, log: SharedMemoryEventLog) -> None:
        runs = Driven(log), Driven(log)
        for name in ("fetch_users", "process_data"):
            for run in runs:
                run.start()
                run.begin(name)
            for run in runs:
                run.succeed(name)
        application = create_app(log)
        last = log.position()
        for run, at in itertools.product(runs, range(last + 1)):
            answer = call(application, f"/status?run_id={run.run_id}&at={at}")
            view = catch_up(StatusView(), log, run.run_id, until=at)
            if not view.version:
                assert answer.status == 404
                continue
            assert (answer.document, answer.etag) == (view.render(), f'"{view.position}"')
            assert call(application, f"/status?run_id={run.run_id}&at={at}").body == answer.body
            headers = {"If-None-Match": answer.etag}
            assert call(application, f"/status?run_id={run.run_id}&at={at}", headers=headers).status == 304
        assert (
            call(application, f"/status?run_id={runs[0].run_id}&at={last}").body
            == call(application, f"/status?run_id={runs[0].run_id}").body
        )

    def test_outputs(self, log: SharedMemoryEventLog) -> None:
        run, application = Driven(log), create_app(log)
        run.start()
        before = run.begin("fetch_users")
        after = run.succeed("fetch_users", users=[], count=0)
        assert call(application, f"/outputs?at={before}").document == {}
        assert call(application, f"/outputs?at={after}").document == {"fetch_users": {"users": [], "count": 0}}

    def test_the_most_recent_run_of_that_moment(self, log: SharedMemoryEventLog) -> None:
        created = {log.position(): run.run_id for run in (Driven(log) for _ in range(5))}
        application = create_app(log)
        shown = {at: call(application, f"/status?at={at}").document["run_id"] for at in created}
        assert shown == created
        assert call(application, "/status?at=0").status == 404

    def test_no_run_at_all(self, log: SharedMemoryEventLog) -> None:
        assert call(create_app(log), "/status?at=1").status == 404

    def test_the_future_is_now_and_is_not_kept(self, log: SharedMemoryEventLog) -> None:
        run, application = Driven(log), create_app(log)
        assert call(application, "/status?at=1000").document["started_at"] is None
        run.start()
        assert call(application, "/status?at=1000").document["started_at"] == T0 + 1

    def test_few_answers_are_kept(self, log: SharedMemoryEventLog) -> None:
        run, cache = Driven(log), ViewCache(log)
        for _ in range(PAST_CAPACITY + 1):
            Driven(log)
        first = cache.past("status", run.run_id, 1)
        pages = [cache.past("status", run.run_id, at) for at in range(1, PAST_CAPACITY + 1)]
        assert pages[0] is first
        assert cache.past("status", run.run_id, PAST_CAPACITY) is pages[-1]
        cache.past("status", run.run_id, PAST_CAPACITY + 1)
        # 2 is the one that was not asked for longest: 1 was asked for before it.
        assert cache.past("status", run.run_id, 1) is not first


@pytest.fixture
def watched() -> Iterator[WatchedLog]:
    opened = WatchedLog()
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


class TestAfterAndWait:
    """`?after=<position>&wait=<s>` (long poll) on every view."""

    def test_news_are_there_already(self, log: SharedMemoryEventLog) -> None:
        run, application = Driven(log), create_app(log)
        run.start()
        for query in ("after=1", "after=1&wait=0", "after=1&wait=60", "after=0&wait=1e1"):
            answer = call(application, f"/status?{query}")
            assert (answer.status, answer.etag) == (200, '"2"')

    @pytest.mark.parametrize("query", ["after=1", "after=1&wait=0", "after=1&wait=0.02", "after=999&wait=0.02"])
    def test_nothing_new(self, log: SharedMemoryEventLog, query: str) -> None:
        Driven(log)
        answer = call(create_app(log), f"/status?{query}")
        assert (answer.status, answer.body, answer.etag) == (304, b"", '"1"')

    @pytest.mark.parametrize("path", ["/status", "/outputs"])
    def test_an_append_ends_the_wait(self, watched: WatchedLog, pool: ThreadPoolExecutor, path: str) -> None:
        run, application = Driven(watched), create_app(watched)
        answer = pool.submit(call, application, f"{path}?after=1&wait=60")
        assert watched.waited_for.acquire(timeout=PLENTY_S)
        run.start()
        assert answer.result(PLENTY_S).etag == '"2"'

    def test_what_happens_to_other_runs_does_not(self, watched: WatchedLog, pool: ThreadPoolExecutor) -> None:
        first = Driven(watched)
        second, application = Driven(watched), create_app(watched)
        answer = pool.submit(call, application, f"/status?run_id={RUN}&after=2&wait=60")
        assert watched.waited_for.acquire(timeout=PLENTY_S)
        second.start()
        # It has looked, and waits again.
        assert watched.waited_for.acquire(timeout=PLENTY_S)
        first.start()
        assert answer.result(PLENTY_S).etag == '"4"'

    def test_the_first_run_ends_the_wait(self, watched: WatchedLog, pool: ThreadPoolExecutor) -> None:
        application = create_app(watched)
        answer = pool.submit(call, application, "/status?after=0&wait=60")
        assert watched.waited_for.acquire(timeout=PLENTY_S)
        Driven(watched)
        assert answer.result(PLENTY_S).document["run_id"] == RUN

    def test_no_run_in_time(self, log: SharedMemoryEventLog) -> None:
        answer = call(create_app(log), "/status?after=0&wait=0.02")
        assert (answer.status, answer.document) == (200, {"status": "no-runner"})

    def test_nobody_waits_longer_than_is_good_for_them(self, watched: WatchedLog, pool: ThreadPoolExecutor) -> None:
        run, application = Driven(watched), create_app(watched)
        answer = pool.submit(call, application, f"/status?after=1&wait={LONGEST_WAIT_S * 1000}")
        assert watched.waited_for.acquire(timeout=PLENTY_S)
        run.start()
        assert answer.result(PLENTY_S).status == 200

    def test_who_has_gone_is_not_waited_for(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        answers = iter((False, True))
        answer = call(create_app(log), "/status?after=1&wait=60", environ={GONE: lambda: next(answers)})
        assert answer.status == 304

    def test_quick_requests_always_find_a_thread(self, watched: WatchedLog, pool: ThreadPoolExecutor) -> None:
        run, application = Driven(watched), create_app(watched, threads=6)
        waiting = [pool.submit(call, application, "/status?after=1&wait=60") for _ in range(2)]
        for _ in waiting:
            assert watched.waited_for.acquire(timeout=PLENTY_S)
        refused = call(application, "/status?after=1&wait=60")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert list(refused.document) == ["error"]
        assert call(application, "/status?after=0&wait=60").status == 200
        assert call(application, "/status?after=1").status == 304
        run.start()
        assert [each.result(PLENTY_S).status for each in waiting] == [200, 200]
        # The places are free again.
        assert call(application, "/status?after=2&wait=0.01").status == 304

    def test_few_threads_wait_for_nothing(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        assert call(create_app(log, threads=4), "/status?after=1&wait=1").status == 503


class TestMethodsAndPaths:
    """Both endpoints are read-only (GET requests only). Responses are always JSON."""

    @pytest.mark.parametrize("path", ["/status", "/outputs", "/healthz"])
    @pytest.mark.parametrize(
        "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "WEBSOCKET", "get"]
    )
    def test_other_methods(self, log: SharedMemoryEventLog, path: str, method: str) -> None:
        answer = call(create_app(log), path, method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.headers["content-type"] == "application/json"
        assert answer.document == {"error": f"{method} is not allowed here"}

    @pytest.mark.parametrize("path", ["/status", "/outputs", "/healthz"])
    def test_head_is_get_without_a_body(self, log: SharedMemoryEventLog, path: str) -> None:
        Driven(log)
        application = create_app(log)
        get, head = call(application, path), call(application, path, method="HEAD")
        assert (head.status, head.body, head.headers) == (200, b"", get.headers)

    @pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
    @pytest.mark.parametrize(
        "path",
        ["/", "/nothing", "/status/", "/status/x", "/Status", "/status.json", "/..", "/\x00", "/" + "x" * 10_000],
    )
    def test_other_paths(self, log: SharedMemoryEventLog, path: str, method: str) -> None:
        answer = call(create_app(log), path, method=method)
        assert answer.status == 404
        assert answer.headers["content-type"] == "application/json"
        assert answer.document["error"].startswith("there is nothing at /")
        assert len(answer.body) < 2000

    def test_every_route_has_a_scope(self, log: SharedMemoryEventLog) -> None:
        assert {route.path: route.scope for route in routes(log)} == {
            "/api/v1/flow/test": Scope.EXECUTE,
            "/api/v1/flow/status/{flow_run_id}": Scope.READ,
            "/healthz": Scope.OPEN,
            "/ui": Scope.READ,
            "/page/{name}": Scope.READ,
            "/status": Scope.READ,
            "/outputs": Scope.READ,
            "/api/runs/{run_id}/events": Scope.READ,
            "/api/runs/{run_id}/explain": Scope.READ,
            "/api/runs/{run_id}/diff/{other}": Scope.READ,
            "/api/events": Scope.READ,
            "/socket.io/": Scope.READ,
            "/api/workflows/execution/batch/{batch_id}": Scope.READ,
            "/api/workflows/execution/batch/{batch_id}/stop": Scope.OPERATE,
            "/api/workflows/executions/batches": Scope.READ,
            "/api/workflows/executions/batches/clear": Scope.ADMIN,
            "/api/workflows/execution/status": Scope.READ,
            "/api/workflows/execution/{execution_id}": Scope.READ,
            "/api/workflows/execution/{execution_id}/logs": Scope.READ,
            "/api/workflows/executions/active": Scope.READ,
            "/api/workflows/execution/stop": Scope.OPERATE,
            "/api/workflows/execution/stop-all": Scope.OPERATE,
            "/api/workflows/execution/pause": Scope.OPERATE,
            "/api/workflows/execution/continue": Scope.OPERATE,
            "/api/workflows/execution/pause-control": Scope.OPERATE,
            "/api/workflows/execution/trace-logs": Scope.OPERATE,
        }
        with pytest.raises(TypeError):
            Route("/nothing", object())  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]

    def test_the_guard_stands_in_front(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log, guard=GuardSettings(token="t" * 32))
        assert call(application, headers={"Host": "evil.example.com"}).status == 421
        assert [call(application, path).status for path in ("/status", "/nothing", "/healthz")] == [401, 401, 200]
        assert call(application, headers={"Authorization": "Bearer " + "t" * 32}).status == 200


class BrokenLog(SharedMemoryEventLog):
    """A log that cannot be read, as long as there is a *trouble*."""

    trouble: Exception | None = None

    @override
    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        for recorded in super().read(run_id, after=after):
            if self.trouble is not None and run_id == RUN:
                raise self.trouble
            yield recorded

    @override
    def position(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return super().position()


class TestErrors:
    """`500` - Server error (includes `{"error": "message"}` in response)."""

    @pytest.mark.parametrize("path", ["/status", "/outputs"])
    @pytest.mark.parametrize(
        ("trouble", "message"),
        [
            (LogError("/home/me/flowcore.db: disk I/O error"), "the event log cannot be read"),
            (
                EventFormatError("run 7, position 3: unknown type 'x'"),
                "the run cannot be shown: run 7, position 3: unknown type 'x'",
            ),
            (ZeroDivisionError("secret"), "the server could not answer; its log says why"),
        ],
    )
    def test_the_log_cannot_be_read(
        self, caplog: pytest.LogCaptureFixture, trouble: Exception, message: str, path: str
    ) -> None:
        log = BrokenLog()
        run, other = Driven(log), Driven(log)
        application = create_app(log)
        log.trouble = trouble
        answer = call(application, f"{path}?run_id={RUN}")
        assert (answer.status, answer.document) == (500, {"error": message})
        assert answer.headers["content-type"] == "application/json"
        assert str(trouble) in caplog.text
        # One corrupt stream is reported; the others go on.
        assert call(application, f"{path}?run_id={other.run_id}").status == 200
        log.trouble = None
        run.start()
        assert call(application, f"/status?run_id={RUN}").document["started_at"] == T0 + 1

    def test_a_broken_resource_of_another_family(
        self, log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def teapot(*_: object) -> None:
            raise falcon.HTTPStatus(falcon.HTTP_418)

        monkeypatch.setattr("flowcore_adapters.http.health.HealthResource.on_get", teapot)
        assert call(create_app(log), "/healthz").status == 418


class TestHealth:
    """For load balancers and supervisors."""

    def test_well(self, log: SharedMemoryEventLog) -> None:
        answer = call(create_app(log), "/healthz")
        assert (answer.status, answer.document) == (200, {"status": "ok"})

    def test_the_log_does_not_answer(self) -> None:
        log = BrokenLog()
        log.trouble = LogError("gone")
        answer = call(create_app(log), "/healthz")
        assert (answer.status, answer.document) == (503, {"status": "log-unavailable"})


class TestConcurrency:
    """The API is thread-safe and can handle concurrent requests."""

    STEPS: Final = 60
    READERS: Final = 16

    def test_many_readers_of_a_run_that_moves(self, log: SharedMemoryEventLog) -> None:
        names = [f"step-{number}" for number in range(self.STEPS)]
        run, application = Driven(log, *(step(name, "v") for name in names)), create_app(log)
        begin = threading.Barrier(self.READERS + 1)
        bodies: dict[str, bytes] = {}

        def read() -> list[Answer]:
            begin.wait(PLENTY_S)
            answers: list[Answer] = []
            while not answers or json.loads(answers[-1].body)["ended_at"] is None:
                answers.append(call(application))
            return answers

        with ThreadPoolExecutor(self.READERS) as pool:
            readers = [pool.submit(read) for _ in range(self.READERS)]
            begin.wait(PLENTY_S)
            run.start()
            for name in names:
                run.begin(name)
                run.succeed(name, v=1)
            for reader in readers:
                answers = reader.result(PLENTY_S)
                documents: list[dict[str, Any]] = [answer.document for answer in answers]
                counts = [document["completed_steps"] for document in documents]
                assert counts == sorted(counts)
                for answer, document in zip(answers, documents, strict=True):
                    states = [each["state"] for each in document["steps"].values()]
                    assert document["completed_steps"] == states.count("succeeded")
                    assert document["running_count"] == states.count("running")
                    assert bodies.setdefault(answer.etag, answer.body) == answer.body
