"""What a repository says about itself: manager, name, Python, packages it needs, entry points.

Only files are read, nothing is run: pyproject.toml (standard, uv, poetry, pdm, flit, hatch), setup.cfg, setup.py
(literal values), requirements files and Pipfile.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.environment import poetry, setup_py
from engine.environment.problem import EnvironmentProblem
from engine.environment.reading import chosen_groups, for_tests, read_text, read_toml, string, strings, table

REQUIREMENT_FILES = (
    "requirements.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
    "requirements.in",
)
TEST_REQUIREMENT_FILES = (
    "requirements-test.txt",
    "requirements-tests.txt",
    "requirements-testing.txt",
    "test-requirements.txt",
    "test_requirements.txt",
    "requirements_test.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
    "requirements/testing.txt",
    "tests/requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
)
COMPILED_BACKENDS = ("mesonpy", "maturin", "scikit_build_core.build", "sipbuild.api", "py_build_cmake.build")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``needs`` are requirements to run, ``test_needs`` those of tests; ``version`` is empty when not written down."""

    manager: str
    name: str = ""
    version: str = ""
    requires_python: str = ""
    needs: tuple[str, ...] = ()
    test_needs: tuple[str, ...] = ()
    entry_points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    version_file: str = ""
    compiled: bool = False
    notes: tuple[str, ...] = ()


def read_manifest(tree: Path) -> Manifest:
    """Read everything; raises EnvironmentProblem with file and line for a file that cannot be parsed."""
    project = read_toml(tree / "pyproject.toml")
    sources = [
        _standard(tree, project),
        poetry.read(project),
        _pdm(project),
        _setup_cfg(tree),
        setup_py.read(tree),
    ]
    found = _merge(sources)
    needs = found["needs"] or tuple(_requirement_files(tree, REQUIREMENT_FILES))
    test_needs = (*found["test_needs"], *_requirement_files(tree, TEST_REQUIREMENT_FILES))
    return Manifest(
        manager=_manager(tree, project),
        name=found["name"],
        version=found["version"],
        requires_python=found["requires_python"],
        needs=_own_extras_removed(needs, found["name"]),
        test_needs=_own_extras_removed(test_needs, found["name"]),
        entry_points=found["entry_points"],
        version_file=_version_file(project),
        compiled=_compiled(tree, project),
        notes=found["notes"],
    )


def _manager(tree: Path, project: Mapping[str, Any]) -> str:
    tools = table(project, "tool")
    if (tree / "uv.lock").is_file():
        return "uv"
    if (tree / "poetry.lock").is_file() or "poetry" in tools:
        return "poetry"
    if (tree / "pdm.lock").is_file() or "pdm" in tools:
        return "pdm"
    if "uv" in tools:
        return "uv"
    files = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", *REQUIREMENT_FILES)
    return "pip" if any((tree / name).is_file() for name in files) else "plain"


def _merge(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The first word on a thing holds; notes are all kept."""
    empty: dict[str, Any] = {"name": "", "version": "", "requires_python": "", "needs": (), "test_needs": ()}
    merged: dict[str, Any] = {**empty, "entry_points": {}, "notes": ()}
    for source in sources:
        for key, value in source.items():
            merged[key] = (*merged["notes"], *value) if key == "notes" else merged[key] or value
    return merged


def _standard(tree: Path, project: Mapping[str, Any]) -> dict[str, Any]:
    """The [project] table and [dependency-groups]."""
    main = table(project, "project")
    extras = {name: strings(value) for name, value in table(main, "optional-dependencies").items()}
    groups = table(project, "dependency-groups")
    name = string(main.get("name"))
    needs = strings(main.get("dependencies")) or _dynamic_needs(tree, project)
    tests = [need for group in chosen_groups(groups) for need in for_tests(group, _group(groups, group, ()))]
    chosen = chosen_groups(extras)
    tests += [need for extra in chosen for need in for_tests(extra, _extra(extras, name, extra, ()))]
    if not tests:
        tests = for_tests("dev", strings(table(project, "tool", "uv").get("dev-dependencies")))
    return {
        "name": name,
        "version": string(main.get("version")),
        "requires_python": string(main.get("requires-python")),
        "needs": tuple(needs),
        "test_needs": tuple(tests),
        "entry_points": _entry_points(main),
    }


def _entry_points(main: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    groups = {"console_scripts": table(main, "scripts"), "gui_scripts": table(main, "gui-scripts")}
    groups.update(
        {name: value for name, value in table(main, "entry-points").items() if isinstance(value, dict)}
    )
    return {
        group: {k: v for k, v in points.items() if isinstance(v, str)}
        for group, points in groups.items()
        if points
    }


def _dynamic_needs(tree: Path, project: Mapping[str, Any]) -> list[str]:
    named = table(project, "tool", "setuptools", "dynamic", "dependencies").get("file", [])
    return list(_requirement_files(tree, [named] if isinstance(named, str) else strings(named)))


def _group(groups: Mapping[str, Any], name: str, seen: tuple[str, ...]) -> Iterator[str]:
    """A dependency group with those it includes."""
    if name in seen or not isinstance(groups.get(name), list):
        return
    for item in groups[name]:
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict) and isinstance(item.get("include-group"), str):
            yield from _group(groups, item["include-group"], (*seen, name))


def _extra(extras: Mapping[str, list[str]], own: str, name: str, seen: tuple[str, ...]) -> Iterator[str]:
    """An extra; ``own[other]`` in it stands for the other extra."""
    if name in seen:
        return
    for item in extras.get(name, ()):
        match = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*\[([^\]]*)\]\s*", item)
        if match and own and _key(match[1]) == _key(own):
            for other in match[2].split(","):
                yield from _extra(extras, own, other.strip(), (*seen, name))
        else:
            yield item


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _own_extras_removed(needs: Iterable[str], own: str) -> tuple[str, ...]:
    """Without the repository itself, which is used from its tree; each once, in order."""
    kept = dict.fromkeys(need.strip() for need in needs if need.strip())
    return tuple(
        need
        for need in kept
        if not own or _key(re.split(r"[\s\[<>=!~;@(]", need, maxsplit=1)[0]) != _key(own)
    )


def _pdm(project: Mapping[str, Any]) -> dict[str, Any]:
    groups = table(project, "tool", "pdm", "dev-dependencies")
    return {
        "test_needs": tuple(
            need for name in chosen_groups(groups) for need in for_tests(name, strings(groups[name]))
        )
    }


def _setup_cfg(tree: Path) -> dict[str, Any]:
    text = read_text(tree / "setup.cfg")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text or "")
    except configparser.Error as error:
        words = " ".join(str(error).split())[:200]
        raise EnvironmentProblem(f"setup.cfg cannot be read ({words}); correct it and start again.") from None
    extras = dict(parser["options.extras_require"]) if parser.has_section("options.extras_require") else {}
    version = parser.get("metadata", "version", fallback="")
    return {
        "name": parser.get("metadata", "name", fallback=""),
        "version": "" if ":" in version else version,
        "requires_python": parser.get("options", "python_requires", fallback=""),
        "needs": tuple(_lines(parser.get("options", "install_requires", fallback=""))),
        "test_needs": tuple(
            need for name in chosen_groups(extras) for need in for_tests(name, _lines(extras[name]))
        ),
        "entry_points": _cfg_entry_points(parser),
    }


def _cfg_entry_points(parser: configparser.ConfigParser) -> dict[str, dict[str, str]]:
    section = dict(parser["options.entry_points"]) if parser.has_section("options.entry_points") else {}
    found = {}
    for group, text in section.items():
        points = (line.partition("=") for line in _lines(text))
        found[group] = {name.strip(): value.strip() for name, _, value in points if value.strip()}
    return found


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _requirement_files(tree: Path, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from requirement_lines(tree, name, ())


def requirement_lines(tree: Path, name: str, seen: tuple[str, ...]) -> Iterator[str]:
    """The plain requirements of a file and of those it includes, without options, local paths and editable lines."""
    path = tree / name
    inside = path.resolve().is_relative_to(tree.resolve())
    text = read_text(path) if inside and name not in seen else None
    for line in re.sub(r"\\\r?\n", " ", text or "").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        include = re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if include:
            other = (path.parent / include[1]).resolve()
            if other.is_relative_to(tree.resolve()):
                yield from requirement_lines(tree, str(other.relative_to(tree.resolve())), (*seen, name))
        elif (
            re.match(r"[A-Za-z0-9]", line)
            and not re.match(r"[a-z+]+://", line)
            and not line.endswith((".whl", ".zip"))
        ):
            yield re.sub(r"\s+--(hash|config-settings?|global-option)[=\s]\S+", "", line).strip()


def _version_file(project: Mapping[str, Any]) -> str:
    """A module that the build writes and the repository does not hold."""
    scm = table(project, "tool", "setuptools_scm")
    hatch = table(project, "tool", "hatch", "build", "hooks", "vcs")
    pdm = table(project, "tool", "pdm", "version")
    named = (scm.get("version_file"), scm.get("write_to"), hatch.get("version-file"), pdm.get("write_to"))
    return next((string(name) for name in named if string(name).endswith(".py")), "")


def _compiled(tree: Path, project: Mapping[str, Any]) -> bool:
    backend = string(table(project, "build-system").get("build-backend"))
    needs = " ".join(strings(table(project, "build-system").get("requires"))).lower()
    tools = ("cython", "setuptools-rust", "cffi", "pybind11", "nanobind")
    text = read_text(tree / "setup.py") or ""
    return backend in COMPILED_BACKENDS or any(tool in needs for tool in tools) or "ext_modules" in text
