"""What the nodes of a flow are run in, and with how much of this machine: the operator's word, not the document's."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from flowcore.documents.fields import LONGEST_S

from .node_choices import CLAMP, CONTAINER, POLICIES, PROCESS, RUNTIMES
from .registry import Registry, load_registry

if TYPE_CHECKING:
    from flowcore.ports import SourceAdapter

    from .runner.budget import Budget


def _is_timeout(_instance: object, _attribute: object, value: float) -> None:
    if not 0 < value <= LONGEST_S:
        raise ValueError(f"a node's attempt may take more than 0 and at most {LONGEST_S:.0f} seconds")


@attrs.frozen
class NodeRuntime:
    """How nodes are run. What only nodes need is imported when it is asked for: most flows have none.

    Attributes:
        runtime: `container`, or `process`: as programs of this machine, with no isolation at all.
        policy: What becomes of a node whose tier is larger than this machine: `clamp` gives it what there is, with
            `strict` it waits.
        timeout_s: How long one attempt of a node may take, in seconds; None for 300.
    """

    runtime: str = attrs.field(default=CONTAINER, validator=attrs.validators.in_(RUNTIMES))
    policy: str = attrs.field(default=CLAMP, validator=attrs.validators.in_(POLICIES))
    timeout_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(_is_timeout))

    def registry(self, *, private_targets: bool = True, files_root: Path | None = None) -> Registry:
        """Return the sources, `container` among them as the operator wants it.

        Args:
            private_targets: Whether calls may go to addresses that are not public.
            files_root: The folder below which workflows may read files; None for any.
        """
        extra: dict[str, SourceAdapter] = {}
        if self.runtime == PROCESS:
            from .sources.container import ContainerSource

            extra["container"] = ContainerSource(isolated=False)
        return load_registry(
            extra, private_targets=private_targets, files_root=files_root, node_timeout_s=self.timeout_s
        )

    def budget(self) -> "Budget":
        """Return what nodes may use together."""
        from flowcore.artifacts import Fit

        from .runner.budget import Budget

        return Budget(fit=Fit(self.policy))

    def clear_up(self) -> None:
        """End the nodes that programs left which have died, and remove what they had: before any is run again."""
        from .sources.container.places import clear_places

        clear_places()
        if self.runtime == CONTAINER:
            from .sources.container.orphans import remove_orphans

            remove_orphans()
