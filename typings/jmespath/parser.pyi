from typing import ClassVar

from .ast import Node
from .visitor import Options

class Parser:
    BINDING_POWER: ClassVar[dict[str, int]]
    def __init__(self, lookahead: int = 2) -> None: ...
    def parse(self, expression: str) -> ParsedResult: ...
    @classmethod
    def purge(cls) -> None: ...

class ParsedResult:
    expression: str
    parsed: Node
    def __init__(self, expression: str, parsed: Node) -> None: ...
    def search(self, value: object, options: Options | None = None) -> object: ...
