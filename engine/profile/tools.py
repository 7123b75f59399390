"""Runs the probe's profilers, one at a time, through the sandbox, and reads what they report.

A report comes from inside the sandbox: it is data of the target, so it is bounded and checked for shape, and one that
is missing or broken is a note, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.environment import Environment
from engine.profile.scope import Scope
from engine.sandbox import Completed, Limits, Sandbox

PROBE = Path(__file__).resolve().parent.parent / "probe"
REPORT_BYTES = 64 << 20
GRACE_SECONDS = 20.0
WRITE_BYTES = 2 << 30


@dataclass(kw_only=True)
class Report:
    """One profiler's answer; ``data`` is empty when it failed."""

    tool: str
    data: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sources: tuple[str, ...] = ()
    source: str = ""
    tests: int = 0
    failed: int = 0
    seconds: float = 0.0
    partial: bool = False
    rested: int = 0
    peak_rss: int | None = None

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        found = self.data.get("targets")
        rows = found if isinstance(found, dict) else {}
        return {key: row for key, row in rows.items() if isinstance(row, dict) and "::" in key}


class Bench:
    """Where profilers run: one tree, one environment, one output folder."""

    def __init__(self, *, scope: Scope, environment: Environment, sandbox: Sandbox, out: Path) -> None:
        self.scope, self.environment, self.sandbox, self.out = scope, environment, sandbox, out

    def run(self, tool: str, *, seconds: float, **more: Any) -> Report:
        """Run one profiler and read its report."""
        path = self.out / f"{tool}.json"
        path.unlink(missing_ok=True)
        done = self._start([PROBE / "tool.py", tool, json.dumps(self._options(seconds, more))], seconds)
        return _read(tool, path, done)

    def check(self, *, seconds: float) -> Completed:
        """Try the recordings in a fresh process; rewrites their index."""
        return self._start([PROBE / "tool.py", "check", json.dumps(self._options(seconds, {}))], seconds)

    def imports(self, names: Sequence[str], *, seconds: float) -> Completed:
        """One fresh process that imports ``names`` with the interpreter's own import timing; bytecode is kept."""
        env = {**self._env(), "PYTHONPYCACHEPREFIX": str(self.out / "pyc")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return self._start(["-X", "importtime", PROBE / "imports.py", *names], seconds, env)

    def _options(self, seconds: float, more: Mapping[str, Any]) -> dict[str, Any]:
        scope = self.scope
        return {
            "tree": str(scope.tree),
            "out": str(self.out),
            "roots": list(scope.roots),
            "skip": list(scope.skip),
            "phases": scope.phases(),
            "seconds": seconds,
            **more,
        }

    def _env(self) -> dict[str, str]:
        return {"PYTHONHASHSEED": "0", **self.environment.python_env(self.scope.tree)}

    def _start(
        self, argv: Sequence[str | Path], seconds: float, env: Mapping[str, str] | None = None
    ) -> Completed:
        return self.sandbox.run(
            [str(self.environment.python), *map(str, argv)],
            cwd=self.scope.tree,
            readable=[self.scope.tree, PROBE, *self.environment.readable],
            writable=[self.out, self.scope.tree],
            env=env or self._env(),
            limits=Limits(wall_seconds=seconds + GRACE_SECONDS, file_bytes=WRITE_BYTES),
        )


def number(row: Mapping[str, Any], name: str) -> float:
    """A number of a report; anything else (it comes from the target's process) reads as 0."""
    value = row.get(name, 0)
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18
    return float(value) if good else 0.0


def _read(tool: str, path: Path, done: Completed) -> Report:
    try:
        if path.stat().st_size > REPORT_BYTES:
            return Report(tool=tool, notes=[f"the report of {tool} is larger than {REPORT_BYTES} bytes"])
        raw = json.loads(path.read_text(encoding="utf-8"))
        return _report(tool, raw, done)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return Report(tool=tool, notes=[_why(tool, done)], seconds=done.wall_seconds)


def _report(tool: str, raw: dict[str, Any], done: Completed) -> Report:
    phases = [p for p in raw["phases"] if p["reached"]]
    sources = tuple(dict.fromkeys(str(p["source"]) for p in phases))
    return Report(
        tool=tool,
        data=dict(raw["data"]),
        notes=[f"{tool}: {str(note)[:300]}" for note in raw["notes"][:20]],
        sources=sources,
        source=sources[0] if sources else "",
        tests=int(raw["tests"]),
        failed=int(raw["failed"]),
        seconds=done.wall_seconds,
        partial=bool(raw["partial"]),
        rested=int(number(raw, "rested")),
        peak_rss=done.peak_rss_bytes,
    )


def _why(tool: str, done: Completed) -> str:
    words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    how = f"met its {done.limit} limit" if done.limit else f"ended with code {done.exit_code}"
    if done.signal:
        how = f"ended by signal {done.signal}"
    return f"{tool} gave no report: {how}; {words[-1][:200]}"
