"""The embedded event log: one SQLite file, which several threads and processes may use at the same time."""

from .log import SqliteEventLog
from .writing import Durability

__all__ = ["Durability", "SqliteEventLog"]
