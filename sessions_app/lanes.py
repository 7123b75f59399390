"""What each agent does over time (``Session.agents``) and what happens right now (``Session.now``), from events.

``agents`` = {"cpu": {"state": "working|done|stopped", "task": str, "spans": [[start, end or null, kind], ...]}} with
times in seconds since the epoch and kind one of work, experiment, keep, discard, crash. Both are bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions_app.models import Event, Session

SPANS_KEPT = 200
AGENTS_KEPT = 24
_OUTCOMES = {
    "experiment_kept": "keep",
    "experiment_discarded": "discard",
    "experiment_crashed": "crash",
}
_ENDS = ("session_ended", "session_interrupted", "session_cancelled", "session_failed")


def follow(session: Session, row: Event) -> None:
    """Change ``agents`` and ``now`` by one event, in memory."""
    at = row.at.timestamp()
    if row.kind in _OUTCOMES:
        _experiment_over(session, row.body, at, _OUTCOMES[row.kind])
    elif row.kind in _ENDS:
        _all_over(session, at)
    elif row.kind in _FOLLOWERS:
        _FOLLOWERS[row.kind](session, row.body, at)


def _lane(session: Session, agent: str) -> dict[str, Any]:
    name = agent[:20] or "engine"
    if name not in session.agents and len(session.agents) >= AGENTS_KEPT:
        name = "others"
    lane: dict[str, Any] = session.agents.setdefault(name, {"state": "working", "task": "", "spans": []})
    return lane


def _open(lane: dict[str, Any], at: float, kind: str) -> None:
    lane["spans"] = [*lane["spans"][-(SPANS_KEPT - 1) :], [at, None, kind]]


def _close(lane: dict[str, Any], at: float, kinds: tuple[str, ...], outcome: str = "") -> None:
    for span in lane["spans"]:
        if span[1] is None and (not kinds or span[2] in kinds):
            span[1] = max(at, span[0])
            span[2] = outcome or span[2]


def _agent_started(session: Session, body: dict[str, Any], at: float) -> None:
    lane = _lane(session, str(body.get("agent", "")))
    _close(lane, at, ("work",))
    lane["state"], lane["task"] = "working", str(body.get("task", ""))[:300]
    _open(lane, at, "work")
    # Who works alongside (the researcher) does not hide the experiment that runs.
    if "experiment" not in session.now:
        session.now = {"agent": str(body.get("agent", ""))[:20], "task": lane["task"], "since": at}


def _agent_finished(session: Session, body: dict[str, Any], at: float) -> None:
    lane = _lane(session, str(body.get("agent", "")))
    _close(lane, at, ("work",))
    lane["state"], lane["summary"] = "done", str(body.get("summary", ""))[:300]
    if session.now.get("agent") == str(body.get("agent", ""))[:20] and "experiment" not in session.now:
        session.now = {}


def _experiment_started(session: Session, body: dict[str, Any], at: float) -> None:
    agent = str(body.get("agent", ""))[:20]
    lane = _lane(session, agent)
    lane["state"] = "working"
    _open(lane, at, "experiment")
    target = body.get("target") or {}
    session.now = {
        "agent": agent,
        "experiment": body.get("number"),
        "title": str(body.get("title", ""))[:300],
        "target": f"{target.get('path', '')}::{target.get('qualname', '')}"[:800],
        "step": "",
        "since": at,
    }


def _experiment_advanced(session: Session, body: dict[str, Any], at: float) -> None:
    step = {name: body.get(name) for name in ("step", "round", "rounds")}
    detail = str(body.get("detail") or "")[:300]
    session.now = {**session.now, **step, "detail": detail, "step_since": at}


def _experiment_over(session: Session, body: dict[str, Any], at: float, outcome: str) -> None:
    agent = str(session.now.get("agent", ""))
    _close(_lane(session, agent), at, ("experiment",), outcome)
    if session.now.get("experiment") == body.get("number"):
        # The agent stays on: after a keep it profiles again, after a discard it takes the next target.
        session.now = {"agent": agent, "since": at}


def _measuring_waited(session: Session, body: dict[str, Any], at: float) -> None:
    behind = str(body.get("behind", ""))[:120]
    waiting = {"behind": behind, "since": at} if body.get("seconds") is None else None
    session.now = {**session.now, "waiting": waiting}


def _pass_finished(session: Session, body: dict[str, Any], at: float) -> None:
    result = body.get("result") or {}
    passes = {
        **session.now.get("passes", {}),
        str(result.get("name", ""))[:40]: str(result.get("state", ""))[:10],
    }
    session.now = {**session.now, "passes": passes}


def _all_over(session: Session, at: float) -> None:
    session.now = {}
    for lane in session.agents.values():
        _close(lane, at, ())
        lane["state"] = "done" if lane["state"] == "done" else "stopped"


_FOLLOWERS: dict[str, Callable[[Session, dict[str, Any], float], None]] = {
    "agent_started": _agent_started,
    "agent_finished": _agent_finished,
    "experiment_started": _experiment_started,
    "experiment_advanced": _experiment_advanced,
    "measuring_waited": _measuring_waited,
    "pass_finished": _pass_finished,
}
