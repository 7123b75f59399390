"""From a tree of files to an environment its code and tests run in, made once for each set of requirements."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.environment import layout, locks, tools
from engine.environment.install import Builder, find_uv, last_words
from engine.environment.interpreters import Interpreter, choose
from engine.environment.manifest import Manifest, read_manifest
from engine.environment.problem import EnvironmentProblem
from engine.environment.reading import read_text, read_toml
from engine.sandbox import Sandbox

FINISH = Path(__file__).resolve().parent / "inner" / "finish.py"
SHAPE = "1"
VERSION = re.compile(
    r"""^(?:__version__|VERSION|version)\s*(?::\s*\w+\s*)?=\s*["']([0-9][^"'\s]*)["']""", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """How to run a repository. ``readable`` must be given to the sandbox; ``import_roots``, ``benchmarks`` and
    ``test_args`` (arguments for pytest, its paths last) are relative to a tree; ``packages`` are the repository's own
    top-level import names; ``installed`` maps normalised package names to versions; ``notes`` say what was done.
    """

    python: Path
    python_version: str
    manager: str
    lock_digest: str
    cached: bool
    installed: Mapping[str, str]
    readable: tuple[Path, ...]
    import_roots: tuple[str, ...]
    test_args: tuple[str, ...]
    benchmarks: tuple[str, ...]
    packages: tuple[str, ...]
    notes: tuple[str, ...]

    def python_env(self, tree: Path) -> dict[str, str]:
        """Variables for running code of ``tree``: its own packages come before anything installed."""
        roots = [tree if root == "." else tree / root for root in self.import_roots]
        return {
            "PATH": f"{self.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(self.python.parent.parent),
            "PYTHONPATH": os.pathsep.join(map(str, roots)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
        }


@dataclass(frozen=True, kw_only=True)
class _Built:
    """What is remembered of a finished environment."""

    python: str
    python_version: str
    folders: tuple[str, ...]
    installed: dict[str, str]
    notes: tuple[str, ...]


def prepare(*, tree: Path, cache: Path, sandbox: Sandbox, offline: bool = False) -> Environment:
    """Detect, then make or reuse. ``cache`` is shared by sessions; two that need the same wait for each other.

    Raises EnvironmentProblem with a sentence: a broken file, no Python that fits, packages that cannot be had.
    """
    tree, cache = Path(os.path.realpath(tree)), Path(os.path.realpath(cache))
    cache.mkdir(parents=True, exist_ok=True)
    project = read_toml(tree / "pyproject.toml")
    manifest = read_manifest(tree)
    roots = layout.import_roots(tree, project)
    names = layout.packages(tree, roots, manifest.name)
    manifest = replace(manifest, version=manifest.version or _written_version(tree, roots, names))
    pins = locks.constraints(tree)
    interpreter = choose(requires=manifest.requires_python, sandbox=sandbox, cwd=tree)
    stand_ins = _stand_ins(tree, roots, manifest)
    digest = _digest(tree, manifest, interpreter, pins, stand_ins, offline)
    built, cached = _once(cache, digest, Plan(manifest, pins, interpreter, stand_ins, offline), sandbox)
    override, note = layout.addopts_override(tree, project, built.installed)
    tests = layout.test_paths(tree, project, names, roots)
    return Environment(
        python=Path(built.python),
        python_version=built.python_version,
        manager=manifest.manager,
        lock_digest=digest,
        cached=cached,
        installed=built.installed,
        readable=tuple(Path(folder) for folder in built.folders),
        import_roots=roots,
        test_args=(*override, *tests),
        benchmarks=layout.benchmark_paths(tree),
        packages=names,
        notes=tuple(
            filter(None, (*manifest.notes, *built.notes, note, "" if tests else "No tests were found."))
        ),
    )


@dataclass(frozen=True)
class Plan:
    """All that decides what an environment becomes."""

    manifest: Manifest
    pins: tuple[str, ...]
    interpreter: Interpreter
    stand_ins: Mapping[str, str]
    offline: bool


def _digest(
    tree: Path,
    manifest: Manifest,
    interpreter: Interpreter,
    pins: Sequence[str],
    stand_ins: Mapping[str, str],
    offline: bool,
) -> str:
    facts = (manifest.name, manifest.version, repr(manifest.entry_points), repr(sorted(stand_ins.items())))
    where = (str(interpreter.path), interpreter.version, "offline" if offline else "online", SHAPE)
    return locks.digest(tree, manifest.needs, manifest.test_needs, pins, *facts, *where)


def _once(cache: Path, digest: str, plan: Plan, sandbox: Sandbox) -> tuple[_Built, bool]:
    """The finished environment, and whether it was there already. The note beside the folder is written last."""
    folder, note = cache / "envs" / digest, cache / "envs" / f"{digest}.json"
    with tools.locked(cache / "envs" / f"{digest}.lock"):
        found = _remembered(note, folder)
        if found:
            return found, True
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            built = _build(cache, folder, plan, sandbox)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        draft = note.with_suffix(".new")
        draft.write_text(json.dumps(asdict(built)), encoding="utf-8")
        draft.replace(note)
        return built, False


def _remembered(note: Path, folder: Path) -> _Built | None:
    try:
        data = json.loads(note.read_text(encoding="utf-8"))
        built = _Built(**{**data, "folders": tuple(data["folders"]), "notes": tuple(data["notes"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    whole = folder.is_dir() and all(Path(path).exists() for path in (built.python, *built.folders))
    return built if whole else None


def _build(cache: Path, folder: Path, plan: Plan, sandbox: Sandbox) -> _Built:
    builder = Builder(folder=folder, interpreter=plan.interpreter, sandbox=sandbox, tool=find_uv())
    builder.make_venv()
    notes = [_compiled_note(plan.manifest)]
    notes += _install(builder, plan)
    lent, note = _pytest(cache, builder, plan)
    notes += [note, *_stand_in_notes(plan)]
    installed = _finish(builder, plan, lent)
    builder.tidy()
    return _Built(
        python=str(builder.python),
        python_version=plan.interpreter.version,
        folders=tuple(map(str, (builder.venv, *plan.interpreter.folders, *([lent] if lent else [])))),
        installed=installed,
        notes=tuple(filter(None, notes)),
    )


def _compiled_note(manifest: Manifest) -> str:
    return (
        "The repository has compiled parts; they are not built and its pure Python code is used."
        * manifest.compiled
    )


def _install(builder: Builder, plan: Plan) -> list[str]:
    """As locked, else as asked for, else what it needs to run and of the tests' packages those that can be had."""
    needs, tests = plan.manifest.needs, plan.manifest.test_needs
    if not (needs or tests):
        return []
    if plan.offline:
        return ["Offline: the packages that the repository asks for were not installed."]
    if builder.install((*needs, *tests), plan.pins).ok:
        return ["Installed the locked versions."] if plan.pins else []
    if plan.pins and builder.install((*needs, *tests), ()).ok:
        return ["The locked versions could not be installed here; newer ones that fit were taken."]
    return _piecemeal(builder, needs, tests)


def _piecemeal(builder: Builder, needs: Sequence[str], tests: Sequence[str]) -> list[str]:
    done = builder.install(needs, ()) if needs else None
    if done is not None and not done.ok:
        raise EnvironmentProblem(
            f"The packages that the repository needs could not be installed ({last_words(done)}); "
            "check that this machine reaches the package index, or make them installable."
        )
    failed = [need for need in tests if not builder.install([need], ()).ok]
    return [f"Could not be installed, tests that use them will fail: {', '.join(failed)}."] if failed else []


def _pytest(cache: Path, builder: Builder, plan: Plan) -> tuple[Path | None, str]:
    """pytest must run: the repository's own, else ours, else one from the index."""
    if any(builder.venv.glob("lib/python3*/site-packages/pytest/__init__.py")):
        return None, ""
    if tools.lendable(plan.interpreter.version):
        lent = tools.lend(cache, plan.interpreter.minor, lambda folder: _compile(folder, builder))
        return lent, "The repository brings no pytest; the product's own is used."
    if not plan.offline and builder.install(["pytest"], ()).ok:
        return None, "The repository brings no pytest; one was installed for it."
    raise EnvironmentProblem(
        f"There is no pytest for Python {plan.interpreter.version}; add pytest to the repository's test requirements."
    )


def _compile(folder: Path, builder: Builder) -> None:
    """With the Python that will read it. A failure costs time at each start and nothing else."""
    words = ("-m", "compileall", "-q", "-j1", "--invalidation-mode=unchecked-hash", str(folder))
    builder.sandbox.run(
        [builder.interpreter.path, *words],
        cwd=folder,
        readable=builder.interpreter.folders,
        writable=[folder],
    )


def _finish(builder: Builder, plan: Plan, lent: Path | None) -> dict[str, str]:
    """Metadata, stand-ins and path file are written by a program inside, because the folder is not ours to trust."""
    given = {
        "name": plan.manifest.name,
        "version": plan.manifest.version or "0.0.0",
        "entry_points": {group: dict(points) for group, points in plan.manifest.entry_points.items()},
        "pth": [str(lent)] if lent else [],
        "stand_ins": dict(plan.stand_ins),
    }
    script = FINISH.read_text(encoding="utf-8")
    done = builder.run([builder.python, "-I", "-c", script], stdin=json.dumps(given).encode())
    try:
        answer: Any = json.loads(done.stdout)
        return {str(name): str(version) for name, version in sorted(answer["installed"].items())}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EnvironmentProblem(
            f"The new environment does not work ({last_words(done)}); start again."
        ) from None


def _written_version(tree: Path, roots: Sequence[str], names: Sequence[str]) -> str:
    """A version that a source distribution or the code itself states."""
    about = read_text(tree / "PKG-INFO") or ""
    if found := re.search(r"^Version: (\S+)$", about, re.MULTILINE):
        return found[1]
    files = ("__init__.py", "_version.py", "version.py", "__version__.py", "__about__.py", "_meta.py")
    for root in roots:
        for path in (tree / root / name / file for name in names for file in files):
            if path.is_file() and (
                found := VERSION.search(path.read_bytes()[:200_000].decode("utf-8", "replace"))
            ):
                return found[1]
    return ""


def _stand_ins(tree: Path, roots: Sequence[str], manifest: Manifest) -> dict[str, str]:
    """The version module that a build would write, when the repository does not hold it."""
    name = manifest.version_file
    if not name or (tree / name).exists():
        return {}
    root = next((root for root in roots if root != "." and name.startswith(f"{root}/")), "")
    module = name.removeprefix(f"{root}/" if root else "").removesuffix(".py").replace("/", ".")
    version = manifest.version or "0.0.0"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return {module: f"__version__ = version = {version!r}\n__version_tuple__ = version_tuple = {numbers!r}\n"}


def _stand_in_notes(plan: Plan) -> list[str]:
    return [f"{name} is written by a build; a stand-in with version {plan.manifest.version or '0.0.0'} is used."
            for name in plan.stand_ins]  # fmt: skip
