"""Workflow documents, nodes and edges, as a front end to the same model as every other flow.

A document is parsed JSON. `read_workflow` takes its shape, `check_structure` (or `check_workflow`, both at once) says
what is wrong with it for batches and scans, and `compile_workflow` makes a `Flow` of it in any case: a single run is
not checked when it is started, and what is wrong with it is what its run ends with.

    workflow = read_workflow(document)  # FlowDocumentError: it has not the shape of a workflow
    flow = compile_workflow(workflow, overrides={"slowMo": 100})

Steps are called after nodes: `node_id` says which node a step, or an instance of one, belongs to.
"""

from flowcore.node_ids import helps, node_id, step_name

from .compilation import compile_strictly, compile_workflow
from .document import Edge, Node, Workflow, check_structure, check_workflow, is_workflow, read_workflow

__all__ = [
    "Edge",
    "Node",
    "Workflow",
    "check_structure",
    "check_workflow",
    "compile_strictly",
    "compile_workflow",
    "helps",
    "is_workflow",
    "node_id",
    "read_workflow",
    "step_name",
]
