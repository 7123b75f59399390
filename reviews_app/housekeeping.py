"""What the worker's housekeeping does for reviews: finish what a crash cut off, and check the hash chain."""

from __future__ import annotations

from reviews_app import chain, delivery
from sessions_app import housekeeping
from sessions_app.models import Team


def install() -> None:
    """Called once when the apps are ready."""
    housekeeping.register("Approved branches brought home", finish_deliveries)
    housekeeping.register("Decisions unchanged", check_chain)


def finish_deliveries() -> list[str]:
    """Bring home what was approved right before a crash; one sentence per branch."""
    receipts = [delivery.bring(decision) for decision in delivery.owed()]
    return [f"decision {each.decision_id}: {each.detail}" for each in receipts]


def check_chain() -> list[str]:
    """One sentence per team whose decisions do not add up."""
    broken = {team: chain.broken(team) for team in Team.objects.all()}
    return [
        f"decisions {', '.join(map(str, ids))} of team {team} were changed or removed"
        for team, ids in broken.items()
        if ids
    ]
