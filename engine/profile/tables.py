"""The tables of one profile and how raw reports become rows. Times are CPU ns unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.profile.tools import Report, number

FEW_TICKS = 25
MOST_TESTS = 50


@dataclass(frozen=True, kw_only=True)
class FunctionRow:
    """CPU of one function. ``share`` is its own part (with what it calls outside the repo) of the CPU time spent inside
    the repo; ``reach`` includes the repo's functions below it. None: not sampled. ``cost_ns`` is one call, all in."""

    id: str
    path: str
    qualname: str
    line: int
    kind: str = "function"
    lazy: bool = False
    share: float | None = None
    reach: float | None = None
    calls: int | None = None
    cost_ns: float | None = None
    distinct: int = 0
    unreplayable: str = ""
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MemoryRow:
    """Peak of traced bytes above the level at entry: ``own`` while innermost, ``reach`` for the whole call."""

    id: str
    path: str
    qualname: str
    line: int
    own_bytes: int
    reach_bytes: int
    share: float
    reach: float
    calls: int


@dataclass(frozen=True, kw_only=True)
class AwaitSite:
    """One line that waits: how often, how long in all, and how often in one activation of its function."""

    line: int
    waits: int
    wait_ns: float
    in_row: int


@dataclass(frozen=True, kw_only=True)
class AsyncRow:
    """One coroutine function. ``share`` is the part of the wall time of asynchronous tests it alone keeps the loop
    idle or blocked, ``reach`` with what it awaits of the repo; ``waiting_share`` the part of its own life it waits
    (None: it never gave the loop back); ``step_ns`` wall and ``cpu_ns`` CPU time of the steps it took part in."""

    id: str
    path: str
    qualname: str
    line: int
    share: float
    reach: float
    waiting_share: float | None
    wait_ns: float
    blocked_ns: float
    step_ns: float
    cpu_ns: float
    worst_lag_ns: float
    sites: tuple[AwaitSite, ...] = ()


def split(target_id: str) -> tuple[str, str]:
    path, _, qualname = target_id.partition("::")
    return path, qualname


def function_rows(*, sample: Report, counts: Report, index: Mapping[str, Any]) -> tuple[FunctionRow, ...]:
    """Join the sampler, the exact counts and the recordings; the largest own share first."""
    ids = sorted({*sample.targets, *counts.targets, *index})
    shares = _shares(sample, counts)
    rows = [_function(key, sample, counts, _dict(index.get(key)), shares.get(key)) for key in ids]
    return tuple(sorted(rows, key=lambda row: (-(row.share or 0.0), row.path, row.line)))


def _shares(sample: Report, counts: Report) -> dict[str, tuple[float, float]]:
    """Own and inclusive share by target: sampled, or from the exact profiler when too little was sampled."""
    if enough(sample):
        inside = number(sample.data, "inside_ns")
        return {
            key: (number(row, "own_ns") / inside, min(1.0, number(row, "reach_ns") / inside))
            for key, row in sample.targets.items()
        }
    inside = sum(number(row, "own_ns") for row in counts.targets.values())
    if inside <= 0:
        return {}
    return {
        key: (number(row, "own_ns") / inside, min(1.0, number(row, "total_ns") / inside))
        for key, row in counts.targets.items()
    }


def enough(sample: Report) -> bool:
    """Whether the sampler saw enough of the repo to speak of shares."""
    return number(sample.data, "ticks_inside") >= FEW_TICKS and number(sample.data, "inside_ns") > 0


def _function(
    key: str, sample: Report, counts: Report, entry: Mapping[str, Any], share: tuple[float, float] | None
) -> FunctionRow:
    path, qualname = split(key)
    count, sampled = counts.targets.get(key, {}), sample.targets.get(key, {})
    line = next((int(number(row, "line")) for row in (entry, count, sampled) if row.get("line")), 0)
    calls = int(number(count, "calls")) if count.get("exact") else None
    calls = calls if calls is not None else _whole(entry.get("calls"))
    sampled_all = enough(sample)
    return FunctionRow(
        id=key,
        path=path,
        qualname=qualname,
        line=line,
        kind=str(entry.get("kind", "function")),
        lazy=bool(entry.get("lazy", False)),
        share=share[0] if share else (0.0 if sampled_all else None),
        reach=share[1] if share else (0.0 if sampled_all else None),
        calls=calls,
        cost_ns=_cost(count) or _sampled_cost(sample, sampled, calls),
        distinct=int(number(entry, "distinct")),
        unreplayable=str(entry.get("unreplayable", "") if entry else "no call was recorded"),
        tests=tuple(str(test) for test in _list(entry.get("tests"))[:MOST_TESTS]),
    )


def _cost(count: Mapping[str, Any]) -> float | None:
    calls = number(count, "calls")
    return number(count, "total_ns") / calls if calls and count.get("exact") else None


def _sampled_cost(sample: Report, row: Mapping[str, Any], calls: int | None) -> float | None:
    """From the sampler where nothing was counted; timed benchmarks repeat their calls, so they cannot tell."""
    runs = number(sample.data, "runs") or 1.0
    reach = number(row, "reach_ns")
    return reach / runs / calls if calls and reach and sample.source == "test" else None


def memory_rows(peak: Report) -> tuple[MemoryRow, ...]:
    """The largest own peak first."""
    highest = number(peak.data, "highest")
    rows = [_memory(key, row, highest) for key, row in peak.targets.items()] if highest > 0 else []
    return tuple(sorted(rows, key=lambda row: (-row.own_bytes, row.path, row.line)))


def _memory(key: str, row: Mapping[str, Any], highest: float) -> MemoryRow:
    path, qualname = split(key)
    own, reach = number(row, "own_bytes"), number(row, "reach_bytes")
    return MemoryRow(
        id=key,
        path=path,
        qualname=qualname,
        line=int(number(row, "line")),
        own_bytes=int(own),
        reach_bytes=int(reach),
        share=min(1.0, own / highest),
        reach=min(1.0, reach / highest),
        calls=int(number(row, "calls")),
    )


def async_rows(aio: Report) -> tuple[AsyncRow, ...]:
    """The largest part of the wall time first."""
    wall = number(aio.data, "wall_ns")
    rows = [_async(key, row, wall) for key, row in aio.targets.items()] if wall > 0 else []
    return tuple(sorted(rows, key=lambda row: (-row.reach, row.path, row.line)))


def _async(key: str, row: Mapping[str, Any], wall: float) -> AsyncRow:
    path, qualname = split(key)
    wait, step = number(row, "wait_ns"), number(row, "step_wall_ns")
    blocked = number(row, "blocked_ns")
    return AsyncRow(
        id=key,
        path=path,
        qualname=qualname,
        line=int(number(row, "line")),
        share=min(1.0, (number(row, "share_ns") + blocked) / wall),
        reach=min(1.0, number(row, "reach_ns") / wall),
        waiting_share=wait / (wait + step) if wait + step > 0 else None,
        wait_ns=wait,
        blocked_ns=blocked,
        step_ns=step,
        cpu_ns=number(row, "step_cpu_ns"),
        worst_lag_ns=number(row, "worst_lag_ns"),
        sites=tuple(_sites(_list(row.get("sites")))),
    )


def _sites(raw: Iterable[Any]) -> Iterable[AwaitSite]:
    for site in raw:
        if isinstance(site, dict):
            yield AwaitSite(
                line=int(number(site, "line")),
                waits=int(number(site, "waits")),
                wait_ns=number(site, "wait_ns"),
                in_row=int(number(site, "in_row")),
            )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
