"""Walls for a machine without namespaces: landlock for files, seccomp for sockets, a kill loop for leftovers.

All by ctypes on Linux; what the kernel does not offer is left out, and the probe of the worker finds out by trying.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import time

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER = 1, 38, 22, 36
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
FS_EXECUTE, FS_WRITE, FS_READ, FS_LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
ON_FILES = FS_EXECUTE | FS_WRITE | FS_READ | 1 << 14 | 1 << 15
O_PATH = 0o10000000

_libc = ctypes.CDLL(None, use_errno=True)
# Beside this file, and imported now: later the interpreter's folders may be out of reach.
_filters = __import__("seccomp")


def adopt_orphans() -> None:
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(137)


def wall_in(readable: list[str], writable: list[str]) -> None:
    """For this process and all it starts, for good."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    _landlock(readable, writable)
    _no_sockets()


def _landlock(readable: list[str], writable: list[str]) -> None:
    abi = _libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if abi < 1:
        return
    rights = (1 << FS_RIGHTS_BY_ABI.get(abi, 16)) - 1
    scopes = 3 if abi >= 6 else 0
    ruleset = _ruleset(rights, scopes, abi)
    for path in readable:
        _allow(ruleset, path, (FS_EXECUTE | FS_READ | FS_LIST) & rights)
    for path in writable:
        _allow(ruleset, path, rights)
    if _libc.syscall(LANDLOCK_RESTRICT, ruleset, ctypes.c_uint32(0)):
        raise OSError(ctypes.get_errno(), "landlock refused to restrict")
    os.close(ruleset)


def _ruleset(rights: int, scopes: int, abi: int) -> int:
    """Handled: all file rights, and from ABI 6 signals and abstract sockets to the outside."""
    size = 24 if abi >= 6 else (16 if abi >= 4 else 8)
    attributes = struct.pack("=QQQ", rights, 0, scopes)[:size]
    made = _libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if made < 0:
        raise OSError(ctypes.get_errno(), "landlock refused the ruleset")
    return int(made)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = rights if os.path.isdir(path) else rights & ON_FILES  # noqa: PTH112
    rule = struct.pack("=Qi", rights, handle)
    _libc.syscall(LANDLOCK_ADD, ruleset, 1, rule, ctypes.c_uint32(0))
    os.close(handle)


def _no_sockets() -> None:
    """Only local sockets from here on, and no call of the usual ways out."""
    code: bytes = _filters.guarded()
    if not code:
        return
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if _libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp refused the filter")


def end_everything_below(seconds: float = 3.0) -> None:
    """Kill every process that descends from us (orphans come to us) until none is left."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in _below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        if _collect_all():
            return
        time.sleep(0.005)


def _collect_all() -> bool:
    """True when no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _below(root: int) -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    text = file.read()
                parents[int(name)] = int(text[text.rindex(b")") + 2 :].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    return [pid for pid in parents if pid != root and _descends(pid, root, parents)]


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    seen = set()
    while pid and pid not in seen:
        if pid == root:
            return True
        seen.add(pid)
        pid = parents.get(pid, 0)
    return False
