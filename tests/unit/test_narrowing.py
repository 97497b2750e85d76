"""An `env` source that reads fewer variables than the one it is made from: what is secret of the others falls away."""

from collections.abc import Mapping

import pytest

from flowcore.documents.flow_files import FlowFile, parse_flow_files
from flowcore.documents.narrowing import merge_source
from flowcore.values import Json


def env(**configuration: Json) -> dict[str, Json]:
    """Return a source of the environment."""
    return {"type": "env", "configuration": configuration}


def over(**configuration: Json) -> dict[str, Json]:
    """Return a change of a source."""
    return {"configuration": configuration}


BASE = env(vars=["A", "B", "C"], secret=["B", "C"])


@pytest.mark.parametrize(
    ("base", "override", "secret"),
    [
        (BASE, over(vars=["A"]), []),
        (BASE, over(vars=["A", "C"]), ["C"]),
        (BASE, over(vars="B"), ["B"]),
        (BASE, over(vars=None), []),
        (BASE, over(other=1), ["B", "C"]),
        (BASE, {}, ["B", "C"]),
        (env(vars=["A", "B"], secret=["B", "{{ 'A' }}"]), over(vars=["A"]), ["{{ 'A' }}"]),
        (env(vars=["A", "B"], secret=True), over(vars=["A"]), True),
        # What an expression lists may be anything, so nothing is taken away.
        (BASE, over(vars=["{{ run.name }}"]), ["B", "C"]),
        (env(vars=["A", "{{ run.name }}"], secret=["B"]), over(vars=["A"]), ["B"]),
        (BASE, over(vars={"A": "B"}), ["B", "C"]),
        (BASE, over(vars=["A", 5]), ["B", "C"]),
        (env(vars=["A", "B"], secret=("B",)), over(vars=("A",)), []),
        (env(vars=["A", "B"], secret=False), over(vars=["D"]), False),
        (env(vars=["A", "B"], secret="B"), over(vars=["A"]), "B"),
    ],
)
def test_what_is_no_longer_read_is_no_secret(base: Mapping[str, Json], override: Json, secret: Json) -> None:
    assert isinstance(override, dict)
    before = repr(base)
    merged = merge_source(base, override)
    assert _secret(merged) == secret
    assert repr(base) == before


@pytest.mark.parametrize(
    ("base", "override", "secret"),
    [
        # Misspelt where it was written: it was never listed.
        (env(vars=["A", "B"], secret=["B", "BB"]), over(vars=["A"]), ["B", "BB"]),
        (env(vars=["A", "B"], secret=["B", 5]), over(vars=["A"]), ["B", 5]),
        (BASE, over(vars=["A"], secret=["B"]), ["B"]),
        (BASE, over(secret=["X"]), ["X"]),
        (env(secret=["B"]), over(vars=["A"]), ["B"]),
    ],
)
def test_what_was_written_wrong_stays(base: Mapping[str, Json], override: Json, secret: Json) -> None:
    assert isinstance(override, dict)
    assert _secret(merge_source(base, override)) == secret


@pytest.mark.parametrize("listed", [["D"], ["A", "D"], ["b"], ["A", "c"], "D"])
def test_an_exchange_is_no_narrowing(listed: Json) -> None:
    merged = merge_source(BASE, over(vars=listed))
    assert merged == env(vars=listed, secret=["B", "C"])


def test_a_source_of_another_kind_means_something_else() -> None:
    base: dict[str, Json] = {"type": "theirs", "configuration": {"vars": ["A"], "secret": ["A"]}}
    assert _secret(merge_source(base, over(vars=[]))) == ["A"]


def test_files_are_merged_as_they_are() -> None:
    files = [
        FlowFile("one.yaml", "sources: {e: {type: env, configuration: {vars: [A, B], secret: [B]}}}"),
        FlowFile("two.yaml", "sources: {e: {configuration: {vars: [A]}}}"),
    ]
    assert parse_flow_files(files) == {"sources": {"e": env(vars=["A"], secret=["B"])}}


def _secret(source: Mapping[str, Json]) -> Json:
    configuration = source["configuration"]
    assert isinstance(configuration, Mapping)
    return configuration["secret"]
