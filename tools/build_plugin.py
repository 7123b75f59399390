"""Assembles the plugin: plugin/ without languages/, then plugin/languages/<language>/ over it, into dist/.

    python tools/build_plugin.py [--lang python|javascript] [--out dist]

Paths below ${CLAUDE_PLUGIN_ROOT} are rewritten to where the files end up. All texts are checked first, by
``plugin_lint``; a problem is printed as file:line and nothing is written. The same sources give the same bytes, and the
old result stays until the new one is complete. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from plugin_lint import Problem, Source, check  # noqa: E402 - needs the path above

PLUGIN = ROOT / "plugin"
MARK = "${CLAUDE_PLUGIN_ROOT}/"
MERGES = "merge.json"
SKIPPED = {"__pycache__", ".DS_Store"}
BUNDLED = ("engine/__init__.py", "engine/values.py", "engine/state")
"""The one implementation of the state files goes along, for ``scripts/state_check.py``."""


class BuildFailed(Exception):
    """The plugin cannot be assembled; ``problems`` say where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


@dataclass(frozen=True)
class Item:
    """One file of the result: its place there, where it comes from, its bytes, whether it is run."""

    place: str
    origin: Path
    data: bytes
    runs: bool = False


def languages(plugin: Path = PLUGIN) -> list[str]:
    """The overlays there are."""
    return sorted(path.name for path in (plugin / "languages").iterdir() if path.is_dir())


def walk(folder: Path, *, without: str = "") -> Iterator[Path]:
    """The files below ``folder``, sorted, without caches and links."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not SKIPPED & set(parts) and parts[0] != without:
            yield path


def layer(folder: Path, language: str, *, without: str = "") -> dict[str, Item]:
    """One layer's files by their place in the result, paths in texts rewritten."""
    items = {}
    for path in walk(folder, without=without):
        place = path.relative_to(folder).as_posix()
        runs = bool(path.stat().st_mode & 0o100)
        items[place] = Item(place, path, rewritten(path.read_bytes(), language), runs)
    return items


def rewritten(data: bytes, language: str) -> bytes:
    """``languages/<language>/`` and the base's ``languages/LANG/`` are the root of the result."""
    for folder in (language, "LANG"):
        data = data.replace(f"{MARK}languages/{folder}/".encode(), MARK.encode())
    return data


def bundled() -> dict[str, Item]:
    items = {}
    for name in BUNDLED:
        path = ROOT / name
        for file in walk(path) if path.is_dir() else [path]:
            if file.suffix == ".py":
                place = "lib/" + file.relative_to(ROOT).as_posix()
                items[place] = Item(place, file, file.read_bytes())
    return items


def assemble(plugin: Path, language: str) -> tuple[list[Item], list[Source], list[Problem]]:
    """The result's files, the sources to check, and the collisions that no merge explains."""
    overlay = plugin / "languages" / language
    base, upper = layer(plugin, language, without="languages"), layer(overlay, language)
    merges, problems = stated_merges(upper.pop(MERGES, None))
    sources = [Source(item.origin, item.place, item.data) for item in (*base.values(), *upper.values())]
    result = {**bundled(), **base}
    for place, item in upper.items():
        if place not in result:
            result[place] = item
        elif place in merges:
            result[place] = merged(result[place], item, merges[place], problems)
        else:
            words = f"{place} is in both layers; state in {MERGES} how they are merged"
            problems.append(Problem(item.origin, 1, words))
    for place in sorted(set(merges) - (set(base) & set(upper))):
        problems.append(
            Problem(overlay / MERGES, 1, f"{place} is not in both layers, so there is nothing to merge")
        )
    return [result[place] for place in sorted(result)], sources, problems


def stated_merges(item: Item | None) -> tuple[dict[str, str], list[Problem]]:
    """``merge.json``: {place: append | replace | json}."""
    if item is None:
        return {}, []
    try:
        stated = json.loads(item.data)
    except ValueError as error:
        return {}, [Problem(item.origin, getattr(error, "lineno", 1), f"bad JSON: {error}")]
    wrong = {place: how for place, how in stated.items() if how not in ("append", "replace", "json")}
    problems = [
        Problem(item.origin, 1, f"{place}: {how!r} is not append, replace or json")
        for place, how in wrong.items()
    ]
    return {place: how for place, how in stated.items() if place not in wrong}, problems


def merged(lower: Item, upper: Item, how: str, problems: list[Problem]) -> Item:
    """Two files of one place as one."""
    if how == "replace":
        return upper
    if how == "append":
        return replace(lower, data=lower.data.rstrip(b"\n") + b"\n\n" + upper.data)
    try:
        both = {**json.loads(lower.data), **json.loads(upper.data)}
    except (ValueError, TypeError) as error:
        problems.append(
            Problem(upper.origin, getattr(error, "lineno", 1), f"cannot be merged as JSON: {error}")
        )
        return lower
    return replace(lower, data=(json.dumps(both, indent=2, ensure_ascii=False) + "\n").encode())


def build(*, language: str, out: Path, plugin: Path = PLUGIN) -> int:
    """Assemble into ``out`` and give the number of files. Raises BuildFailed; then ``out`` is as it was."""
    if language not in languages(plugin):
        known = ", ".join(languages(plugin))
        raise BuildFailed(
            [Problem(plugin / "languages", 1, f"there is no language {language!r}; known: {known}")]
        )
    items, sources, problems = assemble(plugin, language)
    problems += check(sources, {item.place: item.data for item in items})
    if problems:
        raise BuildFailed(sorted(set(problems), key=lambda p: (str(p.path), p.line, p.words)))
    exchange(items, out)
    return len(items)


def exchange(items: list[Item], out: Path) -> None:
    """Write beside ``out``, then swap; after a failure the old folder stands where it stood."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    old = fresh.with_name(fresh.name + "-old")
    try:
        for item in items:
            write(fresh / PurePosixPath(item.place), item)
        fresh.chmod(0o755)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    except BaseException:
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write(path: Path, item: Item) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(item.data)
    path.chmod(0o755 if item.runs else 0o644)


def main(words: list[str]) -> int:
    """Exit status 0 when it was built, 1 with one line a problem, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lang", default="python")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--plugin", type=Path, default=PLUGIN, help="the folder of the sources")
    options = parser.parse_args(words)
    try:
        count = build(language=options.lang, out=options.out.absolute(), plugin=options.plugin.absolute())
    except BuildFailed as failed:
        for problem in failed.problems:
            sys.stderr.write(f"{os.path.relpath(problem.path)}:{problem.line}: {problem.words}\n")
        sys.stderr.write(f"build-plugin: {failed}; nothing was written\n")
        return 1
    sys.stdout.write(f"{options.out}: {count} files, language {options.lang}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
