"""What must hold of the events of every run, and how it is checked."""

from .checker import RunChecker, Violation, violations

__all__ = ["RunChecker", "Violation", "violations"]
