"""Where a node finds its files, and how it is told (contract flow-runs, section 6): in a container or without one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final

import attrs

from flowcore.documents.nodes.command_lines import Words, fill_command
from flowcore.ports import SourceCall

ROOT: Final = "/flow"
_NOT_NAME: Final = re.compile(r"[^A-Z0-9_]")
_ROOTED: Final = re.compile(r"/flow/(in|out)/")


@attrs.frozen
class Names:
    """All names that there may be, in the order in which they are told apart, whether this attempt has them or not."""

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    flags: Sequence[str] = ()


@attrs.frozen(kw_only=True)
class Layout:
    """The paths of one attempt's files.

    Attributes:
        root: What holds `in` and `out`.
        inputs: The file of every input, by port, without its directory.
        outputs: The file of every output, by port, those that nobody wants included.
        names: What there may be besides.
    """

    root: str = ROOT
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    names: Names = Names()

    def path_in(self, port: str) -> str:
        """Return where the node reads an input."""
        return f"{self.root}/in/{self.inputs[port]}"

    def path_out(self, port: str) -> str:
        """Return where the node leaves an output."""
        return f"{self.root}/out/{self.outputs[port]}"

    def variables(self, flags: Mapping[str, str]) -> dict[str, str]:
        """Return what `${Name}` means in a command."""
        return {
            **flags,
            **{port: self.path_in(port) for port in self.inputs},
            **{port: self.path_out(port) for port in self.outputs},
        }

    def words(self, words: Words, flags: Mapping[str, str]) -> list[str]:
        """Return the arguments of a command whose words have been split already: a value can never add one."""
        return [self._moved(word) for word in fill_command(words, self.variables(flags))]

    def _moved(self, word: str) -> str:
        return word if self.root == ROOT else _ROOTED.sub(lambda match: f"{self.root}/{match.group(1)}/", word)

    def environment(self, call: SourceCall, flags: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the node is told everything by."""
        flag_names = _variable_names((*self.names.flags, *flags))
        in_names = _variable_names((*self.names.inputs, *self.inputs))
        out_names = _variable_names((*self.names.outputs, *self.outputs))
        return {
            **{f"FLAG_{flag_names[name]}": value for name, value in flags.items()},
            **{f"INPUT_{in_names[port]}": self.path_in(port) for port in self.inputs},
            **{f"OUTPUT_{out_names[port]}": self.path_out(port) for port in self.outputs},
            "FLOW_RUN_ID": f"run_{call.run_id}",
            "FLOW_NODE_ID": str(call.instance),
            "FLOW_ATTEMPT": str(call.attempt),
        }


def file_names(extensions: Mapping[str, str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return the name of each port's file, no two the same: its own name where that can be one.

    Args:
        extensions: What the file's name ends with, by port.
        others: The ports that there may be, these and those that have no file now: a number that tells ports apart
            depends neither on which of them have one nor on what is in it.
    """
    wishes: dict[str, _Wish] = {}
    for port in (*others, *extensions):
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", port).lstrip(".") or "_"
        wishes[port] = _Wish(plain, "", own=plain == port)
    stems = _apart(wishes)
    # An extension may still make one name of two: of the ports `a` and `a.txt`.
    return _apart({port: _Wish(stem, extensions[port], own=True) for port, stem in stems.items() if port in extensions})


def _variable_names(names: Iterable[str]) -> dict[str, str]:
    """Return what each of *names* is called in the name of an environment variable, no two the same."""
    upper = {name: name.upper() for name in names}
    found = {name: _NOT_NAME.sub("_", written) for name, written in upper.items()}
    return _apart({name: _Wish(written, "", own=written == upper[name]) for name, written in found.items()})


@attrs.frozen
class _Wish:
    """What something would be called if nothing else were.

    Attributes:
        own: Whether that is its own name, without a character that had to be replaced.
    """

    name: str
    extension: str
    own: bool


def _apart(wishes: Mapping[str, _Wish]) -> dict[str, str]:
    """Return the names that are wished for; of equal ones all but one get a number, which no other name has.

    Who has such a name in the document goes first.
    """
    taken = {wish.name + wish.extension for wish in wishes.values()}
    numbers: dict[str, Iterator[int]] = {}
    granted: set[str] = set()
    found: dict[str, str] = {}
    for key, wish in sorted(wishes.items(), key=lambda item: not item[1].own):
        name = wish.name + wish.extension
        if name in granted:
            candidates = (f"{wish.name}_{number}{wish.extension}" for number in numbers.setdefault(name, count(2)))
            name = next(candidate for candidate in candidates if candidate not in taken)
            taken.add(name)
        granted.add(name)
        found[key] = name
    return found
