"""The probe under every interpreter found: no pytest is needed, a plain benchmark file is the workload."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from engine.probe import calls
from engine.profile.tools import PROBE
from tests.engine.profile import shop

MINORS = tuple(range(8, 15))
BENCH = """
import asyncio
from shop import net
from shop.prices import Basket, apply, cheap, drain, fib, shuffle, squares, total
from shop.report import build


def bench_all():
    total(list(range(3000)))
    for n in range(300):
        cheap(n, n, flag=True)
    fib(9)
    shuffle([2, 1])
    list(squares(3))
    apply(lambda x: x + 1, 2)
    drain(n for n in range(3))
    basket = Basket("me")
    basket.add(1)
    basket.open(1)
    build(30000)
    try:
        total([None])
    except TypeError:
        pass


def bench_net():
    asyncio.run(net.mixed())
"""
TARGETS = "src/shop/"


@cache
def interpreters() -> dict[str, str]:
    """``3.8`` to a path, for every interpreter on the path and beside the running one that starts."""
    found: dict[str, str] = {}
    beside = sorted(Path(sys.base_prefix).parent.glob("*/bin/python3.*"))
    names = [shutil.which(f"python3.{minor}") or "" for minor in MINORS] + [str(p) for p in beside]
    for path in filter(None, [sys.executable, *names]):
        if re.search(r"python(3\.\d+)?$", path):
            done = subprocess.run(
                [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True,
                text=True,
            )
            version = done.stdout.strip()
            if done.returncode == 0 and version in {f"3.{minor}" for minor in MINORS}:
                found.setdefault(version, path)
    return dict(sorted(found.items(), key=lambda item: int(item[0].split(".")[1])))


GROUPED = [pytest.param(v, marks=pytest.mark.xdist_group(f"probe-{v}")) for v in interpreters()]


@pytest.fixture(params=GROUPED, scope="module")
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, dict]]:
    """All profilers once under one interpreter: the output folder and their reports."""
    root = tmp_path_factory.mktemp("py")
    tree = shop.write(root / "tree")
    (tree / "bench").mkdir()
    (tree / "bench" / "bench_shop.py").write_text(BENCH)
    out = root / "out"
    out.mkdir()
    reports = {tool: run(interpreters()[request.param], tool, tree, out) for tool in TOOLS}
    return out, reports


TOOLS = ("record", "check", "sample", "counts", "peak", "aio")


def run(python: str, tool: str, tree: Path, out: Path) -> dict:
    options = {
        "tree": str(tree),
        "out": str(out),
        "roots": ["src/shop"],
        "skip": ["bench"],
        "seconds": 60,
        "phases": [{"source": "benchmark", "files": ["bench/bench_shop.py"], "args": []}],
    }
    env = {"PYTHONPATH": str(tree / "src"), "PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [python, str(PROBE / "tool.py"), tool, json.dumps(options)],
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / f"{tool}.json").read_text()) if tool != "check" else {}


def index_of(out: Path) -> dict[str, dict]:
    return json.loads((out / "index.json").read_text())["targets"]


def test_real_calls_are_recorded_once_each(ran: tuple[Path, dict[str, dict]]) -> None:
    out, reports = ran
    assert reports["record"]["notes"] == []
    index = {key.split("::")[1]: entry for key, entry in index_of(out).items()}
    assert {
        name: index[name]["calls"] for name in ("total", "weight", "cheap", "squares", "fetch", "mixed")
    } == {
        "total": 2,
        "weight": 3001,
        "cheap": 300,
        "squares": 1,
        "fetch": 7,
        "mixed": 1,
    }
    assert index["cheap"]["distinct"] == 200
    assert index["cheap"]["args"]["flag"]["types"] == {"builtins.bool": 300}
    assert "generator" in index["drain"]["unreplayable"]
    assert all(
        not index[name]["unreplayable"] for name in ("shuffle", "apply", "squares", "fetch", "Basket.open")
    )


def test_results_are_of_real_returns_only(ran: tuple[Path, dict[str, dict]]) -> None:
    out, _ = ran
    index = {key.split("::")[1]: entry for key, entry in index_of(out).items()}
    assert index["total"]["returns"]["types"] == {"builtins.int": 1}
    assert set(index["weight"]["returns"]["types"]) == {"builtins.int"}
    assert index["squares"]["returns"]["types"] == {"builtins.NoneType": 1}
    assert index["fetch"]["returns"]["types"] == {"builtins.float": 7}


def test_arguments_are_as_they_were_at_the_start(ran: tuple[Path, dict[str, dict]]) -> None:
    out, _ = ran
    entry = next(e for key, e in index_of(out).items() if key.endswith("::shuffle"))
    (item,) = calls.raw_calls(str(out / entry["file"]))
    assert calls.thaw(item["blob"]) == (([2, 1],), {})


def test_shares_counts_and_peaks_are_plausible(ran: tuple[Path, dict[str, dict]]) -> None:
    _, reports = ran
    counts = {key.split("::")[1]: row for key, row in reports["counts"]["data"]["targets"].items()}
    assert (counts["weight"]["calls"], counts["cheap"]["calls"]) == (3001, 300)
    sample = reports["sample"]["data"]
    assert sample["ticks"] > 0 and sample["inside_ns"] <= sample["total_ns"] + 1
    peak = {key.split("::")[1]: row for key, row in reports["peak"]["data"]["targets"].items()}
    assert peak["build"]["own_bytes"] > 1 << 20 > peak["cheap"]["own_bytes"]


def test_tasks_are_followed(ran: tuple[Path, dict[str, dict]]) -> None:
    _, reports = ran
    rows = {key.split("::")[1]: row for key, row in reports["aio"]["data"]["targets"].items()}
    assert reports["aio"]["data"]["tasks"] >= 6
    assert max(site["in_row"] for site in rows["one_by_one"]["sites"]) == 4
    assert rows["blocking"]["blocked_ns"] > 2e7
    assert rows["fetch"]["wait_ns"] > 8e7


def test_interpreters_were_found() -> None:
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in interpreters()
