"""The 39 tiers (contract flow-runs, section 10), and what a host has for them."""

import pytest

from flowcore.artifacts import Fit, Vendor
from flowcore.documents.nodes.tiers import GB, MB, TB, TIERS, Allotment, Gpu, Host, Tier, allot, tier_name

TABLE = """
c-: nano 1/512mb/10gb, micro 1/1/10, small 2/2/20, medium 4/4/50, large 8/8/100, xlarge 16/16/250, 2xlarge 32/32/500,
4xlarge 64/64/1tb
m-: small 2/4/20, medium 4/16/50, large 8/32/100, xlarge 16/64/250, 2xlarge 32/128/500, 4xlarge 64/256/1tb
g-: micro 4/8/50/2, small 4/16/100/8, medium 8/32/250/16, large 12/48/500/24, xlarge 16/64/1tb/40, 2xlarge 24/96/1tb/80
gn-: small 4/16/100/8, medium 8/32/250/16, large 12/48/500/24, xlarge 16/64/1tb/40, 2xlarge 24/96/1tb/80
ga-: small 4/16/100/8, medium 8/32/250/16, large 12/48/500/24, xlarge 16/64/1tb/32, 2xlarge 24/96/1tb/64
gm-: small 8/16/250/16, medium 10/32/500/32, large 12/48/1tb/48, xlarge 16/64/1tb/64, 2xlarge 24/128/2tb/128
gi-: small 4/16/100/8, medium 8/32/250/16, large 12/48/500/48, xlarge 16/64/1tb/64
"""
VENDORS = {"g": Vendor.ANY, "gn": Vendor.NVIDIA, "ga": Vendor.AMD, "gm": Vendor.APPLE, "gi": Vendor.INTEL}


def amount(text: str) -> int:
    """Return the bytes that *text* means; a bare number is gigabytes."""
    unit = {"mb": MB, "gb": GB, "tb": TB}.get(text[-2:])
    return int(text) * GB if unit is None else int(text[:-2]) * unit


def written() -> dict[str, Tier]:
    """Return the tiers as the contract's table writes them."""
    found: dict[str, Tier] = {}
    for line in TABLE.replace(",\n4x", ", 4x").strip().splitlines():
        family, _, sizes = line.partition("-: ")
        for size in sizes.split(", "):
            name, _, values = size.partition(" ")
            cores, memory, storage, *gpu = values.split("/")
            found[f"{family}-{name}"] = Tier(
                name=f"{family}-{name}",
                cores=int(cores),
                memory_bytes=amount(memory),
                storage_bytes=amount(storage),
                gpu=Gpu(vendor=VENDORS[family], memory_bytes=amount(gpu[0])) if gpu else None,
            )
    return found


def test_the_table_is_the_contracts() -> None:
    assert dict(TIERS) == written()
    assert len(TIERS) == 39


@pytest.mark.parametrize("name", ["pn-small", "pa-small", "hn-small", "ha-small", "C-SMALL", ""])
def test_what_is_not_in_the_table(name: str) -> None:
    assert name not in TIERS


def test_nothing_written_is_the_small_tier() -> None:
    assert [tier_name(""), tier_name("m-large")] == ["c-small", "m-large"]


SMALL = Host(cores=2, memory_bytes=3 * GB)


def test_a_tier_that_fits_is_given_whole() -> None:
    expected = Allotment(cores=2, memory_bytes=2 * GB, storage_bytes=20 * GB)
    assert [allot(TIERS["c-small"], SMALL, fit) for fit in Fit] == [expected, expected]
    assert expected.nano_cpus == 2_000_000_000


def test_a_larger_tier_is_clamped_or_waits() -> None:
    assert allot(TIERS["c-large"], SMALL, Fit.CLAMP) == Allotment(cores=2, memory_bytes=3 * GB, storage_bytes=100 * GB)
    assert allot(TIERS["c-large"], SMALL, Fit.STRICT).reason == (
        "tier c-large needs 8 cores, of which the host has 2, and 8 GB of memory, of which the host has 3 GB"
    )


def test_storage_counts_when_somebody_has_looked() -> None:
    host = Host(cores=64, memory_bytes=TB, storage_bytes=5 * GB + GB // 2)
    assert allot(TIERS["c-nano"], host, Fit.CLAMP).storage_bytes == 5 * GB + GB // 2
    assert allot(TIERS["c-nano"], host, Fit.STRICT).reason == (
        "tier c-nano needs 10 GB of storage, of which the host has 5.5 GB"
    )


def test_the_first_gpu_that_is_large_enough_and_of_the_vendor_is_given() -> None:
    small, amd, big = (
        Gpu(vendor=Vendor.NVIDIA, memory_bytes=4 * GB),
        Gpu(vendor=Vendor.AMD, memory_bytes=16 * GB),
        Gpu(vendor=Vendor.NVIDIA, memory_bytes=16 * GB),
    )
    host = Host(cores=64, memory_bytes=TB, gpus=(small, amd, big))
    assert allot(TIERS["gn-small"], host, Fit.STRICT).gpu is big
    assert allot(TIERS["g-small"], host, Fit.STRICT).gpu is amd
    assert allot(TIERS["g-micro"], host, Fit.CLAMP).gpu is small
    assert allot(TIERS["gm-small"], host, Fit.CLAMP) == Allotment(
        cores=8, memory_bytes=16 * GB, storage_bytes=250 * GB, gpu=None
    )


def test_without_a_gpu_a_strict_tier_waits() -> None:
    host = Host(cores=64, memory_bytes=TB)
    assert [allot(TIERS[name], host, Fit.STRICT).reason for name in ("g-small", "gi-small")] == [
        "tier g-small needs a GPU with 8 GB, which the host does not have",
        "tier gi-small needs a GPU by intel with 8 GB, which the host does not have",
    ]


def test_a_host_that_says_it_has_nothing_still_has_a_core() -> None:
    assert allot(TIERS["c-nano"], Host(cores=0, memory_bytes=100), Fit.CLAMP).cores == 1
    assert allot(TIERS["c-nano"], Host(cores=0, memory_bytes=100), Fit.STRICT).reason == (
        "tier c-nano needs 1 cores, of which the host has 0, and 512 MB of memory, of which the host has 100 bytes"
    )
