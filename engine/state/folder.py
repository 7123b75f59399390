"""Read and write a ``.codeflash/`` folder that somebody else may have prepared as a trap.

Only names of the allow-list are opened, relative to the folder's own descriptor, never through a symbolic link, and
only when they are plain files. A FIFO, a device or a link is reported, not followed. Sizes are bounded in bytes.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from engine.state.digests import digest
from engine.state.grammar import StateError

LIMITS: dict[str, int] = {
    "setup.md": 256_000,
    "scan-report.md": 256_000,
    "results.tsv": 4_000_000,
    "HANDOFF.md": 256_000,
    "conventions.md": 256_000,
    "learnings.md": 64_000,
    "review-report.md": 256_000,
    "changelog.md": 256_000,
}
"""The eight names of a folder with the most bytes of each that are read and written."""
PRESERVED: tuple[str, ...] = ("learnings.md", "results.tsv", "changelog.md")
"""What clean-up leaves in the folder; the others live on with the session."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Reading:
    """The text of one file; ``cut`` bytes were left out; ``note`` says what was odd, "" for nothing."""

    text: str
    cut: int = 0
    note: str = ""


def read_folder(path: Path) -> dict[str, Reading]:
    """Every state file of the folder by name. A folder that cannot be opened reads as empty; never raises."""
    try:
        folder = os.open(path, _DIRECTORY)
    except (OSError, ValueError):
        return {}
    try:
        found = {name: _read(folder, name) for name in LIMITS}
    finally:
        os.close(folder)
    return {name: reading for name, reading in found.items() if reading is not None}


def _read(folder: int, name: str) -> Reading | None:
    """The file, or a reading that says why it was not read, or None when there is none."""
    try:
        handle = os.open(name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Reading("", note=f"{name} was not read: {error.strerror}; a state file is a plain file")
    try:
        return _regular(handle, name)
    except OSError as error:
        return Reading("", note=f"{name} was not read: {error.strerror}")
    finally:
        os.close(handle)


def _regular(handle: int, name: str) -> Reading:
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        return Reading("", note=f"{name} was not read: a state file is a plain file")
    data = _bytes(handle, LIMITS[name])
    left = max(facts.st_size - len(data), 0)
    text, note = decode(data, whole=not left)
    if left:
        note = f"{name} is larger than {LIMITS[name]} bytes; {left} bytes were not read"
    return Reading(text, left, note)


def _bytes(handle: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(handle, min(limit, 1 << 16))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def decode(data: bytes, *, whole: bool = True) -> tuple[str, str]:
    """The text and a note when it was not plain UTF-8. Bytes that are not text become U+FFFD."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace"), "read as UTF-16"
    text = data.decode("utf-8-sig", errors="replace")
    odd = "\ufffd" in (text if whole else text[:-1])
    return text, "bytes that are not UTF-8 were replaced" if odd else ""


def write_file(path: Path, name: str, text: str) -> str:
    """Replace one state file in one step, so that no reader sees half of it; gives the digest of what was written.

    Raises StateError for a name that is none of ours and for a text over the limit; OSError from the disk.
    """
    data = text.encode("utf-8", errors="replace")
    if name not in LIMITS:
        raise StateError(f"{name} is no state file; use one of {', '.join(LIMITS)}")
    if len(data) > LIMITS[name]:
        raise StateError(
            f"{name} may hold {LIMITS[name]} bytes, not {len(data)}; shorten it before it is written"
        )
    path.mkdir(parents=True, exist_ok=True)
    folder = os.open(path, _DIRECTORY)
    try:
        _replace(folder, name, data)
    finally:
        os.close(folder)
    return digest(text)


def _replace(folder: int, name: str, data: bytes) -> None:
    fresh = f".{name}.{secrets.token_hex(6)}"
    handle = os.open(fresh, _NEW, 0o644, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(fresh, dir_fd=folder)
        raise
