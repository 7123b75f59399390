"""One profile of one commit: runs the profilers, keeps their tables, answers what rules and ranking ask."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.environment import Environment
from engine.facts import Facts, from_index
from engine.profile.imports import ModuleRow, time_imports
from engine.profile.scope import Scope, find_scope, module_name
from engine.profile.tables import (
    AsyncRow,
    FunctionRow,
    MemoryRow,
    async_rows,
    enough,
    function_rows,
    memory_rows,
    split,
)
from engine.profile.tools import Bench, Report, number
from engine.sandbox import Sandbox

TOOL_SECONDS = 90.0
LONG_SECONDS = 40.0
SLOW_TOOL_SECONDS = 45.0
CHECK_SECONDS = 30.0
SAMPLE_SECONDS = 4.0
SAMPLE_RUNS = 3
TICKS = 250
MOST_TESTS = 400
INDEX_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Profile:
    """``recordings`` is the folder of recorded calls, ``workload`` what ran, in words, ``source`` benchmark or test.

    ``functions`` are sorted by own CPU share, ``memory`` by own peak, ``asynchronous`` and ``modules`` by share; a
    dimension that was not asked for, or whose profiler failed (``notes`` say which), has no rows. ``import_ns`` is the
    total of every module imported. ``whole`` says that every test was watched to its end, so that a function without a
    row is one that no test calls. ``highest_bytes`` and ``peak_rss`` are of the whole workload.
    """

    commit: str
    workload: str
    source: str
    recordings: Path = Path()
    seconds: float = 0.0
    functions: tuple[FunctionRow, ...] = ()
    memory: tuple[MemoryRow, ...] = ()
    asynchronous: tuple[AsyncRow, ...] = ()
    modules: tuple[ModuleRow, ...] = ()
    sites: tuple[tuple[str, int], ...] = ()
    import_ns: Mapping[str, float] = field(default_factory=dict)
    highest_bytes: int | None = None
    peak_rss: int | None = None
    inside_ns: float | None = None
    notes: tuple[str, ...] = ()
    index: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    python: tuple[int, int] = (0, 0)
    installed: frozenset[str] = frozenset()
    import_roots: tuple[str, ...] = (".",)
    whole: bool = False

    def target_ids(self) -> Iterator[str]:
        """Every function that ran, then every module of the repo that was imported; each once, in table order."""
        ids = [f.id for f in self.functions] + [m.id for m in self.memory]
        yield from dict.fromkeys(ids + [a.id for a in self.asynchronous] + [m.id for m in self.modules])

    @cached_property
    def _by_id(self) -> dict[str, FunctionRow]:
        return {row.id: row for row in self.functions}

    def row(self, target_id: str) -> FunctionRow | None:
        """The CPU row of a function, None when it never ran."""
        return self._by_id.get(target_id)

    def called(self, target_id: str) -> bool | None:
        """Whether a test or benchmark calls this function; None when that is not known."""
        return True if target_id in self._by_id else (False if self.whole else None)

    def module_of(self, path: str) -> str:
        """The import name of a file of the repo."""
        return module_name(path, self.import_roots)

    def replayable(self, target_id: str) -> bool:
        """Whether recorded calls of this function can be run again."""
        entry = self.index.get(target_id)
        return bool(entry and entry.get("distinct") and not entry.get("unreplayable"))

    def tests_reaching(self, target_id: str) -> tuple[str, ...]:
        """Up to 50 node ids of tests that call it, in the order they ran."""
        row = self.row(target_id)
        return row.tests if row else ()

    def evidence(self, target_id: str, domain: str) -> str:
        """The best level of evidence a rewrite of this target can hope for, E0 to E3."""
        if domain == "structure":
            return "E1"
        row = self.row(target_id)
        if row is None or not (row.tests or row.distinct):
            return "E0"
        if row.kind == "coroutine" or domain == "async":
            return "E1"
        return "E3" if self.replayable(target_id) else ("E2" if self.index[target_id].get("args") else "E1")

    def facts_for(self, target_id: str) -> Facts:
        """What was observed of a target, for the rules; a module's facts hold import times alone."""
        row = self.row(target_id)
        waits = next((a for a in self.asynchronous if a.id == target_id), None)
        entry = dict(self.index.get(target_id, {}))
        if row and row.calls is not None:
            entry["calls"] = row.calls
        return from_index(
            entry,
            cost_ns=_one_call(row, waits),
            waiting_share=waits.waiting_share if waits else None,
            blocked_share=_blocked_share(waits),
            import_ns=dict(self.import_ns),
            python=self.python,
            packages=self.installed,
            called=self._called(target_id),
        )

    def _called(self, target_id: str) -> dict[str, int]:
        """For a module target: qualified name to calls, of the functions of its file that ran."""
        path, qualname = split(target_id)
        if qualname != "<module>":
            return {}
        return {row.qualname: row.calls or 0 for row in self.functions if row.path == path}


def _blocked_share(waits: AsyncRow | None) -> float | None:
    """The part of a coroutine function's life in which it, or what it calls, holds the loop without using the CPU.

    On a busy machine that includes being put aside, so it tells that something may block, never that it does.
    """
    lived = waits.wait_ns + waits.step_ns if waits else 0
    return max(waits.step_ns - waits.cpu_ns, 0.0) / lived if waits and lived > 0 else None


def _one_call(row: FunctionRow | None, waits: AsyncRow | None) -> float | None:
    """CPU ns of one call; for a coroutine function wall ns, its waiting included."""
    if row is not None and waits is not None and row.calls:
        return (waits.wait_ns + waits.step_ns) / row.calls
    return row.cost_ns if row else None


def profile(
    *,
    tree: Path,
    environment: Environment,
    sandbox: Sandbox,
    out: Path,
    domains: Sequence[str],
    commit: str,
) -> Profile:
    """Run the profilers of ``domains`` ("deep" is all) one at a time in the sandbox; ``out`` is made and kept.

    The CPU share, the counts and the recordings are always made. A profiler that fails leaves its table empty and a
    note. Nothing is raised for what the target does.
    """
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    scope = find_scope(tree, environment)
    bench = Bench(scope=scope, environment=environment, sandbox=sandbox, out=out)
    reports = _run_tools(bench, scope, domains)
    modules, import_ns, import_notes = _modules(bench, domains)
    made = _tables(reports, _index(out), environment, commit)
    return replace(
        made,
        recordings=out,
        seconds=time.monotonic() - started,
        modules=modules,
        import_ns=import_ns,
        notes=tuple(dict.fromkeys([*made.notes, *import_notes])),
    )


def _tables(
    reports: Mapping[str, Report], index: dict[str, dict[str, Any]], environment: Environment, commit: str
) -> Profile:
    sample, counts = reports["sample"], reports["counts"]
    notes = [note for report in reports.values() for note in report.notes]
    if not enough(sample):
        notes.append("too little CPU time inside the repo to sample: shares come from the exact profiler")
    peak = reports.get("peak", Report(tool="peak"))
    source = sample.source or counts.source or "test"
    return Profile(
        commit=commit,
        workload="the repo's benchmarks" if source == "benchmark" else "the repo's tests",
        source=source,
        functions=function_rows(sample=sample, counts=counts, index=index),
        memory=memory_rows(peak),
        asynchronous=async_rows(reports.get("aio", Report(tool="aio"))),
        sites=_sites(peak),
        highest_bytes=_whole(peak.data.get("highest")),
        peak_rss=_whole(sample.data.get("peak_rss")),
        inside_ns=_whole(sample.data.get("inside_ns")),
        notes=tuple(notes),
        index=index,
        python=_minor(environment.python_version),
        installed=frozenset(environment.installed),
        import_roots=environment.import_roots or (".",),
        whole=_watched_all(counts, reports["record"]),
    )


def _watched_all(counts: Report, record: Report) -> bool:
    """Whether the recorder saw every test to its end, or the exact counts complete what it left out."""
    if record.data and not record.partial and not record.rested:
        return True
    return bool(counts.data) and not counts.partial and counts.sources == ("test",)


def _run_tools(bench: Bench, scope: Scope, domains: Sequence[str]) -> dict[str, Report]:
    wanted = set(domains)
    reports = {"sample": _sample(bench)}
    reports["counts"] = _counts(bench, reports["sample"])
    reports["record"] = bench.run("record", seconds=TOOL_SECONDS, all_phases=True)
    if reports["record"].data:
        bench.check(seconds=CHECK_SECONDS)
    if wanted & {"memory", "deep"}:
        reports["peak"] = bench.run("peak", seconds=SLOW_TOOL_SECONDS)
    if wanted & {"async", "deep"} and scope.has_async:
        phases = _phases_reaching_coroutines(bench)
        if phases:
            reports["aio"] = bench.run("aio", seconds=SLOW_TOOL_SECONDS, all_phases=True, phases=phases)
    return reports


def _counts(bench: Bench, sample: Report) -> Report:
    """Exact counts, unless the workload is so long that the sampler has seen enough and the recorder's must do."""
    if enough(sample) and sample.seconds > LONG_SECONDS:
        note = f"the workload takes {sample.seconds:.0f} s: calls are counted by the recorder, not exactly"
        return Report(tool="counts", notes=[note])
    return bench.run("counts", seconds=TOOL_SECONDS)


def _phases_reaching_coroutines(bench: Bench) -> list[dict[str, Any]]:
    """Only the tests and benchmarks that were seen to call a coroutine function."""
    found: dict[str, dict[str, None]] = {"benchmark": {}, "test": {}}
    for entry in _index(bench.out).values():
        if entry.get("kind") == "coroutine":
            found["benchmark"].update(dict.fromkeys(map(str, entry.get("benchmarks") or ())))
            found["test"].update(dict.fromkeys(map(str, entry.get("tests") or ())))
    return [
        _narrowed(phase, list(found[phase["source"]]))
        for phase in bench.scope.phases()
        if found[phase["source"]]
    ]


def _narrowed(phase: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    files = [f for f in phase["files"] if any(each.startswith(f"{f}::") for each in ids)]
    args = [each for each in ids if not any(each.startswith(f"{f}::") for f in files)]
    return {**phase, "files": files, "args": args[:MOST_TESTS]}


def _sample(bench: Bench) -> Report:
    """Sample in fresh processes until there are enough ticks, at most SAMPLE_RUNS or about SAMPLE_SECONDS."""
    merged = bench.run("sample", seconds=TOOL_SECONDS, timed=True)
    spent = merged.seconds
    for _ in range(SAMPLE_RUNS - 1):
        ticks = _whole(merged.data.get("ticks_inside")) or 0
        if merged.partial or not ticks or ticks >= TICKS or spent > SAMPLE_SECONDS:
            break
        again = bench.run("sample", seconds=TOOL_SECONDS, timed=True)
        spent += again.seconds
        _merge(merged, again)
    return merged


def _merge(into: Report, other: Report) -> None:
    """Add the weights of another run; numbers that are none count as 0."""
    mine = into.targets
    for key, row in other.targets.items():
        held = mine.get(key, {**row, "own_ns": 0, "reach_ns": 0})
        mine[key] = {
            **held,
            **{name: number(held, name) + number(row, name) for name in ("own_ns", "reach_ns")},
        }
    into.data["targets"] = mine
    for name in ("ticks", "ticks_inside", "total_ns", "inside_ns"):
        into.data[name] = int(number(into.data, name) + number(other.data, name))
    into.data["runs"] = int(number(into.data, "runs") or 1) + 1


def _modules(
    bench: Bench, domains: Sequence[str]
) -> tuple[tuple[ModuleRow, ...], dict[str, float], list[str]]:
    if not set(domains) & {"structure", "deep"}:
        return (), {}, []
    return time_imports(bench)


def _index(out: Path) -> dict[str, dict[str, Any]]:
    """The recordings' index: only well-shaped entries, keyed by target id."""
    path = out / "index.json"
    try:
        if path.stat().st_size > INDEX_BYTES:
            return {}
        targets = json.loads(path.read_text(encoding="utf-8"))["targets"]
        return {key: entry for key, entry in targets.items() if isinstance(entry, dict) and split(key)[1]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _sites(peak: Report) -> tuple[tuple[str, int], ...]:
    raw = peak.data.get("sites")
    found = raw if isinstance(raw, list) else []
    return tuple(
        (str(s[0]), int(s[1])) for s in found if isinstance(s, list) and len(s) == 2 and _whole(s[1])
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _minor(version: str) -> tuple[int, int]:
    parts = [int(p) for p in version.split(".")[:2] if p.isdigit()]
    return (parts[0], parts[1]) if len(parts) == 2 else (0, 0)
