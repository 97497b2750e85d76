from .task import HTTPRequestParser, WSGITask

class HTTPChannel:
    # Those that are being answered or wait for that.
    requests: list[HTTPRequestParser]
    # Bytes that are still to be sent.
    total_outbufs_len: int
    task_class: type[WSGITask]
    def handle_close(self) -> None: ...
