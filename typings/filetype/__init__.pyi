from collections.abc import Sequence

class Type:
    @property
    def mime(self) -> str: ...
    @property
    def extension(self) -> str: ...

types: Sequence[Type]

def guess_mime(obj: bytes | bytearray | str) -> str | None: ...
