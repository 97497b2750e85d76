"""`container`: programs in containers, and, on the operator's word, the same programs without them."""

from .settings import ContainerConfiguration
from .source import ContainerSource

__all__ = ["ContainerConfiguration", "ContainerSource"]
