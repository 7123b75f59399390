"""``setup.md``: what the setup agent found about the target's environment. Readers: router, optimizers, the site."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from engine.state.grammar import Document, Record, fact, lead, section
from engine.state.reader import read
from engine.state.writer import render

_ENV, _TESTS = "Python Environment", "Test Framework"


@dataclass(frozen=True, kw_only=True)
class Package(Record):
    """One installed distribution."""

    name: str = field(default="", metadata=fact("Package"))
    version: str = field(default="", metadata=fact("Version"))


@dataclass(frozen=True, kw_only=True)
class Setup(Document):
    """Sizes are counts, ``seconds`` is wall time of the preparation; None means not found out."""

    NAME: ClassVar[str] = "setup.md"
    UNTITLED: ClassVar[str] = "Setup Report"

    summary: str = field(default="", metadata=lead())
    manager: str = field(default="", metadata=fact("Manager", "Detected", under="Package Manager"))
    lock_digest: str = field(default="", metadata=fact("Lock digest", under="Package Manager"))
    cached: bool | None = field(default=None, metadata=fact("From cache", under="Package Manager"))
    seconds: float | None = field(default=None, metadata=fact("Seconds", under="Package Manager"))
    python: str = field(default="", metadata=fact("Interpreter", "Python path", under=_ENV))
    python_version: str = field(default="", metadata=fact("Version", "Python", "Python version", under=_ENV))
    import_roots: tuple[str, ...] = field(default=(), metadata=fact("Import roots", under=_ENV))
    packages: tuple[Package, ...] = field(
        default=(), metadata=section("Dependencies", "table", record=Package)
    )
    test_command: str = field(default="", metadata=fact("Command", "Test command", under=_TESTS))
    tests_passed: int | None = field(default=None, metadata=fact("Passed", under=_TESTS))
    tests_failed: int | None = field(default=None, metadata=fact("Failed", under=_TESTS))
    tests_skipped: int | None = field(default=None, metadata=fact("Skipped", under=_TESTS))
    benchmarks: tuple[str, ...] = field(default=(), metadata=section("Available Benchmarks", "items"))
    profilers: tuple[str, ...] = field(
        default=(), metadata=section("Profiling Tools", "items", "GPU/Profiling Tools")
    )
    structure: tuple[str, ...] = field(default=(), metadata=section("Project Structure", "items"))
    isolation: str = field(default="", metadata=fact("Level", under="Isolation"))
    mechanism: str = field(default="", metadata=fact("Mechanism", under="Isolation"))
    isolation_reason: str = field(default="", metadata=fact("Why not higher", under="Isolation"))
    status: tuple[str, ...] = field(default=(), metadata=section("Status", "items"))


def parse(text: str) -> Setup:
    """Read ``setup.md``; never raises."""
    return read(Setup, text)


__all__ = ["Package", "Setup", "parse", "render"]
