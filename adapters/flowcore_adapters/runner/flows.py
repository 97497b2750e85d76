"""What `LocalRunner.flows` hands out: the outputs of the steps, as a dictionary that is its caller's own."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from typing_extensions import override
from yaml.representer import Representer, SafeRepresenter

from flowcore.values import Json, own_copy

Outputs: TypeAlias = dict[str, Any]


class Flows(dict[str, Outputs]):
    """``{step: {output: value}}``: whatever a caller does with it, the run and other callers never notice.

    The outputs of a step are copied when they are first looked at. So whoever asks again and again, and looks at what
    is new, pays for that and not for all that the run has left.
    """

    def __init__(self, shown: Mapping[str, Mapping[str, Json]]) -> None:
        """Hand out *shown*, which nobody changes from here on."""
        self._shown = cast("dict[str, Outputs]", shown)
        super().__init__(self._shown)

    def _take(self, step: str) -> None:
        """Have the outputs of *step* be the caller's own."""
        found = super().get(step)
        if found is not None and found is self._shown.get(step):
            super().__setitem__(step, {name: own_copy(value) for name, value in found.items()})

    def _take_all(self) -> None:
        for step in self._shown:
            self._take(step)

    @override
    def __getitem__(self, step: str) -> Outputs:
        self._take(step)
        return super().__getitem__(step)

    @override
    def __iter__(self) -> Iterator[str]:
        # `dict(flows)` and `{**flows}` go past `__getitem__` unless there is a way of our own through the keys.
        return super().__iter__()

    @override
    def get(self, step: str, default: Any = None, /) -> Any:
        self._take(step)
        return super().get(step, default)

    @override
    def pop(self, step: str, /, *default: Any) -> Any:
        self._take(step)
        return super().pop(step, *default)

    @override
    def popitem(self) -> tuple[str, Outputs]:
        self._take_all()
        return super().popitem()

    @override
    def setdefault(self, step: str, default: Any = None, /) -> Any:
        self._take(step)
        return super().setdefault(step, default)

    @override
    def items(self) -> Any:
        self._take_all()
        return super().items()

    @override
    def values(self) -> Any:
        self._take_all()
        return super().values()

    @override
    def copy(self) -> dict[str, Outputs]:
        return dict(self)

    @override
    def __or__(self, other: Any, /) -> Any:
        return dict(self) | other

    @override
    def __ror__(self, other: Any, /) -> Any:
        return other | dict(self)

    @override
    def __reduce_ex__(self, protocol: Any, /) -> Any:
        # For `copy` and `pickle`: a plain dictionary.
        return dict, (dict(self),)


# PyYAML writes a dictionary of a type that it was not told of as an object of Python, or not at all.
SafeRepresenter.add_representer(Flows, SafeRepresenter.represent_dict)
Representer.add_representer(Flows, Representer.represent_dict)
