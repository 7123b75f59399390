"""The probe runs in the target's interpreter, whatever supported one that is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.verify import comparing, invent
from engine.verify.probing import PROBE
from tests.engine.verify.house import write

MINORS = range(8, 15)
SOURCE = {
    "pkg/__init__.py": "",
    "pkg/mod.py": (
        "import asyncio\n\n\ndef pick(xs, limit):\n    for x in xs:\n        if x < limit:\n            yield x\n\n\n"
        "async def wait(n):\n    await asyncio.sleep(100)\n    return n\n"
    ),
}


def interpreters() -> list[str]:
    """Every supported Python found on the path or where pyenv keeps its versions; the running one at least."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {sys.version_info[:2]: sys.executable}
    for minor in MINORS:
        kept = sorted(str(path) for path in pyenv.glob(f"3.{minor}.*/bin/python"))
        on_path = shutil.which(f"python3.{minor}")
        for path in [*kept, *([on_path] if on_path else [])]:
            if (3, minor) not in found and _starts(path):
                found[(3, minor)] = path
    return [found[version] for version in sorted(found)]


def _starts(path: str) -> bool:
    try:
        return (
            subprocess.run([path, "-c", "import ssl, ctypes"], capture_output=True, timeout=30).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def probe(python: str, script: str, tree: Path, options: dict[str, Any], stdin: str) -> list[dict[str, Any]]:
    argv = [python, str(PROBE / "tool.py"), script, json.dumps({"tree": str(tree), **options})]
    env = {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        argv, input=stdin.encode(), capture_output=True, env=env, cwd=tree, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def job(qualname: str, args: list[dict[str, Any]]) -> str:
    return json.dumps(
        {
            "module": "pkg.mod",
            "qualname": qualname,
            "kind": "function",
            "calls": "",
            "seed": 1,
            "tier": "exact",
            "perturb": 0,
            "generated": [{"base": None, "args": each} for each in args],
            "only": None,
            "after": "",
            "explain": ["g0"],
            "limits": {},
            "limit": 5,
            "budget": {"recorded": 5, "perturbed": 5, "generated": 5},
            "lines": {"path": "pkg/mod.py", "lines": [5, 6, 7]},
            "hasty": False,
            "nonce": "n",
        }
    )


@pytest.fixture(params=interpreters(), ids=lambda path: Path(path).parent.parent.name)
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_observing(python: str, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SOURCE)
    args = [
        {"xs": invent.encode([1, 9, 2]), "limit": invent.encode(5)},
        {"xs": invent.encode([None]), "limit": ["i", "3"]},
    ]
    lines = probe(python, "observe", tree, {}, job("pick", args))
    first, second = (line for line in lines if line["kind"] == "input")
    assert first["outcome"] == "lazy builtins.generator" and "[1, 2]" in first["words"]["result"]
    assert (
        comparing.difference(first, first, "exact") == ""
        and comparing.difference(first, second, "exact") == "value"
    )
    assert lines[-1]["kind"] == "end" and lines[-1]["lines"] == [5, 6, 7]


def test_a_coroutine_waits_for_nothing(python: str, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SOURCE)
    lines = probe(python, "observe", tree, {}, job("wait", [{"n": ["i", "3"]}]))
    assert [line["outcome"] for line in lines if line["kind"] == "input"] == ["returned"]


def test_surfaces(python: str, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SOURCE)
    options = {"modules": ["pkg", "pkg.mod"], "lines": {"path": "pkg/mod.py", "lines": [1]}}
    lines = probe(python, "surface", tree, options, "nonce\n")
    module = next(line for line in lines if line.get("module") == "pkg.mod")
    assert module["public"]["pick"]["signature"] == "(xs, limit)" and module["lines"] == [1]
