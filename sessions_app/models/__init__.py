"""Teams, repos, sessions and everything a session states. Rows below ``Event`` are a cache of events."""

from __future__ import annotations

from sessions_app.models.evidence import (
    Event,
    Experiment,
    ExperimentDetail,
    ExperimentStatus,
    Finding,
    StateFile,
    Target,
)
from sessions_app.models.knowledge import Learning, LearningState, LearningUse
from sessions_app.models.people import AuditEntry, Membership, Role, SignInLink, Team
from sessions_app.models.work import ENDED, HELD, LIVE, Repo, Session, Status, Worker

__all__ = [
    "ENDED",
    "HELD",
    "LIVE",
    "AuditEntry",
    "Event",
    "Experiment",
    "ExperimentDetail",
    "ExperimentStatus",
    "Finding",
    "Learning",
    "LearningState",
    "LearningUse",
    "Membership",
    "Repo",
    "Role",
    "Session",
    "SignInLink",
    "StateFile",
    "Status",
    "Target",
    "Team",
    "Worker",
]
