"""What must hold of every history (contract reliability), checked from the events alone."""

from .batches import BatchChecker, batch_violations
from .checker import RunChecker, violations
from .violation import Violation

__all__ = ["BatchChecker", "RunChecker", "Violation", "batch_violations", "violations"]
