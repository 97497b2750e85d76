from .parser import HTTPRequestParser

class ThreadedTaskDispatcher:
    stop_count: int
    active_count: int
    threads: set[int]
    def set_thread_count(self, count: int) -> None: ...
    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool: ...

class WSGITask:
    status: str
    version: str
    request: HTTPRequestParser
    def build_response_header(self) -> bytes: ...
    def set_close_on_finish(self) -> None: ...
