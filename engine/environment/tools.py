"""The product's own pytest, lent to repositories that do not bring one."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
LEAST_PYTHON = (3, 11)


def lendable(version: str) -> bool:
    """Whether our pytest runs on that Python: older ones would need packages that ours does not."""
    have = tuple(int(part) for part in version.split(".")[:2])
    return have >= LEAST_PYTHON and importlib.util.find_spec("pytest") is not None


def lend(cache: Path, minor: str, finish: Callable[[Path], None]) -> Path:
    """A folder with pytest and what it needs, copied once for each version of them and of Python.

    ``finish`` compiles it, so that not every start of pytest does.
    """
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in NEEDED]
    digest = hashlib.sha256(" ".join([minor, *versions]).encode()).hexdigest()[:16]
    folder = cache / "tools" / digest
    with locked(cache / "tools" / f"{digest}.lock"):
        if not folder.is_dir():
            draft = folder.with_name(f"{digest}.{os.getpid()}")
            shutil.rmtree(draft, ignore_errors=True)
            for name in NEEDED:
                _copy(name, draft)
            finish(draft)
            draft.replace(folder)
    return folder


def _copy(name: str, target: Path) -> None:
    """Every pure-Python file of a distribution, with its metadata, readable by everyone."""
    for file in importlib.metadata.files(name) or ():
        if ".." in file.parts or file.suffix in (".pyc", ".so"):
            continue
        source, path = Path(str(file.locate())), target / file
        if source.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            path.chmod(0o644)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
