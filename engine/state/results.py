"""``results.tsv``: one row per experiment, baseline and measurement, appended while a session runs.

Tab separated, no quoting, LF, UTF-8, one header. The first nine columns are those of older tools, in their order;
ours follow. Cells are text as it stands in the file ("" is written ``-``); numbers are computed from ``before`` and
``after``, never from ``improvement``. Lower is better for every metric this file knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from engine.state import units
from engine.state.grammar import ENTRY_LIMIT, Note
from engine.state.text import one_line, printable

COLUMNS: tuple[str, ...] = (
    *("experiment", "status", "pattern", "target", "before", "after", "improvement", "timestamp", "commit"),
    *("metric", "unit", "ratio_low", "ratio_high", "pairs", "noise_floor", "domain", "agent", "hypothesis"),
)
STATUSES: tuple[str, ...] = ("baseline", "keep", "discard", "crash", "measurement", "blocked")
ROW_LIMIT = 20_000
CELL_LIMIT = 2_000
COLUMN_LIMIT = 200
_ALIASES = {
    "description": "hypothesis",
    "iteration": "experiment",
    "function": "target",
    "technique": "pattern",
    "sha": "commit",
    "time": "timestamp",
    "date": "timestamp",
}
_KINDS = {
    "pass": "keep",
    "kept": "keep",
    **dict.fromkeys(("revert", "reverted", "fail", "kill", "killed", "discarded", "hook-blocked"), "discard"),
    **dict.fromkeys(("error", "metric-error", "crashed"), "crash"),
    "info": "measurement",
    "deferred": "blocked",
}
_WITH_UNIT = re.compile(r"^(?:latency|time|runtime|duration|after)_(ns|us|ms|s)$")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line. ``ratio_low``..``ratio_high`` is the interval of before / after; ``noise_floor`` a fraction."""

    experiment: str = ""
    status: str = ""
    pattern: str = ""
    target: str = ""
    before: str = ""
    after: str = ""
    improvement: str = ""
    timestamp: str = ""
    commit: str = ""
    metric: str = ""
    unit: str = ""
    ratio_low: str = ""
    ratio_high: str = ""
    pairs: str = ""
    noise_floor: str = ""
    domain: str = ""
    agent: str = ""
    hypothesis: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in COLUMNS:
            object.__setattr__(self, name, one_line(getattr(self, name), CELL_LIMIT))
        named = {one_line(name, 80): one_line(cell, CELL_LIMIT) for name, cell in self.extra}
        object.__setattr__(self, "extra", tuple(sorted((n, cell) for n, cell in named.items() if n and cell)))

    @property
    def kind(self) -> str:
        """The status as one of STATUSES, or the word itself in lower case when it is none of them."""
        word = self.status.lower().split(" (")[0].strip()
        return _KINDS.get(word, word)

    @property
    def before_quantity(self) -> units.Quantity | None:
        return units.quantity(self.before, self.unit)

    @property
    def after_quantity(self) -> units.Quantity | None:
        return units.quantity(self.after, self.unit)

    @property
    def ratio(self) -> float | None:
        """before / after from the raw cells, above 1 is better; None when either is missing."""
        return units.ratio(self.before_quantity, self.after_quantity)

    @property
    def low(self) -> float | None:
        return _number(self.ratio_low)

    @property
    def high(self) -> float | None:
        return _number(self.ratio_high)

    @property
    def floor(self) -> float | None:
        return _number(self.noise_floor)


@dataclass(frozen=True, kw_only=True)
class Results:
    """``unread`` are lines that are no rows; ``half`` a last line still being written."""

    NAME: ClassVar[str] = "results.tsv"
    LIMIT: ClassVar[int] = 4_000_000

    rows: tuple[Row, ...] = ()
    unread: tuple[str, ...] = ()
    half: str = ""
    notes: tuple[Note, ...] = field(default=(), compare=False)


def measured(
    *,
    experiment: str,
    status: str,
    unit: str,
    before: float | None = None,
    after: float | None = None,
    low: float | None = None,
    high: float | None = None,
    pairs: int | None = None,
    floor: float | None = None,
    at: float | None = None,
    **words: Any,
) -> Row:
    """A row from raw numbers in ``unit``; the improvement is computed. ``at`` is seconds since the epoch, UTC.

    ``words`` are the other columns: pattern, target, commit, metric, domain, agent, hypothesis.
    """
    had = units.in_base(before, unit) if before is not None else None
    has = units.in_base(after, unit) if after is not None else None
    return Row(
        experiment=experiment,
        status=status,
        unit=had.unit if had else unit,
        before=units.written(before, unit),
        after=units.written(after, unit),
        improvement=units.percent(units.improvement(had, has)),
        ratio_low=_written(low),
        ratio_high=_written(high),
        pairs="" if pairs is None else str(pairs),
        noise_floor=_written(floor),
        timestamp="" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **words,
    )


def parse(text: str) -> Results:
    """Read a results table of ours or of another tool; never raises. Unknown columns go to ``extra`` of each row."""
    notes: list[Note] = []
    if len(text) > Results.LIMIT:
        notes.append(
            Note(1, f"longer than {Results.LIMIT} characters; the rest was not read", "a shorter file")
        )
    lines = printable(text[: Results.LIMIT]).split("\n")
    start = next((number for number, line in enumerate(lines) if "\t" in line.strip()), 0)
    header = _header(lines[start])
    if header is None and text.strip():
        notes.append(Note(start + 1, "no header row", "\t".join(COLUMNS[:9])))
    table = _Table(header or list(COLUMNS[:9]), notes)
    for number, line in enumerate(lines, start=1):
        if number != start + 1 or header is None:
            table.take(number, line, last=number == len(lines))
    return Results(
        rows=tuple(table.rows), unread=tuple(table.unread), half=table.half, notes=tuple(table.notes)
    )


def _split(line: str) -> list[str]:
    return line.split("\t", COLUMN_LIMIT - 1)


def _header(line: str) -> list[str] | None:
    """Column names when the line is a header (at least two names known). Each name occurs once.

    Tables with neither before nor after hold the measured value itself in a column called metric.
    """
    cells = [cell.strip() for cell in _split(line)]
    words = [cell.lower() for cell in cells]
    plain = [_ALIASES.get(word, word) if _ALIASES.get(word) not in words else word for word in words]
    if sum(name in COLUMNS for name in plain) < 2:
        return None
    if not {"before", "after", "unit"} & set(plain):
        plain = ["after" if name == "metric" else name for name in plain]
    names: list[str] = []
    for name, cell in zip(plain, cells, strict=True):
        names.append(_unused(name if name in COLUMNS else cell, names))
    return names


def _unused(name: str, names: Sequence[str]) -> str:
    wanted = one_line(name, 80) or f"column {len(names) + 1}"
    return wanted if wanted not in names else f"{wanted} (column {len(names) + 1})"


@dataclass
class _Table:
    """Gathers the lines of one file; ``names`` are its columns."""

    names: list[str]
    notes: list[Note]
    rows: list[Row] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    half: str = ""

    def take(self, number: int, line: str, *, last: bool) -> None:
        cells = _split(line)
        if not line.strip():
            return
        if last and len(cells) < len(self.names):
            self.note(number, "the last line is not finished", "a whole row and a line end")
            self.half = line
        elif len(cells) < 2 or len(self.rows) >= ROW_LIMIT:
            self.note(number, "a line that is no row; kept", f"{len(self.names)} cells, tab separated")
            self.unread += [kept] if (kept := one_line(line, CELL_LIMIT)) else []
        else:
            self.rows.append(self.row(cells, number))

    def note(self, number: int, what: str, expected: str) -> None:
        if len(self.notes) < ENTRY_LIMIT:
            self.notes.append(Note(number, what, expected))

    def row(self, cells: list[str], number: int) -> Row:
        columns = len(self.names)
        if len(cells) > columns:
            self.note(number, f"{len(cells)} cells for {columns} columns; kept", f"{columns} cells")
        padded = [*self.names, *(f"column {n}" for n in range(columns + 1, len(cells) + 1))]
        row = _with_value(_row(padded, cells))
        if row.status and row.kind not in STATUSES:
            self.note(number, f"unknown status {row.status!r}; kept", "one of " + ", ".join(STATUSES))
        return row


def _row(names: list[str], cells: list[str]) -> Row:
    found = {name: one_line(cell, CELL_LIMIT) for name, cell in zip(names, cells, strict=False)}
    known: dict[str, Any] = {name: cell for name, cell in found.items() if name in COLUMNS}
    return Row(**known, extra=tuple((name, cell) for name, cell in found.items() if name not in COLUMNS))


def _with_value(row: Row) -> Row:
    """Tables that hold one ``latency_ms`` column instead of before and after: that value is the after."""
    if row.before or row.after:
        return row
    for name, cell in row.extra:
        found = _WITH_UNIT.match(name.lower())
        if found and units.quantity(cell):
            left = tuple(each for each in row.extra if each[0] != name)
            return replace(row, after=cell + found.group(1), extra=left)
    return row


def render(results: Results) -> str:
    """Our columns, then the others in the order they came; one line a row. The half line stays without its end."""
    others = list(dict.fromkeys(name for row in results.rows for name, _ in row.extra))
    names = [*COLUMNS, *others]
    lines = [names, *(_cells(row, others) for row in results.rows)]
    text = "".join("\t".join(cells) + "\n" for cells in lines)
    return text + "".join(line + "\n" for line in results.unread) + results.half


def _cells(row: Row, others: Iterable[str]) -> list[str]:
    extra = dict(row.extra)
    return [*(getattr(row, name) or "-" for name in COLUMNS), *(extra.get(name) or "-" for name in others)]


def append(results: Results, *rows: Row) -> Results:
    """``results`` with ``rows`` at the end; the oldest go when there are more than the limit."""
    return replace(results, rows=(*results.rows, *rows)[-ROW_LIMIT:], notes=())


def _number(text: str) -> float | None:
    found = units.quantity(text)
    return found.value if found else None


def _written(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


assert tuple(f.name for f in fields(Row))[:-1] == COLUMNS, "a column without its field"
__all__ = ["COLUMNS", "STATUSES", "Results", "Row", "append", "measured", "parse", "render"]
