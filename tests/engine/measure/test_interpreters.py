"""The measuring scripts run under every Python the target may need, as far as this machine has them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.measure.runner import Draw
from tests.engine.measure.bench import Bench

WORK = "def work(n):\n    return sum([i * i for i in range(n)])\n"
SUPPORTED = [(3, minor) for minor in range(8, 15)]


def others() -> list[tuple[str, Path]]:
    """Interpreters installed beside the one that runs this test: (version, path)."""
    found = {}
    for path in sorted(Path(sys.base_prefix).parent.glob("*/bin/python3")):
        asked = subprocess.run(
            [str(path), "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
            capture_output=True,
            text=True,
        )
        version = asked.stdout.strip()
        if asked.returncode == 0 and tuple(map(int, version.split(".")[:2])) in SUPPORTED:
            found[version.rpartition(".")[0]] = (version, path)
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize(
    ("version", "python"), others(), ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_calls_imports_and_bytecode_work_there(tmp_path, bench, prepared, version, python):
    there = replace(
        prepared, python=python, python_version=version, readable=(*prepared.readable, python.parent.parent)
    )
    other = Bench(tmp_path / "there", bench.sandbox, there)
    arm, workload = other.arm("a", WORK), other.calls([(200,), (400,)])
    runner, tuning = other.gauge._desk.runner, other.gauge._desk.ready(arm, workload)
    assert tuning.used == 2
    found = runner.process(arm, "A", workload, tuning, Draw(3, 100))
    assert len(found.cpu) == tuning.values
    fresh = replace(workload, kind="import", module="shop.work", id="import", metric="import")
    assert runner.process(arm, "A", fresh, other.gauge._desk.ready(arm, fresh), Draw(3, 100)).cpu[0] > 0
    tag = "".join(version.split(".")[:2])
    assert (arm.tree / "shop" / "__pycache__" / f"work.cpython-{tag}.pyc").is_file()
    assert other.gauge.prescreen(arm, replace(arm, commit="b"), workload) is not None
