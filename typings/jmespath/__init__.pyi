from .parser import ParsedResult
from .visitor import Options as Options

__version__: str

def compile(expression: str) -> ParsedResult: ...
def search(expression: str, data: object, options: Options | None = None) -> object: ...
