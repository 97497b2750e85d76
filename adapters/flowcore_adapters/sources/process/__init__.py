"""`process`: programs, started directly and never through a shell."""

from .source import ProcessConfiguration, ProcessSource

__all__ = ["ProcessConfiguration", "ProcessSource"]
