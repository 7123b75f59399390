"""The prepared pull request: title and body from the session's rows, never from what an agent wrote about itself."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reviews_app.models import Decision, Review
from sessions_app.models import Experiment, ExperimentStatus, Session

ROWS, ANCESTORS = 50, 50


@dataclass(frozen=True)
class PullRequest:
    """``title`` is one line of at most 200 characters, ``body`` is Markdown."""

    title: str
    body: str


def prepare(*, session: Session, review: Review, decision: Decision | None = None) -> PullRequest:
    """What a pull request for the session's head would say. Without a decision it is the preview of the review page."""
    kept = _kept(session)
    parts = [
        _summary(session, kept),
        _table(kept),
        _evidence(session, review),
        _approval(decision),
    ]
    return PullRequest(_title(session, kept), "\n\n".join(part for part in parts if part) + "\n")


def _kept(session: Session) -> list[Experiment]:
    """Kept changes on the branch, oldest first: a resumed session stands on those of the ones before it."""
    line = [session]
    while line[-1].mode == "resume" and line[-1].parent is not None and len(line) < ANCESTORS:
        line.append(line[-1].parent)
    rows = Experiment.objects.filter(session__in=line, status=ExperimentStatus.KEEP, reverted="")
    # A commit that a resumed session recovered may have its first row after all: that one has the numbers.
    found: dict[str, Experiment] = {}
    for each in rows.order_by("session_id", "number"):
        found.setdefault(each.commit, each)
    return list(found.values())


def _title(session: Session, kept: Sequence[Experiment]) -> str:
    if len(kept) == 1:
        return _line(kept[0].title)[:200]
    what = {"cpu": "CPU time", "memory": "memory", "async": "waiting", "structure": "start-up"}
    dimension = what.get(session.chosen_domain, "performance")
    return f"Improve {dimension} of {_line(session.repo.slug)}: {len(kept)} measured changes"[:200]


def _summary(session: Session, kept: Sequence[Experiment]) -> str:
    whole = _interval(session.speedup) if session.speedup else "not measured"
    return (
        f"## Summary\n\n{len(kept)} kept changes, one commit each. Whole session against its start: {whole}."
    )


def _table(kept: Sequence[Experiment]) -> str:
    if not kept:
        return ""
    rows = "\n".join(_row(each) for each in kept[:ROWS])
    more = f"\n\n{len(kept) - ROWS} more are in the session." if len(kept) > ROWS else ""
    return f"| # | Change | Where | Measured | Evidence | Commit |\n|---|---|---|---|---|---|\n{rows}{more}"


def _row(each: Experiment) -> str:
    found = {"ratio": each.ratio, "low": each.low, "high": each.high, "metric": each.metric}
    cells = [
        str(each.number),
        _line(each.title),
        _code(f"{each.path}::{each.qualname}"),
        _interval(found),
        each.evidence or "not stated",
        _code(each.commit[:10]),
    ]
    return "| " + " | ".join(cells) + " |"


def _evidence(session: Session, review: Review) -> str:
    level = str(session.isolation.get("level") or "not known")
    setup = session.setup.get("test_command") or "not recorded"
    return (
        "## How this was checked\n\n"
        f"- Review verdict: {_line(review.verdict.replace('_', ' '))} (round {review.round})\n"
        f"- Tests: {_code(setup)}\n"
        f"- Isolation level of all runs: {_line(level)}\n"
        f"- Base {_code(review.base[:10])}, head {_code(review.head[:10])}\n"
        f"- Report {_code(review.report_digest[:12])}, results {_code(review.results_digest[:12])}"
    )


def _approval(decision: Decision | None) -> str:
    if decision is None:
        return ""
    own = " (self-approved: a team of one)" if decision.self_approved else ""
    return f"Approved by {_line(decision.actor_name)}{own}."


def _interval(found: Mapping[str, object]) -> str:
    ratio, low, high = found.get("ratio"), found.get("low"), found.get("high")
    if not isinstance(ratio, float | int):
        return "not measured"
    word = {"peak": "less memory", "import": "faster import"}.get(str(found.get("metric")), "faster")
    if isinstance(low, float | int) and isinstance(high, float | int):
        return f"{ratio:.2f}× {word} ({low:.2f} to {high:.2f})"
    return f"{ratio:.2f}× {word} (no interval)"


def _line(text: str) -> str:
    """One line of plain text that Markdown reads as text: nothing in it can open a tag, link, cell or mention."""
    flat = html.escape(re.sub(r"\s+", " ", text).strip()[:300], quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", flat).replace("@", "@\u200b")


def _code(text: str) -> str:
    flat = re.sub(r"[\s`|]+", " ", text).strip()[:300]
    return f"`{flat or '-'}`"
