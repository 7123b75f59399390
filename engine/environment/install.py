"""Make a virtual environment and put packages into it, all of it inside the sandbox."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.environment.interpreters import Interpreter
from engine.environment.problem import EnvironmentProblem
from engine.sandbox import Completed, Limits, Sandbox

LIMITS = Limits(wall_seconds=1800, file_bytes=8 * 2**30, open_files=4096, processes=512, output_bytes=2**20)
# Where packages come from is the operator's choice and is said in the worker's own environment.
PASSED_ON = re.compile(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CERT|TRUSTED_HOST|DEFAULT_TIMEOUT)"
    r"|UV_(INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|NATIVE_TLS|INSECURE_HOST|HTTP_TIMEOUT)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy"
)
RUN_PIP = (
    "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('pip', run_name='__main__')"
)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """One environment being made in ``folder``. Programs inside may write its ``venv`` and ``scratch`` only: we write
    nothing below those two, where a package's build could have put links for us to follow.
    """

    folder: Path
    interpreter: Interpreter
    sandbox: Sandbox
    tool: Path | None

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def make_venv(self) -> None:
        for path in (self.venv, self.folder / "scratch", self.folder / "lists"):
            path.mkdir()
            path.chmod(0o755)
        done = self.run([self.interpreter.path, "-m", "venv", "--without-pip", self.venv])
        if not done.ok:
            raise EnvironmentProblem(
                f"Python {self.interpreter.version} could not make a virtual environment ({last_words(done)}); "
                "install its venv module (Debian: python3-venv)."
            )

    def install(self, needs: Sequence[str], constraints: Sequence[str]) -> Completed:
        """One try of the installer, with network."""
        lists = self.folder / "lists"
        words = [*self._installer(), "-r", _listed(lists / "requirements.txt", needs)]
        words += ["-c", _listed(lists / "constraints.txt", constraints)] if constraints else []
        return self.run(words, network=True)

    def _installer(self) -> list[str | Path]:
        if self.tool:
            words: list[str | Path] = [
                "pip",
                "install",
                "--python",
                self.python,
                "--compile-bytecode",
                "--no-progress",
            ]
            return [self.tool, *words, *_as_uv(passed_on())]
        quiet = ("--no-input", "--disable-pip-version-check", "--no-cache-dir", "--prefer-binary")
        return [self.python, "-c", RUN_PIP, self._pip_wheel(), "install", "--progress-bar=off", *quiet]

    def _pip_wheel(self) -> Path:
        """The pip that comes with the interpreter, used as it is packed: installing it would take seconds."""
        prefix = self.interpreter.path.parent.parent
        folders = (
            prefix / f"lib/python{self.interpreter.minor}/ensurepip/_bundled",
            Path("/usr/share/python-wheels"),
        )
        for folder in folders:
            for wheel in sorted(folder.glob("pip-*.whl")):
                return wheel
        raise EnvironmentProblem(
            "Neither uv nor pip can be used to install the repository's packages; install uv, or Python's "
            "ensurepip (Debian: python3-venv), and start again."
        )

    def run(self, words: Sequence[str | Path], *, network: bool = False, stdin: bytes = b"") -> Completed:
        """With all temporary files and downloads in our folder, where there is room and where they are removed."""
        scratch = self.folder / "scratch"
        env = {
            **passed_on(),
            "PATH": f"{self.venv}/bin:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(scratch),
            "UV_CACHE_DIR": str(scratch / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LINK_MODE": "hardlink",
        }
        readable = [
            *self.interpreter.folders,
            *_named_folders(passed_on()),
            *([self.tool] if self.tool else []),
        ]
        return self.sandbox.run(
            words,
            cwd=self.folder,
            readable=readable,
            writable=[self.venv, scratch],
            env=env,
            limits=LIMITS,
            network=network,
            stdin=stdin,
        )

    def tidy(self) -> None:
        for name in ("scratch", "lists"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def passed_on() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}


def _as_uv(settings: Mapping[str, str]) -> list[str]:
    """What was said to pip about where packages come from, said to uv, which does not read it."""
    options = {
        "PIP_INDEX_URL": "--default-index",
        "PIP_EXTRA_INDEX_URL": "--index",
        "PIP_FIND_LINKS": "--find-links",
    }
    words = [(option, word) for name, option in options.items() for word in settings.get(name, "").split()]
    off = settings.get("PIP_NO_INDEX", "0").lower() in ("1", "true", "yes", "on")
    return [*(["--no-index"] if off else []), *(part for pair in words for part in pair)]


def _named_folders(env: dict[str, str]) -> list[Path]:
    """Local files and folders that the installer's settings point to."""
    words = [word for value in env.values() for word in re.split(r"[\s:]+(?=/)|\s+", value)]
    paths = (Path(word.removeprefix("file://")) for word in words if word.startswith(("/", "file:///")))
    return [path for path in paths if path.exists() and path not in (Path("/"), Path("/usr"))]


def _listed(path: Path, lines: Iterable[str]) -> Path:
    """Requirements as a file; nothing that could be read as an option of the installer."""
    plain = (" ".join(line.split()) for line in lines)
    path.write_text(
        "".join(f"{line}\n" for line in plain if re.match(r"[A-Za-z0-9]", line)), encoding="utf-8"
    )
    path.chmod(0o644)
    return path


def find_uv() -> Path | None:
    """uv as a program; a version manager's stand-in script would look for the real one where the sandbox cannot."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    found = shutil.which("uv")
    places = [Path(found)] if found else []
    places += [Path(prefix) / "bin" / "uv" for prefix in (sys.prefix, sys.base_prefix)]
    places += [home / ".local/bin/uv", home / ".cargo/bin/uv"]
    for path in places:
        real = Path(os.path.realpath(path))
        if real.is_file() and os.access(real, os.X_OK) and _is_elf(real):
            return real
    return None


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def last_words(done: Completed) -> str:
    """The end of what a program said, on one line."""
    if done.timed_out:
        return f"it did not end within {LIMITS.wall_seconds:.0f} s"
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return " ".join(lines[-4:])[-500:] or f"exit code {done.exit_code}"
