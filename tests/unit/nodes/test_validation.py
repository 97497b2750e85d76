"""Every validation code, each rule at its boundaries (contract flow-runs, sections 5 and 8)."""

import pytest

from flowcore.documents.nodes.codes import RULES
from flowcore.documents.nodes.report import entries
from flowcore.documents.nodes.validation import check_document
from flowcore.errors import Severity
from flowcore.values import Json
from tests.node_documents import BASES, CASES, Case, changed, codes


def each(case: Case) -> str:
    """Return the title of *case*."""
    return case.title


@pytest.mark.parametrize("case", CASES, ids=each)
def test_a_document_gets_its_codes_and_no_others(case: Case) -> None:
    assert codes(case.document) == (case.errors, case.warnings)


def test_every_code_has_a_case() -> None:
    told = {code for case in CASES for code in (*case.errors, *case.warnings)}
    assert told == set(RULES) - {"DOC_001"}


def shout(value: Json) -> Json:
    """Return *value* with every key in capitals and one more key that nobody knows."""
    if isinstance(value, dict):
        return {"x-note": [1], **{key.upper(): item if key == "Params" else shout(item) for key, item in value.items()}}
    return [shout(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES, ids=each)
def test_the_case_of_keys_and_unknown_keys_do_not_count(case: Case) -> None:
    assert codes(shout(case.document)) == (case.errors, case.warnings)


def test_a_document_that_is_nothing_has_no_nodes() -> None:
    assert codes(None) == (["FLOW_002"], [])


def test_a_wrong_type_is_told_alone() -> None:
    """What the rest means cannot be known."""
    document = changed(BASES["photo"], {"Flow.Nodes[0].Inputs": "original", "NodeDefs[0].Tier": "x"})
    assert codes(document) == (["DOC_001"], [])


def test_the_entries_of_the_wire() -> None:
    document = changed(BASES["open"], {"Flow.Nodes[0].Uses": "pupload/resise"})
    problems = check_document(document).problems
    assert entries(problems, Severity.ERROR) == [
        {
            "Type": "ValidationError",
            "Code": "NODE_001",
            "Name": "NodeDefNotFound",
            "Description": "node 'resize-1' uses 'pupload/resise', but there is no such definition "
            "(did you mean `pupload/resize`?)",
        }
    ]
    assert entries(problems, Severity.WARNING) == [
        {
            "Type": "ValidationWarning",
            "Code": "EDGE_001",
            "Name": "EdgeNoProducer",
            "Description": "nothing feeds the edge 'input-image': its readers start without it (a definition that "
            "declares the input asks for an upload; so does a `DefaultDataWell` with a `Source`)",
        },
        {
            "Type": "ValidationWarning",
            "Code": "EDGE_004",
            "Name": "EdgeNoDatawell",
            "Description": "no data well keeps the edge 'output-image': the built-in store does "
            "(`DefaultDataWell: {Store: default}` says so)",
        },
    ]


def test_an_entry_without_a_hint_is_the_message() -> None:
    document = changed(BASES["photo"], {"Flow.Nodes[0].Flags": []})
    assert [entry["Description"] for entry in entries(check_document(document).problems, Severity.ERROR)] == [
        "node 'shrink' must set the flag 'width' of 'lab/shrink'"
    ]


def test_an_entry_about_a_wrong_type_says_where() -> None:
    """It has no name to be found by."""
    problems = check_document({"Flow": {"Nodes": [{"ID": 3}]}}).problems
    assert [entry["Description"] for entry in entries(problems, Severity.ERROR)] == [
        "Flow.Nodes[0].ID: 'ID' must be text, not a number (put it in quotes)"
    ]
    assert [entry["Description"] for entry in entries(check_document([]).problems, Severity.ERROR)] == [
        "an object is wanted here, not a list"
    ]


def problem_lines(document: Json) -> list[str]:
    """Return the problems as people read them."""
    return [str(problem) for problem in check_document(document).problems]


def test_what_is_found_names_its_place_and_a_way_out() -> None:
    document = changed(
        BASES["chain"],
        {
            "Flow.Nodes[1].Inputs[0].Edge": "midle",
            "NodeDefs[1].Inputs[0].Name": "inn",
            "Flow.DataWells[0].Store": "atic",
        },
    )
    ports, edges, wells = problem_lines(document)
    assert ports == (
        "Flow.Nodes[1].Inputs[0].Name: node 'second' binds the input 'in', which 'lab/take' does not have "
        "(did you mean `inn`?)"
    )
    assert edges == "Flow.Nodes[1].Inputs[0].Edge: nothing feeds the edge 'midle' (did you mean `middle`?)"
    assert wells == (
        "Flow.DataWells[0].Store: the well of the edge 'raw' names the store 'atic', which is not declared "
        "(did you mean `attic`?)"
    )


def test_nodes_without_an_id_and_circles_are_told_in_words() -> None:
    document = changed(
        BASES["chain"], {"Flow.Nodes[0].Inputs[0].Edge": "end", "Flow.Nodes[0].ID": "", "Flow.DataWells": []}
    )
    assert problem_lines(document) == [
        "Flow.Nodes[0]: a node needs an ID (any text that no other node has)",
        "Flow.Nodes[0]: the nodes wait for each other: Nodes[0] -> second -> Nodes[0]",
    ]


def ring(size: int, *, rings: int = 1) -> dict[str, Json]:
    """Return a document of *rings* circles of *size* nodes each."""
    nodes: list[Json] = [
        {
            "ID": f"n{circle}.{number}",
            "Uses": "a/b",
            "Inputs": [{"Name": "in", "Edge": f"e{circle}.{number}"}],
            "Outputs": [{"Name": "out", "Edge": f"e{circle}.{(number + 1) % size}"}],
        }
        for circle in range(rings)
        for number in range(size)
    ]
    return {"Flow": {"Nodes": nodes}, "NodeDefs": [{"Publisher": "a", "Name": "b"}]}


def test_a_long_circle_is_told_by_its_ends() -> None:
    (line,) = [line for line in problem_lines(ring(30)) if "wait" in line]
    assert line.endswith(
        "n0.0 -> n0.29 -> n0.28 -> n0.27 -> n0.26 -> n0.25 -> n0.24 -> n0.23 -> n0.22 -> n0.21 -> ... -> n0.0"
    )


def test_of_many_circles_some_are_told() -> None:
    assert sum("wait" in line for line in problem_lines(ring(2, rings=40))) == 20


def test_a_large_document_full_of_faults_is_told_in_good_time_and_length() -> None:
    """500 findings of a kind are enough for anybody, and guesses are made for the first ones only."""
    nodes: list[Json] = [
        {"ID": f"n{number}", "Uses": f"a/x{number}", "Inputs": [{"Name": "in", "Edge": f"e{number}"}]}
        for number in range(2_000)
    ]
    definitions: list[Json] = [{"Publisher": "a", "Name": f"y{number}"} for number in range(2_000)]
    wells: list[Json] = [{"Edge": "none", "Store": "default"}]
    problems = check_document({"Flow": {"Nodes": nodes, "DataWells": wells}, "NodeDefs": definitions}).problems
    counts = {code: sum(problem.code == code for problem in problems) for code in ("NODE_001", "EDGE_001", "WELL_002")}
    assert counts == {"NODE_001": 500, "EDGE_001": 500, "WELL_002": 1}


def test_a_definition_with_many_requirements_costs_what_a_node_binds() -> None:
    ports: list[Json] = [{"Name": f"p{number}", "Required": True} for number in range(2_000)]
    nodes: list[Json] = [{"ID": f"n{number}", "Uses": "a/b"} for number in range(2_000)]
    document: Json = {"Flow": {"Nodes": nodes}, "NodeDefs": [{"Publisher": "a", "Name": "b", "Inputs": ports}]}
    assert codes(document) == (["NODE_002"], [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BucketName", "127.0.0.1:9000/x"),
        ("BucketName", "Photos"),
        ("Location", "evil.example:9000#"),
        ("Endpoint", "http://127.0.0.1\\@s3.example.com"),
    ],
)
def test_what_becomes_a_part_of_a_url_chooses_no_other_host(name: str, value: str) -> None:
    document = changed(BASES["photo"], {"Flow.Stores[0].Params": {"BucketName": "b", name: value}})
    assert codes(document) == (["STORE_003"], [])
    (problem,) = check_document(document).problems
    assert (problem.path[-1], value in problem.message) == (name, False)


def test_names_as_s3_has_them_are_sound() -> None:
    sound = {"BucketName": "my.photos-2", "Location": "eu-west-1", "Endpoint": "http://[::1]:9000/minio"}
    for params in (sound, {"BucketName": "b", "Location": "", "Endpoint": None}):
        assert codes(changed(BASES["photo"], {"Flow.Stores[0].Params": params})) == ([], [])


def test_no_finding_shows_a_secret_of_a_store() -> None:
    document = changed(
        BASES["photo"], {"Flow.Stores[0].Params": {"BucketName": 7, "SecretKey": ["s3cr3t"], "Secure": "s3cr3t"}}
    )
    checked = check_document(document)
    assert codes(document) == (["STORE_003"], [])
    assert "s3cr3t" not in f"{checked.problems} {checked.document}"


def test_a_port_bound_twice_is_told_what_becomes_of_it() -> None:
    more: dict[str, Json] = {
        "Flow.Nodes[0].Inputs[+]": {"Name": "picture", "Edge": "original"},
        "Flow.Nodes[0].Outputs[+]": {"Name": "result", "Edge": "small"},
    }
    found = check_document(changed(BASES["photo"], more)).problems
    assert [(problem.code, problem.hint) for problem in found] == [
        ("NODE_010", "it waits for all of them, and the last one counts"),
        ("NODE_010", "what is left there goes to each of its edges"),
    ]
