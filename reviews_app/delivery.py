"""Bringing an approved branch home: a hardened fetch into the user's repository, and a receipt of what happened."""

from __future__ import annotations

from django.db import transaction

from reviews_app.gate import GateState, gate_of
from reviews_app.models import Decision, DecisionKind, Receipt
from sessions_app import folders
from sessions_app.models import Session


def bring(decision: Decision) -> Receipt:
    """Fetch the branch at the decided head into its repository. Never raises for what git meets: the receipt says it.

    Head and gate are read again first, so an approval that no longer holds brings nothing home.
    """
    done = decision.receipts.filter(state="done").first()
    if done is not None:
        return done
    problem = _problem(decision)
    if problem:
        return _receipt(decision, "failed", problem)
    return _fetch(decision)


def _problem(decision: Decision) -> str:
    session = Session.objects.get(pk=decision.session_id)
    if gate_of(session).state != GateState.APPROVED or session.head != decision.head:
        return "The approval no longer holds: the branch has moved or was blocked since."
    if "://" in session.repo.source or "@" in session.repo.source.split("/")[0]:
        clone = folders.clone_of(session.pk)
        return (
            "The repository is an address, and nothing is ever pushed. "
            f"Fetch the branch yourself: git fetch {clone} {session.branch}:{session.branch}"
        )
    return ""


def _fetch(decision: Decision) -> Receipt:
    from engine import workspace
    from engine.workspace.git import GitFailed

    session = decision.session
    try:
        workspace.bring_home(
            source=session.repo.source,
            clone=folders.clone_of(session.pk),
            branch=session.branch,
            head=decision.head,
        )
    except GitFailed as error:
        said = f"Git could not bring {session.branch} into {session.repo.source}; no branch there has moved."
        return _receipt(decision, "failed", f"{said}\n{error}")
    except OSError as error:
        said = f"This machine could not finish bringing {session.branch} into {session.repo.source}."
        return _receipt(decision, "failed", f"{said}\n{error}")
    except workspace.WorkspaceError as error:
        return _receipt(decision, "failed", str(error))
    return _receipt(decision, "done", f"The branch {session.branch} is in {session.repo.source}.")


def _receipt(decision: Decision, state: str, detail: str) -> Receipt:
    with transaction.atomic():
        head = decision.head if state == "done" else ""
        return Receipt.objects.create(decision=decision, state=state, detail=detail[:4000], head=head)


def owed() -> list[Decision]:
    """Approvals without any receipt: the process died between the decision and the fetch."""
    return list(Decision.objects.filter(kind=DecisionKind.APPROVED, receipts__isnull=True).order_by("pk"))
