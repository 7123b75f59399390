"""Look at a process tree from outside, through /proc: how much memory it holds, and how to end all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def _table() -> dict[int, tuple[int, int]]:
    """pid -> (parent pid, resident bytes) of every living process that can be seen."""
    found: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  (called often: strings are cheaper than paths)
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                text = Path("/proc", name, "stat").read_bytes()
                fields = text[text.rindex(b")") + 2 :].split()
                if fields[0] not in (b"Z", b"X"):
                    found[int(name)] = (int(fields[1]), int(fields[21]) * PAGE)
    return found


def _below(root: int, table: dict[int, tuple[int, int]]) -> list[int]:
    """The pids below ``root`` (without it), parents before children."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def tasks_of(uid: int) -> int:
    """How many tasks (processes and their threads) a user has."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                    count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
    return count


def descendants(root: int) -> list[int]:
    return _below(root, _table())


def memory(root: int, *, over: int) -> int:
    """Bytes held by the tree below ``root``.

    The quick sum counts a page once for each process that shares it, so a sum above ``over`` is taken again with
    shared pages divided (PSS), which is slow but fair to programs that fork.
    """
    table = _table()
    tree = _below(root, table)
    quick = sum(table[pid][1] for pid in tree)
    if quick <= over:
        return quick
    return sum(_pss(pid, table[pid][1]) for pid in tree)


def _pss(pid: int, otherwise: int) -> int:
    try:
        for line in Path("/proc", str(pid), "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return otherwise


def kill_tree(root: int, *, seconds: float = 2.0) -> None:
    """SIGKILL ``root`` and everything below it, again until nothing is left or the time is up."""
    deadline = time.monotonic() + seconds
    while tree := descendants(root):
        for pid in tree:
            _kill(pid)
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    _kill(root)


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
