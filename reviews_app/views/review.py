"""One review with everything a person needs to decide, and the decision itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from reviews_app import actions, gate
from reviews_app.forms import DecisionForm, fresh_id
from reviews_app.models import Decision, Review, ReviewPass
from reviews_app.views.changes import changes_of
from sessions_app import panels
from sessions_app.access import can, get_session
from sessions_app.models import Session
from sessions_app.prose import prose
from sessions_app.views.requests import person

OPEN_BY_DEFAULT = ("critical", "high", "medium")
MACHINE = {
    "host": "Machine",
    "cpu": "Processor",
    "cores": "Cores",
    "system": "System",
    "kernel": "Kernel",
    "python": "Interpreter",
    "engine_python": "Engine's interpreter",
    "governor": "Clock governor",
    "turbo": "Turbo",
    "load": "Load",
}


def detail(request: HttpRequest, session_pk: int) -> HttpResponse:
    session = get_session(person(request), session_pk)
    return _page(request, session)


@require_POST
def decide(request: HttpRequest, session_pk: int) -> HttpResponse:
    """Take the decision; a refusal answers the page again with what changed and the typed reason kept."""
    session = get_session(person(request), session_pk)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        said = next(iter(form.errors.values()))[0]
        return _page(request, session, problem=str(said), status=400)
    if (
        form.cleaned_data["kind"] == "approved"
        and not form.cleaned_data["read"]
        and has_open_findings(session)
    ):
        problem = "Read the open findings and tick the box that says so before you approve."
        return _page(request, session, problem=problem, status=400)
    data = {key: value for key, value in form.cleaned_data.items() if key != "read"}
    try:
        decision = actions.decide(user=person(request), session=session, **data)
    except actions.StaleDecision as error:
        return _page(request, session, changes=list(error.changes), status=409)
    except actions.AlreadyDecided as error:
        return _page(request, session, problem=str(error), status=409)
    except (actions.DecisionRefused, PermissionDenied) as error:
        status = 403 if isinstance(error, PermissionDenied) else 400
        return _page(request, session, problem=str(error), status=status)
    messages.success(request, f"{decision.get_kind_display()} for {decision.head[:7]}. It is recorded below.")
    if decision.next_session is not None:
        return redirect(decision.next_session)
    return redirect("review", session_pk)


def has_open_findings(session: Session) -> bool:
    """Whether the newest review of the session left a finding open."""
    review = session.reviews.first()
    return review is not None and review.passes.filter(findings__state="open").exists()


@require_POST
def bring_home(request: HttpRequest, session_pk: int) -> HttpResponse:
    """Try again to bring an approved branch home, after what stood in its way was moved."""
    session = get_session(person(request), session_pk)
    decision = gate.gate_of(session).decision
    if decision is None:
        return _page(request, session, problem="Nobody has approved this head yet.", status=409)
    try:
        actions.bring_home_again(user=person(request), decision=decision)
    except actions.DecisionRefused as error:
        return _page(request, session, problem=str(error), status=409)
    return redirect("review", session_pk)


def _page(
    request: HttpRequest,
    session: Session,
    *,
    problem: str = "",
    changes: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    session.refresh_from_db()
    review = session.reviews.prefetch_related("passes__findings").first()
    context: dict[str, Any] = {
        "session": session,
        "review": review,
        "section": "reviews",
        "headline": panels.headline(session, panels.points_of(session)),
        "gate": gate.gate_of(session),
        "may_decide": can(request.user, "decide", session),
        "problem": problem,
        "changes": changes or [],
        "typed": request.POST.get("reason", ""),
        "typed_kind": request.POST.get("kind", ""),
        "seen": {name: request.POST.get(name, "") for name in ("head", "report_digest", "results_digest")},
        "request_id": fresh_id(),
        "history": _history(session),
        "has_report": session.state_files.filter(name="review-report.md").exists(),
        "machine": machine(session.fingerprint),
        **changes_of(request, session, review),
        **_evidence(session),
    }
    if review is not None:
        context["passes"] = [_pass(each) for each in review.passes.all()]
        context["open_count"] = sum(row["open"] for row in context["passes"])
        context["finding_count"] = sum(len(row["findings"]) for row in context["passes"])
        context["without"] = [row for row in review.without if isinstance(row, dict)]
    return render(request, "reviews/review.html", context, status=status)


def _pass(each: ReviewPass) -> dict[str, Any]:
    findings = [{"finding": f, "prose": prose(f.text) if f.text else ""} for f in each.findings.all()]
    still = [row for row in findings if row["finding"].state == "open"]  # type: ignore[union-attr]
    fixed = bool(findings) and each.state == "clear" and any(r["finding"].state == "fixed" for r in findings)  # type: ignore[union-attr]
    return {
        "pass": each,
        "state": "clear_after_fix" if fixed else each.state,
        "findings": findings,
        "open": len(still),
        "is_open": bool(still),
        "unfold": any(r["finding"].severity in OPEN_BY_DEFAULT for r in findings),  # type: ignore[union-attr]
    }


def machine(fingerprint: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of the machine, in words; a value that was not found out is empty."""
    return [
        (word, "" if str(fingerprint[key]) == "unknown" else str(fingerprint[key]))
        for key, word in MACHINE.items()
        if key in fingerprint
    ]


def _evidence(session: Session) -> dict[str, Any]:
    """The numbers a person weighs: the re-measured whole, the tests, the replays, the machine."""
    ran = session.events.filter(kind="tests_ran").order_by("-seq").first()
    keeps = session.experiments.filter(status="keep", reverted="", best__isnull=False)
    claimed = keeps.select_related("detail").order_by("-number").first()
    whole = claimed.detail.end_to_end if claimed is not None and hasattr(claimed, "detail") else None
    checks = [
        c
        for row in session.experiments.filter(status="keep").values_list("detail__checks", flat=True)
        for c in row or []
    ]
    tried = [c for c in checks if isinstance(c.get("tried"), int)]
    return {
        "tests": (ran.body.get("run") or {}) if ran else {},
        "claimed": claimed,
        "claimed_on": (whole or {}).get("label", ""),
        "measured": session.speedup or {},
        "replays": (sum(c.get("agreed") or 0 for c in tried), sum(c["tried"] for c in tried))
        if tried
        else None,
        "not_checked": sorted({str(c.get("name")) for c in checks if c.get("state") == "not_checked"}),
    }


@dataclass(frozen=True)
class Entry:
    """One line of the history, newest first; ``stale`` ones were about another head."""

    at: Any
    kind: str
    review: Review | None = None
    decision: Decision | None = None
    experiment: Any = None
    stale: bool = False
    since: int = 0


def _history(session: Session) -> list[Entry]:
    keeps = list(session.experiments.filter(status="keep", ended__isnull=False).order_by("number"))
    found = [Entry(r.filed, "review", review=r) for r in session.reviews.all()]
    found += [Entry(k.ended, "commit", experiment=k) for k in keeps]
    for decision in (
        Decision.objects.filter(session=session).prefetch_related("receipts").select_related("next_session")
    ):
        since = sum(k.ended > decision.created for k in keeps if k.ended)
        found.append(
            Entry(
                decision.created,
                "decision",
                decision=decision,
                stale=decision.head != session.head,
                since=since,
            )
        )
    return sorted(found, key=lambda e: e.at, reverse=True)[:60]
