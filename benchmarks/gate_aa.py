"""How often does the gate call identical code faster? Real A/A gates, each with fresh processes.

    python -m benchmarks.gate_aa --gates 1000 --out aa.jsonl          quiet
    python -m benchmarks.gate_aa --gates 1000 --out aa.jsonl --load 4  beside four busy processes

Every gate is one line of the output file, so a run can be stopped and continued. The goal is a false keep rate of at
most 1%: 4 keeps or fewer in 1,000 separate gates show it at 95% confidence.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.environment import Environment, prepare
from engine.measure import Arm, Floor, Gauge, Workload
from engine.sandbox import Sandbox, probe_isolation

GOAL, CONFIDENCE = 0.01, 0.95
LOOP = """
def work(n):
    total = 0
    for i in range({units} * n):
        total += i * i % 7
    return total > 0
"""
WAIT = """
import asyncio


async def work(n):
    for _ in range({units}):
        await asyncio.sleep(0.0002 * n)
"""
KINDS = {
    "cpu": LOOP,
    "alloc": "def work(n):\n    return len([[i, str(i)] for i in range({units} * n)]) > 0\n",
    "memory": "def work(n):\n    table = bytearray(3000 * {units} * n)\n    return sum(table[::4096])\n",
    "string": "def work(n):\n    return ' '.join(repr(i).zfill(9) for i in range({units} * n)).split()[0]\n",
    "async": WAIT,
    "import": "TABLE = [str(i) for i in range(2000 * {units})]\n",
}
UNITS = 20
BUSY = "while True:\n    sum(i * i for i in range(10000))\n"


@dataclass
class Lab:
    """A scratch folder, one environment, and a gauge that is new for every gate, so that gates are separate."""

    root: Path
    sandbox: Sandbox
    environment: Environment

    def arm(self, name: str, kind: str, units: int) -> Arm:
        tree = self.root / kind / name
        (tree / "pack").mkdir(parents=True, exist_ok=True)
        (tree / "pack" / "__init__.py").touch()
        (tree / "pack" / "code.py").write_text(KINDS[kind].replace("{units}", str(units)))
        return Arm(tree=tree, commit=f"{name} {units}")

    def workload(self, kind: str) -> Workload:
        metric = {"async": "wall", "import": "import"}.get(kind, "cpu")
        if kind == "import":
            return Workload(
                kind="import", id=kind, target="", recordings=None, module="pack.code", metric=metric
            )
        folder = self.root / "recordings"
        folder.mkdir(exist_ok=True)
        self._record(folder, "coroutine" if kind == "async" else "function")
        return Workload(
            kind="calls", id=kind, target="pack/code.py::work", recordings=folder, metric=metric, label=kind
        )

    def _record(self, folder: Path, kind: str) -> None:
        with (folder / "t0001.calls").open("wb") as stream:
            for number in (3, 5, 8):
                blob = pickle.dumps(((number,), {}), 4)
                item = {"blob": blob, "count": 1, "source": "test", "size": len(blob), "key": str(number)}
                pickle.dump(item, stream)
        entry = {"file": "t0001.calls", "module": "pack.code", "qualname": "work", "kind": kind}
        index = {"paths": [], "targets": {"pack/code.py::work": entry}}
        (folder / "index.json").write_text(json.dumps(index))

    def gauge(self, seed: int) -> Gauge:
        return Gauge(
            sandbox=self.sandbox,
            environment=self.environment,
            lock=self.root / "lock",
            seed=seed,
            raw_dir=self.root / "raw",
            patience_seconds=0,
        )

    def gate(self, kind: str, *, before: int, after: int, seed: int) -> dict[str, object]:
        """One separate experiment: its own floor, its own gate. ``before`` and ``after`` are units of work."""
        a, b, workload = self.arm("a", kind, before), self.arm("b", kind, after), self.workload(kind)
        gauge, started = self.gauge(seed), time.monotonic()
        floor: Floor = gauge.floor(a, workload)
        found = gauge.gate(a, b, workload, floor, budget_seconds=180)
        return {
            "kind": kind,
            "seed": seed,
            "outcome": found.outcome,
            "reason": found.reason,
            "ratio": found.ratio,
            "floor": found.floor,
            "pairs": found.pairs,
            "load": found.load,
            "witnesses": found.witnesses,
            "seconds": round(time.monotonic() - started, 2),
        }


@contextmanager
def laboratory() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="gate-lab-") as folder:
        root = Path(folder)
        tree = root / "plain"
        (tree / "tests").mkdir(parents=True)
        (tree / "tests" / "test_plain.py").write_text("def test_plain():\n    assert True\n")
        sandbox = Sandbox(probe_isolation(), scratch=root / "sandbox")
        environment = prepare(tree=tree, cache=root / "cache", sandbox=sandbox, offline=True)
        yield Lab(root, sandbox, environment)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that never rest, beside the measurement."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def upper_bound(keeps: int, gates: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper limit (Clopper and Pearson) for the rate behind ``keeps`` in ``gates``."""
    low, high = keeps / gates if gates else 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        at_most = sum(_chance(k, gates, rate) for k in range(keeps + 1))
        low, high = (rate, high) if at_most > 1 - confidence else (low, rate)
    return high


def _chance(k: int, n: int, rate: float) -> float:
    if rate in (0.0, 1.0):
        return float(k == n * rate)
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + k * math.log(rate) + (n - k) * math.log1p(-rate))


def stored(path: Path) -> list[dict[str, object]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def store(path: Path, row: dict[str, object]) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(row) + "\n")


def arguments(text: str, gates: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--gates", type=int, default=gates, help="how many separate gates in all")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=sorted(KINDS))
    parser.add_argument("--load", type=int, default=0, help="busy processes beside the measurement")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, required=True, help="file of one JSON line a gate; continued when it exists"
    )
    return parser.parse_args()


def summary(rows: list[dict[str, object]]) -> str:
    lines = [f"{'kind':<8} {'load':>4} {'gates':>6} {'keeps':>6}  outcomes"]
    groups = sorted({(str(r["kind"]), int(str(r["busy"]))) for r in rows})
    for kind, load in groups:
        found = Counter(str(r["outcome"]) for r in rows if (r["kind"], r["busy"]) == (kind, load))
        lines.append(f"{kind:<8} {load:>4} {found.total():>6} {found['keep']:>6}  {dict(found)}")
    keeps, gates = sum(r["outcome"] == "keep" for r in rows), len(rows)
    bound = upper_bound(keeps, gates)
    shown = "shown" if bound <= GOAL else "not shown"
    lines.append(
        f"{keeps} false keeps in {gates} gates: at most {bound:.2%} at 95% confidence; 1% is {shown}"
    )
    return "\n".join(lines)


def main() -> int:
    told = arguments(__doc__ or "", 1000)
    rows = stored(told.out)
    with laboratory() as lab, busy(told.load):
        while len(rows) < told.gates:
            kind, seed = told.kinds[len(rows) % len(told.kinds)], told.seed * 1_000_000 + len(rows)
            row = {
                **lab.gate(kind, before=UNITS, after=UNITS, seed=seed),
                "busy": told.load,
                "cores": os.cpu_count(),
            }
            store(told.out, row)
            rows.append(row)
            print(f"{len(rows):>5} {kind:<8} {row['outcome']:<8} {row['reason']}", flush=True)
    print(summary(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
