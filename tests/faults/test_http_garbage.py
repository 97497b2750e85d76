"""Whatever is asked over HTTP: no answer is a fault of the server, and none is one that is not documented."""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from flowcore.ids import RunId
from flowcore.ports import Append
from flowcore.run.events import Event, RunFailed, RunPaused, RunSucceeded
from flowcore.testing import MemoryEventLog
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.views import query
from flowcore_adapters.http.views.resource import GONE
from tests.builders import T1, begun, created, failed, fanned, started, step, succeeded
from tests.contract.wsgi_client import call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.faults

EXAMPLES: Final = 50
"""For each operation."""
NOT_IMPLEMENTED: Final = 501
"""What a server without sockets answers to those who want one: it is described like everything else."""
GARBAGE: Final = 500
"""Requests for each operation that no description would lead to."""
LIBRARY: Final[Any] = schemathesis
"""Its types are open at many places."""
CHECKS: Final[Any] = [
    getattr(checks, name)
    for name in (
        "allow_header_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "status_code_conformance",
        "unsupported_method",
    )
]
A, B = step("a", outputs=("v",)), step("b", "a", for_each="x")
RUNS: Final[Mapping[int, tuple[Event, ...]]] = {
    1: (*begun(A, B), started("a"), succeeded("a", {"v": [1]}), fanned("b", 1, 2), started("b/0")),
    2: (*begun(A), started("a"), failed("a"), RunFailed(at=T1)),
    3: (*begun(A), RunPaused(at=T1)),
    4: (created(A, B),),
    5: (*begun(), RunSucceeded(at=T1)),
}
TEXTS: Final = (
    *("", "0", "-1", "1e999", "NaN", "null", "a", "b/0", "1733524800000", "exec-1", "run_2", "a" * 5000, "9" * 400),
    *("%00", "%ff%fe", "..", "../..", "%2e%2e%2f", "\x00", "\xff\xfe", "{}", "[]", "'", "&a=b", "%", "+"),
)
SPELLINGS: Final = [spelling.format(run) for run in RUNS for spelling in ("{}", "exec-{}", "run_{}")]


def gone() -> bool:
    """Return that nobody waits for an answer any more."""
    return True


def application() -> "WSGIApplication":
    """Return an application over runs in all sorts of states, in a log of its own."""
    log = MemoryEventLog()
    for number, events in RUNS.items():
        log.append(Append(RunId(number), 0, events))
    return create_app(log)


def with_ids(app: "WSGIApplication") -> "WSGIApplication":
    """Return *app* with a description that names ids: random ones would hardly ever be those of runs."""
    document: dict[str, Any] = deepcopy(call(app, "/openapi.json").document)
    # The client that schemathesis calls a WSGI application with takes a question mark in a path for its end.
    known = {"anyOf": [{"enum": SPELLINGS}, {"type": "string", "minLength": 1, "pattern": "^[^?]+$"}]}
    for item in document["paths"].values():
        in_path = item.get("parameters", [])
        methods = [method for name, method in item.items() if name != "parameters"]
        in_query = [each for method in methods for each in method.get("parameters", [])]
        for parameter in [*in_path, *(each for each in in_query if each["name"].endswith(("id", "Id")))]:
            parameter["schema"] = known
    body = json.dumps(document).encode()

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/openapi.json":
            # Nobody stays for what is still to come.
            return app({**environ, GONE: gone}, start)
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "LONGEST_WAIT_S", 0.01)


APPLICATION: Final = with_ids(application())
SCHEMA: Final[Any] = LIBRARY.openapi.from_wsgi("/openapi.json", APPLICATION)


@SCHEMA.parametrize()  # type: ignore[untyped-decorator]
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_answer_is_documented(case: Any) -> None:  # noqa: ANN401 - its type is open
    answer = case.call_and_validate(checks=CHECKS)
    assert answer.status_code < 500 or answer.status_code == NOT_IMPLEMENTED


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return the path, the method and the description of everything that can be asked."""
    document = call(application(), "/openapi.json").document
    return [
        (path, method, described)
        for path, item in document["paths"].items()
        for method, described in item.items()
        if method != "parameters"
    ]


@pytest.mark.parametrize(
    ("path", "method", "described"), operations(), ids=lambda each: each if isinstance(each, str) else ""
)
def test_raw_garbage(path: str, method: str, described: dict[str, Any]) -> None:
    random = Random(f"{method} {path}")
    app = application()
    documented = {int(status) for status in described["responses"]} | {404, 405}
    for _ in range(GARBAGE):
        target = "".join(garble(random, part) for part in path.split("{")) + garbage_query(random, described)
        body = garbage_body(random, described)
        answer = call(
            app, target, method=method.upper(), headers=garbage_headers(random), body=body, environ={GONE: gone}
        )
        assert answer.status in documented, f"{method} {target!r} {body[:200]!r}: {answer}"
        assert answer.status < 500 or answer.status == NOT_IMPLEMENTED, f"{method} {target!r} {body[:200]!r}: {answer}"
        if answer.status >= 400:
            json.loads(answer.body)


def text(random: Random) -> str:
    """Return a text that WSGI may hand over: any bytes, as Latin-1."""
    tail = bytes(random.choices(range(256), k=random.randrange(4))).decode("latin-1")
    return random.choice(TEXTS) + tail.replace("?", "")


def garble(random: Random, part: str) -> str:
    """Return a piece of a path with something in the place of its variable."""
    if "}" not in part:
        return part
    rest = part.partition("}")[2]
    return (random.choice(SPELLINGS) if random.random() < 0.6 else text(random).replace("/", "")) + rest


def garbage_query(random: Random, described: dict[str, Any]) -> str:
    """Return a query of parameters that are known and not, once, twice and without values."""
    names = [*(each["name"] for each in described.get("parameters", [])), "x", ""]
    pairs = [
        f"{random.choice(names)}{random.choice(('=', '=', '=', ''))}{text(random)}" for _ in range(random.randrange(4))
    ]
    return "?" + "&".join(pairs) if pairs else ""


def garbage_body(random: Random, described: dict[str, Any]) -> bytes:
    """Return something that is nearly JSON, or not at all."""
    known: list[str] = []
    content = described.get("requestBody", {}).get("content", {})
    for media in content.values():
        known += list(media["schema"].get("properties", {}))
    values: list[Any] = [
        None,
        True,
        0,
        -1,
        1e308,
        2**70,
        "",
        "x" * 100,
        [],
        {},
        [[]],
        {"a": {"b": []}},
        "\ud800",
        *SPELLINGS,
    ]
    document = {name: random.choice(values) for name in random.sample(known, random.randint(0, len(known)))}
    whole = json.dumps(document).encode()
    return random.choice(
        (
            b"",
            whole,
            whole,
            whole[: len(whole) // 2],
            b"[" * 20_000,
            b'{"a":' * 20_000,
            b"NaN",
            b'{"a": 1, "a": 2}',
            b"\xff\xfe\x00",
            b'"\\ud800"',
            b"9" * 5_000,
            json.dumps(random.choice(values)).encode(),
            random.randbytes(random.randrange(200)),
        )
    )


def garbage_headers(random: Random) -> dict[str, str]:
    """Return headers that say all sorts of things, mostly that the body is JSON."""
    headers = {"Content-Type": "application/json"} if random.random() < 0.8 else {"Content-Type": text(random)}
    for name in ("Accept", "If-None-Match", "If-Match", "Range", "Cookie", "Content-Encoding", "Origin", "Expect"):
        if random.random() < 0.1:
            headers[name] = text(random)
    return headers
