"""The garbage collector is held back for a while, and never for longer."""

import gc

import pytest

from flowcore_adapters.collector import uncollected


def test_the_collector_waits_until_the_end() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_goes_on_after_an_error() -> None:
    def fail() -> None:
        with uncollected():
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert gc.isenabled()


def test_a_collector_that_the_program_has_switched_off_stays_so() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
