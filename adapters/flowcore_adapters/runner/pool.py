"""Worker threads for what may block: started when needed, never more than allowed, kept for the next job."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeAlias

Job: TypeAlias = Callable[[], None]
WAKE_AFTER_S: Final = 0.0002
"""How long a job may wait for a worker that is busy before another one is woken, in seconds."""


class _Ring(Enum):
    """Why a worker is woken."""

    WORK = "work"
    LEAVE = "leave"


class WorkerPool:
    """A bounded pool whose jobs come from whoever leads the engine: `reserve` a place, `submit` jobs into it.

    A `concurrent.futures` pool makes a future, a lock and a condition for each call, and wakes a thread for each; that
    is most of the cost of a short step. Here jobs that come together wake one worker, which takes them one after the
    other: a job that is over in microseconds leaves no time for a second thread to wake up. While jobs are left
    waiting, `wake` is to be called every `WAKE_AFTER_S`. A worker that finds no job left calls *idle*, which may
    submit more, before it goes to sleep.

    `submit`, `wake`, `finished` and `lose` are for one thread at a time.
    """

    def __init__(self, size: int, idle: Callable[[], None]) -> None:
        """Allow *size* jobs at once; neither jobs nor *idle* may raise."""
        self.size = size
        self._idle = idle
        self._jobs: deque[Job] = deque()
        self._bell: SimpleQueue[_Ring] = SimpleQueue()
        self._busy = 0
        self._threads = 0

    @property
    def waiting(self) -> bool:
        """Whether a job waits for a worker."""
        return bool(self._jobs)

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

    def submit(self, jobs: Iterable[Job]) -> None:
        """Leave *jobs* for the workers, in places that were reserved; after this, `wake` one unless you are one."""
        self._jobs.extend(jobs)

    def wake(self) -> None:
        """Let one more worker see to the jobs that wait."""
        if self._threads < self._busy:
            self._threads += 1
            # Daemon: a source that ignores its deadline must not keep the program from ending.
            Thread(target=self._work, name=f"flowcore-worker-{self._threads}", daemon=True).start()
        self._bell.put(_Ring.WORK)

    def finished(self) -> None:
        """Free the place of a job that is done, or that never came."""
        self._busy -= 1

    def lose(self) -> None:
        """Give up on a job that does not end: its thread is written off, and another may take its place."""
        self._busy -= 1
        self._threads -= 1

    def close(self) -> None:
        """Let the threads go when they are done with what they have."""
        self._bell.put(_Ring.LEAVE)
        self._threads = 0

    def _work(self) -> None:
        jobs, idle = self._jobs, self._idle
        while self._bell.get() is _Ring.WORK:
            while jobs:
                self._take()
                if not jobs:
                    idle()
        # Pass it on: there may be more threads than are counted, when a lost one has come back after all.
        self._bell.put(_Ring.LEAVE)

    def _take(self) -> None:
        try:
            job = self._jobs.popleft()
        except IndexError:
            # Another worker was quicker.
            return
        job()
