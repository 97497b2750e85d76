"""A maker makes the very objects that calling the class makes."""

import copy
from collections.abc import Callable

import attrs
import pytest

from flowcore.ids import InstanceId
from flowcore.maker import maker
from flowcore.run.events import AttemptStarted, AttemptSucceeded, make_attempt_started, make_attempt_succeeded
from flowcore.values import Instant


@attrs.frozen
class _Mixed:
    name: str
    size: int = 3
    note: str | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class _Checked:
    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class _Converted:
    size: int = attrs.field(converter=int)


@attrs.frozen
class _Factory:
    sizes: list[int] = attrs.field(factory=list[int])


@attrs.frozen(slots=False)
class _Roomy:
    size: int


class _Plain:
    pass


def test_what_is_made_equals_what_the_class_makes() -> None:
    made = make_attempt_succeeded(instance=InstanceId("a"), attempt=1, outputs={"b": 1}, at=Instant(2.0))
    called = AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs={"b": 1}, at=Instant(2.0))
    assert type(made) is AttemptSucceeded
    assert made == called
    assert repr(made) == repr(called)
    assert attrs.evolve(made, attempt=2) == attrs.evolve(called, attempt=2)
    started = make_attempt_started(instance=InstanceId("a"), attempt=1, at=Instant(2.0))
    assert hash(started) == hash(AttemptStarted(instance=InstanceId("a"), attempt=1, at=Instant(2.0)))
    assert copy.deepcopy(started) == started


def test_what_is_made_is_frozen() -> None:
    made = make_attempt_started(instance=InstanceId("a"), attempt=1, at=Instant(2.0))
    name = "attempt"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(made, name, 2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(made, name)


def test_arguments_are_those_of_the_class() -> None:
    make = maker(_Mixed)
    assert make("a") == _Mixed("a")
    assert make("a", 4, note="b") == _Mixed("a", 4, note="b")
    with pytest.raises(TypeError, match="name"):
        _call(make, note="b")
    with pytest.raises(TypeError, match="positional"):
        _call(make, "a", 4, "b")


def _call(make: Callable[..., object], *arguments: object, **named: object) -> object:
    """Call *make* with what no type checker would let pass."""
    return make(*arguments, **named)


def test_what_the_class_refuses_is_refused() -> None:
    make = maker(_Checked)
    assert make() == _Checked()
    assert make(2) == _Checked(2)
    with pytest.raises(ValueError, match="'size' must be >= 1: 0"):
        make(0)


@pytest.mark.parametrize("cls", [_Converted, _Factory])
def test_a_class_that_does_more_than_check_and_store_is_refused(cls: type) -> None:
    with pytest.raises(TypeError, match=f"making a {cls.__name__} takes more"):
        maker(cls)


@pytest.mark.parametrize("cls", [_Roomy, _Plain, int, len])
def test_what_is_no_class_of_attrs_with_slots_is_refused(cls: type) -> None:
    with pytest.raises(TypeError, match="no class of attrs with slots"):
        maker(cls)
