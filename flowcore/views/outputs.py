"""The outputs view: `GET /outputs` (documents/status-api.md) and the `flows` mapping of the Python API.

A secret shows as `***`: the log holds a reference to it, never its value.
"""

import json
from collections.abc import Mapping

from flowcore.ids import InstanceId, item_id
from flowcore.model import Dialect
from flowcore.node_ids import helps
from flowcore.ports import Recorded
from flowcore.run.events import (
    AttemptSucceeded,
    BodySucceeded,
    FanOutStarted,
    FanOutSucceeded,
    RunCreated,
    StepImported,
)
from flowcore.secrets import mask
from flowcore.values import Json


class OutputsView:
    """A fold of one run's events into what its steps have left, in the order in which they were done."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self._outputs: dict[str, dict[str, Json]] = {}
        self._helping = False
        self._names: dict[str, tuple[str, ...]] = {}
        self._items: dict[InstanceId, Mapping[str, Json]] = {}
        self._sizes: dict[str, int] = {}
        self._pieces: list[str] = []
        self._unwritten: list[str] = []

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        match recorded.event:
            case RunCreated(flow=flow):
                # What looks at the condition of a loop is a part of that node, and leaves nothing that is its own.
                self._helping = flow.dialect is Dialect.WORKFLOW
                self._names = {step.name: tuple(output.name for output in step.outputs) for step in flow.steps}
            case AttemptSucceeded(instance=instance, outputs=outputs):
                if self._helping and helps(instance):
                    return
                if instance in self._names:
                    self._keep(instance, {name: mask(value) for name, value in outputs.items()})
                else:
                    self._items[instance] = outputs
            case StepImported(step=step, outputs=outputs):
                if not (self._helping and helps(step)):
                    self._keep(step, {name: mask(value) for name, value in outputs.items()})
            case FanOutStarted(step=step, items=items):
                self._sizes[step] = len(items)
            case FanOutSucceeded(step=step):
                # Items that ran a body have left nothing; what goes on inside a body is not shown.
                found = [self._items.pop(item_id(step, number), None) for number in range(self._sizes.get(step, 0))]
                if step in self._names:
                    rows = [row for row in found if row is not None]
                    self._keep(step, {name: [mask(row.get(name)) for row in rows] for name in self._names[step]})
            case BodySucceeded(instance=instance):
                if instance in self._names:
                    self._keep(instance, {})
            case _:
                pass

    def _keep(self, step: str, outputs: dict[str, Json]) -> None:
        self._outputs[step] = outputs
        self._unwritten.append(step)

    def render(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the outputs of every step that succeeded, by step and output name."""
        return dict(self._outputs)

    def encode(self) -> bytes:
        """Return `render` as JSON text in UTF-8; costs what has changed since the last call."""
        self._pieces.extend(f"{_dumps(name)}:{_dumps(self._outputs[name])}" for name in self._unwritten)
        self._unwritten.clear()
        return f"{{{','.join(self._pieces)}}}".encode()


def _dumps(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
