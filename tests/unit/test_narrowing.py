"""An `env` source that reads fewer variables than the one it is made from: what is secret of the others falls away."""

from collections.abc import Mapping

import pytest

from flowcore.documents.flow_files import FlowFile, parse_flow_files
from flowcore.documents.narrowing import merge_flows, merge_source
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
    files = merge_flows([{"sources": {"e": base}}, {"sources": {"e": override}}])
    assert files == {"sources": {"e": merged}}


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
    files = merge_flows([{"sources": {"e": base}}, {"sources": {"e": override}}])
    assert files["sources"] == {"e": merge_source(base, override)}


@pytest.mark.parametrize("listed", [["D"], ["A", "D"], ["b"], ["A", "c"], "D"])
def test_an_exchange_is_no_narrowing(listed: Json) -> None:
    merged = merge_source(BASE, over(vars=listed))
    assert merged == env(vars=listed, secret=["B", "C"])
    assert merge_flows([{"sources": {"e": BASE}}, {"sources": {"e": over(vars=listed)}}]) == {"sources": {"e": merged}}


@pytest.mark.parametrize(
    ("later", "secret"),
    [
        # Named beside all that is secret, so the file that named it says that it is none.
        ([["A", "B", "C", "D"], ["A", "D"]], []),
        ([["A"], ["B", "C", "D"], ["D"]], []),
        # Named where a secret was left out, so nobody knows.
        ([["A", "B", "D"], ["A", "D"]], ["B", "C"]),
        ([["A", "D"], ["A"]], []),
        ([["A", "{{ run.name }}"], ["A"]], []),
    ],
)
def test_what_is_none_was_listed_beside_all_that_is_one(later: list[Json], secret: Json) -> None:
    documents = [{"sources": {"e": BASE}}, *({"sources": {"e": over(vars=listed)}} for listed in later)]
    assert merge_flows(documents) == {"sources": {"e": env(vars=later[-1], secret=secret)}}


def test_what_an_expression_listed_is_known_when_names_come_in_its_place() -> None:
    documents = [{"sources": {"e": each}} for each in (env(vars="{{ run.name }}", secret=["B"]), over(vars=["A", "B"]))]
    assert merge_flows([*documents, {"sources": {"e": over(vars=["A"])}}]) == {
        "sources": {"e": env(vars=["A"], secret=[])}
    }


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (over(vars=["B"]), over(vars=["B"], secret=["B"])),
        (over(vars="C"), over(vars="C", secret=["C"])),
        (over(vars=["A", "C"]), over(vars=["A", "C"], secret=["C"])),
        # Refused, for `secret` is not of what `vars` lists.
        (over(vars=["D"]), over(vars=["D"], secret=["B", "C"])),
        # Here nothing is inherited.
        (over(vars=["B"], secret=[]), over(vars=["B"], secret=[])),
        (over(other=1), over(other=1)),
        ({"configuration": None}, {"configuration": None}),
        (5, 5),
        ({"type": "value", **over(vars=["B"])}, {"type": "value", **over(vars=["B"])}),
    ],
)
def test_what_a_file_leaves_out_is_secret_where_a_step_reads_it(override: Json, expected: Json) -> None:
    steps: Json = [{"name": "a", "source": {"base": "e", "override": override}}]
    files: list[dict[str, Json]] = [{"sources": {"e": BASE}}, {"sources": {"e": over(vars=["A"])}}, {"flow": steps}]
    before = repr(files)
    wanted: Json = [{"name": "a", "source": {"base": "e", "override": expected}}]
    for order in (files, [files[0], files[2], files[1]]):
        assert merge_flows(order) == {"sources": {"e": env(vars=["A"], secret=[])}, "flow": wanted}
    assert repr(files) == before


@pytest.mark.parametrize(
    "steps",
    [5, [5], [{"source": "e"}], [{"source": {"base": "f", "override": over(vars=["B"])}}], [{"source": {"base": 1}}]],
)
def test_steps_that_make_nothing_of_it_stay(steps: Json) -> None:
    merged = merge_flows([{"sources": {"e": BASE}, "flow": steps}, {"sources": {"e": over(vars=["A"])}}])
    assert merged == {"sources": {"e": env(vars=["A"], secret=[])}, "flow": steps}


def test_a_source_of_another_kind_means_something_else() -> None:
    base: dict[str, Json] = {"type": "theirs", "configuration": {"vars": ["A"], "secret": ["A"]}}
    assert _secret(merge_source(base, over(vars=[]))) == ["A"]


def test_a_variable_that_comes_back_is_a_secret_again() -> None:
    files = [
        FlowFile("one.yaml", "sources: {e: {type: env, configuration: {vars: [A, B], secret: [B]}}}"),
        FlowFile("two.yaml", "sources: {e: {configuration: {vars: [A]}}}"),
        FlowFile("three.yaml", "sources: {e: {configuration: {vars: [A, B]}}}"),
    ]
    assert parse_flow_files(files[:2]) == {"sources": {"e": env(vars=["A"], secret=[])}}
    assert parse_flow_files(files) == {"sources": {"e": env(vars=["A", "B"], secret=["B"])}}


@pytest.mark.parametrize("later", [None, 5, {"type": "env", "configuration": None}])
def test_a_source_may_be_taken_back(later: Json) -> None:
    merged = merge_flows([{"sources": {"e": BASE, "f": 1}}, {"sources": {"e": later}}])
    assert merged == {"sources": {"e": later, "f": 1}}


def test_all_sources_may_be_taken_back() -> None:
    assert merge_flows([{"sources": {"e": BASE}}, {"sources": None}]) == {"sources": None}


def _secret(source: Mapping[str, Json]) -> Json:
    configuration = source["configuration"]
    assert isinstance(configuration, Mapping)
    return configuration["secret"]
