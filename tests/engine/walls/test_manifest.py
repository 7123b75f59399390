"""What is read from a repository's files, and the sentences for those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.environment import EnvironmentProblem, layout, locks, poetry
from engine.environment.manifest import read_manifest
from engine.environment.reading import read_toml


def write(tree: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tree


def test_a_standard_project(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": """
[project]
name = "Shop.Works"
version = "1.4"
requires-python = ">=3.9"
dependencies = ["attrs>=20"]
[project.optional-dependencies]
all = ["shop-works[tests]", "numpy"]
tests = ["shop_works[plugins]", "hypothesis"]
plugins = ["pytest-xdist"]
docs = ["sphinx"]
[project.scripts]
shop = "shopworks.cli:main"
[project.entry-points.pytest11]
shop = "shopworks.plugin"
[dependency-groups]
lint = ["ruff"]
base = ["pytest"]
test = [{include-group = "base"}, "coverage", {include-group = "test"}]
"""
        },
    )
    found = read_manifest(tmp_path)
    assert (found.manager, found.name, found.version, found.requires_python) == (
        "pip",
        "Shop.Works",
        "1.4",
        ">=3.9",
    )
    assert found.needs == ("attrs>=20",)
    assert found.test_needs == ("pytest", "coverage", "pytest-xdist", "hypothesis")
    assert found.entry_points == {
        "console_scripts": {"shop": "shopworks.cli:main"},
        "pytest11": {"shop": "shopworks.plugin"},
    }


def test_wide_groups_only_without_narrow_ones(tmp_path: Path) -> None:
    """And of those without what is plainly not for tests."""
    group = 'dev = ["pytest", "mypy>=1", "builder", "sphinx-copybutton", "ruff"]'
    write(tmp_path, {"pyproject.toml": f'[project]\nname = "a"\n[dependency-groups]\n{group}\n'})
    assert read_manifest(tmp_path).test_needs == ("pytest", "builder")


def test_poetry(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "poetry.lock": "",
            "pyproject.toml": """
[tool.poetry]
name = "shop"
version = "2.0"
[tool.poetry.dependencies]
python = "^3.9"
attrs = "^21.1"
click = {version = "~8.1", extras = ["a"], markers = "os_name == 'posix'"}
local = {path = "../x"}
extra = {version = "*", optional = true}
several = [{version = "1.*", python = "<3.11"}, {version = ">=2", python = ">=3.11"}]
[tool.poetry.group.test.dependencies]
pytest = "*"
[tool.poetry.scripts]
shop = "shop:main"
""",
        },
    )
    found = read_manifest(tmp_path)
    assert (found.manager, found.name, found.requires_python) == ("poetry", "shop", ">=3.9,<4")
    assert found.needs == (
        "attrs>=21.1,<22",
        "click[a]>=8.1,<8.2 ; (os_name == 'posix')",
        "several==1.* ; python_full_version < '3.11'",
        "several>=2 ; python_full_version >= '3.11'",
    )
    assert found.test_needs == ("pytest",)
    assert found.entry_points == {"console_scripts": {"shop": "shop:main"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("^1.2.3", ">=1.2.3,<2"), ("^0.2.3", ">=0.2.3,<0.3"), ("^0.0.3", ">=0.0.3,<0.0.4"), ("^0", ">=0,<1"),
        ("~1", ">=1,<2"), ("~1.2.3", ">=1.2.3,<1.3"), ("~=1.4", "~=1.4"), (">=1,<2", ">=1,<2"), ("1.5", "==1.5"),
        ("*", ""), (">= 1.0", ">=1.0"), ("^2.7 || ^3.6", ">=2.7,<3"), (">=1.0 <2.0", ">=1.0,<2.0"),
    ],
)  # fmt: skip
def test_poetry_versions(text: str, said: str) -> None:
    assert poetry.specifier(text) == said


def test_setup_cfg_and_setup_py(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "setup.cfg": "[metadata]\nname = shop\nversion = attr: shop.__version__\n"
            "[options]\npython_requires = >=3.8\ninstall_requires =\n    attrs\n    # a comment\n    idna>=2\n"
            "[options.extras_require]\ntest =\n    pytest\n"
            "[options.entry_points]\nconsole_scripts =\n    shop = shop:main\n",
            "setup.py": "from setuptools import setup\nsetup(version='0.1', install_requires=['never'])\n",
        },
    )
    found = read_manifest(tmp_path)
    assert (found.name, found.version, found.requires_python) == ("shop", "0.1", ">=3.8")
    assert (found.needs, found.test_needs) == (("attrs", "idna>=2"), ("pytest",))
    assert found.entry_points == {"console_scripts": {"shop": "shop:main"}}


def test_setup_py_is_read_and_not_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "setup.py": """
import setuptools
open("ran", "w")
BASE = ["attrs"]
TESTS = ["pytest"]
setuptools.setup(name="shop", version="1", install_requires=BASE + ["idna"],
    extras_require={"tests": TESTS + ["coverage"], **{}}, ext_modules=[],
    entry_points={"console_scripts": ["s=shop:m"]})
"""
        },
    )
    found = read_manifest(tmp_path)
    assert (found.name, found.needs, found.test_needs) == ("shop", ("attrs", "idna"), ("pytest", "coverage"))
    assert found.compiled and found.entry_points == {"console_scripts": {"s": "shop:m"}}
    assert not (tmp_path / "ran").exists()


def test_setup_py_that_computes_or_is_broken_is_noted(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"setup.py": "from setuptools import setup\nsetup(install_requires=open('r').read().split())\n"},
    )
    assert "computes install_requires" in read_manifest(tmp_path).notes[0]
    write(tmp_path, {"setup.py": "print 'old'\n"})
    assert "line 1 cannot be parsed" in read_manifest(tmp_path).notes[0]


def test_requirement_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "-r requirements/more.txt\n-e .\n./local\nattrs==21.1 \\\n    --hash=sha256:aa\n"
            "--index-url https://example.org\nhttps://example.org/x.whl\n# note\nidna # why\n-r ../../etc/passwd\n",
            "requirements/more.txt": "six\n-r ../requirements.txt\n",
            "requirements-test.txt": "pytest\n",
        },
    )
    found = read_manifest(tmp_path)
    assert found.manager == "pip"
    assert found.needs == ("six", "attrs==21.1", "idna")
    assert found.test_needs == ("pytest",)


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({"uv.lock": ""}, "uv"),
        ({"pyproject.toml": "[tool.uv]\n"}, "uv"),
        ({"pdm.lock": ""}, "pdm"),
        ({"pyproject.toml": "[tool.poetry]\n"}, "poetry"),
        ({"setup.py": ""}, "pip"),
        ({"Pipfile": ""}, "pip"),
        ({"shop.py": ""}, "plain"),
    ],
)
def test_managers(tmp_path: Path, files: dict[str, str], manager: str) -> None:
    assert read_manifest(write(tmp_path, files)).manager == manager


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pyproject.toml", b'[project]\nname = "a"\nversion = \n', "pyproject.toml line 3 cannot be read"),
        ("pyproject.toml", b'[project]\nname = "a\n', "pyproject.toml line 2 cannot be read"),
        ("pyproject.toml", b'[project]\nname = "a"\n# \xff\n', "pyproject.toml line 3 is not UTF-8"),
        ("pyproject.toml", b"#" * (5 * 2**20), "larger than 4 MiB"),
        ("setup.cfg", b"name = a\n", "setup.cfg cannot be read"),
        ("requirements.txt", b"attrs\n\xff\n", "requirements.txt line 2 is not UTF-8"),
    ],
)
def test_broken_files_are_sentences(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EnvironmentProblem, match=words):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "project = 1",
        "[project]\nname = 3\ndependencies = 'x'\n[tool]\npoetry = []",
        "[project]\noptional-dependencies = []\n[dependency-groups]\ntest = 'x'",
        "[tool.poetry.dependencies]\na = 1\n[tool.setuptools.packages.find]\nwhere = 3",
    ],
)
def test_tables_of_the_wrong_kind_are_left_out(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"pyproject.toml": text})
    found = read_manifest(tmp_path)
    assert found.needs == found.test_needs == ()


def test_locks_become_constraints(tmp_path: Path) -> None:
    write(
        tmp_path / "uv",
        {
            "uv.lock": """
version = 1
[[package]]
name = "shop"
version = "0.1"
source = { editable = "." }
[[package]]
name = "attrs"
version = "23.1.0"
source = { registry = "https://example.org" }
[[package]]
name = "numpy"
version = "1.0"
[[package]]
name = "numpy"
version = "2.0"
"""
        },
    )
    write(
        tmp_path / "pip",
        {"Pipfile.lock": '{"default": {"attrs": {"version": "==21.4"}}, "develop": {"x": "*"}}'},
    )
    assert locks.constraints(tmp_path / "uv") == ("attrs==23.1.0",)
    assert locks.constraints(tmp_path / "pip") == ("attrs==21.4",)
    assert locks.constraints(tmp_path) == ()


def test_the_digest_follows_what_decides(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nname = "a"\n'})
    first = locks.digest(tmp_path, "3.11")
    assert first == locks.digest(tmp_path, "3.11")
    assert first != locks.digest(tmp_path, "3.12")
    write(tmp_path, {"README": "x", "a.py": ""})
    assert first == locks.digest(tmp_path, "3.11")
    write(tmp_path, {"uv.lock": "version = 1\n"})
    assert first != locks.digest(tmp_path, "3.11")


@pytest.mark.parametrize(
    ("files", "roots", "packages", "tests"),
    [
        ({"src/shop/__init__.py": "", "tests/test_a.py": ""}, ("src",), ("shop",), ("tests",)),
        ({"shop/__init__.py": "", "shop/tests/test_a.py": ""}, (".",), ("shop",), ("shop/tests",)),
        ({"shop.py": "", "test_shop.py": "", "setup.py": ""}, (".",), ("shop",), ("test_shop.py",)),
        ({"lib/shop/__init__.py": "", "test/test_a.py": ""}, ("lib",), ("shop",), ("test",)),
        ({"shop/core/a.py": "", "tests/test_a.py": ""}, (".",), ("shop",), ("tests",)),
        ({"docs/__init__.py": "", "examples/__init__.py": "", "b/__init__.py": ""}, (".",), ("b",), ()),
    ],
)
def test_layouts(
    tmp_path: Path,
    files: dict[str, str],
    roots: tuple[str, ...],
    packages: tuple[str, ...],
    tests: tuple[str, ...],
) -> None:
    write(tmp_path, files)
    found = layout.import_roots(tmp_path, {})
    assert found == roots
    names = layout.packages(tmp_path, found, "shop")
    assert names == packages
    assert layout.test_paths(tmp_path, {}, names, found) == tests


def test_layout_that_the_build_tables_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "python/shop/__init__.py": "",
            "checks/test_a.py": "",
            "pyproject.toml": """
[tool.setuptools.packages.find]
where = ["python"]
[tool.pytest.ini_options]
testpaths = ["checks", "missing"]
""",
        },
    )
    project = read_toml(tmp_path / "pyproject.toml")
    roots = layout.import_roots(tmp_path, project)
    assert roots == ("python",)
    assert layout.test_paths(tmp_path, project, ("shop",), roots) == ("checks",)
    write(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = python\n"})
    assert layout.test_paths(tmp_path, project, ("shop",), roots) == ("python",)


def test_benchmarks(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"benchmarks/bench_a.py": "", "bench_b.py": "", "tests/test_benchmark_c.py": "", "perf/x.txt": ""},
    )
    assert layout.benchmark_paths(tmp_path) == ("benchmarks", "bench_b.py", "tests/test_benchmark_c.py")


def test_options_of_missing_plugins_are_dropped(tmp_path: Path) -> None:
    project = {
        "tool": {
            "pytest": {"ini_options": {"addopts": "-ra -n auto --cov=x --cov-report term --strict -p no:x"}}
        }
    }
    words, note = layout.addopts_override(tmp_path, project, ["pytest"])
    assert words == ("-o", "addopts=-ra term --strict -p no:x") or words == (
        "-o",
        "addopts=-ra --strict -p no:x",
    )
    assert "--cov=x" in note and "-n" in note
    assert layout.addopts_override(tmp_path, project, ["pytest-cov", "pytest_xdist"]) == ((), "")
