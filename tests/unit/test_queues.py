"""The queue of what may start: as a sorted list would do it, whatever is put in and taken out."""

import random

import pytest

from flowcore.run.queues import ReadyQueue, in_order


def places(count: int) -> list[tuple[int, int]]:
    return [(number // 3, number % 3 - 1) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 64, 128, 129, 1_000])
def test_what_is_put_in_comes_in_order(count: int) -> None:
    entries = places(count)
    random.Random(count).shuffle(entries)
    queue = ReadyQueue(entries)
    assert (len(queue), list(queue)) == (count, sorted(entries))
    assert queue.front == sorted(entries)[:128]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_sorted_list_whatever_comes_and_goes(seed: int) -> None:
    rng = random.Random(seed)
    queue, known = ReadyQueue(), list[tuple[int, int]]()
    for _ in range(2_000):
        # Now it grows, now it shrinks.
        if known and rng.random() < (0.3 if rng.random() < 0.5 else 0.6):
            queue.drop()
            del known[0]
        else:
            entry = (rng.randrange(500), rng.randrange(-1, 3))
            queue.push(entry)
            known = sorted([*known, entry])
        assert (len(queue), bool(queue.front)) == (len(known), bool(known))
        assert queue.front == known[: len(queue.front)]
    assert list(queue) == known
    while known:
        assert queue.front[0] == known[0]
        queue.drop()
        del known[0]
    assert (len(queue), list(queue), queue.front) == (0, [], [])


def test_asking_takes_nothing_out() -> None:
    queue = ReadyQueue(places(300))
    assert list(queue) == list(queue) == places(300)


def test_queues_are_equal_when_their_entries_are() -> None:
    one, other = ReadyQueue(places(200)), ReadyQueue()
    for entry in reversed(places(200)):
        other.push(entry)
    assert one == other
    other.drop()
    assert one != other
    assert one != places(200)


def test_it_is_shown_with_its_entries() -> None:
    assert repr(ReadyQueue([(1, -1), (0, 2)])) == "ReadyQueue([(0, 2), (1, -1)])"


def test_a_heap_is_read_in_order_and_left_as_it_is() -> None:
    heap = [(1.0, 2, -1), (1.5, 0, -1), (1.0, 3, -1)]
    assert list(in_order(heap)) == sorted(heap)
    assert list(in_order(list[tuple[int, int]]())) == []
    assert heap == [(1.0, 2, -1), (1.5, 0, -1), (1.0, 3, -1)]
