"""Rows that follow from events: pure functions of (session, event). Replaying a session's events gives them again.

``project`` changes the session row in memory (the caller saves ``PROJECTED``) and writes the rows below it. Handlers
read plain JSON, so an event of an older or newer version projects what it can and never stops the log.
"""

from __future__ import annotations

from sessions_app import lanes
from sessions_app.models import Event, Session
from sessions_app.projections import notes, ranking, tries  # noqa: F401 - their handlers register themselves
from sessions_app.projections.course import RAIL_KEY, move_stage
from sessions_app.projections.registry import apply, count, number, register, text

__all__ = ["PROJECTED", "RAIL_KEY", "count", "number", "project", "register", "text"]

PROJECTED = (
    "last_seq",
    "stage",
    "failed_stage",
    "stage_times",
    "chosen_domain",
    "base",
    "head",
    "branch",
    "isolation",
    "fingerprint",
    "setup",
    "metric",
    "unit",
    "baseline",
    "floor",
    "tried",
    "kept",
    "crashed",
    "consecutive",
    "best",
    "speedup",
    "now",
    "agents",
    "verdict",
    "results_digest",
)
"""Columns of the session row that only events change."""


def project(session: Session, event_row: Event) -> None:
    """Apply one stored event. The session row is changed in memory only; other rows are written."""
    move_stage(session, event_row)
    apply(session, event_row)
    lanes.follow(session, event_row)
