"""Signed URLs: who may do what, and that nothing else is let through (contracts flow-runs, section 13, and safety)."""

import base64
import hashlib
import hmac
import random
from pathlib import Path
from urllib.parse import unquote

import pytest

from flowcore.errors import ObjectNameError
from flowcore.testing import ManualClock
from flowcore.values import Instant
from flowcore_adapters.artifacts.signed_urls import Ticket, UrlSigner
from flowcore_adapters.artifacts.url_keys import parse_keys
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.wsgi_client import Answer, call
from tests.upload_server import KEYS, T0, uploads_to
from tests.url_mutations import mutated, respelled

MUTATIONS = 10_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def uploads(tmp_path: Path, clock: ManualClock) -> Uploads:
    return uploads_to(tmp_path / "store", clock)


@pytest.fixture
def signer(uploads: Uploads) -> UrlSigner:
    return uploads.signer


def verify(signer: UrlSigner, method: str, target: str) -> Ticket | None:
    path, _, query = target.partition("?")
    return signer.verify(method, unquote(path), query, sent=target)


def put_url(
    signer: UrlSigner, name: str = "run_1/photo", max_bytes: int = 100, *, run: str = "", edge: str = ""
) -> str:
    return signer.sign(signer.ticket("PUT", "default", name, max_bytes=max_bytes, run=run, edge=edge))


def get_url(signer: UrlSigner, name: str = "run_1/photo") -> str:
    return signer.sign(signer.ticket("GET", "default", name))


def test_the_signature_is_the_one_of_the_contract(signer: UrlSigner) -> None:
    message = f"v1\nk1\nPUT\ndefault\nrun 1/é\n{int(T0) + 900}\n7"
    digest = hmac.digest(bytes(32), message.encode(), hashlib.sha256)
    sig = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert put_url(signer, "run 1/é", 7) == (
        f"/api/v1/upload/default/run%201/%C3%A9?exp={int(T0) + 900}&kid=k1&max=7&sig={sig}"
    )


def test_run_and_edge_are_signed_too(signer: UrlSigner) -> None:
    message = f"v1\nk1\nPUT\ndefault\na\n{int(T0) + 900}\n7\nrun_1\nphoto"
    digest = hmac.digest(bytes(32), message.encode(), hashlib.sha256)
    sig = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    url = put_url(signer, "a", 7, run="run_1", edge="photo")
    assert url == f"/api/v1/upload/default/a?exp={int(T0) + 900}&kid=k1&max=7&run=run_1&edge=photo&sig={sig}"
    ticket = verify(signer, "PUT", url)
    assert ticket is not None
    assert (ticket.run, ticket.edge) == ("run_1", "photo")


@pytest.mark.parametrize("name", ["a", "run 1/ä+b&c=d?e#f.png", "a%2Fb", "%2e%2e", "a;b,c@d!$'()*", "~-_.x/写真"])
def test_a_good_url_says_what_it_is_for(signer: UrlSigner, name: str) -> None:
    expected = Ticket(method="PUT", store="default", name=name, expires_at=int(T0) + 900, max_bytes=100)
    assert verify(signer, "PUT", put_url(signer, name)) == expected


@pytest.mark.parametrize(("signed", "allowed"), [("PUT", {"PUT"}), ("POST", {"PUT", "POST"}), ("GET", {"GET", "HEAD"})])
def test_a_url_is_good_for_its_method_only(signer: UrlSigner, signed: str, allowed: set[str]) -> None:
    url = signer.sign(signer.ticket(signed, "default", "a", max_bytes=None if signed == "GET" else 1))
    methods = ["PUT", "POST", "GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "put", "BREW", ""]
    assert {method for method in methods if verify(signer, method, url)} == allowed


def test_a_url_ends(signer: UrlSigner, clock: ManualClock) -> None:
    url = get_url(signer)
    clock.advance(899.0)
    assert verify(signer, "GET", url)
    clock.advance(1.0)
    assert verify(signer, "GET", url) is None


def test_no_url_holds_for_long(signer: UrlSigner) -> None:
    assert signer.ticket("GET", "default", "a", holds_s=10**6).expires_at == int(T0) + 900
    assert signer.ticket("GET", "default", "a", holds_s=60).expires_at == int(T0) + 60


def test_an_old_key_still_checks_and_a_forgotten_one_does_not(signer: UrlSigner) -> None:
    def clock() -> Instant:
        return T0

    old = UrlSigner(parse_keys("k0:" + "B" * 43, "test"), clock)
    assert verify(signer, "GET", get_url(old))
    assert verify(old, "GET", get_url(signer)) is None
    assert verify(UrlSigner(parse_keys("k0:" + "C" * 43, "test"), clock), "GET", get_url(old)) is None


@pytest.mark.parametrize(
    "ticket",
    [
        Ticket(method="GET", store="a/b", name="a", expires_at=1),
        Ticket(method="GET", store="", name="a", expires_at=1),
        Ticket(method="GET", store="a", name="../b", expires_at=1),
        Ticket(method="GET", store="a", name="b\nc", expires_at=1),
        Ticket(method="GET", store="a", name="b", expires_at=1, run="r\n", edge="e"),
        Ticket(method="GET", store="a", name="b", expires_at=1, run="r"),
        Ticket(method="PUT", store="a", name="b", expires_at=1),
        Ticket(method="GET", store="a", name="b", expires_at=1, max_bytes=1),
    ],
    ids=str,
)
def test_some_things_are_not_signed(signer: UrlSigner, ticket: Ticket) -> None:
    with pytest.raises(ObjectNameError):
        signer.sign(ticket)


def test_of_ten_thousand_mutations_none_is_let_through(signer: UrlSigner) -> None:
    chance = random.Random(13)
    urls = [
        (method, signer.sign(signer.ticket(signed, "default", name, max_bytes=cap, run=run, edge=run and "edge")))
        for method, signed, cap in (
            ("PUT", "PUT", 100),
            ("POST", "POST", 7),
            ("GET", "GET", None),
            ("HEAD", "GET", None),
        )
        for name in ("a", "run_1733524800000/photo 1.png")
        for run in ("", "run_1733524800000")
    ]
    tried: set[tuple[str, str]] = set()
    while len(tried) < MUTATIONS:
        method, url = chance.choice(urls)
        mutant = mutated(chance, url)
        if mutant == url or (method, mutant) in tried:
            continue
        tried.add((method, mutant))
        assert verify(signer, method, mutant) is None, (method, url, mutant)


class TestOverHttp:
    """The same over HTTP: 403 for what is not allowed, and what is allowed happens."""

    def ask(self, uploads: Uploads, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = target.partition("?")
        # As servers do it.
        environ = {"PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query, "REQUEST_URI": target}
        return call(app, target, method=method, body=body, headers=named, environ=environ)

    def test_put_then_get(self, uploads: Uploads) -> None:
        name = "run 1/größe.bin"
        answer = self.ask(uploads, put_url(uploads.signer, name), "PUT", b"bytes", Content_Type="image/png")
        assert (answer.status, answer.document) == (200, {"store": "default", "name": name, "size_bytes": 5})
        answer = self.ask(uploads, get_url(uploads.signer, name))
        assert (answer.status, answer.body) == (200, b"bytes")
        assert dict(answer.headers) == {
            "accept-ranges": "bytes",
            "cache-control": "private, no-store",
            "content-disposition": "attachment; filename=gro__e.bin; filename*=UTF-8''gr%C3%B6%C3%9Fe.bin",
            "content-length": "5",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
            "content-type": "application/octet-stream",
            "x-content-type-options": "nosniff",
        }

    def test_head_is_get_without_the_body(self, uploads: Uploads) -> None:
        self.ask(uploads, put_url(uploads.signer), "PUT", b"bytes")
        answers = [self.ask(uploads, get_url(uploads.signer), method) for method in ("GET", "HEAD")]
        assert answers[1].body == b""
        assert answers[0].headers == answers[1].headers

    def test_an_empty_object(self, uploads: Uploads) -> None:
        assert self.ask(uploads, put_url(uploads.signer), "PUT", Content_Length="0").document["size_bytes"] == 0
        answer = self.ask(uploads, get_url(uploads.signer))
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")

    @pytest.mark.parametrize(
        ("given", "status", "body", "shown"),
        [
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=7-", 206, b"789", "bytes 7-9/10"),
            ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
            ("bytes=-4", 206, b"6789", "bytes 6-9/10"),
            ("bytes=-40", 206, b"0123456789", "bytes 0-9/10"),
            ("bytes=10-", 416, None, "bytes */10"),
            ("bytes=-0", 416, None, "bytes */10"),
            ("bytes=5-4", 200, b"0123456789", None),
            ("bytes=0-1,3-4", 200, b"0123456789", None),
            ("lines=0-1", 200, b"0123456789", None),
            ("bytes=-", 200, b"0123456789", None),
        ],
    )
    def test_ranges(self, uploads: Uploads, given: str, status: int, body: bytes | None, shown: str | None) -> None:
        self.ask(uploads, put_url(uploads.signer), "PUT", b"0123456789")
        answer = self.ask(uploads, get_url(uploads.signer), Range=given)
        assert (answer.status, answer.headers.get("content-range")) == (status, shown)
        assert body is None or answer.body == body

    def test_too_large_is_413_and_nothing_is_kept(self, uploads: Uploads) -> None:
        assert self.ask(uploads, put_url(uploads.signer, max_bytes=5), "PUT", b"sixsix").status == 413
        chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        answer = call(app, put_url(uploads.signer, max_bytes=5), method="PUT", body=b"sixsix", environ=chunked)
        assert (answer.status, answer.document) == (413, {"error": "the object is larger than 5 bytes"})
        assert list(uploads.stores.find("default").list()) == []

    def test_without_a_length_is_411(self, uploads: Uploads) -> None:
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        answer = call(app, put_url(uploads.signer), method="PUT", environ={"CONTENT_LENGTH": None})
        assert answer.status == 411

    def test_a_body_that_ends_early_is_kept_nowhere(self, uploads: Uploads) -> None:
        answer = self.ask(uploads, put_url(uploads.signer), "PUT", b"half", Content_Length="8")
        assert (answer.status, answer.document) == (400, {"error": "the body ended 4 bytes too early"})
        assert list(uploads.stores.find("default").list()) == []

    @pytest.mark.parametrize("method", ["DELETE", "PATCH", "BREW", "OPTIONS", "TRACE"])
    def test_other_methods_are_405(self, uploads: Uploads, method: str) -> None:
        answer = self.ask(uploads, put_url(uploads.signer), method)
        assert answer.status == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "PUT"}

    def test_one_answer_for_forged_expired_and_wrong_method(self, uploads: Uploads, clock: ManualClock) -> None:
        good = get_url(uploads.signer)
        answers = [
            self.ask(uploads, good, "PUT", b"x"),
            self.ask(uploads, good + "x"),
            self.ask(uploads, good + "&sig=x"),
        ]
        answers.append(self.ask(uploads, "/api/v1/upload/default/run_1/photo"))
        clock.advance(900.0)
        answers.append(self.ask(uploads, good))
        assert {(answer.status, answer.body) for answer in answers} == {
            (403, b'{"error": "this URL is not good for that, or not any more"}')
        }

    @pytest.mark.parametrize("told", ["REQUEST_URI", "RAW_URI"])
    @pytest.mark.parametrize(("method", "body"), [("GET", b""), ("HEAD", b""), ("PUT", b"other")])
    def test_a_url_is_good_as_it_was_signed_and_spelled_no_other_way(
        self, uploads: Uploads, told: str, method: str, body: bytes
    ) -> None:
        """Servers make one path of many spellings; what they were sent is told by waitress, and by gunicorn."""
        self.ask(uploads, put_url(uploads.signer, "run_1/a photo"), "PUT", b"bytes")
        sign = put_url if method == "PUT" else get_url
        good = sign(uploads.signer, "run_1/a photo")
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        path, _, query = good.partition("?")
        usual = {"PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query}
        for spelled in respelled(good):
            answer = call(app, good, method=method, body=body, environ={**usual, told: spelled})
            assert answer.status == 403, spelled
        mounted = {**usual, "SCRIPT_NAME": "/flow core", told: f"/flow%20core{good}"}
        for environ in ({**usual, told: good}, mounted, {**mounted, told: good}, usual):
            assert call(app, good, method=method, body=body, environ=environ).status == 200

    @pytest.mark.parametrize(
        ("mount", "sent"),
        [
            ("/team@home/a+b", "/team@home/a+b"),
            ("/team@home/a+b", "/team%40home/a%2Bb"),
            ("/flöw".encode().decode("latin-1"), "/fl%C3%B6w"),
            ("/a/b", "/a%2Fb/c"),
            ("/a", "/b"),
        ],
    )
    def test_what_the_application_is_mounted_on_is_no_part_of_what_was_signed(
        self, uploads: Uploads, mount: str, sent: str
    ) -> None:
        self.ask(uploads, put_url(uploads.signer, "run_1/a photo"), "PUT", b"bytes")
        good = get_url(uploads.signer, "run_1/a photo")
        path, _, query = good.partition("?")
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        usual = {"SCRIPT_NAME": mount, "PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query}
        mounted_there = unquote(sent, "latin-1") == mount
        answer = call(app, good, environ={**usual, "REQUEST_URI": f"{sent}{good}"})
        assert answer.status == (200 if mounted_there else 403)
        for spelled in respelled(good):
            assert call(app, good, environ={**usual, "REQUEST_URI": f"{sent}{spelled}"}).status == 403, spelled

    def test_a_missing_object_is_404(self, uploads: Uploads) -> None:
        assert self.ask(uploads, get_url(uploads.signer)).status == 404
        assert self.ask(uploads, get_url(uploads.signer), Range="bytes=0-1").status == 404

    def test_no_token_is_asked_for_with_a_good_signature_and_only_then(self, uploads: Uploads) -> None:
        app = create_app(SharedMemoryEventLog(), guard=GuardSettings(token="t" * 32), uploads=uploads)
        good = put_url(uploads.signer)
        assert call(app, good, method="PUT", body=b"x").status == 200
        assert call(app, good + "x", method="PUT", body=b"x").status == 401
        assert call(app, "/status").status == 401
        token = {"Authorization": "Bearer " + "t" * 32}
        assert call(app, good + "x", method="PUT", body=b"x", headers=token).status == 403

    def test_the_rest_of_the_guard_stands(self, uploads: Uploads) -> None:
        app = create_app(SharedMemoryEventLog(), uploads=uploads)
        good = put_url(uploads.signer)
        assert call(app, good, method="PUT", body=b"x", headers={"Host": "evil.example.com"}).status == 421
        assert call(app, good, method="PUT", body=b"x", headers={"Origin": "http://evil.example.com"}).status == 403
        assert call(app, good, method="PUT", body=b"x", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        local = create_app(SharedMemoryEventLog(), guard=GuardSettings(local_only=True), uploads=uploads)
        assert call(local, good, method="PUT", body=b"x", environ={"REMOTE_ADDR": "192.0.2.1"}).status == 403

    def test_without_uploads_there_is_nothing(self, uploads: Uploads) -> None:
        assert call(create_app(SharedMemoryEventLog()), put_url(uploads.signer)).status == 404


def test_the_keys_never_show() -> None:
    keys = parse_keys(KEYS, "test")
    assert "AAAA" not in repr(keys)
    assert "\\x00" not in repr(keys)
