"""Reading a repository's files with care: bounded, never failing with anything but a sentence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.environment.problem import EnvironmentProblem

TEXT_BYTES = 4 * 2**20
TEST_GROUPS = ("test", "tests", "testing", "unittest", "pytest", "check", "bench", "benchmark", "benchmarks")
WIDE_GROUPS = ("dev", "develop", "development", "ci", "all-dev")
# What stands in wide groups beside the packages of tests, and takes long to install.
NOT_FOR_TESTS = re.compile(
    r"(sphinx|furo|mkdocs|mkdocstrings|myst|mypy|ruff|black|isort|flake8|pylint|pyright|basedpyright|bandit|twine|build"
    r"|hatch|tox|nox|pre-commit|bump|towncrier|commitizen|codespell|ipython|jupyter|pyupgrade|yapf|autopep8)"
    r"([-_][\w-]*|\d*)?\s*([\[<>=!~;@]|$)",
    re.IGNORECASE,
)


def read_text(path: Path) -> str | None:
    """A file as text, None when it is not there; EnvironmentProblem when it is too large or not UTF-8."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data = file.read(TEXT_BYTES + 1)
    if len(data) > TEXT_BYTES:
        raise EnvironmentProblem(
            f"{path.name} is larger than {TEXT_BYTES >> 20} MiB; make it smaller and start again."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise EnvironmentProblem(f"{path.name} line {line} is not UTF-8; save the file as UTF-8.") from None


def read_toml(path: Path) -> dict[str, Any]:
    text = read_text(path)
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+), column (\d+)", str(error))
        where = f"line {found[1]}" if found else f"line {text.count(chr(10)) + 1}"
        reason = re.sub(r"\s*\(at [^)]*\)", "", str(error))
        raise EnvironmentProblem(
            f"{path.name} {where} cannot be read ({reason}); correct it and start again."
        ) from None


def table(value: Any, *names: str) -> dict[str, Any]:
    """A nested table of a parsed file, empty when it is missing or is something else."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def chosen_groups(names: Iterable[str]) -> list[str]:
    """Groups that tests need; the wide ones, full of linters, only where no narrower one exists."""
    names = list(names)
    narrow = [name for name in names if _plain(name) in TEST_GROUPS]
    return narrow or [name for name in names if _plain(name) in WIDE_GROUPS]


def for_tests(group: str, needs: Iterable[str]) -> list[str]:
    """The packages of a group; of a wide one those only that are not plainly for something else."""
    wide = _plain(group) in WIDE_GROUPS
    return [need for need in needs if not (wide and NOT_FOR_TESTS.match(need.strip()))]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
