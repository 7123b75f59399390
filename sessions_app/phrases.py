"""Parts of sentences about events: names, numbers and notes of bodies that are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessions_app import words

Body = Mapping[str, Any]
META_CHARS = 400


def cut(text: Any, limit: int = META_CHARS) -> str:
    value = str(text)
    return value if len(value) <= limit else f"{value[:limit]}…"


def name(target: Any) -> str:
    """The short name of a target id ``path::Qual.name``, or of a target record."""
    if isinstance(target, Mapping):
        return words.target(str(target.get("path", "")), str(target.get("qualname", "")))
    path, _, name = str(target).rpartition("::")
    return words.target(path, name)


def measured(m: Any, places: int = 3) -> str:
    """``868 → 781 ms, 95% CI 1.094–1.128``, or why there is none."""
    if not isinstance(m, Mapping) or m.get("ratio") is None:
        return words.NOT_MEASURED
    before, after, unit = words.pair(m.get("before"), m.get("after"), str(m.get("unit", "")))
    level = round(100 * float(m.get("level") or 0.95))
    ci = words.interval(m.get("low"), m.get("high"), places)
    return f"{before} → {after} {unit}" + (f", {level}% CI {ci}" if ci else "")


def ratio(m: Any, places: int = 3) -> str:
    return words.ratio(m.get("ratio"), places) if isinstance(m, Mapping) else words.NOT_MEASURED


def join(*parts: Any) -> str:
    return " · ".join(str(part) for part in parts if part)


def notes(b: Body, *first: Any) -> str:
    """The first parts on one line, then what the engine had to add, a note a line."""
    notes = b.get("notes") or ()
    return cut("\n".join(str(part) for part in (join(*first), *notes) if part))
