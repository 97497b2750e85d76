"""Looking whether an answer is as a node wants it."""

from flowcore.documents.workflows.matching import Expectation, check_answer
from flowcore_adapters.sources.patterns import search

from .node import NodeCall, node_error, unfit


def check_expected(node: NodeCall, expectation: Expectation, what: str, *, code: str) -> str:
    """Return what there is to say of an answer that is as *expectation* has it.

    Args:
        node: The node that wants it so.
        expectation: Which answer, and how it should be.
        what: What people call this look.
        code: The code of the failure when it is otherwise.

    Raises:
        SourceError: It is otherwise, or the expectation makes no sense.
    """
    try:
        found = check_answer(node.scope.data.get(expectation.key), expectation, search)
    except ValueError as error:
        raise unfit(f"{what}: {error}") from None
    if not found.met:
        raise node_error(f"{what} failed: {found.message}", code=code)
    return found.message
