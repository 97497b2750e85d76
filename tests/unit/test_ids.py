"""One integer id for a run, spelled by each dialect in its own way."""

import pytest

from flowcore.ids import (
    BatchId,
    InstanceId,
    RunId,
    StepName,
    item_id,
    item_number,
    item_run,
    parse_batch_id,
    parse_item_id,
    parse_run_id,
)
from flowcore.ports import CancelAction, SourceCall, SourceResult


@pytest.mark.parametrize("text", ["1733524800000", "exec-1733524800000", "run_1733524800000"])
def test_every_dialect_spells_the_same_run(text: str) -> None:
    assert parse_run_id(text) == RunId(1733524800000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "exec-",
        "run_",
        "exec-run_1",
        "run-1",
        "Exec-1",
        " 1",
        "1 ",
        "1\n",
        "-1",
        "+1",
        "1.0",
        "1_000",
        "٣",
        "1" * 19,
    ],
)
def test_what_spells_no_run_is_none(text: str) -> None:
    assert parse_run_id(text) is None


def test_the_runs_of_a_batch_have_the_ids_that_follow_its_own() -> None:
    batch = BatchId(1733524800000)
    assert parse_item_id("exec-1733524800000-3") == (batch, 3)
    assert parse_run_id("exec-1733524800000-3") == item_run(batch, 3) == RunId(1733524800003)
    assert item_number(batch, RunId(1733524800003)) == 3


@pytest.mark.parametrize("text", ["exec-1733524800000-0", "exec-1-01", "exec--1", "exec-1-1234567", "run_1-2", "1-2"])
def test_what_spells_no_item_is_none(text: str) -> None:
    assert parse_item_id(text) is None
    assert parse_run_id(text) is None


@pytest.mark.parametrize("text", ["batch-1733524800000", "1733524800000"])
def test_a_batch_is_spelled_with_its_word_or_without(text: str) -> None:
    assert parse_batch_id(text) == BatchId(1733524800000)


@pytest.mark.parametrize("text", ["", "batch-", "batch_1", "exec-1", "Batch-1", "batch-" + "1" * 19, "batch-1\n"])
def test_what_spells_no_batch_is_none(text: str) -> None:
    assert parse_batch_id(text) is None


def test_an_item_is_named_by_its_step_and_its_index_from_zero() -> None:
    assert item_id(StepName("fetch"), 3) == "fetch/3"


class Uncancelled:
    """A token that nobody cancels."""

    @property
    def cancelled(self) -> bool:
        return False

    def wait(self, timeout_s: float) -> bool:
        return False

    def on_cancel(self, action: CancelAction | None) -> None:
        return


def quiet(message: str, *, stream: str = "source") -> None:
    """Write no log."""


def test_the_idempotency_key_names_run_step_and_attempt() -> None:
    call = SourceCall(
        run_id=RunId(7),
        instance=InstanceId("fetch/3"),
        attempt=2,
        configuration={},
        payload=None,
        deadline=1.0,
        cancel=Uncancelled(),
        log=quiet,
    )
    assert call.idempotency_key == "7/fetch/3/2"


def test_a_result_has_no_facts_and_no_notes_unless_it_says_so() -> None:
    result = SourceResult(data=1)
    assert (result.data, dict(result.meta), result.notes) == (1, {}, ())
