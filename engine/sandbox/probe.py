"""Find out how well target code can be walled in here, by trying to break out.

Every mechanism is tried with real attempts, best first: reach a listener of this host over the network, read a file of
the worker's home, write beside it, signal a process outside, keep root's powers, start more processes than allowed. The
first mechanism that holds gives the level; what failed of the better ones is the reason it is not higher.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox import box
from engine.sandbox.limits import Completed, Limits
from engine.sandbox.run import Sandbox
from engine.values import Isolation

PROCESSES = 24
NEEDED = {
    "bubblewrap": ("network", "home", "outside write", "outside signal", "root powers", "processes"),
    "namespaces": ("network", "home", "outside write", "outside signal", "root powers"),
    "guard": ("network", "home", "outside write", "root powers"),
}
LEVELS = {"bubblewrap": "L2", "namespaces": "L1", "guard": "L1"}
TOOLS = {"bubblewrap": "bwrap", "namespaces": "unshare"}
_lock = threading.Lock()
_found: list[Isolation] = []


def probe_isolation() -> Isolation:
    """The best level that held against the attempts (about half a second, then remembered for this process)."""
    with _lock:
        if not _found:
            _found.append(_probe())
        return _found[0]


def repair_hint() -> str:
    """How to reach level L2 on this machine, or that it is reached; one or two sentences for the doctor command."""
    isolation = probe_isolation()
    if isolation.level == "L2":
        return "Target code is boxed by bubblewrap; nothing to repair."
    if not shutil.which("bwrap"):
        return f"Install bubblewrap: {_install_command()}. Then start the worker again."
    return _namespace_hint(isolation.reason)


def try_mechanism(mechanism: str) -> tuple[bool, tuple[str, ...]]:
    """Whether ``mechanism`` held all it must, and one line for each attempt."""
    with _bait() as bait:
        return _judge(mechanism, bait)


def _probe() -> Isolation:
    reasons: list[str] = []
    for mechanism, level in LEVELS.items():
        missing = _missing_tool(mechanism)
        held, checks = (False, ()) if missing else try_mechanism(mechanism)
        if held:
            network = "none" if _holds(checks, "network") else "open"
            return Isolation(
                level=level, mechanism=mechanism, reason="; ".join(reasons), network=network, checks=checks
            )
        reasons.append(f"{mechanism}: {missing or _first_failure(mechanism, checks)}")
    checks = try_mechanism("open")[1]
    return Isolation(level="L0", mechanism="open", reason="; ".join(reasons), network="open", checks=checks)


def _missing_tool(mechanism: str) -> str:
    tool = TOOLS.get(mechanism)
    return f"{tool} is not on PATH" if tool and not shutil.which(tool) else ""


def _holds(checks: tuple[str, ...], name: str) -> bool:
    return any(line.startswith(f"{name}: held") for line in checks)


def _first_failure(mechanism: str, checks: tuple[str, ...]) -> str:
    for line in checks:
        if any(line.startswith(f"{name}: ") and not _holds((line,), name) for name in NEEDED[mechanism]):
            return line
    return checks[0] if checks else "no answer"


@dataclass(frozen=True)
class Bait:
    """What the program inside tries to reach."""

    folder: Path
    canary: Path
    secret: str
    port: int
    victim: subprocess.Popen[bytes]
    scratch: Path


@contextlib.contextmanager
def _bait() -> Iterator[Bait]:
    """A listener, a file in the worker's home, and a process to signal."""
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix=".codeflash-probe-", dir=_home()))
        )
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codeflash-probe-")))
        scratch.chmod(0o755)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        victim = stack.enter_context(_victim())
        secret = secrets.token_hex(16)
        canary = folder / "canary"
        canary.write_text(secret, encoding="ascii")
        canary.chmod(0o600)
        yield Bait(folder, canary, secret, listener.getsockname()[1], victim, scratch)


def _home() -> str | None:
    """The worker's real home, or where temporary files go when it has none it can write."""
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    return home if os.access(home, os.W_OK) else None


@contextlib.contextmanager
def _victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the worker's own user that waits; it dies with us because its input is our pipe."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _judge(mechanism: str, bait: Bait) -> tuple[bool, tuple[str, ...]]:
    sandbox = Sandbox(
        Isolation(level=LEVELS.get(mechanism, "L0"), mechanism=mechanism), scratch=bait.scratch / "box"
    )
    done = _break_out(sandbox, bait)
    answers = _answers(done)
    if answers is None:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return False, (f"start: failed ({words[-1][:200] if words else f'exit code {done.exit_code}'})",)
    lines = tuple(_line(name, words) for name, words in _verdicts(answers, bait).items())
    return all(_holds(lines, name) for name in NEEDED.get(mechanism, ())), lines


def _break_out(sandbox: Sandbox, bait: Bait) -> Completed:
    work = bait.scratch / "work"
    work.mkdir()
    inner = box.INSIDE_INNER if sandbox.mechanism == "bubblewrap" else str(box.INNER)
    argv = [box.launcher_python(), "-I", "-S", "-B", f"{inner}/breakout.py"]
    words = [str(bait.port), str(bait.canary), str(bait.victim.pid), str(PROCESSES * 2)]
    limits = Limits(wall_seconds=20, processes=PROCESSES, tmp_bytes=2**22, output_bytes=2**16)
    done = sandbox.run([*argv, *words], cwd=work, writable=[work], limits=limits)
    shutil.rmtree(work, ignore_errors=True)
    return done


def _answers(done: Completed) -> dict[str, str] | None:
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return None
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else None


def _verdicts(answers: dict[str, str], bait: Bait) -> dict[str, tuple[bool, str]]:
    """What the program says it met, checked from outside wherever that is possible."""
    written = sorted(path.name for path in bait.folder.iterdir() if path != bait.canary)
    alive = bait.victim.poll() is None
    started = int(answers.get("started") or 0)
    return {
        "network": (answers.get("network") != "reached", answers.get("network", "")),
        "home": (
            answers.get("home") != bait.secret,
            "not readable" if answers.get("home") != bait.secret else "read",
        ),
        "outside write": (not written and bait.canary.read_text() == bait.secret, answers.get("write", "")),
        "outside signal": (alive, answers.get("signal", "")),
        "root powers": (answers.get("powers") == "none", answers.get("powers", "")),
        "processes": (started < PROCESSES, f"{started} of {PROCESSES * 2} started"),
    }


def _line(name: str, verdict: tuple[bool, str]) -> str:
    held, words = verdict
    return f"{name}: {'held' if held else 'open'} ({words})"


def _install_command() -> str:
    commands = {
        "apt-get": "apt-get install bubblewrap",
        "dnf": "dnf install bubblewrap",
        "pacman": "pacman -S bubblewrap",
        "zypper": "zypper install bubblewrap",
        "apk": "apk add bubblewrap",
    }
    for tool, words in commands.items():
        if shutil.which(tool):
            return words
    return "with your system's package manager (Linux only)"


def _namespace_hint(reason: str) -> str:
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text().strip() == "1":
        return (
            "This Ubuntu lets only named programs make user namespaces: add an AppArmor profile for bwrap "
            "(package apparmor-profiles, file bwrap-userns-restrict), then start the worker again."
        )
    if Path("/.dockerenv").exists():
        return (
            "Inside Docker bubblewrap needs namespaces: start the container with --security-opt seccomp=unconfined "
            "--security-opt systempaths=unconfined (or --privileged), or run the worker outside of it."
        )
    return f"bubblewrap is installed but did not hold ({reason}); allow user namespaces (user.max_user_namespaces)."
