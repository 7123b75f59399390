"""What was found out about one change, and how much of it a change of each kind needs before it may be kept."""

from __future__ import annotations

from dataclasses import dataclass

from engine.values import Check, TestRun

LEVELS = ("E0", "E1", "E2", "E3")
"""E3: recorded and perturbed calls agree. E2: invented inputs only. E1: tests execute every changed line. E0: none."""

_NEEDED = {"exact": "E1", "guarded": "E2", "numeric": "E3"}
BY_TESTS = ("async", "structure")


class Cancelled(Exception):
    """The session was asked to stop while a change was being verified; nothing was decided."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """``reason_class`` is tests, differs, static or no evidence; ``counterexample`` the smallest input that differs,
    in words. ``disclosed`` lists differences outside the observed contract that a reader must be told of.
    """

    passed: bool
    level: str
    checks: tuple[Check, ...] = ()
    reason_class: str = ""
    reason: str = ""
    counterexample: str = ""
    tests: TestRun | None = None
    disclosed: tuple[str, ...] = ()
    seconds: float | None = None


def needed(tier: str, domain: str) -> str:
    """The least level that keeps a change. Async and structure rest on tests plus order of effects and public names."""
    if domain in BY_TESTS and tier != "numeric":
        return "E1"
    return _NEEDED.get(tier, "E3")


def enough(level: str, tier: str, domain: str) -> bool:
    return LEVELS.index(level) >= LEVELS.index(needed(tier, domain))
