"""Every limit in one place, with its default. A refusal names the limit it met.

Sizes are bytes, times are seconds, unless the name says otherwise.
"""

from __future__ import annotations

import os


def _int(name: str, default: int) -> int:
    """CODEFLASH_LIMIT_<NAME> overrides a default; anything but a whole number ends the start-up with a sentence."""
    raw = os.environ.get(f"CODEFLASH_LIMIT_{name}")
    if raw is None:
        return default
    try:
        return int(raw)
    except ValueError:
        raise SystemExit(f"CODEFLASH_LIMIT_{name} takes a whole number, not {raw!r}") from None


BODY_BYTES = _int("BODY_BYTES", 1 << 20)
EVENT_BYTES = _int("EVENT_BYTES", 1 << 20)
SOCKETS_PER_USER = _int("SOCKETS_PER_USER", 20)
SOCKET_BACKLOG_EVENTS = _int("SOCKET_BACKLOG_EVENTS", 500)
SOCKET_FRAME_BYTES = _int("SOCKET_FRAME_BYTES", 16 << 10)
QUEUE_PER_TEAM = _int("QUEUE_PER_TEAM", 100)
DISK_FLOOR_BYTES = _int("DISK_FLOOR_BYTES", 1 << 30)
LEASE_SECONDS = _int("LEASE_SECONDS", 30)
HEARTBEAT_SECONDS = _int("HEARTBEAT_SECONDS", 5)
CANCEL_GRACE_SECONDS = _int("CANCEL_GRACE_SECONDS", 8)
DIFF_LINES = _int("DIFF_LINES", 20_000)
OUTPUT_BYTES = _int("OUTPUT_BYTES", 8 << 20)
LEARNINGS_GIVEN = _int("LEARNINGS_GIVEN", 20)
SOCKET_RECHECK_SECONDS = _int("SOCKET_RECHECK_SECONDS", 60)
SOCKET_SEND_SECONDS = _int("SOCKET_SEND_SECONDS", 15)
LINE_BYTES = _int("LINE_BYTES", 16 << 20)
STUCK_SECONDS = _int("STUCK_SECONDS", 600)
PAGE_THREADS = _int("PAGE_THREADS", 16)
REAP_SECONDS = _int("REAP_SECONDS", 10)
