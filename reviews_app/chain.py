"""The hash chain over a team's decisions: each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
import json

from reviews_app.models import Decision
from sessions_app.models import Team

_FIELDS = (
    "session_id",
    "review_round",
    "kind",
    "actor_id",
    "actor_name",
    "role",
    "self_approved",
    "reason",
    "head",
    "report_digest",
    "results_digest",
    "isolation_level",
    "request_id",
    "previous_hash",
    "pull_title",
    "pull_body",
    "next_session_id",
)


def digest(decision: Decision) -> str:
    """sha256 over the row's words, its time and the previous hash, in one canonical form."""
    values = {name: getattr(decision, name) for name in _FIELDS}
    values["created"] = decision.created.isoformat()
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def last_hash(team: Team) -> str:
    """The hash the team's next decision builds on; empty for the first. Read it under the team's row lock."""
    rows = Decision.objects.filter(session__repo__team=team).order_by("-pk")
    return rows.values_list("hash", flat=True).first() or ""


def broken(team: Team) -> list[int]:
    """Ids of decisions whose hash or link does not hold: empty means nothing was changed, removed or slipped in."""
    before, found = "", []
    for row in Decision.objects.filter(session__repo__team=team).order_by("pk"):
        if row.previous_hash != before or row.hash != digest(row):
            found.append(row.pk)
        before = row.hash
    return found
