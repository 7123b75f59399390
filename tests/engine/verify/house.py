"""Two checkouts of a small repo, real recordings of its calls, and the verification of the change between them."""

from __future__ import annotations

import json
import platform
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.environment import Environment
from engine.sandbox import Limits, Sandbox, probe_isolation
from engine.values import Target, TestRun
from engine.verify import Evidence, run_tests, verify
from engine.verify.probing import PROBE, Place

CORPUS = Path(__file__).parent / "corpus"
Files = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """One rewrite of the corpus: ``name.case`` with a head of ``key: value`` lines and three parts."""

    name: str
    why: str
    target: str
    tier: str
    domain: str
    before: str
    after: str
    calls: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def path(self) -> str:
        return f"pkg/{self.module}.py"

    @property
    def row(self) -> Target:
        return Target(path=self.path, qualname=self.target, line=1, domain=self.domain)


def read_case(path: Path) -> Case:
    head, before, after, calls = re.split(
        r"(?m)^--- (?:before|after|calls)\n", path.read_text(encoding="utf-8")
    )
    keys = dict(line.split(": ", 1) for line in head.splitlines())
    parts = {"before": before, "after": after, "calls": calls}
    return Case(
        name=path.stem, tier=keys.pop("tier", "guarded"), domain=keys.pop("domain", "cpu"), **keys, **parts
    )


def cases(kind: str) -> list[Case]:
    return [read_case(path) for path in sorted((CORPUS / kind).glob("*.case"))]


def suite_of(case: Case) -> str:
    body = "".join(f"    {line}\n" for line in case.calls.splitlines())
    return f"from pkg.{case.module} import *\n\n\ndef test_{case.module}():\n{body}"


def write(folder: Path, contents: Files) -> Path:
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class House:
    """``before`` and ``after`` are checkouts below ``root``; recordings come from the tests of ``before``."""

    def __init__(
        self, root: Path, before: Files, after: Files, *, import_roots: tuple[str, ...] = (".",)
    ) -> None:
        self.root = root
        self.before, self.after = write(root / "before", before), write(root / "after", after)
        self.recordings = root / "recordings"
        self.recordings.mkdir()
        self.sandbox = Sandbox(probe_isolation(), scratch=root / "scratch")
        self.environment = environment(import_roots)

    @property
    def place(self) -> Place:
        return Place(self.sandbox, self.environment, (self.recordings,))

    def record(self) -> House:
        options = {
            "tree": str(self.before),
            "out": str(self.recordings),
            "roots": list(self.environment.import_roots),
            "skip": ["tests"],
            "phases": [{"source": "test", "args": ["tests"], "files": []}],
            "seconds": 60,
        }
        for tool in ("record", "check"):
            done = self.sandbox.run(
                [str(self.environment.python), str(PROBE / "tool.py"), tool, json.dumps(options)],
                cwd=self.before,
                readable=[self.before, PROBE, *self.environment.readable],
                writable=[self.recordings, self.before],
                env={**self.environment.python_env(self.before), "PYTHONHASHSEED": "0"},
                limits=Limits(wall_seconds=90),
            )
            assert done.ok, done.stderr.decode()
        return self

    @cached_property
    def baseline(self) -> TestRun:
        return run_tests(
            tree=self.before, environment=self.environment, sandbox=self.sandbox, limits_seconds=60
        )

    def verify(self, target: Target, *, tier: str = "guarded", seed: int = 7, **more: object) -> Evidence:
        return verify(
            before=self.before,
            after=self.after,
            target=target,
            recordings=self.recordings,
            environment=self.environment,
            sandbox=self.sandbox,
            tier=tier,
            seed=seed,
            baseline_tests=self.baseline,
            **more,  # type: ignore[arg-type]
        )


def environment(import_roots: tuple[str, ...] = (".",)) -> Environment:
    """The running interpreter as it is: it has pytest."""
    return Environment(
        python=Path(sys.executable),
        python_version=platform.python_version(),
        manager="plain",
        lock_digest="",
        cached=True,
        installed={},
        readable=(Path(sys.prefix), Path(sys.base_prefix)),
        import_roots=import_roots,
        test_args=("tests",),
        benchmarks=(),
        packages=("pkg",),
        notes=(),
    )


@contextmanager
def new_house(before: Files, after: Files, **more: tuple[str, ...]) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        yield House(Path(folder), before, after, **more)


def one_module(source: str, tests: str) -> dict[str, str]:
    """A repo of one module ``pkg.mod`` and one test file."""
    return {"pkg/__init__.py": "", "pkg/mod.py": source, "tests/test_mod.py": tests}
