"""What must hold of the events of every run, and how it is checked."""

from .checker import RunChecker, violations
from .violation import Violation

__all__ = ["RunChecker", "Violation", "violations"]
