"""The command lines that put a program behind walls, one builder for each mechanism.

``bubblewrap`` gives the program its own view of the files: the system and what it was given, nothing else. It works as
a normal user (a user namespace) and as root (no user namespace; the launcher then becomes another uid).
``namespaces`` (the ``unshare`` tool) has processes and network apart and leaves the files to landlock. ``guard`` has
landlock, seccomp and a kill loop only. ``open`` has limits and the kill loop only.
"""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from engine.sandbox import watch
from engine.sandbox.limits import Limits

INNER = Path(__file__).resolve().parent / "inner"
MECHANISMS = ("bubblewrap", "namespaces", "guard", "open")
INSIDE_INNER = "/run/codeflash"
HOME = "/tmp/home"  # noqa: S108
SYSTEM_FOLDERS = ("/usr", "/nix/store", "/gnu/store")
SYSTEM_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/pip.conf",
    "/etc/pki",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
    "/etc/uv",
)
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf")
UID_FIRST, UID_COUNT = 61184, 4096


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run as the builders see it. ``tmp`` is its real temporary folder, used outside bubblewrap only; ``status``,
    ``leash`` and ``filter`` are file descriptors (the last one -1 when there is no system-call filter).
    """

    mechanism: str
    argv: tuple[str, ...]
    cwd: Path
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    limits: Limits
    network: bool
    uid: int
    scratch: Path
    tmp: Path
    status: int
    leash: int
    filter: int


def target_uid(scratch: Path, mechanism: str) -> int:
    """The uid target code gets when the worker is root: one for each session folder, out of the range that systemd
    keeps for such users, so that two sessions neither count against each other's process limit nor can touch
    each other's files. 0 means to keep the worker's own: when it is not root, and at level L0, which says so.
    """
    return (
        0
        if os.geteuid() or mechanism == "open"
        else UID_FIRST + zlib.crc32(str(scratch).encode()) % UID_COUNT
    )


def launcher_python() -> str:
    """The interpreter under the product's own virtual environment, by its real path."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


@cache
def launcher_folders() -> tuple[Path, ...]:
    """What the launcher's interpreter needs to see."""
    folders = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve()}
    return tuple(folder for folder in sorted(folders) if not str(folder).startswith("/usr"))


def command(job: Job) -> list[str]:
    """The whole argv that starts ``job``."""
    if job.mechanism == "bubblewrap":
        return [*_bubblewrap(job), *_launcher(job, INSIDE_INNER, HOME, guard=())]
    prefix = _unshare(job) if job.mechanism == "namespaces" else []
    guard = ("guard=1", *_guard_words(job, files=job.mechanism != "open"))
    return [*prefix, *_launcher(job, str(INNER), str(job.tmp / "home"), guard=guard)]


def base_environment(job: Job) -> dict[str, str]:
    """All that a program sees of an environment before the caller adds to it."""
    inside = job.mechanism == "bubblewrap"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME if inside else str(job.tmp / "home"),
        "TMPDIR": "/tmp" if inside else str(job.tmp),  # noqa: S108
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "USER": "codeflash",
        "LOGNAME": "codeflash",
    }


def _launcher(job: Job, folder: str, home: str, *, guard: Sequence[str]) -> list[str]:
    words = [
        f"status={job.status}",
        f"leash={job.leash}",
        f"uid={job.uid}",
        f"home={home}",
        f"chdir={job.cwd}",
    ]
    alone = bool(job.uid) or not guard or job.mechanism == "namespaces"
    crowd = 0 if alone else watch.tasks_of(os.getuid())
    limits = [f"limit={name}:{value}" for name, value in _rlimits(job.limits, crowd).items()]
    launcher = [launcher_python(), "-I", "-S", "-B", f"{folder}/launcher.py"]
    return [*launcher, *words, *limits, *guard, "--", *job.argv]


def _rlimits(limits: Limits, crowd: int) -> Mapping[str, int]:
    """The kernel counts processes by user: ``crowd`` are those the worker's user has already where we share it."""
    found = {
        "CORE": 0,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "NPROC": limits.processes + crowd,
    }
    if limits.cpu_seconds is not None:
        found["CPU"] = max(1, round(limits.cpu_seconds))
    return found


def _bubblewrap(job: Job) -> list[str]:
    size = str(job.limits.tmp_bytes)
    words = [
        shutil.which("bwrap") or "bwrap",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--as-pid-1",
    ]
    words += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--unshare-cgroup-try"]
    words += [] if job.network else ["--unshare-net"]
    words += ["--seccomp", str(job.filter)] if job.filter >= 0 else []
    words += _powers(job)
    words += ["--dev", "/dev", "--perms", "1777", "--size", size, "--tmpfs", "/dev/shm", "--proc", "/proc"]  # noqa: S108
    words += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp"]  # noqa: S108
    words += [word for bind in _binds(job) for word in bind]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--"]


def _powers(job: Job) -> list[str]:
    """As root, exactly what the launcher needs to become the other uid; it is gone in the target. Else none at all."""
    if job.uid:
        kept = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL")
        return ["--cap-drop", "ALL", *(word for name in kept for word in ("--cap-add", name))]
    return ["--unshare-user", "--cap-drop", "ALL"]


def _binds(job: Job) -> Iterator[tuple[str, ...]]:
    for folder in ("/etc", "/run", INSIDE_INNER):
        yield ("--perms", "0755", "--dir", folder)
    yield from _system()
    for name in NETWORK_FILES if job.network else ():
        if Path(name).exists():
            yield ("--ro-bind", os.path.realpath(name), name)
    for name in ("passwd", "group"):
        yield ("--ro-bind", str(identity_file(job.scratch, name, job.uid)), f"/etc/{name}")
    yield ("--ro-bind", str(INNER), INSIDE_INNER)
    yield from _given(job)


@cache
def _system() -> tuple[tuple[str, ...], ...]:
    """Folders, merged-/usr links and the few files of /etc that programs look for; read once per process."""
    links = [
        ("--symlink", str(Path(name).readlink()), name) for name in SYSTEM_LINKS if Path(name).is_symlink()
    ]
    folders = [
        name
        for name in (*SYSTEM_FOLDERS, *SYSTEM_LINKS)
        if Path(name).is_dir() and not Path(name).is_symlink()
    ]
    files = [name for name in SYSTEM_FILES if Path(name).exists()]
    return (*links, *(("--ro-bind", name, name) for name in (*folders, *files)))


def _given(job: Job) -> Iterator[tuple[str, ...]]:
    """Outer folders before inner ones, so that the nearer word on a path holds."""
    wanted: dict[str, str] = {}
    for path in (job.cwd, *launcher_folders(), *job.readable):
        wanted.update(dict.fromkeys(_spellings(path), "--ro-bind"))
    for path in job.writable:
        wanted.update(dict.fromkeys(_spellings(path), "--bind"))
    for folder in _parents(wanted):
        yield ("--perms", "0755", "--dir", folder)
    for place, kind in sorted(wanted.items(), key=lambda item: item[0].split("/")):
        yield (kind, place, place)


def _parents(paths: Iterable[str]) -> list[str]:
    """The folders above, outermost first: bubblewrap would make them closed to all but root."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    covered = (*SYSTEM_FOLDERS, *SYSTEM_LINKS, *paths)
    inner = {
        folder for folder in found if any(folder == top or folder.startswith(f"{top}/") for top in covered)
    }
    return sorted(found - inner - {"/", "/tmp", "/etc", "/dev", "/proc"})  # noqa: S108


def _spellings(path: Path) -> set[str]:
    """A path as given and as it really is, so that links in between do not matter."""
    return {os.path.normpath(path.absolute()), os.path.realpath(path)} - {"/"}


def identity_file(scratch: Path, name: str, uid: int) -> Path:
    """A passwd or group that knows root and the target's user only."""
    path = scratch / f"etc.{name}"
    if not path.exists():
        number = uid or os.getuid()
        group = uid or os.getgid()
        line = (
            f"codeflash:x:{number}:{group}::{HOME}:/bin/sh\n"
            if name == "passwd"
            else f"codeflash:x:{group}:\n"
        )
        root = "root:x:0:0::/nonexistent:/bin/sh\n" if name == "passwd" else "root:x:0:\n"
        _write_once(path, root + line)
    return path


def _write_once(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="ascii")
    draft.chmod(0o644)
    draft.replace(path)


def _unshare(job: Job) -> list[str]:
    words = [shutil.which("unshare") or "unshare", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    words += [] if job.network else ["--net"]
    return [*words, *([] if job.uid else ["--user", "--map-current-user"]), "--"]


def _guard_words(job: Job, *, files: bool) -> Iterator[str]:
    if not files:
        return
    system = (*SYSTEM_FOLDERS, *SYSTEM_LINKS, *SYSTEM_FILES, "/proc", "/etc/passwd", "/etc/group")
    system = (*system, *(NETWORK_FILES if job.network else ()))
    for path in (*system, str(INNER), *map(str, (job.cwd, *launcher_folders(), *job.readable))):
        yield f"read={path}"
    devices = ("null", "zero", "full", "random", "urandom", "shm", "tty", "fd")
    for path in (
        *(f"/dev/{name}" for name in devices),
        str(job.tmp),
        *map(str, job.writable),
    ):
        yield f"write={path}"
