"""How much a node may use: the tiers (contract flow-runs, section 10), and what a host has left for one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from flowcore.artifacts import Fit, Vendor

from .model import DEFAULT_TIER

MB: Final = 1024**2
GB: Final = 1024**3
TB: Final = 1024**4
_NANO: Final = 1_000_000_000


@attrs.frozen(kw_only=True)
class Gpu:
    """A graphics processor; a tier has one at most.

    Attributes:
        memory_bytes: Its own memory.
    """

    vendor: Vendor
    memory_bytes: int


@attrs.frozen(kw_only=True)
class Tier:
    """A size.

    Attributes:
        storage_bytes: Room for files.
    """

    name: str
    cores: int
    memory_bytes: int
    storage_bytes: int
    gpu: Gpu | None = None


_PLAIN: Final[Mapping[str, Mapping[str, tuple[int, int, int]]]] = {
    "c": {
        "nano": (1, 512 * MB, 10 * GB),
        "micro": (1, GB, 10 * GB),
        "small": (2, 2 * GB, 20 * GB),
        "medium": (4, 4 * GB, 50 * GB),
        "large": (8, 8 * GB, 100 * GB),
        "xlarge": (16, 16 * GB, 250 * GB),
        "2xlarge": (32, 32 * GB, 500 * GB),
        "4xlarge": (64, 64 * GB, TB),
    },
    "m": {
        "small": (2, 4 * GB, 20 * GB),
        "medium": (4, 16 * GB, 50 * GB),
        "large": (8, 32 * GB, 100 * GB),
        "xlarge": (16, 64 * GB, 250 * GB),
        "2xlarge": (32, 128 * GB, 500 * GB),
        "4xlarge": (64, 256 * GB, TB),
    },
}
_GRAPHIC: Final[Mapping[str, tuple[Vendor, Mapping[str, tuple[int, int, int, int]]]]] = {
    "g": (
        Vendor.ANY,
        {
            "micro": (4, 8 * GB, 50 * GB, 2),
            "small": (4, 16 * GB, 100 * GB, 8),
            "medium": (8, 32 * GB, 250 * GB, 16),
            "large": (12, 48 * GB, 500 * GB, 24),
            "xlarge": (16, 64 * GB, TB, 40),
            "2xlarge": (24, 96 * GB, TB, 80),
        },
    ),
    "gn": (
        Vendor.NVIDIA,
        {
            "small": (4, 16 * GB, 100 * GB, 8),
            "medium": (8, 32 * GB, 250 * GB, 16),
            "large": (12, 48 * GB, 500 * GB, 24),
            "xlarge": (16, 64 * GB, TB, 40),
            "2xlarge": (24, 96 * GB, TB, 80),
        },
    ),
    "ga": (
        Vendor.AMD,
        {
            "small": (4, 16 * GB, 100 * GB, 8),
            "medium": (8, 32 * GB, 250 * GB, 16),
            "large": (12, 48 * GB, 500 * GB, 24),
            "xlarge": (16, 64 * GB, TB, 32),
            "2xlarge": (24, 96 * GB, TB, 64),
        },
    ),
    "gm": (
        Vendor.APPLE,
        {
            "small": (8, 16 * GB, 250 * GB, 16),
            "medium": (10, 32 * GB, 500 * GB, 32),
            "large": (12, 48 * GB, TB, 48),
            "xlarge": (16, 64 * GB, TB, 64),
            "2xlarge": (24, 128 * GB, 2 * TB, 128),
        },
    ),
    "gi": (
        Vendor.INTEL,
        {
            "small": (4, 16 * GB, 100 * GB, 8),
            "medium": (8, 32 * GB, 250 * GB, 16),
            "large": (12, 48 * GB, 500 * GB, 48),
            "xlarge": (16, 64 * GB, TB, 64),
        },
    ),
}


def _table() -> dict[str, Tier]:
    tiers = [
        Tier(name=f"{family}-{size}", cores=cores, memory_bytes=memory, storage_bytes=storage)
        for family, sizes in _PLAIN.items()
        for size, (cores, memory, storage) in sizes.items()
    ]
    tiers += [
        Tier(
            name=f"{family}-{size}",
            cores=cores,
            memory_bytes=memory,
            storage_bytes=storage,
            gpu=Gpu(vendor=vendor, memory_bytes=graphic * GB),
        )
        for family, (vendor, sizes) in _GRAPHIC.items()
        for size, (cores, memory, storage, graphic) in sizes.items()
    ]
    return {tier.name: tier for tier in tiers}


TIERS: Final[Mapping[str, Tier]] = MappingProxyType(_table())
"""The 39 tiers by name; names are case-sensitive."""


@attrs.frozen(kw_only=True)
class Host:
    """What a machine has.

    Attributes:
        storage_bytes: None when nobody has looked.
    """

    cores: int
    memory_bytes: int
    storage_bytes: int | None = None
    gpus: tuple[Gpu, ...] = ()


@attrs.frozen(kw_only=True)
class Allotment:
    """What a node gets.

    Attributes:
        nano_cpus: Cores in billionths, as container engines count them.
        memory_bytes: The limit for memory, and for memory and swap together.
        reason: Why the node must wait; None when it may start.
    """

    cores: int
    memory_bytes: int
    storage_bytes: int
    gpu: Gpu | None = None
    reason: str | None = None

    @property
    def nano_cpus(self) -> int:
        """The cores in billionths."""
        return self.cores * _NANO


def tier_name(written: str) -> str:
    """Return the tier that a definition asks for; nothing written means c-small."""
    return written or DEFAULT_TIER


def allot(tier: Tier, host: Host, fit: Fit) -> Allotment:
    """Return what a node of *tier* gets on *host*.

    Args:
        tier: What the definition asks for.
        host: The whole machine, whatever else is running on it.
        fit: What to do about a tier that is larger.
    """
    gpu = None if tier.gpu is None else _gpu(tier.gpu, host)
    whole = Allotment(cores=tier.cores, memory_bytes=tier.memory_bytes, storage_bytes=tier.storage_bytes, gpu=gpu)
    if fit is Fit.STRICT:
        lacks = tuple(_lacking(tier, host, gpu))
        return whole if not lacks else attrs.evolve(whole, reason=f"tier {tier.name} needs {', and '.join(lacks)}")
    return attrs.evolve(
        whole,
        cores=min(tier.cores, max(host.cores, 1)),
        memory_bytes=min(tier.memory_bytes, host.memory_bytes),
        storage_bytes=tier.storage_bytes if host.storage_bytes is None else min(tier.storage_bytes, host.storage_bytes),
    )


def _gpu(wanted: Gpu, host: Host) -> Gpu | None:
    return next(
        (
            gpu
            for gpu in host.gpus
            if wanted.vendor in (Vendor.ANY, gpu.vendor) and gpu.memory_bytes >= wanted.memory_bytes
        ),
        None,
    )


def _lacking(tier: Tier, host: Host, gpu: Gpu | None) -> list[str]:
    lacks: list[str] = []
    if tier.cores > host.cores:
        lacks.append(f"{tier.cores} cores, of which the host has {host.cores}")
    if tier.memory_bytes > host.memory_bytes:
        lacks.append(f"{_size(tier.memory_bytes)} of memory, of which the host has {_size(host.memory_bytes)}")
    if host.storage_bytes is not None and tier.storage_bytes > host.storage_bytes:
        lacks.append(f"{_size(tier.storage_bytes)} of storage, of which the host has {_size(host.storage_bytes)}")
    if tier.gpu is not None and gpu is None:
        vendor = "" if tier.gpu.vendor is Vendor.ANY else f" by {tier.gpu.vendor}"
        lacks.append(f"a GPU{vendor} with {_size(tier.gpu.memory_bytes)}, which the host does not have")
    return lacks


def _size(amount: int) -> str:
    """Return *amount* bytes as people write it, rounded down."""
    for unit, name in ((TB, "TB"), (GB, "GB"), (MB, "MB")):
        if amount >= unit:
            return f"{amount / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{amount} bytes"
