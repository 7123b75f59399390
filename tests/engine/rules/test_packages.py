"""The rules for import time on real packages in fresh interpreters: the same names, less imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.rules import Case, Rule, catalogue
from tests.engine.rules.helpers import rewrites

CASES = [(rule, case) for rule in catalogue() if rule.metric == "import" for case in rule.examples]

LOOK = """
import json, sys
sys.path.insert(0, ".")
name = sys.argv[1]
__import__(name)
module = sys.modules[name]
loaded = sorted(sys.modules)
listed = list(getattr(module, "__all__", []))
scope = {}
exec(f"from {name} import *", scope)
told = {
    "loaded": loaded,
    "star": sorted(each for each in scope if each != "__builtins__") if listed else [],
    "names": {each: repr(getattr(module, each)).split(" at ")[0] for each in listed},
    "missing": "",
    "dir": sorted(each for each in dir(module) if not each.startswith("_")),
}
try:
    module.nothing_of_that_name
except AttributeError as error:
    told["missing"] = str(error)
try:
    exec(f"from {name} import nothing_of_that_name")
except ImportError as error:
    told["import"] = str(error).partition(" (")[0]
print(json.dumps(told))
"""


def look(folder: Path, case: Case, text: str) -> dict[str, object]:
    """Import the case's module in a fresh interpreter and tell what can be seen of it."""
    files = {**(case.files or {}), case.path: text}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    name = case.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(
    ("rule", "case"), CASES, ids=lambda each: getattr(each, "id", getattr(each, "why", ""))
)
def test_same_names_and_less_loaded(rule: Rule, case: Case, tmp_path: Path) -> None:
    (after,) = rewrites(rule, case)
    old, new = look(tmp_path / "old", case, case.source), look(tmp_path / "new", case, after)
    assert set(new.pop("loaded")) < set(old.pop("loaded")) | {"typing"}  # type: ignore[call-overload]
    before, now = set(old.pop("dir")), set(new.pop("dir"))  # type: ignore[call-overload]
    assert old == new
    assert before - now <= {"statistics", "median", "HTTPResponse"}


def test_modules_stay_reachable_through_their_package(tmp_path: Path) -> None:
    rule = next(each for each in catalogue() if each.id == "lazy-exports")
    case = rule.examples[0]
    (after,) = rewrites(rule, case)
    look(tmp_path, case, after)
    program = "import pkg, sys; assert 'pkg.one' not in sys.modules"
    program += "; print(pkg.base.ONE, pkg.one.first(2), pkg.first(4))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["1", "3", "5"], done.stderr
