"""The web page as files: what a browser is handed, and what the safety contract says of it ("Web page")."""

import re
from typing import TYPE_CHECKING, Final

import pytest

from flowcore.testing import MemoryEventLog
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.page.resources import _files
from tests.contract.wsgi_client import call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SCRIPTS: Final = sorted(name for name in _files() if name.endswith(".js"))
KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@pytest.fixture(scope="module")
def application() -> "WSGIApplication":
    return create_app(MemoryEventLog())


def text_of(name: str) -> str:
    return _files()[name].data.decode()


def test_the_page(application: "WSGIApplication") -> None:
    answer = call(application, "/ui")
    assert (answer.status, answer.headers["content-type"]) == (200, KINDS["html"])
    assert answer.body.startswith(b"<!doctype html>\n")
    assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("name", sorted(_files().keys() - {"index.html"}))
def test_its_parts(application: "WSGIApplication", name: str) -> None:
    answer = call(application, f"/page/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, KINDS[name.rpartition(".")[2]])
    assert answer.body == _files()[name].data
    again = call(application, f"/page/{name}", headers={"If-None-Match": answer.etag})
    assert (again.status, again.body, again.etag) == (304, b"", answer.etag)
    head = call(application, f"/page/{name}", method="HEAD")
    assert (head.status, head.body, head.etag) == (200, b"", answer.etag)


@pytest.mark.parametrize(
    "name", ["no.js", "index.html", "resources.py", "..", "%2e%2e", "../resources.py", "a%00b", ""]
)
def test_nothing_else_is_handed_out(application: "WSGIApplication", name: str) -> None:
    answer = call(application, f"/page/{name}")
    assert (answer.status, set(answer.document)) == (404, {"error"})


@pytest.mark.parametrize("target", ["/ui", "/page/page.js"])
def test_nothing_can_be_sent_to_it(application: "WSGIApplication", target: str) -> None:
    answer = call(application, target, method="POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_whatever_it_names_is_there() -> None:
    named = set(re.findall(r'(?:href|src)="page/([^"]+)"', text_of("index.html")))
    for script in SCRIPTS:
        named |= set(re.findall(r'from "\./([^"]+)"', text_of(script)))
    assert named == _files().keys() - {"index.html"}


def test_nothing_comes_from_elsewhere() -> None:
    for name in _files():
        addresses = re.findall(r"""(?:https?:)?//[^\s"'`)]+\.[a-z]{2,}[^\s"'`)]*""", text_of(name))
        assert addresses in ([], ["http://www.w3.org/2000/svg"])


def test_no_script_or_style_stands_in_the_page() -> None:
    page = text_of("index.html")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page, re.IGNORECASE)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]


@pytest.mark.parametrize("script", SCRIPTS)
def test_text_never_becomes_markup_or_code(script: str) -> None:
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc|DOMParser"
    assert not re.search(rf"{markup}|\beval\b|new Function", text_of(script))
