"""What the tests of measuring share: small repos, recorded calls, a real sandbox and environment."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.environment import Environment
from engine.measure import Arm, Floor, Gauge, Workload, raw
from engine.sandbox import Sandbox
from engine.values import Measurement

PROBE = Path(__file__).resolve().parents[3] / "engine" / "probe"
PACKAGE = "shop"


def probe(name: str) -> ModuleType:
    """A probe script as a module, loaded by its file as the sandbox does."""
    spec = importlib.util.spec_from_file_location(f"probe_{name}", PROBE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """A small repo as plain files; the package ``shop`` is always there."""
    for name, text in {f"{PACKAGE}/__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def write_recordings(
    root: Path,
    calls: Sequence[tuple[Any, ...]],
    *,
    module: str = "shop.work",
    qualname: str = "work",
    counts: Sequence[int] = (),
    **more: Any,
) -> str:
    """Recorded calls of one target in the documented format; each call is a tuple of arguments. Returns the id."""
    root.mkdir(parents=True, exist_ok=True)
    tool, target = probe("calls"), f"{module.replace('.', '/')}.py::{qualname}"
    with (root / "t0001.calls").open("wb") as stream:
        for number, args in enumerate(calls):
            blob = tool.freeze(args, {})
            item = {"blob": blob, "source": "test", "size": len(blob), "key": str(number)}
            item["count"] = counts[number] if counts else 1
            pickle.dump(item, stream)
    entry = {
        "file": "t0001.calls",
        "module": module,
        "qualname": qualname,
        "kind": "function",
        "unreplayable": "",
    }
    index = {"paths": [], "targets": {target: {**entry, **more}}}
    (root / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return target


class Bench:
    """One scratch folder with a gauge: ``arm`` writes a version, ``calls`` records, then measure."""

    def __init__(self, root: Path, sandbox: Sandbox, environment: Environment, **options: Any) -> None:
        self.root, self.sandbox, self.environment = root, sandbox, environment
        settings = {"seed": 7, "holder": "the test", "patience_seconds": 0.0, **options}
        self.gauge = Gauge(
            sandbox=sandbox, environment=environment, lock=root / "lock", raw_dir=root / "raw", **settings
        )

    def arm(self, name: str, work: str, **files: str) -> Arm:
        extra = {f"{PACKAGE}/{key}.py": text for key, text in files.items()}
        tree = write_tree(self.root / name, {f"{PACKAGE}/work.py": work, **extra})
        return Arm(tree=tree, commit=name)

    def calls(self, calls: Sequence[tuple[Any, ...]], *, metric: str = "cpu", **more: Any) -> Workload:
        folder = self.root / "recordings"
        target = write_recordings(folder, calls, **more)
        name = f"calls:{target}"
        return Workload(
            kind="calls", id=name, target=target, recordings=folder, metric=metric, label="micro on work"
        )


SLOW = "def work(n):\n    total = 0\n    for i in range(n):\n        total += i * i % 7\n    return total\n"
FAST = SLOW.replace("range(n)", "range(n // 2)")
CALLS = [(n,) for n in range(100, 500, 100)]
QUIET = Floor(delta=0.02)


def compare(
    bench: Bench, a: Arm, b: Arm, workload: Workload, pairs: int = 8
) -> tuple[Measurement, raw.Record]:
    found = bench.gauge.compare(a, b, workload, pairs=pairs, level=0.95, floor=QUIET)
    return found, raw.read(bench.root / "raw" / str(found.raw))
