"""Where a node finds its files, and how it is told (contract flow-runs, section 6): in a container or without one."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

import attrs

from flowcore.documents.nodes.command_lines import Words, fill_command
from flowcore.ports import SourceCall

ROOT: Final = "/flow"
_NOT_NAME: Final = re.compile(r"[^A-Z0-9_]")
_ROOTED: Final = re.compile(r"/flow/(in|out)/")


@attrs.frozen(kw_only=True)
class Layout:
    """The paths of one attempt's files.

    Attributes:
        root: What holds `in` and `out`.
        inputs: The file of every input, by port, without its directory.
        outputs: The file of every output, by port, those that nobody wants included.
    """

    root: str = ROOT
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

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
        return {
            **{f"FLAG_{_upper(name)}": value for name, value in flags.items()},
            **{f"INPUT_{_upper(port)}": self.path_in(port) for port in self.inputs},
            **{f"OUTPUT_{_upper(port)}": self.path_out(port) for port in self.outputs},
            "FLOW_RUN_ID": f"run_{call.run_id}",
            "FLOW_NODE_ID": str(call.instance),
            "FLOW_ATTEMPT": str(call.attempt),
        }


def file_name(port: str, extension: str) -> str:
    """Return the name of a port's file: its own name where that can be one."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", port).lstrip(".") or "_"
    return PurePosixPath(plain + extension).name


def _upper(name: str) -> str:
    return _NOT_NAME.sub("_", name.upper())
