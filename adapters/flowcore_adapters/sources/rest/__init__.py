"""`rest`: HTTP calls."""

from .configuration import RestConfiguration
from .source import RestSource

__all__ = ["RestConfiguration", "RestSource"]
