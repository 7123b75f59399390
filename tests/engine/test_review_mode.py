"""Six passes over a branch that people made: what is good is approved, what is dangerous is found and blocked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.values import PASSES
from tests.conftest import git, make_repo
from tests.tiny import TINY, brief_for, fingerprint, of_kind, run_engine

SHELF = (
    '"""A shelf that several clerks use."""\n\nimport threading\n\n\n'
    "class Shelf:\n"
    '    """Pieces by article."""\n\n'
    "    def __init__(self):\n        self._lock = threading.Lock()\n        self.pieces = {}\n\n"
    "    def put(self, name, pieces):\n"
    '        """Add pieces of one article; gives how many there are now."""\n'
    "        if pieces < 0:\n            raise ValueError(pieces)\n"
    "        self._lock.acquire()\n"
    "        try:\n            self.pieces[name] = self.pieces.get(name, 0) + pieces\n"
    "            return self.pieces[name]\n"
    "        finally:\n            self._lock.release()\n"
)
SHELF_TEST = (
    "from tiny.shelf import Shelf\n\n\ndef test_put():\n    shelf = Shelf()\n"
    '    assert [shelf.put("tea", n) for n in (1, 2, 3)] == [1, 3, 6]\n'
)
FILES = {**TINY, "tiny/shelf.py": SHELF, "tests/test_shelf.py": SHELF_TEST}
BARE_SHELF = (
    '"""A shelf that several clerks use."""\n\n\n'
    "class Shelf:\n"
    '    """Pieces by article."""\n\n'
    "    def __init__(self):\n        self.pieces = {}\n\n"
    "    def put(self, name, pieces):\n"
    '        """Add pieces of one article; gives how many there are now."""\n'
    "        self.pieces[name] = self.pieces.get(name, 0) + pieces\n"
    "        return self.pieces[name]\n"
)
FAST = TINY["tiny/words.py"].replace("    found = []\n", "    found = []\n    vocabulary = set(vocabulary)\n")
UNORDERED = (
    TINY["tiny/words.py"].partition("    found = []")[0]
    + "    return sorted(set(words) & set(vocabulary), key=words.index)\n"
)
CACHE = "\n\nfrom functools import lru_cache\n\n\n@lru_cache(maxsize=None)\ndef length(word):\n    return len(word)\n"


def branch_with(source: Path, name: str, *commits: dict[str, str]) -> None:
    """A branch on top of main, one commit for each set of files; the work tree is back on main afterwards."""
    git(source, "checkout", "-q", "-b", name)
    for number, files in enumerate(commits):
        for path, text in files.items():
            (source / path).write_text(text, encoding="utf-8")
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", f"Change {number + 1}")
    git(source, "checkout", "-q", "main")


def reviewed(
    tmp_path: Path, name: str, *commits: dict[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The filed review of a branch with these commits, and all events; the repository is as it was."""
    source = make_repo(tmp_path / "tiny", FILES)
    branch_with(source, name, *commits)
    before = fingerprint(source)
    brief = brief_for(source, tmp_path / "s", mode="review", review_branch=name, base_ref="main")
    code, events = run_engine(brief, tmp_path / "s")
    assert code == 0, events[-1]
    assert fingerprint(source) == before
    (filed,) = of_kind(events, "review_filed")
    assert [each["name"] for each in filed["passes"]] == list(PASSES)
    return filed, events


def findings(filed: dict[str, Any], review_pass: str, severity: str) -> list[str]:
    return [
        each["title"]
        for result in filed["passes"]
        if result["name"] == review_pass
        for each in result["findings"]
        if each["severity"] == severity
    ]


def test_a_good_branch_is_measured_and_approved(tmp_path: Path) -> None:
    filed, events = reviewed(tmp_path, "faster", {"tiny/words.py": FAST})
    assert filed["verdict"] == "APPROVE", filed["passes"]
    (whole,) = of_kind(events, "session_measured")
    assert whole["measurement"]["low"] > 1
    assert of_kind(events, "session_ended")[0]["outcome"] == "finished"
    assert not of_kind(events, "experiment_started")
    report = (tmp_path / "s" / "work" / ".codeflash" / "review-report.md").read_text()
    assert "APPROVE" in report and filed["head"] in report


def test_a_dangerous_branch_is_blocked_and_each_danger_is_named(tmp_path: Path) -> None:
    filed, _ = reviewed(
        tmp_path,
        "dangerous",
        {"tiny/words.py": UNORDERED + CACHE},
        {
            "tiny/shelf.py": BARE_SHELF,
            "tests/test_shelf.py": SHELF_TEST.replace("(1, 2, 3)] == [1, 3, 6]", "(1,)] == [1]"),
        },
    )
    assert filed["verdict"] == "BLOCK"
    critical = findings(filed, "safety", "critical")
    assert "A test, benchmark or configuration file was changed" in critical
    assert any("raise" in title for title in critical), critical
    assert any("release()" in title for title in critical), critical
    assert findings(filed, "safety", "high") == ["A cache without a bound was added"]
    assert "known behaves differently" in findings(filed, "correctness", "critical")
