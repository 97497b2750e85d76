"""Plain data."""

from flowcore.values import Json, own_copy


def test_a_copy_shares_nothing_that_can_be_changed() -> None:
    inner: dict[str, Json] = {"b": ("x", None)}
    outer: list[Json] = [1, inner]
    copied = own_copy({"a": outer, "c": 2.5})
    inner["b"] = "y"
    outer.append(3)
    assert copied == {"a": [1, {"b": ["x", None]}], "c": 2.5}
