"""Verification of one change, in the order of its cost: tests, recorded calls, perturbed calls, invented inputs.

``verify`` is the whole of it, ``run_tests`` its first layer alone. Code of the target runs in the sandbox only; what
comes back are digests and words, never objects.
"""

from engine.verify.evidence import Cancelled, Evidence
from engine.verify.flow import verify
from engine.verify.suite import run_tests

__all__ = ["Cancelled", "Evidence", "run_tests", "verify"]
