"""Stored bytes and where they go: what flows of nodes hand from one node to the next (contract flow-runs)."""

from collections.abc import Mapping
from enum import StrEnum

import attrs

from .values import Json


@attrs.frozen(kw_only=True)
class Artifact:
    """Stored bytes, by reference.

    Attributes:
        store: The name of the store that holds them.
        name: Their name in that store.
        size_bytes: How many there are; None when nobody has counted.
        content_type: What they are, such as `image/png`; empty when nobody has looked.
    """

    store: str
    name: str
    size_bytes: int | None = None
    content_type: str = ""


@attrs.frozen(kw_only=True)
class ArtifactPort:
    """Where an artifact enters or leaves a step. What is left at one port may go to several edges.

    Attributes:
        port: What the step calls it.
        edge: What the flow calls it: the name under which producers and readers meet.
        types: The content types that are allowed, such as `image/*`; none means any.
        required: Whether the step cannot do without it.
    """

    port: str
    edge: str
    types: tuple[str, ...] = ()
    required: bool = True


class WellSource(StrEnum):
    """Where an artifact comes from that no step makes."""

    UPLOAD = "upload"
    STATIC = "static"
    WEBHOOK = "webhook"


@attrs.frozen(kw_only=True)
class Store:
    """A place for artifacts.

    Attributes:
        type: `local`, `s3`, `s3local` or `s3fs`.
        params: What its type asks for; None leaves it to the server's configuration of that name.
    """

    type: str
    params: Mapping[str, Json] | None = None


@attrs.frozen(kw_only=True)
class Well:
    """Where the artifact of one edge is kept.

    Attributes:
        store: The name of its store.
        source: Where it comes from when no step makes it, or None.
        key: The template of its name in the store, or None for the usual one.
        lifetime_s: How long it is kept after the end of its run, in seconds; None for ever.
        types: The content types that its readers take; none means any.
    """

    store: str
    source: WellSource | None = None
    key: str | None = None
    lifetime_s: float | None = None
    types: tuple[str, ...] = ()


class Vendor(StrEnum):
    """Whose graphics processor."""

    ANY = "any"
    NVIDIA = "nvidia"
    AMD = "amd"
    APPLE = "apple"
    INTEL = "intel"


class Fit(StrEnum):
    """What becomes of a step that needs more than its host has."""

    STRICT = "strict"
    """The step waits, and the reason is told."""
    CLAMP = "clamp"
    """The step gets what there is."""


@attrs.frozen(kw_only=True)
class Resources:
    """What a step may use of its host.

    Attributes:
        cores: Processor cores.
        memory_bytes: Memory, swap included.
        storage_bytes: Room on disk.
        gpu: The vendor of the graphics processor that it needs (`any` for whichever), or None for none.
        gpu_memory_bytes: Memory of that processor.
        tier: What the document calls this size.
    """

    cores: float
    memory_bytes: int
    storage_bytes: int
    gpu: str | None = None
    gpu_memory_bytes: int = 0
    tier: str = ""
