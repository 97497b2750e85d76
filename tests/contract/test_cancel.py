"""The cancel token: what waits goes on, and what was to be done is done once."""

import time
from threading import Barrier, Thread

from flowcore_adapters.cancel import Cancellation
from tests.calls import at_most


def test_it_starts_uncancelled() -> None:
    token = Cancellation()
    assert not token.cancelled
    assert not token.wait(0)


def test_whoever_waits_goes_on() -> None:
    token, woken, ready = Cancellation(), list[bool](), Barrier(5)

    def wait() -> None:
        ready.wait()
        woken.append(token.wait(20))

    threads = [Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    with at_most(1):
        token.cancel()
        for thread in threads:
            thread.join()
    assert woken == [True] * 4


def test_a_late_wait_does_not_wait() -> None:
    token = Cancellation()
    token.cancel()
    with at_most(0.5):
        assert token.wait(20)
    assert token.cancelled


def test_a_wait_ends_in_time() -> None:
    started = time.monotonic()
    assert not Cancellation().wait(0.02)
    assert time.monotonic() - started >= 0.02


def test_a_wait_for_ever_can_be_cancelled() -> None:
    token = Cancellation()
    thread = Thread(target=token.wait, args=(float("inf"),))
    thread.start()
    token.cancel()
    thread.join(5)
    assert not thread.is_alive()


def test_the_action_is_done_once() -> None:
    token, done = Cancellation(), list[str]()
    token.on_cancel(lambda: done.append("done"))
    assert done == []
    token.cancel()
    token.cancel()
    assert done == ["done"]


def test_the_last_action_holds() -> None:
    token, done = Cancellation(), list[str]()
    token.on_cancel(lambda: done.append("first"))
    token.on_cancel(lambda: done.append("last"))
    token.cancel()
    assert done == ["last"]


def test_an_action_that_was_taken_back_is_not_done() -> None:
    token, done = Cancellation(), list[str]()
    token.on_cancel(lambda: done.append("done"))
    token.on_cancel(None)
    token.cancel()
    assert done == []


def test_a_late_action_is_done_at_once() -> None:
    token, done = Cancellation(), list[str]()
    token.cancel()
    token.on_cancel(None)
    token.on_cancel(lambda: done.append("done"))
    assert done == ["done"]


def test_an_action_may_use_the_token() -> None:
    token, seen = Cancellation(), list[bool]()

    def action() -> None:
        token.on_cancel(None)
        seen.append(token.wait(1))

    token.on_cancel(action)
    with at_most(0.5):
        token.cancel()
    assert seen == [True]


def test_only_one_of_many_that_cancel_does_the_action() -> None:
    for _ in range(50):
        token, done, ready = Cancellation(), list[str](), Barrier(4)

        def cancel(token: Cancellation = token, ready: Barrier = ready) -> None:
            ready.wait()
            token.cancel()

        token.on_cancel(lambda done=done: done.append("done"))
        threads = [Thread(target=cancel) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == ["done"]
