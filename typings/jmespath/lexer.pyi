from collections.abc import Iterator
from typing import TypedDict

class Token(TypedDict):
    type: str
    value: object
    start: int
    end: int

class Lexer:
    def tokenize(self, expression: str) -> Iterator[Token]: ...
