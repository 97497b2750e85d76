"""Worker threads for what may block: started when needed, never more than allowed, kept for the next job."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from queue import SimpleQueue
from threading import Thread, current_thread
from time import monotonic
from typing import Final, Generic, TypeVar

WAKE_AFTER_S: Final = 0.001
"""How long a job may wait for a worker that is busy before another one is woken, in seconds."""


J = TypeVar("J")
"""What a worker is given to do."""


class _Ring(Enum):
    """Why a worker is woken."""

    WORK = "work"
    LEAVE = "leave"


class WorkerPool(Generic[J]):
    """A bounded pool whose jobs come from whoever leads the engine: `reserve` a place, `submit` jobs into it.

    A `concurrent.futures` pool makes a future, a lock and a condition for each call, and wakes a thread for each; that
    is most of the cost of a short step. Here jobs that come together wake one worker, which takes them one after the
    other: a job that is over in microseconds leaves no time for a second thread to wake up. While jobs are left
    waiting, `wake` is to be called every `WAKE_AFTER_S`. A worker that finds no job left calls *idle*, which may
    submit more, before it goes to sleep.

    `submit`, `wake`, `finished` and `lose` are for one thread at a time.
    """

    def __init__(self, size: int, do: Callable[[J], None], idle: Callable[[], None]) -> None:
        """Allow *size* jobs at once, each done by *do*; neither that nor *idle* may raise."""
        self.size = size
        self._do = do
        self._idle = idle
        self._jobs: deque[J] = deque()
        self._bell: SimpleQueue[_Ring] = SimpleQueue()
        self._busy = 0
        self._threads = 0
        self._next_wake = 1
        self._workers: list[Thread] = []

    @property
    def waiting(self) -> int:
        """How many jobs wait for a worker."""
        return len(self._jobs)

    @property
    def free(self) -> int:
        """How many more places there are."""
        return self.size - self._busy

    def reserve(self) -> bool:
        """Take a place for a job that will come; return False when there is none."""
        if self._busy >= self.size:
            return False
        self._busy += 1
        return True

    def submit(self, jobs: Iterable[J]) -> None:
        """Leave *jobs* for the workers, in places that were reserved; after this, `wake` one unless you are one."""
        self._jobs.extend(jobs)
        self._next_wake = 1

    def wake(self) -> None:
        """Let more workers see to the jobs that wait: one, and each time twice as many until more are submitted."""
        for _ in range(min(self._next_wake, len(self._jobs))):
            if self._threads < self._busy:
                self._threads += 1
                # Daemon: a source that ignores its deadline must not keep the program from ending.
                worker = Thread(target=self._work, name=f"flowcore-worker-{self._threads}", daemon=True)
                self._workers.append(worker)
                worker.start()
            self._bell.put(_Ring.WORK)
        self._next_wake *= 2

    def finished(self, jobs: int = 1) -> None:
        """Free the places of so many *jobs* that are done, or that never came."""
        self._busy -= jobs

    def lose(self) -> None:
        """Give up on a job that does not end: its thread is written off, and another may take its place."""
        self._busy -= 1
        self._threads -= 1

    def close(self) -> None:
        """Let the threads go when they are done with what they have."""
        self._bell.put(_Ring.LEAVE)
        self._threads = 0

    def join(self, timeout_s: float) -> None:
        """Wait until the threads have gone, *timeout_s* seconds at most."""
        deadline = monotonic() + timeout_s
        for worker in self._workers:
            if worker is not current_thread():
                worker.join(max(0.0, deadline - monotonic()))

    def _work(self) -> None:
        jobs, do, idle = self._jobs, self._do, self._idle
        while self._bell.get() is _Ring.WORK:
            while jobs:
                try:
                    job = jobs.popleft()
                except IndexError:
                    # Another worker was quicker.
                    pass
                else:
                    do(job)
                if not jobs:
                    idle()
        # Pass it on: there may be more threads than are counted, when a lost one has come back after all.
        self._bell.put(_Ring.LEAVE)
