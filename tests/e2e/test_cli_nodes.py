"""`flowcore-cli` and flows of nodes: docs/cli.md, docs/nodes.md."""

import json
from pathlib import Path

import pytest

from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

KEY = ["url.key"]
"""What is beside the stores."""
FLOW = """Name: photo
Nodes:
  - ID: shrink
    Uses: lab/shrnk
    Outputs:
      - {Name: result, Edge: small}
"""
DEFINITION = """Publisher: lab
Name: shrink
Image: lab/shrink
Outputs: [{Name: result}]
"""
KEPT = (
    "warning: flow.yaml:6:24 Nodes[0].Outputs[0].Edge: EDGE_004 no data well keeps the edge 'small': the built-in "
    "store does (`DefaultDataWell: {Store: default}` says so)\n"
)
UNKNOWN = (
    "flow.yaml:4:5 Nodes[0].Uses: NODE_001 node 'shrink' uses 'lab/shrnk', but there is no such definition "
    "(did you mean `lab/shrink`?)\n"
)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the command, in a directory with a flow and the definition of its node."""
    command = Command(tmp_path)
    command.write("flow.yaml", FLOW)
    (tmp_path / "defs" / "more").mkdir(parents=True)
    command.write("defs/more/shrink.yaml", DEFINITION)
    command.write("defs/readme.txt", "no definition")
    return command


def test_everything_wrong_is_told_with_its_place_and_code(command: Command) -> None:
    ended = command("validate", "flow.yaml", "--defs", "defs")
    assert (ended.code, ended.out, ended.err) == (2, "", f"{UNKNOWN}{KEPT}1 problem\n")


def test_warnings_do_not_stand_in_the_way(command: Command) -> None:
    command.write("flow.yaml", FLOW.replace("shrnk", "shrink"))
    ended = command("validate", "flow.yaml", "--defs", "defs/more/shrink.yaml")
    assert (ended.code, ended.out, ended.err) == (0, "flow.yaml: ok (1 node, 1 warning)\n", KEPT)


def test_the_findings_as_json(command: Command) -> None:
    ended = command("validate", "--json", "flow.yaml", "--defs", "defs")
    assert (ended.code, ended.err) == (2, "")
    document = json.loads(ended.out)
    assert [problem["line"] for problem in document.pop("problems")] == [4, 6]
    assert document == {
        "valid": False,
        "files": ["flow.yaml"],
        "name": "photo",
        "nodes": 1,
        "Errors": [
            {
                "Type": "ValidationError",
                "Code": "NODE_001",
                "Name": "NodeDefNotFound",
                "Description": "node 'shrink' uses 'lab/shrnk', but there is no such definition "
                "(did you mean `lab/shrink`?)",
            }
        ],
        "Warnings": [
            {
                "Type": "ValidationWarning",
                "Code": "EDGE_004",
                "Name": "EdgeNoDatawell",
                "Description": "no data well keeps the edge 'small': the built-in store does "
                "(`DefaultDataWell: {Store: default}` says so)",
            }
        ],
    }


def test_a_document_of_both_as_json(command: Command) -> None:
    document = {"Flow": {"Nodes": [{"ID": "a", "Uses": "x/y"}]}, "NodeDefs": [{"Publisher": "x", "Name": "y"}]}
    command.write("both.json", json.dumps(document))
    ended = command("validate", "both.json")
    assert (ended.code, ended.out, ended.err) == (0, "both.json: ok (1 node)\n", "")


def test_definitions_that_cannot_be_read_are_told(command: Command) -> None:
    ended = command("validate", "flow.yaml", "--defs", "nowhere")
    assert (ended.code, ended.err) == (2, "nowhere: cannot be read: No such file or directory\n1 problem\n")


def test_an_unsound_flow_is_not_run(command: Command) -> None:
    ended = command("run", "flow.yaml", "--defs", "defs")
    assert (ended.code, ended.out, ended.err) == (2, "", f"{UNKNOWN}{KEPT}1 problem: nothing was run\n")
    assert command("runs", "--json").out.strip() in {"", "[]"}


def test_the_graph_of_a_flow_of_nodes(command: Command) -> None:
    flow = {
        "Nodes": [
            {"ID": "last", "Uses": "lab/shrink", "Inputs": [{"Name": "in", "Edge": "middle"}]},
            {"ID": "first", "Uses": "lab/shrink", "Outputs": [{"Name": "result", "Edge": "middle"}]},
        ]
    }
    command.write("flow.json", json.dumps(flow))
    ended = command("graph", "flow.json", "--defs", "defs")
    assert (ended.code, ended.out) == (
        0,
        "1  first  container  [up to 3 attempts]\n2  last   container  <- first  [up to 3 attempts]\n",
    )


def copying() -> str:
    """Return a flow that copies an object that must be there, with its definition."""
    flow = {
        "DefaultDataWell": {"Store": "default"},
        "DataWells": [{"Edge": "raw", "Store": "default", "Source": "static", "Key": "logo.txt"}],
        "Nodes": [
            {
                "ID": "copy",
                "Uses": "lab/copy",
                "Inputs": [{"Name": "src", "Edge": "raw"}],
                "Outputs": [{"Name": "dst", "Edge": "done"}],
            }
        ],
    }
    definition = {
        "Publisher": "lab",
        "Name": "copy",
        "Image": "lab/copy",
        "Inputs": [{"Name": "src", "Required": True, "Type": ["text/plain"]}],
        "Outputs": [{"Name": "dst", "Required": True}],
        "Flags": [],
        "Command": {"Exec": "cp ${src} ${dst}"},
    }
    return json.dumps({"Flow": flow, "NodeDefs": [definition]})


def test_a_static_object_is_there_from_the_start(command: Command) -> None:
    command.write("copy.json", copying())
    place = command.home / "stores" / "default"
    place.mkdir(parents=True, mode=0o700)
    (place / "logo.txt").write_text("a logo\n", "utf-8")
    ended = command("run", "copy.json", "--node-runtime", "process", "--store-dir", "stores")
    assert (ended.code, "of copy succeeded in" in ended.err) == (0, True), ended.err
    (kept,) = place.glob("run_*/done*")
    assert kept.read_text("utf-8") == "a logo\n"


def test_a_fork_with_another_static_object(command: Command) -> None:
    """docs/cli.md, fork: "an artifact ... is looked for anew where the flow says so now"."""
    place = command.home / "stores" / "default"
    place.mkdir(parents=True, mode=0o700)
    (place / "logo.txt").write_text("a logo\n", "utf-8")
    (place / "other.txt").write_text("another\n", "utf-8")
    command.write("copy.json", copying())
    both = json.loads(copying().replace("logo.txt", "other.txt"))
    command.write("other.json", json.dumps(both["Flow"]))
    command.write("defs/copy.json", json.dumps(both["NodeDefs"][0]))
    options = ("--node-runtime", "process", "--store-dir", "stores")
    assert command("run", "-q", "copy.json", *options).code == 0
    misused = command("fork", "latest", "--from", "copy", "--defs", "defs", *options)
    assert (misused.code, "`--defs` goes with `--flow`" in misused.err) == (2, True)
    ended = command("fork", "latest", "--from", "copy", "--flow", "other.json", "--defs", "defs", *options)
    assert ended.code == 0, ended.err
    assert sorted(path.read_text("utf-8") for path in place.glob("run_*/done*")) == ["a logo\n", "another\n"]
    (place / "other.txt").unlink()
    refused = command("fork", "latest", "--from", "copy", "--flow", "other.json", "--defs", "defs", *options)
    assert (refused.code, "other.txt" in refused.err) == (2, True)
    assert len(json.loads(command("runs", "--json").out)) == 2


def test_what_nodes_write_is_recorded_in_a_fork_and_a_retry_too(command: Command) -> None:
    command.write("make.json", making().replace("touch", "ls missing"))
    assert command("run", "make.json", "--node-runtime", "process").code == 1
    for again in (("retry", "latest"), ("fork", "latest", "--from", "make")):
        assert command(*again, "--node-runtime", "process").code == 1
        assert "missing" in command("logs", "latest").out


def test_a_node_has_as_long_as_the_operator_says(command: Command) -> None:
    made = json.loads(making())
    made["NodeDefs"][0] |= {"Command": {"Exec": "sleep 300"}, "MaxAttempts": 1}
    command.write("make.json", json.dumps(made))
    ended = command("run", "make.json", "--node-runtime", "process", "--node-timeout", "0.4")
    assert (ended.code, "timeout after 0.4 s; the process was ended" in ended.err) == (1, True), ended.err
    # It is the word of the command that goes on with the run.
    again = command("retry", "latest", "--node-runtime", "process", "--node-timeout", "0.6")
    assert (again.code, "timeout after 0.6 s; the process was ended" in again.err) == (1, True), again.err


def test_without_its_static_object_nothing_is_run(command: Command) -> None:
    command.write("copy.json", copying())
    ended = command("run", "copy.json", "--node-runtime", "process", "--store-dir", "stores")
    assert (ended.code, ended.out) == (2, "")
    assert "logo.txt" in ended.err
    assert command("runs", "--json").out.strip() in {"", "[]"}


def making(**flow: object) -> str:
    """Return a flow whose only node leaves a file, with its definition."""
    node = {"ID": "make", "Uses": "lab/make", "Outputs": [{"Name": "out", "Edge": "made"}]}
    definition = {
        "Publisher": "lab",
        "Name": "make",
        "Image": "lab/make",
        "Outputs": [{"Name": "out", "Required": True}],
        "Command": {"Exec": "touch ${out}"},
    }
    return json.dumps({"Flow": {"Nodes": [node], **flow}, "NodeDefs": [definition]})


def files_below(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def test_without_a_log_artifacts_are_kept_nowhere(command: Command, tmp_path: Path) -> None:
    """docs/cli.md: "the run is forgotten when the command ends, and so are its artifacts"."""
    command.write("make.json", making())
    passing = tmp_path / "passing"
    passing.mkdir()
    before = files_below(tmp_path)
    ended = command("run", "make.json", "--no-db", "--node-runtime", "process", env={"TMPDIR": str(passing)})
    assert (ended.code, "of make succeeded in" in ended.err) == (0, True), ended.err
    assert files_below(tmp_path) == before
    assert list(passing.iterdir()) == []


def test_without_a_log_artifacts_are_kept_where_somebody_says(command: Command) -> None:
    command.write("make.json", making())
    ended = command("run", "make.json", "--no-db", "--node-runtime", "process", "--store-dir", "stores")
    assert ended.code == 0, ended.err
    (kept,) = (command.home / "stores" / "default").glob("run_*/made*")
    assert kept.read_bytes() == b""


def test_artifacts_go_with_their_run(command: Command) -> None:
    """docs/cli.md, purge: "The artifacts of the runs go too ... and it is told how many"."""
    command.write("make.json", making())
    assert command("run", "-q", "make.json", "--node-runtime", "process").code == 0
    run_id = json.loads(command("runs", "--json").out)[0]["run_id"]
    artifacts = command.home / "state" / "flowcore" / "artifacts"
    assert len(files_below(artifacts)) == 1 + len(KEY)
    assert command("purge", "--keep", "0", "--dry-run").err == f"would delete 1 run and 1 object: {run_id}\n"
    assert len(files_below(artifacts)) == 1 + len(KEY)
    assert command("purge", "--keep", "0", "--yes").err == f"deleted 1 run and 1 object: {run_id}\n"
    assert files_below(artifacts) == KEY


def test_purge_deletes_objects_whose_lifetime_is_over(command: Command) -> None:
    command.write("make.json", making(DataWells=[{"Edge": "made", "Store": "default", "Lifetime": {"Seconds": 0}}]))
    assert command("run", "-q", "make.json", "--node-runtime", "process").code == 0
    artifacts = command.home / "state" / "flowcore" / "artifacts"
    purge = ("purge", "--state", "failed")
    assert command(*purge, "--dry-run").err == "would delete 1 object whose lifetime is over\n"
    assert len(files_below(artifacts)) == 1 + len(KEY)
    assert command(*purge, "--yes").err == "deleted 1 object whose lifetime is over\n"
    assert files_below(artifacts) == KEY
    assert command(*purge, "--yes").err == "nothing to delete\n"
