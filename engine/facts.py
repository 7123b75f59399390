"""What is known about a target from real runs: exact types and sizes, calls, cost, waiting, import time.

Every field may be unknown: None or absent, never 0. A rule that needs an absent fact proposes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Facts:
    """``arg_types``: parameter (or ``parameter.attribute``) -> type in words -> times seen. ``sizes``: length range of
    containers and text, ``values``: range of numbers, by the same names; ``locals`` like ``arg_types`` for locals.

    ``cost_ns``: one call, ``waiting_share``: the part of it spent waiting (0..1), ``blocked_share``: the part a
    coroutine keeps its loop from going on without using the CPU, ``import_ns``: module -> cumulative time of importing
    it, the target's own module included. ``python``: the target's interpreter, (0, 0) if unknown.
    ``called``: qualified name -> calls seen, for the functions of a module target's file.
    """

    arg_types: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    locals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    calls: int = 0
    cost_ns: float | None = None
    repeat_rate: float | None = None
    waiting_share: float | None = None
    blocked_share: float | None = None
    import_ns: Mapping[str, float] = field(default_factory=dict)
    python: tuple[int, int] = (0, 0)
    packages: frozenset[str] = frozenset()
    returns: Mapping[str, int] = field(default_factory=dict)
    called: Mapping[str, int] = field(default_factory=dict)

    def largest(self, name: str) -> int | None:
        """The largest length met under ``name``, None when none was."""
        span = self.sizes.get(name)
        return span[1] if span else None


def from_index(entry: Mapping[str, Any], **more: Any) -> Facts:
    """The facts of one target's row of a recording index; ``more`` fills what recordings do not tell.

    Shapes that are not understood are left out, so a damaged row gives fewer facts, never wrong ones.
    """
    given = {name: row for name, row in _mapping(entry.get("args")).items() if isinstance(row, Mapping)}
    held = {name: row for name, row in _mapping(entry.get("locals")).items() if isinstance(row, Mapping)}
    rate = entry.get("repeat_rate")
    known: dict[str, Any] = {
        "arg_types": {name: _counts(row.get("types")) for name, row in given.items()},
        "locals": {name: _counts(row.get("types")) for name, row in held.items()},
        "sizes": _spans(given, "size"),
        "values": _spans(given, "value"),
        "calls": entry["calls"] if isinstance(entry.get("calls"), int) else 0,
        "repeat_rate": float(rate) if isinstance(rate, int | float) else None,
        "returns": _counts(_mapping(entry.get("returns")).get("types")),
    }
    allowed = {each.name for each in fields(Facts)}
    return Facts(**{**known, **{name: value for name, value in more.items() if name in allowed}})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _counts(value: Any) -> dict[str, int]:
    return {str(name): int(n) for name, n in _mapping(value).items() if isinstance(n, int)}


def _spans(rows: Mapping[str, Mapping[str, Any]], what: str) -> dict[str, Any]:
    found = {}
    for name, row in rows.items():
        low, high = row.get(f"min_{what}"), row.get(f"max_{what}")
        if isinstance(low, int | float) and isinstance(high, int | float):
            found[name] = (low, high)
    return found
