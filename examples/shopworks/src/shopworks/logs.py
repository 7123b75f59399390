"""The shop server's access log."""

from __future__ import annotations

from typing import Dict, TextIO


def status_counts(log: TextIO) -> Dict[str, int]:
    """How often each HTTP status occurs; lines are ``time path status bytes``."""
    counts: Dict[str, int] = {}
    for line in log.readlines():
        fields = line.split(" ")
        if len(fields) == 4:
            counts[fields[2]] = counts.get(fields[2], 0) + 1
    return counts


def repeat_errors(log: TextIO) -> int:
    """Write every line with a server error once more at the end of the log; gives how many there were."""
    repeated = 0
    for line in log.readlines():
        if " 500 " in line:
            log.write("again: " + line)
            repeated += 1
    return repeated
