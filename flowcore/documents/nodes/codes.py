"""Every validation code, with its name on the wire and what it means (contract flow-runs, section 8)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


@attrs.frozen
class Rule:
    """What a code stands for.

    Attributes:
        name: The entry's `Name` on the wire.
        about: When it is found, for the documentation.
    """

    name: str
    about: str


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "FLOW_001": Rule("FlowCycle", "nodes wait for each other in a circle"),
        "FLOW_002": Rule("FlowEmpty", "the flow has no nodes"),
        "NODE_001": Rule("NodeDefNotFound", "no definition has the `Publisher/Name` that the node uses"),
        "NODE_002": Rule("NodeMissingInput", "a required input is not bound"),
        "NODE_003": Rule("NodeMissingOutput", "a required output is not bound"),
        "NODE_004": Rule("NodeInvalidTier", "the definition's tier is not in the table"),
        "NODE_005": Rule("NodeMissingFlag", "a required flag is not given"),
        "NODE_006": Rule("NodeUnknownFlag", "a flag that the definition does not declare"),
        "NODE_007": Rule("NodeDuplicateID", "two nodes have the same ID"),
        "NODE_008": Rule("NodeMissingID", "a node has no ID"),
        "NODE_009": Rule("NodeUnknownPort", "a port that the definition does not declare"),
        "NODE_010": Rule("NodePortBoundTwice", "a port is bound to more than one edge"),
        "EDGE_001": Rule("EdgeNoProducer", "an edge is read, but nothing feeds it"),
        "EDGE_002": Rule("EdgeNoConsumer", "an edge is produced, but nobody reads or keeps it"),
        "EDGE_003": Rule("EdgeTypeMismatch", "what a node produces is nothing that a reader accepts"),
        "EDGE_004": Rule("EdgeNoDatawell", "an edge between nodes has no data well to keep it"),
        "EDGE_005": Rule("EdgeInvalidName", "an edge's name has characters that it may not have, or is too long"),
        "EDGE_006": Rule("EdgeTwoProducers", "two producers write one edge"),
        "WELL_001": Rule("DatawellInvalidSource", "a well's source is not upload, static or webhook"),
        "WELL_002": Rule("DatawellEdgeNotFound", "a well's edge is used by no node"),
        "WELL_003": Rule("DatawellDuplicateEdge", "two wells have the same edge"),
        "WELL_004": Rule("DatawellStoreNotFound", "a well's store is not declared"),
        "WELL_005": Rule("DatawellInvalidKeyTemplate", "a key uses an unknown variable, `${}`, or an open `${`"),
        "WELL_006": Rule("DatawellStaticMissingKey", "a static well has no key"),
        "WELL_007": Rule("DatawellStaticHasDynamicKey", "a static well's key has a variable"),
        "WELL_008": Rule("DatawellDynamicHasStaticKey", "a key is the same for runs that must not share an object"),
        "WELL_009": Rule("DatawellInvalidKey", "a key makes names of objects that no store takes"),
        "STORE_001": Rule("StoreNotFound", "the default data well's store is not declared"),
        "STORE_002": Rule("StoreInvalidType", "a store's type is not s3, s3local, s3fs or local"),
        "STORE_003": Rule("StoreInvalidParams", "a store's parameters are wrong, or absent"),
        "STORE_004": Rule("StoreUnused", "no well uses a store"),
        "STORE_005": Rule("StoreInvalidName", "a store has no name, or that of another one"),
        "TYPE_001": Rule("TypeInvalidMime", "a content type is not `type/subtype`, `type/*` or `*/*`"),
        "TYPE_002": Rule("TypeEmptySet", "no content satisfies every reader of an edge that a well feeds"),
        "DEF_001": Rule("DefAmbiguousName", "a name stands for more than one input, output or flag"),
        "DEF_002": Rule("DefUnknownVariable", "a command uses a variable that is no input, output or flag"),
        "DEF_003": Rule("DefInvalidCommand", "a command cannot be split into words"),
        "DEF_004": Rule("DefInvalidImage", "a definition's image is no name of an image"),
        "DOC_001": Rule("DocumentInvalid", "a part of the document has the wrong type"),
        "WARN_001": Rule("DeprecatedField", "a field of older documents, which means nothing any more"),
    }
)
