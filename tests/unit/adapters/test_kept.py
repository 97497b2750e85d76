"""What is kept of what was asked for."""

from flowcore_adapters.http.views.kept import Kept


def test_what_nobody_has_asked_for_longest_goes_first() -> None:
    kept = Kept[str, int](2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]
    assert kept.get_or_make("a", lambda: 9) == 1
    assert kept.get_or_make("d", lambda: 4) == 4
    assert [kept.get(key) for key in "acd"] == [1, None, 4]


def test_what_is_dropped_is_made_anew() -> None:
    kept = Kept[str, list[int]](2)
    first = kept.get_or_make("a", list[int])
    assert kept.get_or_make("a", list[int]) is first
    kept.drop("a")
    kept.drop("never there")
    assert kept.get_or_make("a", list[int]) is not first
