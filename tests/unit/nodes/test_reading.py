"""The typed document: keys in any case, null as nothing, wrong types (contract flow-runs, section 2)."""

import pytest

from flowcore.documents.findings import Findings
from flowcore.documents.nodes.model import (
    Binding,
    DataWell,
    Definition,
    Flag,
    FlagValue,
    Lifetime,
    Node,
    NodeDocument,
    NodeFlow,
    Port,
    Store,
)
from flowcore.documents.nodes.reading import read_document
from flowcore.values import Json
from tests.node_documents import BASES, changed


def read(body: Json) -> NodeDocument:
    """Return the document that *body* is, of which nothing may be wrong."""
    findings = Findings()
    document = read_document(body, findings)
    assert findings.problems == ()
    return document


def refused(body: Json) -> list[str]:
    """Return what is wrong with the types in *body*."""
    findings = Findings()
    read_document(body, findings)
    assert {problem.code for problem in findings.problems} == {"DOC_001"}
    return [str(problem) for problem in findings.problems]


def test_a_whole_document() -> None:
    body = changed(
        BASES["photo"],
        {
            "Flow.DefaultDataWell": {
                "Store": "attic",
                "Source": "webhook",
                "Key": "${UUID}",
                "Lifetime": {"Days": 1.5},
            },
            "Flow.Nodes[0].Command": "never read",
            "NodeDefs[0].ID": "not used either",
        },
    )
    assert read(body) == NodeDocument(
        flow=NodeFlow(
            name="photo",
            stores=(Store(name="attic", type="s3", params={"BucketName": "pictures"}),),
            default_well=DataWell(
                edge="", store="attic", source="webhook", key="${UUID}", lifetime=Lifetime(seconds=129_600.0)
            ),
            wells=(DataWell(edge="original", store="attic", source="upload"), DataWell(edge="small", store="attic")),
            nodes=(
                Node(
                    id="shrink",
                    uses="lab/shrink",
                    inputs=(Binding(name="picture", edge="original"),),
                    outputs=(Binding(name="result", edge="small"),),
                    flags=(FlagValue(name="width", value="640"),),
                ),
            ),
        ),
        definitions=(
            Definition(
                publisher="lab",
                name="shrink",
                image="lab/shrink:2",
                inputs=(Port(name="picture", required=True, types=("image/*",)), Port(name="mask", types=("image/*",))),
                outputs=(
                    Port(name="result", required=True, types=("image/*",)),
                    Port(name="log", types=("text/plain",)),
                ),
                flags=(Flag(name="width", required=True), Flag(name="quality")),
                command="shrink --width ${width} ${picture} ${result}",
                tier="c-small",
                max_attempts=2,
            ),
        ),
    )


@pytest.mark.parametrize("body", [None, {}, {"Flow": None, "NodeDefs": None}, {"flow": {}, "nodedefs": []}])
def test_nothing_is_an_empty_flow(body: Json) -> None:
    assert read(body) == NodeDocument(flow=NodeFlow())


def test_an_absent_family_is_open_and_an_empty_one_is_not() -> None:
    absent, null, empty = read(
        {
            "NodeDefs": [
                {},
                {"Inputs": None, "Outputs": None, "Flags": None},
                {"inputs": [], "outputs": [], "flags": []},
            ]
        }
    ).definitions
    assert (absent.inputs, absent.outputs, absent.flags) == (None, None, None)
    assert null == absent
    assert (empty.inputs, empty.outputs, empty.flags) == ((), (), ())


def test_of_two_spellings_of_a_key_the_later_counts() -> None:
    assert read({"flow": {"Name": "a"}, "FLOW": {"name": "b", "NAME": "c"}}).flow.name == "c"


def test_paths_are_spelled_as_the_document_spells_them() -> None:
    (node,) = read({"flow": {"NODES": [{"id": "a", "inputs": [{}]}]}}).flow.nodes
    assert node.path == ("flow", "NODES", 0)
    assert node.inputs[0].path == ("flow", "NODES", 0, "inputs", 0)


@pytest.mark.parametrize(("written", "expected"), [(None, 3), (0, 3), (-5, 3), (1, 1), (7, 7), (1_000_000, 1_000_000)])
def test_how_often_a_node_is_tried(written: int | None, expected: int) -> None:
    (definition,) = read({"NodeDefs": [{"MaxAttempts": written}]}).definitions
    assert definition.attempts == expected


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [(None, None), ({}, None), ({"Seconds": 5}, 5.0), ({"days": 2}, 172_800.0), ({"Seconds": 1, "Days": 1}, 86_401.0)],
)
def test_lifetimes(lifetime: Json, seconds: float | None) -> None:
    (well,) = read({"Flow": {"DataWells": [{"Lifetime": lifetime}]}}).flow.wells
    assert well.lifetime.seconds == seconds


def attempts(value: Json) -> Json:
    """Return a document with this `MaxAttempts`."""
    return {"NodeDefs": [{"MaxAttempts": value}]}


def port(key: str, value: Json) -> Json:
    """Return a document with an input of which this is said."""
    return {"NodeDefs": [{"Inputs": [{key: value}]}]}


def days(value: Json) -> Json:
    """Return a document with a well of this lifetime."""
    return {"Flow": {"DataWells": [{"Lifetime": {"Days": value}}]}}


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ([], "", "an object is wanted here, not a list"),
        ("text", "", "an object is wanted here, not text"),
        ({"Flow": 3}, "Flow", "an object is wanted here, not a number"),
        ({"Flow": {"Nodes": {}}}, "Flow.Nodes", "'Nodes' must be a list, not a mapping"),
        ({"Flow": {"nodes": [1]}}, "Flow.nodes[0]", "an object is wanted here, not a number"),
        ({"Flow": {"Name": 3}}, "Flow.Name", "'Name' must be text, not a number (put it in quotes)"),
        ({"Flow": {"Name": []}}, "Flow.Name", "'Name' must be text, not a list"),
        ({"Flow": {"Name": "a\0b"}}, "Flow.Name", "'Name' holds a NUL character, which no program and no store takes"),
        ({"Flow": {"Name": "\ud800"}}, "Flow.Name", "the text is no valid Unicode"),
        (attempts(1.5), "NodeDefs[0].MaxAttempts", "'MaxAttempts' must be a whole number, not a number"),
        (attempts(True), "NodeDefs[0].MaxAttempts", "'MaxAttempts' must be a whole number, not a boolean"),
        (attempts(1_000_001), "NodeDefs[0].MaxAttempts", "'MaxAttempts' must be at most 1000000"),
        (port("Required", "yes"), "NodeDefs[0].Inputs[0].Required", "'Required' must be true or false, not text"),
        (port("Type", "image/png"), "NodeDefs[0].Inputs[0].Type", "'Type' must be a list, not text"),
        (port("Type", [1]), "NodeDefs[0].Inputs[0].Type", "'Type' must be a list of texts"),
        (days("1"), "Flow.DataWells[0].Lifetime.Days", "'Days' must be a number, not text"),
        (days(-1), "Flow.DataWells[0].Lifetime.Days", "'Days' must be a number from 0 on, not -1"),
    ],
)
def test_a_wrong_type_is_told_with_its_place(body: Json, where: str, what: str) -> None:
    assert refused(body) == [f"{where}: {what}" if where else what]


def test_all_wrong_types_are_told() -> None:
    assert len(refused({"Flow": {"Name": 1, "Stores": 2, "Nodes": [3, {"ID": 4}]}})) == 4


def test_an_object_that_is_too_deep_is_refused() -> None:
    body: Json = {}
    for _ in range(100):
        body = {"Flow": body}
    assert refused(body) == ["Flow: mappings and lists are nested deeper than 64 levels"]
