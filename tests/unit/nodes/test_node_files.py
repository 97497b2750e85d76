"""Flows of nodes in files: which file is what, and where every problem stands."""

import pytest

from flowcore.documents.flow_files import FlowFile, is_node_flow
from flowcore.documents.nodes.node_files import check_node_files, coded, count, refuse_unsound
from flowcore.errors import FlowDocumentError, Severity

FLOW = FlowFile(
    "flow.yaml",
    """Name: photo
nodes:
  - ID: shrink
    Uses: lab/shrink
    Inputs:
      - {Name: picture, Edge: original}
    Outputs:
      - {Name: result, Edge: bad name}
""",
)
SHRINK = FlowFile(
    "defs/shrink.yaml",
    """Publisher: lab
Name: shrink
Image: lab/shrink
Inputs:
  - Name: picture
    Type:
      - image/*
      - picture
Outputs: [{Name: result}]
Flags: []
Tier: c-huge
""",
)


def lines(*definitions: FlowFile, flow: FlowFile = FLOW) -> list[str]:
    """Return what is wrong, line by line."""
    return [f"{problem.code} {problem}" for problem in check_node_files([flow], definitions).problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nodes: []", True),
        ("nodes:", True),
        ("Flow: {Nodes: []}", True),
        ("flow: {Nodes: []}\nNodeDefs: []", True),
        ("NodeDefs: []", True),
        ("flow: []", False),
        ("flow: []\nsources: {}\n# nodes", False),
        ("name: nodes", False),
        ("", False),
        ('{"nodes": [], "edges": []}', False),
    ],
)
def test_what_is_a_flow_of_nodes(text: str, expected: bool) -> None:
    assert is_node_flow([FlowFile("f", text)]) is expected


def test_every_problem_stands_in_its_file() -> None:
    assert [line.partition(": ")[0] for line in lines(SHRINK)] == [
        "NODE_004 defs/shrink.yaml:11:1 Tier",
        "TYPE_001 defs/shrink.yaml:8:9 Inputs[0].Type[1]",
        "EDGE_005 flow.yaml:8:24 nodes[0].Outputs[0].Edge",
        "EDGE_004 flow.yaml:8:24 nodes[0].Outputs[0].Edge",
    ]


def test_a_document_of_both_in_one_file() -> None:
    text = "Flow:\n  Nodes:\n    - {ID: a, Uses: x/y}\nnodedefs:\n  - Publisher: x\n    Name: y\n    Tier: z\n"
    assert [line.partition(": ")[0] for line in lines(flow=FlowFile("all.yaml", text))] == [
        "NODE_004 all.yaml:7:5 nodedefs[0].Tier"
    ]


def test_json_is_read_too() -> None:
    text = '{"Flow": {"Nodes": [\n{"ID": "a", "Uses": "x/y"}]},\n "NodeDefs": [{"Publisher": "x"}]}'
    (line,) = lines(flow=FlowFile("all.json", text))
    assert line == (
        "NODE_001 all.json:2:13 Flow.Nodes[0].Uses: node 'a' uses 'x/y', but there is no such definition "
        "(did you mean `x/`?)"
    )


def test_definitions_as_a_list_or_under_their_key_and_of_one_name_the_first() -> None:
    several = FlowFile("defs/a.yaml", "- {Publisher: a, Name: a}\n- {Publisher: a, Name: b, Tier: x}\n")
    under = FlowFile(
        "defs/b.json", '{"NodeDefs": [{"Publisher": "a", "Name": "c", "Tier": "y"}, {"Publisher": "a", "Name": "b"}]}'
    )
    flow = FlowFile("f.yaml", "Nodes: [{ID: 1a, Uses: a/a}, {ID: 2b, Uses: a/b}, {ID: 3c, Uses: a/c}]")
    assert [
        line.partition(": ")[0] for line in lines(several, under, FlowFile("empty.yaml", "# none\n"), flow=flow)
    ] == [
        "NODE_004 defs/a.yaml:2:27 [1].Tier",
        "NODE_004 defs/b.json:1:47 NodeDefs[0].Tier",
    ]


def test_a_file_that_is_no_definition_is_told_with_the_others() -> None:
    with pytest.raises(FlowDocumentError) as caught:
        check_node_files([FLOW], [FlowFile("defs/a.yaml", "text"), SHRINK, FlowFile("defs/b.yaml", "a: [")])
    assert [(problem.file, problem.code) for problem in caught.value.problems] == [
        ("defs/a.yaml", "DOC_001"),
        ("defs/b.yaml", "yaml-syntax"),
    ]


def test_what_yaml_cannot_hold_is_told_with_everything_else_and_once() -> None:
    flow = FlowFile(
        "f.yaml",
        "Name: !!int a\n"
        "Nodes:\n"
        "  - {ID: a, Uses: lab/nothing}\n"
        "  - {ID: b, Uses: .inf}\n"
        "  - {ID: c, Uses: lab/x, ID: c}\n",
    )
    definition = FlowFile("d.yaml", "- {Publisher: lab, Name: x, Tier: huge, Version: .nan}\n- {Publisher: .inf}\n")
    assert [line.partition(": ")[0] for line in lines(definition, flow=flow)] == [
        "DOC_001 f.yaml:1:7 Name",
        "DOC_001 f.yaml:4:19 Nodes[1].Uses",
        "DOC_001 f.yaml:5:26 Nodes[2].ID",
        "DOC_001 d.yaml:1:50 [0].Version",
        "DOC_001 d.yaml:2:15 [1].Publisher",
        "NODE_001 f.yaml:3:13 Nodes[0].Uses",
        "NODE_004 d.yaml:1:29 [0].Tier",
    ]


def test_a_document_that_is_sound_but_for_a_number_is_not() -> None:
    checked = check_node_files(
        [FlowFile("f.yaml", "Nodes: [{ID: a, Uses: x/y}]\nNodeDefs: [{Publisher: x, Name: y}]\nName: .inf")]
    )
    assert ([problem.code for problem in checked.problems], checked.sound) == (["DOC_001"], False)


def test_files_that_cannot_be_read_are_told_with_all_others() -> None:
    flows = [FlowFile("f.yaml", "Name: .inf\nNodes: ["), FlowFile("g.yaml", "- 1")]
    definitions = [FlowFile("a.yaml", "text"), FlowFile("b.yaml", "Name: .inf"), FlowFile("c.yaml", "a: [")]
    with pytest.raises(FlowDocumentError) as caught:
        check_node_files(flows, definitions)
    assert [(problem.file, problem.code) for problem in caught.value.problems] == [
        ("f.yaml", "yaml-value"),
        ("f.yaml", "yaml-syntax"),
        ("g.yaml", "not-a-mapping"),
        ("a.yaml", "DOC_001"),
        ("c.yaml", "yaml-syntax"),
        ("b.yaml", "yaml-value"),
    ]


def test_what_has_the_wrong_type_is_told_at_its_place() -> None:
    flow = FlowFile("f.yaml", "Flow: {Name: 3}\nNodeDefs: nothing\n")
    assert lines(flow=flow) == [
        "DOC_001 f.yaml:1:8 Flow.Name: 'Name' must be text, not a number (put it in quotes)",
        "DOC_001 f.yaml:2:1 NodeDefs[0]: an object is wanted here, not text",
    ]


def test_what_is_wrong_with_the_whole_stands_at_its_beginning() -> None:
    nested = "Flow: " + "[" * 60 + "]" * 60
    (line,) = lines(flow=FlowFile("f.yaml", f"Nodes: []\n{nested}\n"))
    assert line == "DOC_001 f.yaml:2:1 Flow: an object is wanted here, not a list"


def test_an_unsound_document_is_refused_with_its_codes() -> None:
    checked = check_node_files([FLOW], [SHRINK])
    assert (count(checked, Severity.ERROR), count(checked, Severity.WARNING)) == (3, 1)
    with pytest.raises(FlowDocumentError) as caught:
        refuse_unsound(checked)
    assert caught.value.problems == tuple(coded(problem) for problem in checked.problems)
    assert str(caught.value.problems[0]).startswith("defs/shrink.yaml:11:1 Tier: NODE_004 definition 'lab/shrink'")


def test_a_sound_document_is_not() -> None:
    flow = FlowFile("f.yaml", "Nodes: [{ID: a, Uses: x/y}]\nNodeDefs: [{Publisher: x, Name: y}]\n")
    refuse_unsound(check_node_files([flow]))
