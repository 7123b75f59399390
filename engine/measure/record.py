"""Everything one measurement saw, as it is stored: enough to decide again and to draw every chart, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from engine.measure.gate import Pair
from engine.measure.model import Process
from engine.measure.stats import median

SCHEMA = 1


@dataclass(frozen=True)
class Couple:
    """One pair of neighbouring processes; ``order`` is AB or BA, as they ran."""

    order: str
    a: Process
    b: Process


@dataclass(frozen=True, kw_only=True)
class Record:
    """``purpose`` is gate or compare. Times are ns, memory bytes.

    ``peaks`` holds, for "rss" and "traced", the runs of A and of B. ``related`` are the pairs of the guard's workload.
    ``failure`` names the arm and reason of a process that crashed twice, ``needs`` the seconds of a measurement that
    does not fit its budget.
    """

    purpose: str
    metric: str
    kind: str
    workload: str
    label: str
    delta: float
    level: float = 0.95
    noisy: bool = False
    inputs: str = ""
    loops: int = 1
    values: int = 1
    per_pass: int = 1
    keep_first: bool = False
    used: int = 1
    recorded: int = 1
    seed: int = 0
    commits: tuple[str, str] = ("", "")
    couples: tuple[Couple, ...] = ()
    related_label: str = ""
    related: tuple[Couple, ...] = ()
    peaks: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    failure: tuple[str, str] | None = None
    needs: float | None = None
    fingerprint: Mapping[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> str:
        return "wall" if self.metric == "wall" else "cpu"

    def pairs(self, clock: str = "") -> list[Pair]:
        return pairs_of(self.couples, clock or self.clock)


def pairs_of(couples: tuple[Couple, ...], clock: str) -> list[Pair]:
    """What the decision looks at."""
    return [(couple.a.score(clock), couple.b.score(clock)) for couple in couples]


def to_dict(record: Record) -> dict[str, Any]:
    """Plain JSON types; unknown values are left out."""
    plain = {name: value for name, value in asdict(record).items() if value is not None}
    for name in ("couples", "related"):
        plain[name] = [_couple_to_list(couple) for couple in getattr(record, name)]
    return {"schema": SCHEMA, "unit": "ns", **plain}


def _couple_to_list(couple: Couple) -> list[Any]:
    return [
        couple.order,
        *({k: v for k, v in asdict(p).items() if v is not None} for p in (couple.a, couple.b)),
    ]


def from_dict(data: Mapping[str, Any]) -> Record:
    """The record of a raw file; ValueError for another schema or shape."""
    if data.get("schema") != SCHEMA:
        raise ValueError(f"this raw file has schema {data.get('schema')!r}; this version reads {SCHEMA}")
    try:
        known = {f.name for f in fields(Record)}
        values = {name: _tuples(value) for name, value in data.items() if name in known}
        values["peaks"] = {name: _tuples(runs) for name, runs in data.get("peaks", {}).items()}
        values["fingerprint"] = dict(data.get("fingerprint", {}))
        for name in ("couples", "related"):
            values[name] = tuple(_couple(each) for each in data.get(name, ()))
        return Record(**values)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"this raw file cannot be read: {error}") from error


def _couple(data: list[Any]) -> Couple:
    a, b = (Process(**{name: _tuples(value) for name, value in each.items()}) for each in data[1:3])
    return Couple(str(data[0]), a, b)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def thinned(record: Record) -> Record:
    """The same record with three values a process and clock: least, median and most, so every decision stays."""
    couples = tuple(_thin_couple(couple) for couple in record.couples)
    return replace(record, couples=couples, related=tuple(_thin_couple(couple) for couple in record.related))


def _thin_couple(couple: Couple) -> Couple:
    return Couple(couple.order, _thin(couple.a), _thin(couple.b))


def _thin(process: Process) -> Process:
    return replace(process, cpu=_three(process.cpu), wall=_three(process.wall))


def _three(values: tuple[float, ...]) -> tuple[float, ...]:
    return values if len(values) <= 3 else (min(values), median(values), max(values))
