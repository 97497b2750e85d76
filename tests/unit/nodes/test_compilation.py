"""A document as a flow: steps, artifacts, wells, stores (contract flow-runs, sections 2 to 7)."""

import pytest

from flowcore.artifacts import ArtifactPort, Resources, Store, Well, WellSource
from flowcore.documents.nodes.compilation import DEFAULT_AWAIT_S, Compiled, compile_nodes
from flowcore.documents.nodes.tiers import GB
from flowcore.documents.nodes.validation import check_document
from flowcore.ids import StepName
from flowcore.model import Dialect, Flow, OnError, RetryPolicy, Source, Step
from flowcore.values import Json
from tests.node_documents import BASES, changed


def compiled(base: str, changes: dict[str, Json] | None = None) -> Compiled:
    """Return the flow of a document without errors."""
    checked = check_document(changed(BASES[base], changes or {}))
    assert checked.sound
    return compile_nodes(checked.document)


def steps(base: str, changes: dict[str, Json] | None = None) -> dict[str, Step]:
    """Return the steps of a document by name."""
    return {step.name: step for step in compiled(base, changes).flow.steps}


SMALL = Resources(cores=2, memory_bytes=2 * GB, storage_bytes=20 * GB, tier="c-small")


def test_a_whole_flow() -> None:
    found = compiled("photo", {"Flow.DataWells[1].Lifetime": {"Days": 1}, "Flow.DataWells[0].Key": "in/${RUN_ID}"})
    assert found.secrets == {}
    assert found.flow == Flow(
        name="photo",
        sources={
            "shrink": Source(
                type="container",
                configuration={
                    "image": "lab/shrink:2",
                    "command": "shrink --width ${width} ${picture} ${result}",
                    "flags": {"width": "640"},
                    "spare_outputs": ["log"],
                    "all_inputs": ["picture", "mask"],
                    "all_outputs": ["result", "log"],
                    "all_flags": ["width", "quality"],
                },
            )
        },
        steps=(
            Step(
                name=StepName("shrink"),
                source="shrink",
                kind="lab/shrink",
                retry=RetryPolicy(max_attempts=2, delay_s=1.0, factor=2.0, max_delay_s=60.0),
                awaits=("original",),
                artifact_inputs=(ArtifactPort(port="picture", edge="original", types=("image/*",)),),
                artifact_outputs=(ArtifactPort(port="result", edge="small", types=("image/*",)),),
                resources=SMALL,
            ),
        ),
        on_error=OnError.FAIL,
        dialect=Dialect.NODES,
        halt_on_failure=True,
        stores={"attic": Store(type="s3", params={"BucketName": "pictures"})},
        wells={
            "original": Well(store="attic", source=WellSource.UPLOAD, key="in/${RUN_ID}", types=("image/*",)),
            "small": Well(store="attic", lifetime_s=86_400.0),
        },
        await_s=DEFAULT_AWAIT_S,
    )


def test_the_documents_example_starts_without_its_input() -> None:
    """Contract flow-runs, section 5c: nothing is awaited, and only the output becomes an artifact."""
    found = compiled("open").flow
    (step,) = found.steps
    assert (step.awaits, step.artifact_inputs) == ((), ())
    assert step.artifact_outputs == (ArtifactPort(port="resized", edge="output-image"),)
    assert found.wells == {"output-image": Well(store="default")}


def test_a_declared_input_of_a_flow_without_storage_is_awaited() -> None:
    found = compiled("open", {"NodeDefs[0].Inputs": [{"Name": "image", "Required": True, "Type": ["image/*"]}]}).flow
    assert found.steps[0].awaits == ("input-image",)
    assert found.wells["input-image"] == Well(store="default", source=WellSource.UPLOAD, types=("image/*",))


def test_a_node_waits_for_whoever_writes_what_it_reads() -> None:
    found = steps("chain")
    assert found["first"].depends_on == ()
    assert found["second"].depends_on == ("first",)
    assert (found["first"].awaits, found["second"].awaits) == (("raw",), ())


def test_the_default_well_keeps_and_feeds() -> None:
    changes: dict[str, Json] = {
        "Flow.DataWells": [],
        "Flow.DefaultDataWell": {"Store": "attic", "Source": "webhook", "Key": "${RUN_ID}/${EDGE}"},
    }
    assert compiled("chain", changes).flow.wells == {
        "raw": Well(store="attic", source=WellSource.WEBHOOK, key="${RUN_ID}/${EDGE}"),
        "middle": Well(store="attic", key="${RUN_ID}/${EDGE}", types=("image/*",)),
        "end": Well(store="attic", key="${RUN_ID}/${EDGE}"),
    }


def test_a_static_object_is_awaited_like_an_upload() -> None:
    changes: dict[str, Json] = {"Flow.DataWells[0].Source": "static", "Flow.DataWells[0].Key": "logo.png"}
    found = compiled("photo", changes).flow
    assert found.steps[0].awaits == ("original",)
    assert found.wells["original"] == Well(store="attic", source=WellSource.STATIC, key="logo.png", types=("image/*",))


def test_readers_narrow_what_may_come() -> None:
    changes: dict[str, Json] = {
        "Flow.Nodes[+]": {"ID": "other", "Uses": "lab/b", "Inputs": [{"Name": "in", "Edge": "original"}]},
        "NodeDefs[+]": {
            "Publisher": "lab",
            "Name": "b",
            "Image": "x",
            "Inputs": [{"Name": "in", "Type": ["image/png", "IMAGE/JPG", "video/*"]}],
            "Outputs": [],
        },
    }
    assert compiled("photo", changes).flow.wells["original"].types == ("image/jpeg", "image/png")


def test_a_node_waits_for_every_edge_that_a_port_is_bound_to() -> None:
    """Contract flow-runs, section 4: a node is READY when "every bound input edge has an Artifact"."""
    changes: dict[str, Json] = {
        "Flow.Nodes[0].Inputs[+]": {"Name": "picture", "Edge": "other"},
        "Flow.DataWells[+]": {"Edge": "other", "Store": "attic", "Source": "upload"},
    }
    (step,) = steps("photo", changes).values()
    ports = [(port.port, port.edge) for port in step.artifact_inputs]
    assert (step.awaits, ports) == (("original", "other"), [("picture", "original"), ("picture", "other")])
    changes["Flow.Nodes[0].Inputs[+3]"] = {"Name": "picture", "Edge": "original"}
    (step,) = steps("photo", changes).values()
    assert [port.edge for port in step.artifact_inputs] == ["other", "original"]


def test_of_a_flag_given_twice_the_last_value_counts() -> None:
    """Contract flow-runs has no code for it: docs/nodes.md says what becomes of it."""
    found = compiled("photo", {"Flow.Nodes[0].Flags[+]": {"Name": "width", "Value": "9"}})
    assert found.flow.sources["shrink"].configuration["flags"] == {"width": "9"}


def test_what_is_left_at_an_output_goes_to_every_edge_that_it_is_bound_to() -> None:
    """Contract flow-runs, section 4: whoever reads one of them starts when it has an artifact."""
    again: Json = {"Name": "out", "Edge": "copy"}
    changes: dict[str, Json] = {"Flow.Nodes[0].Outputs[+1]": again, "Flow.Nodes[0].Outputs[+2]": again}
    first = steps("chain", changes)["first"]
    assert [(port.port, port.edge) for port in first.artifact_outputs] == [("out", "middle"), ("out", "copy")]


def test_a_reader_that_declares_nothing_needs_what_it_reads() -> None:
    """Contract flow-runs, section 4: a node is READY when every bound input edge has an artifact."""
    changes: dict[str, Json] = {"NodeDefs[0].Outputs[0].Required": False, "NodeDefs[1].Inputs": None}
    found = steps("chain", changes)
    assert [port.required for port in found["first"].artifact_outputs] == [True]
    assert [port.required for port in found["second"].artifact_inputs] == [True]


@pytest.mark.parametrize(
    ("declared", "read", "required"), [(True, False, True), (False, False, False), (False, True, True)]
)
def test_an_output_must_be_there_when_it_or_its_reader_says_so(declared: bool, read: bool, required: bool) -> None:
    changes: dict[str, Json] = {
        "NodeDefs[0].Outputs[0].Required": declared,
        "NodeDefs[1].Inputs[0].Required": read,
    }
    (port,) = steps("chain", changes)["first"].artifact_outputs
    assert port.required is required


def test_an_optional_input_is_handed_over_and_not_required() -> None:
    changes: dict[str, Json] = {"NodeDefs[0].Inputs[0].Required": False}
    (port,) = steps("photo", changes)["shrink"].artifact_inputs
    assert port.required is False


def test_the_secrets_of_a_store_are_not_in_the_flow() -> None:
    params: Json = {"bucketname": "b", "ACCESSKEY": "id", "SecretKey": "s3cr3t", "Secure": False, "Location": None}
    found = compiled("photo", {"Flow.Stores[0].Params": params})
    assert found.flow.stores == {"attic": Store(type="s3", params={"BucketName": "b", "Secure": False})}
    assert found.secrets == {"attic": {"AccessKey": "id", "SecretKey": "s3cr3t"}}
    assert "s3cr3t" not in f"{found.flow} {found}"


def test_a_store_without_params_is_left_to_the_server() -> None:
    assert compiled("photo", {"Flow.Stores[0].Params": None}).flow.stores == {"attic": Store(type="s3")}


def test_a_tier_with_a_gpu() -> None:
    (step,) = steps("photo", {"NodeDefs[0].Tier": "gn-small"}).values()
    assert step.resources == Resources(
        cores=4, memory_bytes=16 * GB, storage_bytes=100 * GB, gpu="nvidia", gpu_memory_bytes=8 * GB, tier="gn-small"
    )
