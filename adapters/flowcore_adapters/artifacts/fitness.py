"""Whether content is of a type that a port takes (contract flow-runs, section 9)."""

from collections.abc import Mapping

from flowcore.artifacts import ArtifactPort
from flowcore.documents.nodes.media_types import MediaTypes
from flowcore.ids import StepName
from flowcore.run.state import RunState


def misfit(what: str, port: ArtifactPort, content: str) -> str | None:
    """Return why content of the type *content* may not pass *port*, naming both types; None when it may.

    Args:
        what: What people call the port, such as `input 'image'`.
        port: The port; one without types takes any.
        content: The content type that was found.
    """
    types = MediaTypes.of(port.types)
    return None if types.accepts(content) else f"{what} must be {types}, and it is {content}"


def misfits(state: RunState, edge: str, content: str) -> Mapping[StepName, str]:
    """Return why content of the type *content* may not come in at *edge*, by the steps that wait for it in vain."""
    found: dict[StepName, str] = {}
    for index in state.readers.get(edge, ()):
        # Who waits no more, because it has failed or was skipped, is not asked.
        if edge in state.awaiting.get(index, ()):
            step = state.specs[index]
            for port in step.artifact_inputs:
                why = misfit(f"input '{port.port}'", port, content) if port.edge == edge else None
                if why is not None:
                    found.setdefault(step.name, why)
    return found
