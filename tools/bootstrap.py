"""Makes .venv from the hash-pinned requirements, then runs a command inside it.

Standard library only: this is the one file that runs before anything is installed.
Usage: python3 tools/bootstrap.py run|dev COMMAND [ARG ...]
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SETS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}


def fail(sentence: str) -> None:
    """End with one plain sentence on stderr and exit status 1."""
    sys.exit(f"bootstrap: {sentence}")


def check_prerequisites() -> None:
    """Name the one thing that is missing, in a sentence that says what to do."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        fail(
            f"Python 3.11 or newer is needed, this is {found}; name a newer one with PYTHON=python3.11 make run."
        )
    if shutil.which("git") is None:
        fail("git is not on PATH; install it (on Debian: apt-get install git) and run the command again.")


def digest(name: str) -> str:
    """The key of an environment: requirements text plus the interpreter that will use it."""
    text = (ROOT / SETS[name]).read_bytes() + sys.version.encode() + sys.prefix.encode()
    return hashlib.sha256(text).hexdigest()[:16]


def stamp(name: str) -> Path:
    return VENV / f".{name}-{digest(name)}"


def make_venv(uv: str | None) -> None:
    if uv:
        command = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)]
    else:
        command = [sys.executable, "-m", "venv", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(
            "a virtual environment could not be made; install Python's venv module "
            f"(on Debian: apt-get install python3-venv). It said: {done.stderr.strip()[-300:]}"
        )


def install(name: str, uv: str | None) -> None:
    """Install one hash-pinned set; raises SystemExit with the installer's last words."""
    python = str(VENV / "bin" / "python")
    requirements = str(ROOT / SETS[name])
    if uv:
        command = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--require-hashes",
            "-r",
            requirements,
        ]
    else:
        command = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements]
    print(f"Installing {SETS[name]} into .venv ({'uv' if uv else 'pip'}) ...", file=sys.stderr, flush=True)
    if subprocess.run(command).returncode != 0:
        fail(
            f"installing {SETS[name]} failed; check the network and run the command again. Nothing else was changed."
        )


def working_uv() -> str | None:
    """The path of a uv that runs, else None. CODEFLASH_NO_UV=1 forces venv + pip."""
    uv = shutil.which("uv")
    if not uv or os.environ.get("CODEFLASH_NO_UV"):
        return None
    return uv if subprocess.run([uv, "--version"], capture_output=True).returncode == 0 else None


def ensure(name: str) -> None:
    """Bring .venv to the named set, once per digest; two callers at once wait for each other."""
    with open(ROOT / ".venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp(name).exists() and (VENV / "bin" / "python").exists():
            return
        uv = working_uv()
        make_venv(uv)
        install(name, uv)
        covered = SETS if name == "dev" else [name]
        for old in VENV.glob(".run-*"):
            old.unlink()
        for old in VENV.glob(".dev-*"):
            old.unlink()
        for each in covered:
            stamp(each).touch()


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in SETS:
        fail("usage: python3 tools/bootstrap.py run|dev COMMAND [ARG ...]")
    check_prerequisites()
    ensure(sys.argv[1])
    command = sys.argv[2:]
    if not command:
        return
    environment = {**os.environ, "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment.pop("PYTHONHOME", None)
    program = VENV / "bin" / command[0]
    os.execve(str(program), [str(program), *command[1:]], environment)


if __name__ == "__main__":
    main()
