"""The profiling script on real programs and interpreters, and the state check that the plugin carries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.state import check
from tests.plugin.conftest import ROOT, other_interpreters

PROFILER = ROOT / "plugin/languages/python/references/unified-profiling-script.py"
PROGRAM = '''
"""Half of the time in each of two functions, and one large list."""
import sys
import time


def hot(n):
    return sum([i * i % 7 for i in range(n)])


def warm(n):
    total = 0
    for i in range(n):
        total += i % 7
    return total


def hold():
    return [str(i) * 3 for i in range(60000)]


kept = hold()
until = time.process_time() + float(sys.argv[1])
while time.process_time() < until:
    hot(3000)
    warm(3000)
print("done", len(kept))
sys.exit(5)
'''


def profile(folder: Path, *words: str, python: str = sys.executable) -> tuple[int, str, dict[str, object]]:
    report = folder / "report.json"
    command = [python, str(PROFILER), "--json", str(report), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return (
        done.returncode,
        done.stdout,
        json.loads(report.read_text(encoding="utf-8")) if report.exists() else {},
    )


@pytest.mark.parametrize("python", [sys.executable, *other_interpreters()], ids=lambda path: Path(path).name)
def test_one_report_of_cpu_memory_and_collections(python: str, tmp_path: Path) -> None:
    folder = tmp_path / "mit space"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "program.py").write_text(PROGRAM, encoding="utf-8")
    status, said, report = profile(folder, "--root", "src", "--", "src/program.py", "0.6", python=python)
    assert (status, said) == (5, "done 60000\n")
    rows = {row["function"].split(".")[0]: row for row in report["cpu"]}  # type: ignore[attr-defined]
    assert rows["hot"]["path"] == "src/program.py" and rows["hot"]["line"] == 7
    together = rows["hot"]["total_share"] + rows["warm"]["own_share"]
    assert together > 0.6 and rows["warm"]["own_share"] > 0.15
    memory = report["memory"]
    assert memory["peak_bytes"] > 60000 * 50  # type: ignore[index]
    assert memory["sites"][0]["path"] == "src/program.py"  # type: ignore[index]
    assert report["gc"]["collections"] >= 0 and report["exit_status"] == 5  # type: ignore[index]


THREADS = """
import threading


def hot(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def cold(n):
    return hot_as(n)


def hot_as(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


cold(1_500_000)
threads = [threading.Thread(target=hot, args=(3_000_000,)) for _ in range(2)]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


@pytest.mark.parametrize("python", [sys.executable, *other_interpreters()], ids=lambda path: Path(path).name)
def test_work_in_threads_is_charged_where_it_is_done(python: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(THREADS, encoding="utf-8")
    status, _, report = profile(tmp_path, "--root", ".", "--no-memory", "--", "program.py", python=python)
    assert status == 0
    rows = {row["function"]: row["own_share"] for row in report["cpu"]}  # type: ignore[attr-defined]
    assert 0.65 < rows["hot"] < 0.92  # four fifths of the loops run in threads
    assert 0.08 < rows["hot_as"] < 0.35


def test_a_module_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("import sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    status, said, report = profile(tmp_path, "--no-memory", "--", "-m", "tool", "--top", "x")
    assert (status, said, report["memory"]) == (0, "['--top', 'x']\n", None)


def test_a_program_that_raises_still_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise ValueError('no')\n", encoding="utf-8")
    status, _, report = profile(tmp_path, "--no-memory", "--", "bad.py")
    assert status == 1 and "ValueError: no" in report["notes"][0]  # type: ignore[index]


def test_the_sample_repository_is_profiled_through_its_benchmarks(tmp_path: Path) -> None:
    shop = ROOT / "examples" / "shopworks"
    report = tmp_path / "report.json"
    words = [
        "--root",
        "src",
        "--json",
        str(report),
        "--no-memory",
        "--",
        "-m",
        "pytest",
        "benchmarks",
        "-q",
        "-k",
        "orders or print",
    ]
    command = [sys.executable, "-B", str(PROFILER), *words, "-p", "no:cacheprovider"]
    assert subprocess.run(command, cwd=shop, capture_output=True).returncode == 0
    functions = [row["function"] for row in json.loads(report.read_text(encoding="utf-8"))["cpu"]]
    assert {"shippable", "price_list"} <= set(functions[:8])


def state_check(plugin: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(plugin / "scripts" / "state_check.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_the_assembled_plugin_checks_a_folder_without_this_repository(
    python_plugin: Path, tmp_path: Path
) -> None:
    good = "# Learnings\n\nEvidence.\n\n## A claim\n\n- **Outcome:** keep\n"
    (tmp_path / "learnings.md").write_text(good, encoding="utf-8")
    assert state_check(python_plugin, tmp_path).returncode == 0
    (tmp_path / "learnings.md").write_text(good.replace("keep", "splendid"), encoding="utf-8")
    done = state_check(python_plugin, tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [str(problem) for problem in check.check_folder(tmp_path)]
    assert not list((python_plugin / "lib").rglob("__pycache__"))


def test_an_old_interpreter_is_told_which_one_is_needed(python_plugin: Path, tmp_path: Path) -> None:
    for path in other_interpreters():
        done = subprocess.run(
            [path, str(python_plugin / "scripts" / "state_check.py"), str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode in (1, 2)
        assert "3.11 or newer" in done.stderr or "no state file was found" in done.stdout
