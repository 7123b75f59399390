"""What one sandboxed run may use, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds and bytes. ``cpu_seconds``, ``file_bytes`` and ``open_files`` count for each process of the run; the rest
    count for the run as a whole. ``output_bytes`` is what is kept of stdout and of stderr each: more is read and cut,
    it does not end the run. ``tmp_bytes`` is the size of the private /tmp. ``floor_bytes`` is the free disk space
    below which a run that writes is ended.
    """

    wall_seconds: float = 600.0
    cpu_seconds: float | None = None
    memory_bytes: int = 4 * 2**30
    output_bytes: int = 8 * 2**20
    file_bytes: int = 256 * 2**20
    open_files: int = 512
    processes: int = 256
    tmp_bytes: int = 2**30
    floor_bytes: int = 2**28


@dataclass(frozen=True, kw_only=True)
class Completed:
    """One run that ended, whatever the way.

    ``exit_code`` is None when a signal or the sandbox ended it. ``cut`` counts the bytes of output not kept (their
    place is marked in the output). ``wall_seconds`` runs from the start of the program itself. ``cpu_seconds`` and
    ``peak_rss_bytes`` cover the program and the children it waited for (peak: the largest single process); None when
    the run was ended too hard to tell. ``limit`` names the limit that ended it: ``wall``, ``cpu``, ``memory``,
    ``file``, ``disk``, or ``start`` when the sandbox itself could not be set up (stderr says why); empty for none.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    cut: int
    wall_seconds: float
    cpu_seconds: float | None
    peak_rss_bytes: int | None
    timed_out: bool
    limit: str
    cancelled: bool

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.limit and not self.cancelled
