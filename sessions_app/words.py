"""How the product says numbers, times and names. Pure functions; an unknown value (None) is said in words, never as 0.

Ratios are before divided by after (above 1 is better), times are nanoseconds unless a unit is given, shares are 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

NOT_MEASURED = "Not measured"
DASH = "–"
MOST_PLACES = 9
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "time": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}
_UNITS: dict[str, tuple[str, float]] = {
    "ns": ("time", 1),
    "us": ("time", 1e3),
    "µs": ("time", 1e3),
    "ms": ("time", 1e6),
    "s": ("time", 1e9),
    "b": ("bytes", 1),
    "byte": ("bytes", 1),
    "bytes": ("bytes", 1),
    "kib": ("bytes", 2**10),
    "mib": ("bytes", 2**20),
}


def known(value: object) -> float | None:
    """A finite number or None: what a template or a stored body gives may be missing or of any type."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def ratio(value: object, places: int = 2) -> str:
    """``1.83×``; unknown is said in words."""
    value = known(value)
    return NOT_MEASURED if value is None else f"{value:.{places}f}×"


def better(metric: str) -> str:
    """The word for a gain in this metric."""
    return "less memory" if metric == "peak" else "faster"


def metric(name: str) -> str:
    """What a metric measures: ``CPU time``; one nobody knows prints as itself."""
    return {"cpu": "CPU time", "wall": "elapsed time", "peak": "peak memory", "import": "import time"}.get(
        name, name
    )


def speedup(value: object, metric: str = "cpu", places: int = 2) -> str:
    """``1.83× faster``, ``2.04× less memory``, ``0.973×, slower``."""
    value = known(value)
    if value is None:
        return NOT_MEASURED
    if value < 1:
        return f"{ratio(value, places)}, {'more memory' if metric == 'peak' else 'slower'}"
    return f"{ratio(value, places)} {better(metric)}"


def interval(low: object, high: object, places: int = 2) -> str:
    """``1.79–1.87``, or the empty string when either end is unknown."""
    low, high = known(low), known(high)
    if low is None or high is None:
        return ""
    return f"{low:.{places}f}–{high:.{places}f}"


def percent(share: object, places: int = 1) -> str:
    share = known(share)
    return NOT_MEASURED if share is None else f"{share * 100:.{places}f}%"


def noise(floor: object) -> str:
    floor = known(floor)
    return "noise not measured" if floor is None else f"±{floor * 100:.1f}%"


def _scale(values: list[float], unit: str) -> tuple[float, str]:
    """What to multiply by, and the unit to print, so that the largest value reads well."""
    family, factor = _UNITS.get(unit.lower(), ("", 1))
    if not family:
        return 1, unit
    largest = max((abs(v) * factor for v in values), default=0)
    # Up to ten thousand milliseconds stay milliseconds, so that before and after of one change share a unit.
    limit = 10 if family == "time" else 1
    for size, name in _SCALES[family]:
        if largest >= size * (limit if name == "s" else 1):
            return factor / size, name
    return factor / _SCALES[family][-1][0], _SCALES[family][-1][1]


def _number(value: float) -> str:
    """Three significant digits at least, thousands grouped: ``0.0147``, ``0.410``, ``7.32``, ``86.1``, ``1,284``."""
    if value == 0:
        return "0"
    places = 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return f"{value:,.{min(max(places, 0), MOST_PLACES)}f}"


def quantity(value: object, unit: str) -> str:
    """``702 ms``, ``3.48 s``, ``94.1 MiB``."""
    value = known(value)
    if value is None:
        return NOT_MEASURED
    factor, name = _scale([value], unit)
    return f"{_number(value * factor)} {name}".strip()


def pair(before: object, after: object, unit: str) -> tuple[str, str, str]:
    """Before, after and their one shared unit as text; an unknown end is an en dash."""
    ends = known(before), known(after)
    given = [v for v in ends if v is not None]
    factor, name = _scale(given, unit)
    return _end(ends[0], factor), _end(ends[1], factor), name if given else ""


def _end(value: float | None, factor: float) -> str:
    return DASH if value is None else _number(value * factor)


def column_unit(values: Sequence[float | None], unit: str) -> tuple[float, str]:
    """One factor and unit for a whole column, chosen by its median, so that rows can be compared by eye."""
    given = sorted(abs(v) for v in values if v is not None)
    return _scale(given[len(given) // 2 :][:1], unit)


def in_unit(value: float | None, factor: float) -> str:
    """A value in a column's unit, without the unit."""
    return _end(value, factor)


def duration(seconds: object) -> str:
    """The two largest units: ``under 0.1 s``, ``0.4 s``, ``48 s``, ``2 m 11 s``, ``1 h 47 m``, ``1 d 3 h``."""
    seconds = known(seconds)
    if seconds is None:
        return DASH
    seconds = max(0.0, seconds)
    if 0 < seconds < 0.05:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, secs = divmod(whole, 60)
    hours, mins = divmod(minutes, 60)
    days, hrs = divmod(hours, 24)
    if days:
        return f"{days} d {hrs} h"
    if hours:
        return f"{hours} h {mins:02d} m"
    return f"{mins} m {secs:02d} s" if minutes else f"{secs} s"


def since(start: datetime | None, end: datetime | None = None) -> str:
    """How long between two moments, or until now."""
    if start is None:
        return DASH
    return duration(((end or datetime.now(UTC)) - start).total_seconds())


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """Today ``14:02``, this year ``2 May``, older ``2 May 2025``."""
    if moment is None:
        return DASH
    now = now or datetime.now(UTC)
    moment = moment.astimezone(UTC)
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    day = f"{moment.day} {moment:%b}"
    return day if moment.year == now.year else f"{day} {moment.year}"


def short(commit: str | None, length: int = 7) -> str:
    """A commit by 7 characters; digests are asked for with 8."""
    return commit[:length] if commit else DASH


def target(path: str, qualname: str) -> str:
    """The short name of a target: the function's, or the file's where the whole module is meant."""
    return path.rsplit("/", 1)[-1] if qualname == "<module>" else qualname


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 keep``, ``1,284 events``."""
    return f"{number:,} {noun if number == 1 else (many or noun + 's')}"


def initials(name: str) -> str:
    parts = [part for part in name.replace("_", " ").replace(".", " ").split() if part]
    return (
        "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts[:1])).upper() or "?"
    )
