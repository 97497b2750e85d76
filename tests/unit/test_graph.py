"""Who waits for whom, and where that goes in a circle."""

import pytest

from flowcore.graph import dependents, find_cycle


class TestDependents:
    """Indexes of those who wait, in file order."""

    def test_nobody_waits_in_an_empty_flow(self) -> None:
        assert dependents([]) == []

    def test_a_step_knows_all_who_wait_for_it_in_file_order(self) -> None:
        assert dependents([[2], [], [], [1, 2]]) == [[], [3], [0, 3], []]


class TestFindCycle:
    """A cycle is told as it is walked: first and last are the same."""

    @pytest.mark.parametrize(
        "dependencies",
        [
            {},
            {"a": ()},
            {"a": ("b",), "b": ()},
            {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()},
            {"a": ("b", "b"), "b": ()},
        ],
    )
    def test_there_is_none(self, dependencies: dict[str, tuple[str, ...]]) -> None:
        assert find_cycle(dependencies) is None

    def test_missing_names_are_passed_over(self) -> None:
        assert find_cycle({"a": ("nobody",)}) is None

    def test_a_step_that_waits_for_itself_is_a_cycle(self) -> None:
        assert find_cycle({"a": ("a",)}) == ("a", "a")

    def test_two_that_wait_for_each_other_are_a_cycle(self) -> None:
        assert find_cycle({"a": ("b",), "b": ("a",)}) == ("a", "b", "a")

    def test_only_the_circle_is_told_and_not_the_way_to_it(self) -> None:
        dependencies = {"free": (), "way": ("free", "a"), "a": ("b",), "b": ("nobody", "c"), "c": ("free", "a")}
        assert find_cycle(dependencies) == ("a", "b", "c", "a")

    def test_a_chain_of_ten_thousand_is_an_ordinary_flow(self) -> None:
        chain = {number: (number + 1,) for number in range(10_000)}
        assert find_cycle(chain) is None
        cycle = find_cycle({**chain, 10_000: (0,)})
        assert cycle is not None
        assert len(cycle) == 10_002
