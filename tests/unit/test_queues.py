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


@pytest.mark.parametrize("seed", range(30))
def test_it_is_a_sorted_list_whatever_comes_and_goes(seed: int) -> None:
    rng = random.Random(seed)
    queue, known = ReadyQueue(), set[tuple[int, int]]()
    for _ in range(3_000):
        # Now it grows, now it shrinks; mostly the first go, sometimes any, and some are not there.
        if known and rng.random() < rng.choice((0.3, 0.6)):
            entry = rng.choice((min(known), min(known), rng.choice([*known]), (rng.randrange(500), 0)))
            queue.discard(entry)
            known.discard(entry)
        else:
            entry = (rng.randrange(500), rng.randrange(-1, 3))
            queue.push(entry)
            known.add(entry)
        assert (len(queue), bool(queue.front)) == (len(known), bool(known))
    assert list(queue) == sorted(known)
    assert queue.front == sorted(known)[: len(queue.front)]
    for entry in sorted(known):
        assert queue.front[0] == entry
        queue.discard(entry)
    assert (len(queue), list(queue), queue.front) == (0, [], [])


def test_what_was_taken_out_and_put_back_is_there_once() -> None:
    queue = ReadyQueue(places(400))
    far = places(400)[-1]
    queue.discard(far)
    assert list(queue) == places(399)
    queue.push(far)
    queue.push(far)
    queue.push(queue.front[0])
    assert (len(queue), list(queue)) == (400, places(400))


def test_asking_takes_nothing_out() -> None:
    queue = ReadyQueue(places(300))
    assert list(queue) == list(queue) == places(300)


def test_queues_are_equal_when_their_entries_are() -> None:
    one, other = ReadyQueue(places(200)), ReadyQueue()
    for entry in reversed(places(200)):
        other.push(entry)
    assert one == other
    other.discard(other.front[0])
    assert one != other
    assert one != places(200)


def test_it_is_shown_with_its_entries() -> None:
    assert repr(ReadyQueue([(1, -1), (0, 2)])) == "ReadyQueue([(0, 2), (1, -1)])"


def test_a_heap_is_read_in_order_and_left_as_it_is() -> None:
    heap = [(1.0, 2, -1), (1.5, 0, -1), (1.0, 3, -1)]
    assert list(in_order(heap)) == sorted(heap)
    assert list(in_order(list[tuple[int, int]]())) == []
    assert heap == [(1.0, 2, -1), (1.5, 0, -1), (1.0, 3, -1)]
