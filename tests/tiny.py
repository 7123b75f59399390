"""A very small repository with one function that is honestly slow, and a brief for a session on it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.brief import Brief, BriefLimits, write

TINY: dict[str, str] = {
    "pyproject.toml": '[project]\nname = "tiny"\nversion = "1.0"\nrequires-python = ">=3.8"\n',
    "tiny/__init__.py": "",
    "tiny/words.py": (
        '"""Words that are known."""\n\nfrom typing import List\n\n\n'
        "def known(words: List[str], vocabulary: List[str]) -> List[str]:\n"
        '    """The words of a text that the vocabulary has, in their order."""\n'
        "    found = []\n    for word in words:\n        if word in vocabulary:\n            found.append(word)\n"
        "    return found\n"
    ),
    "tests/test_words.py": (
        "from tiny.words import known\n\n"
        'VOCABULARY = ["word%d" % n for n in range(0, 600, 2)]\n\n\n'
        'def test_known():\n    words = ["word%d" % n for n in range(600)]\n'
        "    for _ in range(12):\n        assert known(words, VOCABULARY) == VOCABULARY\n\n\n"
        'def test_none():\n    assert known([], VOCABULARY) == []\n    assert known(["x"], []) == []\n\n\n'
        'def test_order():\n    assert known(["word4", "no", "word2"], VOCABULARY) == ["word4", "word2"]\n'
    ),
}


def brief_for(source: Path, folder: Path, **more: Any) -> Brief:
    """A brief whose session works under ``folder``; the environment cache is there too."""
    limits = {
        "experiments": 1,
        "plateau": 3,
        "experiment_seconds": 240,
        "min_free_bytes": 1,
        **more.pop("limits", {}),
    }
    fields: dict[str, Any] = {
        "session": "7",
        "repo": "acme/tiny",
        "source": str(source),
        "work": str(folder / "work"),
        "cache": str(folder / "cache"),
        "lock": str(folder / "measure.lock"),
        "branch": "codeflash/tiny-7",
        "domain": "cpu",
        "offline": True,
        **more,
    }
    return Brief(limits=BriefLimits(**limits), **fields)


def start_engine(brief: Brief, folder: Path) -> subprocess.Popen[str]:
    """The engine as the worker starts it: a child process that prints one event per line."""
    folder.mkdir(parents=True, exist_ok=True)
    write(brief, folder / "brief.json")
    command = [sys.executable, "-m", "engine", "run", str(folder / "brief.json")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_engine(brief: Brief, folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and every event of a whole session."""
    process = start_engine(brief, folder)
    out, err = process.communicate(timeout=900)
    assert out, err
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def of_kind(events: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def fingerprint(folder: Path) -> dict[str, str]:
    """Digest of every file below ``folder``, git's own files included: equal means byte for byte as before."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


__all__ = ["TINY", "brief_for", "fingerprint", "of_kind", "run_engine", "start_engine"]
