"""One integer id for a run, spelled by each dialect in its own way."""

import pytest

from flowcore.ids import InstanceId, RunId, StepName, item_id, parse_run_id
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


def quiet(message: str) -> None:
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
