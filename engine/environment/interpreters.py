"""Find a Python of this machine that a repository accepts and that runs inside the sandbox."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from engine.environment.problem import EnvironmentProblem
from engine.sandbox import Limits, Sandbox

OLDEST = (3, 8)
ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.base_prefix)"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """``path`` is the real executable; ``folders`` what must be visible for it to run."""

    path: Path
    version: str
    folders: tuple[Path, ...]

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])


def choose(*, requires: str, sandbox: Sandbox, cwd: Path) -> Interpreter:
    """The running interpreter when the repository accepts it, else the newest that it accepts."""
    accepted = _accepted(requires)
    seen: list[str] = []
    for path, hint in _candidates():
        if hint and not _may_fit(hint, accepted):
            seen.append(hint)
            continue
        found = _ask(path, sandbox, cwd)
        if found and found.version in accepted and _numbers(found.version) >= OLDEST:
            return found
        seen += [found.version] if found else []
    have = ", ".join(sorted(set(seen), key=_numbers)) or "none"
    raise EnvironmentProblem(
        f"The repository needs Python {requires or '3.8 or newer'} and this machine has {have}; install one that fits."
    )


def _accepted(requires: str) -> SpecifierSet:
    try:
        return SpecifierSet(requires, prereleases=True)
    except InvalidSpecifier:
        raise EnvironmentProblem(
            f"requires-python is {requires[:80]!r}, which is no version range; write it like '>=3.9'."
        ) from None


def _may_fit(hint: str, accepted: SpecifierSet) -> bool:
    """Whether a version, or any patch of a minor version, is accepted."""
    if hint.count(".") >= 2:
        return hint in accepted
    return any(f"{hint}.{patch}" in accepted for patch in (0, 1, 5, 9, 99))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _candidates() -> Iterator[tuple[Path, str]]:
    """Executables with their version as far as the name tells it, the running one first, then newest first."""
    running = Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
    yield running, platform.python_version()
    others = {
        path: hint for path, hint in (*_on_path(), *_in_homes()) if path != running and _is_program(path)
    }
    yield from sorted(others.items(), key=lambda item: _numbers(item[1]), reverse=True)


def _on_path() -> Iterator[tuple[Path, str]]:
    for minor in range(OLDEST[1], 30):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield Path(os.path.realpath(found)), f"3.{minor}"


def _in_homes() -> Iterator[tuple[Path, str]]:
    """Where version managers keep interpreters."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    folders = (
        (pyenv / "versions", "3.*"),
        (home / ".local/share/uv/python", "cpython-3*"),
        (Path("/opt/python"), "3.*"),
    )
    for folder, pattern in folders:
        for path in folder.glob(f"{pattern}/bin/python3"):
            match = re.search(r"3\.\d+(\.\d+)?", path.parent.parent.name)
            if match:
                yield Path(os.path.realpath(path)), match[0]


def _is_program(path: Path) -> bool:
    """A real executable and not a script that looks for one elsewhere."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _ask(path: Path, sandbox: Sandbox, cwd: Path) -> Interpreter | None:
    """Start it inside the sandbox, which is where it must work."""
    prefix = path.parent.parent
    folders = () if str(prefix) in ("/usr", "/") else (prefix,)
    done = sandbox.run(
        [path, "-I", "-S", "-c", ASK],
        cwd=cwd,
        readable=folders,
        limits=Limits(wall_seconds=30, output_bytes=2**16),
    )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if not done.ok or len(lines) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+", lines[0]):
        return None
    return Interpreter(path=path, version=lines[0], folders=folders)
