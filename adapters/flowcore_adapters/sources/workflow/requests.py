"""Nodes that make HTTP requests: whatever the status is, the answer is kept; no answer is an error."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from flowcore.documents.workflows.references import interpolate, to_text
from flowcore.values import Json
from flowcore_adapters.sources.configuration import MAX_OUTPUT, TimeLimit

from .files import find_file, read_bytes
from .node import NodeCall, Patch, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

TIMEOUT_MS: Final = 30_000.0
"""How long a request may take when its node says nothing."""
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ASCII: Final = "/:;,.=+-_[]()@!~*"


@attrs.frozen(kw_only=True)
class Message:
    """What is sent.

    Attributes:
        content_type: What the body is, unless the headers say so; None leaves it to them.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    content_type: str | None = None


def api_request(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `apiRequest` nodes."""
    return NodeSource("apiRequest", "Makes an HTTP request and keeps the answer.", _api_request, settings)


def webhook(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `webhook` nodes."""
    return NodeSource("webhook", "Calls a webhook and keeps the answer.", _webhook, settings)


def slack(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `slack` nodes."""
    return NodeSource("slack", "Posts a message to a Slack webhook.", _slack, settings)


def _api_request(node: NodeCall) -> Patch:
    message = _message(node, node.needed("url", "URL is required for API Request node"), "GET")
    answer = send(node, message, node.limit(TIMEOUT_MS))
    return Patch(data={node.text("contextKey", "apiResponse"): answer})


def _webhook(node: NodeCall) -> Patch:
    message = _message(node, node.needed("url", "URL is required for Webhook node"), "POST")
    answer = send(node, message, node.limit(TIMEOUT_MS))
    return Patch(data={node.text("contextKey", "webhookResult"): {**answer, "attempt": node.call.attempt}})


def _slack(node: NodeCall) -> Patch:
    url = node.needed("webhookUrl", "Webhook URL is required for Slack node")
    names = {"text": "message", "channel": "channel", "username": "username", "icon_emoji": "iconEmoji"}
    payload: dict[str, Json] = {wire: found for wire, name in names.items() if (found := node.text(name))}
    blocks = node.get("blocks")
    if isinstance(blocks, str) and blocks.strip():
        try:
            blocks = json.loads(blocks)
        except (ValueError, RecursionError) as error:
            raise unfit(f"Invalid Slack blocks JSON: {error}") from None
    if blocks:
        payload["blocks"] = blocks
    if not payload.keys() & {"text", "blocks"}:
        raise unfit("Either message or blocks must be provided for Slack node")
    body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
    message = Message(method="POST", url=url, headers={}, body=body, content_type="application/json")
    answer = send(node, message, node.limit(TIMEOUT_MS))
    kept = {key: answer[key] for key in ("status", "statusText", "body", "duration", "timestamp")}
    return Patch(data={node.text("contextKey", "slackResult"): kept})


def _message(node: NodeCall, url: str, usual: str) -> Message:
    method = node.text("method", usual).strip().upper()
    if method not in _METHODS:
        raise unfit(f"there is no method '{method[:40]}'; allowed: {', '.join(sorted(_METHODS))}")
    headers = {name: to_text(value) for name, value in node.mapping("headers").items() if value is not None}
    body, kind = (None, None) if method in {"GET", "HEAD"} else _body(node)
    return Message(method=method, url=url, headers=headers, body=body, content_type=kind)


def _body(node: NodeCall) -> tuple[bytes | None, str | None]:
    """Return the body and its content type."""
    kind = node.text("bodyType", "form-data" if node.raw("formFields") or node.raw("formFiles") else "json")
    body = node.get("body")
    match kind:
        case "json":
            return _bytes(body), "application/json"
        case "raw":
            return _bytes(body), "text/plain"
        case "url-encoded":
            fields = _fields(node)
            text = urlencode(fields) if body in {None, ""} and fields else None
            return (_bytes(body) if text is None else text.encode()), "application/x-www-form-urlencoded"
        case "form-data":
            return form_data(node, _fields(node) or _pairs(body), _files(node))
        case _:
            raise unfit(f"there is no body type '{kind[:40]}'; allowed: json, form-data, raw, url-encoded")


def _bytes(body: Json) -> bytes | None:
    return None if body in (None, "") else to_text(body).encode("utf-8", "replace")


def _fields(node: NodeCall) -> list[tuple[str, str]]:
    given = node.get("formFields")
    rows = given if isinstance(given, (list, tuple)) else ()
    return [(to_text(row.get("key")), to_text(row.get("value"))) for row in rows if isinstance(row, Mapping)]


def _pairs(body: Json) -> list[tuple[str, str]]:
    """Return the fields that a body spells, as a JSON object or as `a=1&b=2`."""
    if isinstance(body, str):
        try:
            parsed: Json = json.loads(body)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, Mapping):
            return parse_qsl(body, keep_blank_values=True)
        body = parsed
    return [(name, to_text(value)) for name, value in body.items()] if isinstance(body, Mapping) else []


def _files(node: NodeCall) -> list[tuple[str, str]]:
    given = node.raw("formFiles")
    rows = given if isinstance(given, (list, tuple)) else ()
    return [
        (to_text(row.get("key")), to_text(interpolate(row.get("filePath"), node.scope)))
        for row in rows
        if isinstance(row, Mapping)
    ]


def form_data(
    node: NodeCall, fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]
) -> tuple[bytes | None, str | None]:
    """Return a multipart body of *fields* and the files at the paths in *files*, and its content type."""
    if not fields and not files:
        return None, None
    from urllib3.filepost import encode_multipart_formdata

    parts: list[tuple[str, str | tuple[str, bytes]]] = list(fields)
    for key, path in files:
        find_file(node, path)
        parts.append((key, (PurePath(path).name, read_bytes(node, path, "the file"))))
    return encode_multipart_formdata(parts)


def send(node: NodeCall, message: Message, limit: TimeLimit) -> dict[str, Json]:
    """Send *message* and return ``{status, statusText, headers, body, duration, timestamp}``.

    Raises:
        SourceError: There is no answer.
    """
    # urllib3 takes a while to import: only a workflow that makes requests pays for it.
    from flowcore_adapters.sources.exchange.exchange import exchange
    from flowcore_adapters.sources.exchange.request import Request, read_address, with_defaults

    address = read_address(message.url.strip())
    ours: dict[str, str] = {}
    if message.method not in _SAFE:
        ours["Idempotency-Key"] = quote(node.call.idempotency_key, safe=_ASCII)
    if message.body is not None and message.content_type is not None:
        ours["Content-Type"] = message.content_type
    node.call.log(f"{message.method} {address.shown}")
    started, begun = time.time(), time.monotonic()
    answer = exchange(
        Request(
            method=message.method,
            url=address,
            headers=with_defaults(message.headers, ours, address),
            body=message.body,
            follow_other_hosts=True,
        ),
        limit,
        node.call.cancel,
        max_output=MAX_OUTPUT,
        private_targets=node.settings.private_targets,
        whole=True,
    )
    duration_ms = round((time.monotonic() - begun) * 1000)
    node.call.log(f"{answer.status} {answer.reason} after {duration_ms} ms")
    return {
        "status": answer.status,
        "statusText": answer.reason,
        "headers": dict(answer.headers),
        "body": _parsed(answer.body, answer.charset),
        "duration": duration_ms,
        "timestamp": int(started * 1000),
    }


def _parsed(body: bytes, charset: str | None) -> Json:
    """Return what *body* holds. Whatever reads as JSON is JSON: many servers say `text/plain` and mean it."""
    try:
        text = body.decode(charset or "utf-8-sig")
    except (ValueError, LookupError):
        text = body.decode("utf-8", "replace")
    try:
        parsed: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return parsed
