"""The plugin assembled once for each language, and what hooks and the companion need to run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "tools" / "build_plugin.py"
SCRIPTS = ROOT / "plugin" / "scripts"
FAKE = Path(__file__).with_name("fake_codex.py")
LANGUAGES = sorted(path.name for path in (ROOT / "plugin" / "languages").iterdir() if path.is_dir())


def build(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BUILD), "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="session", params=LANGUAGES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("plugin") / request.param
    done = build(out, "--lang", request.param)
    assert done.returncode == 0, done.stderr
    yield out


@pytest.fixture(scope="session")
def python_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plugin") / "dist"
    assert build(out).returncode == 0
    return out


@cache
def other_interpreters() -> list[str]:
    """The oldest and the newest Python from 3.8 on that start here, without this one's version."""
    places = [*Path.home().glob(".pyenv/versions/*/bin"), *map(Path, os.environ["PATH"].split(os.pathsep))]
    found: dict[tuple[int, int], str] = {}
    for minor in range(8, 20):
        for place in places:
            path = place / f"python3.{minor}"
            if path.is_file() and (3, minor) not in found and starts(path):
                found[(3, minor)] = str(path)
    found.pop(sys.version_info[:2], None)
    return [found[version] for version in sorted({min(found), max(found)})] if found else []


def starts(path: Path) -> bool:
    return subprocess.run([path, "-c", ""], capture_output=True).returncode == 0


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one of the plugin's scripts in a folder, with its own data folder and home."""

    def script(
        name: str, *words: str, cwd: Path, stdin: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {
            "PATH": env.pop("PATH", os.environ["PATH"]),
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"),
            "CODEFLASH_MEASURE_LOCK": str(tmp_path / "lock"),
        }
        command = [sys.executable, str(SCRIPTS / name), *words]
        return subprocess.run(
            command, cwd=cwd, input=stdin, env={**kept, **env}, capture_output=True, text=True, timeout=120
        )

    return script


@pytest.fixture
def bin_path(tmp_path: Path) -> str:
    """A PATH on which our own codex comes first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "codex"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n', encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
