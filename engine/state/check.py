"""Check a ``.codeflash/`` folder against the grammar: ``python -m engine.state.check DIR``.

It runs the same reader and writer as everything else: a problem is what the reader noted, or the first line in which
the file differs from what the writer would have written (blank lines aside).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.state import (
    changelog,
    conventions,
    handoff,
    learnings,
    results,
    review_report,
    scan_report,
    setup,
)
from engine.state.folder import LIMITS, read_folder
from engine.state.text import cut, printable

FILES: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "setup.md": (setup.parse, setup.render),
    "scan-report.md": (scan_report.parse, scan_report.render),
    "results.tsv": (results.parse, results.render),
    "HANDOFF.md": (handoff.parse, handoff.render),
    "conventions.md": (conventions.parse, conventions.render),
    "learnings.md": (learnings.parse, learnings.render),
    "review-report.md": (review_report.parse, review_report.render),
    "changelog.md": (changelog.parse, changelog.render),
}
"""Each state file's reader and writer."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as ``docs/state-files.md`` says. ``line`` is 0 when it is the whole file."""

    file: str
    line: int
    what: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}; expected {self.expected}"


def check_folder(path: Path) -> list[Problem]:
    """All problems of a folder, by file and line. A folder without any state file is one problem; never raises."""
    found = read_folder(path)
    if not found:
        return [Problem(str(path), 0, "no state file was found", "one of " + ", ".join(LIMITS))]
    problems: list[Problem] = []
    for name, reading in found.items():
        if reading.note:
            problems.append(Problem(name, 0, reading.note, "a plain UTF-8 file within its size"))
        problems += check_text(name, reading.text)
    return problems


def check_text(name: str, text: str) -> list[Problem]:
    """All problems of one file's text, by line."""
    if not text.strip():
        return [Problem(name, 0, "the file is empty", "the form of docs/state-files.md")]
    parse, render = FILES[name]
    document = parse(text)
    noted = [Problem(name, note.line, note.what, note.expected) for note in document.notes]
    return noted or list(_different(name, text, render(document)))


def _different(name: str, text: str, strict: str) -> Iterator[Problem]:
    """The first line that the writer would have written otherwise, if any."""
    had, has = _lines(text), _lines(strict)
    for at, (number, line) in enumerate(had):
        wanted = has[at][1] if at < len(has) else ""
        if line != wanted:
            yield Problem(name, number, f"{cut(line, 120)!r} is not the written form", repr(cut(wanted, 120)))
            return
    if len(has) > len(had):
        last = had[-1][0] if had else 0
        yield Problem(name, last, "the file ends too early", repr(cut(has[len(had)][1], 120)))


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = enumerate(printable(text).split("\n"), start=1)
    return [(number, line.rstrip()) for number, line in numbered if line.strip()]


def main(argv: Sequence[str]) -> int:
    """``check DIR``: prints one line a problem; 0 when there is none, 1 when there are, 2 for a wrong call."""
    words = [word for word in argv if word != "check"]
    if len(words) != 1:
        sys.stderr.write("usage: python -m engine state check DIR\n")
        return 2
    problems = check_folder(Path(words[0]))
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if not problems:
        sys.stdout.write("every state file is as it should be\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
