from __future__ import annotations

from pathlib import Path

import pytest

from engine.environment import Environment, prepare
from engine.sandbox import Sandbox, probe_isolation
from tests.engine.measure.bench import Bench, write_tree


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A plain environment without dependencies, made once."""
    root = tmp_path_factory.mktemp("surroundings")
    tree = write_tree(root / "tree", {"tests/test_work.py": "def test_one():\n    assert True\n"})
    sandbox = Sandbox(probe_isolation(), scratch=root / "sandbox")
    return prepare(tree=tree, cache=root / "cache", sandbox=sandbox, offline=True)


@pytest.fixture
def bench(tmp_path: Path, prepared: Environment) -> Bench:
    return Bench(tmp_path, Sandbox(probe_isolation(), scratch=tmp_path / "sandbox"), prepared)
