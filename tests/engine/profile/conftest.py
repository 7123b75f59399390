"""A real sandbox, the running interpreter as the environment, and one profile of the small shop for many tests."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from engine.environment import Environment
from engine.profile import Profile, profile
from engine.sandbox import Sandbox, probe_isolation
from tests.engine.profile import shop


def surroundings(**changes: object) -> Environment:
    """The interpreter the tests run under: it has pytest."""
    values: dict[str, object] = {
        "python": Path(sys.executable),
        "python_version": platform.python_version(),
        "manager": "plain",
        "lock_digest": "",
        "cached": True,
        "installed": {"pytest": "9"},
        "readable": (Path(sys.prefix), Path(sys.base_prefix)),
        "import_roots": ("src",),
        "test_args": ("tests",),
        "benchmarks": (),
        "packages": ("shop",),
        "notes": (),
    }
    return Environment(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(probe_isolation(), scratch=tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="session")
def profiled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The shop with tests only, in all dimensions."""
    root = tmp_path_factory.mktemp("shop")
    return profile(
        tree=shop.write(root / "tree"),
        environment=surroundings(),
        sandbox=sandbox,
        out=root / "out",
        domains=("deep",),
        commit="a" * 40,
    )


@pytest.fixture(scope="session")
def benchmarked(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The shop with benchmarks of two kinds, CPU only."""
    root = tmp_path_factory.mktemp("speed")
    return profile(
        tree=shop.write(root / "tree", benchmarks=True),
        environment=surroundings(benchmarks=("benchmarks",)),
        sandbox=sandbox,
        out=root / "out",
        domains=("cpu",),
        commit="b" * 40,
    )
