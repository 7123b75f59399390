"""Bytecode made beforehand: of the measuring scripts (the kit) and of the trees, so that no process compiles anything.

The target's own interpreter compiles, inside the sandbox and without running a line. Bytecode is kept by content: a
tree that differs from the last one in a single file compiles a single file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.environment import Environment
from engine.measure.model import Cancelled, MeasureError
from engine.sandbox import Completed, Limits, Sandbox

PROBE = Path(__file__).resolve().parent.parent / "probe"
PARTS = {
    "main": "bench_main.py",
    "core": "bench_core.py",
    "replay": "bench_calls.py",
    "plan": "bench_plan.py",
    "suite": "bench_tests.py",
    "command": "bench_command.py",
    "import": "bench_import.py",
    "pair": "bench_pair.py",
    "state": "bench_state.py",
    "digest": "bench_digest.py",
    "calls": "calls.py",
    "benchmarks": "bench.py",
}
NEUTRAL = "<string>"
MOST_SOURCE = 4 << 20
HEADER = 16
SKIPPED = {"__pycache__", "node_modules", ".git", ".venv", "venv"}


class Kit:
    """Compiles once per gauge what all its processes share. ``folder`` holds the measuring scripts, ready to run."""

    def __init__(self, *, sandbox: Sandbox, environment: Environment, root: Path) -> None:
        self._sandbox, self._environment = sandbox, environment
        self.folder = root / "kit"
        self._scratch = root / "compiled"
        self._known: dict[tuple[str, str], bytes] = {}
        self._placed: dict[Path, tuple[int, int, str]] = {}
        self._ready = False

    def prepare(self) -> Path:
        """The folder of compiled scripts; MeasureError when the target's interpreter cannot compile them."""
        if self._ready:
            return self.folder
        _open_folder(self.folder)
        sources = [PROBE / name for name in PARTS.values()]
        found = self._compile([(source, NEUTRAL) for source in sources], readable=[PROBE])
        for name, code in zip(PARTS, found, strict=True):
            if code is None:
                raise MeasureError(
                    f"{self._environment.python} cannot compile the measuring scripts; use Python 3.8+"
                )
            _write_for_all(self.folder / f"{name}.pyc", code)
        self._ready = True
        return self.folder

    def warm(self, tree: Path) -> None:
        """Put current bytecode beside every source file of ``tree`` that has none, or an older one, from us."""
        waiting = []
        for path in _sources(tree):
            facts = path.stat()
            mark = (facts.st_mtime_ns, facts.st_size)
            if self._placed.get(path, ("", ""))[:2] == mark and _bytecode(path, self._tag).exists():
                continue
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            waiting.append((path, content))
        self._fill([each for each in waiting if (str(each[0]), each[1]) not in self._known], tree)
        for path, content in waiting:
            self._place(path, content)

    @property
    def _tag(self) -> str:
        return "cpython-" + "".join(self._environment.python_version.split(".")[:2])

    def _fill(self, missing: Sequence[tuple[Path, str]], tree: Path) -> None:
        found = self._compile([(path, str(path)) for path, _ in missing], readable=[tree])
        for (path, content), code in zip(missing, found, strict=True):
            self._known[str(path), content] = code or b""

    def _place(self, path: Path, content: str) -> None:
        """Write the bytecode with the source's own time and size in its header, as the interpreter would."""
        code, facts = self._known[str(path), content], path.stat()
        self._placed[path] = (facts.st_mtime_ns, facts.st_size, content)
        if not code:
            return
        stamp = int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF
        header = code[:4] + bytes(4) + b"".join(number.to_bytes(4, "little") for number in stamp)
        place = _bytecode(path, self._tag)
        _open_folder(place.parent)
        _write_for_all(place, header + code[HEADER:])

    def _compile(
        self, sources: Sequence[tuple[Path, str]], *, readable: Sequence[Path]
    ) -> list[bytes | None]:
        if not sources:
            return []
        self._scratch.mkdir(parents=True, exist_ok=True)
        out = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            jobs = [[str(source), label, str(out / f"{i}.pyc")] for i, (source, label) in enumerate(sources)]
            done = self._run(json.dumps(jobs).encode(), out, readable)
            if done.cancelled:
                raise Cancelled("cancelled while compiling")
            return [_read_regular(out / f"{i}.pyc") for i in range(len(sources))]
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _run(self, jobs: bytes, out: Path, readable: Sequence[Path]) -> Completed:
        return self._sandbox.run(
            [str(self._environment.python), "-I", str(PROBE / "bench_compile.py")],
            cwd=out,
            readable=[*self._environment.readable, PROBE, *readable],
            writable=[out],
            limits=Limits(wall_seconds=300),
            stdin=jobs,
        )


def _open_folder(folder: Path) -> None:
    """Measuring processes run under another user where the worker is root: they must be able to read."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _write_for_all(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.chmod(0o644)
    draft.replace(path)


def _sources(tree: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(tree):
        names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if name.endswith(".py") and not path.is_symlink() and path.stat().st_size <= MOST_SOURCE:
                yield path


def _bytecode(path: Path, tag: str) -> Path:
    return path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"


def _read_regular(path: Path) -> bytes | None:
    """What the compiler wrote, if it is a plain file of a believable size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        facts = os.fstat(handle)
        good = stat.S_ISREG(facts.st_mode) and HEADER < facts.st_size <= 8 * MOST_SOURCE
        return stream.read() if good else None
