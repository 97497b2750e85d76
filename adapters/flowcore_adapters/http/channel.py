"""waitress closes the connection after every 304: a client that polls with `If-None-Match` connects anew each time.

It does so because such an answer has no length. But 304 never has a body, so the client knows where the answer ends
(RFC 9110, section 15.4.5), and the connection can be kept.
"""

from typing_extensions import override
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from .errors import error_body


class _Task(WSGITask):
    """An answer; one without news leaves the connection open."""

    _keep = False

    @override
    def build_response_header(self) -> bytes:
        wanted = self.request.headers.get("CONNECTION", "").lower()
        self._keep = self.version == "1.1" and self.status.startswith("304") and wanted != "close"
        try:
            return super().build_response_header()
        finally:
            self._keep = False

    @override
    def set_close_on_finish(self) -> None:
        if not self._keep:
            super().set_close_on_finish()


class _ErrorTask(ErrorTask):
    """What waitress says of a request that is none, in the form of all our errors."""

    @override
    def execute(self) -> None:
        error = self.request.error
        code, reason, about = (400, "Bad Request", "") if error is None else (error.code, error.reason, error.body)
        body = error_body(f"{reason}: {about}")
        self.status = f"{code} {reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    """A connection whose answers are such tasks."""

    task_class: type[WSGITask] = _Task
    error_task_class: type[ErrorTask] = _ErrorTask
