"""What each panel of the live session page shows. One function a panel: rows in, template context out.

The same panels serve the first paint and every later refresh, so a panel asks only for what it prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from engine.brief import BriefLimits
from engine.order import RAIL
from sessions_app import charts, comparisons, marks, words
from sessions_app.models import Experiment, Session
from sessions_app.placing import Point

STEPS = ("profile", "reason", "implement", "test", "benchmark", "decide", "commit", "re-profile")
STEP_WORDS = {"decide": "Keep or discard", "re-profile": "Re-profile"}
SHOWS = ("all", "keep", "discard", "crash")
ROWS_SHOWN = 16
Choices = Mapping[str, str]


def facts(session: Session, choices: Choices) -> dict[str, Any]:
    limits = {**_defaults(), **session.limits}
    elapsed = _seconds(session.started, session.ended or timezone.now()) if session.started else None
    return {
        "limits": limits,
        "elapsed_seconds": elapsed,
        "wall": limits["wall_seconds"],
        "limit_words": _limit_words(limits),
    }


def _defaults() -> dict[str, Any]:
    limits = BriefLimits()
    return {"wall_seconds": limits.wall_seconds, "experiments": limits.experiments, "plateau": limits.plateau}


def _limit_words(limits: Mapping[str, Any]) -> str:
    hours = float(limits["wall_seconds"]) / 3600
    return f"{hours:g} h" if hours >= 1 else words.duration(hours * 3600)


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def rail(session: Session, choices: Choices) -> dict[str, Any]:
    """The nine stages with what each took; a stage that was passed over is said to be skipped."""
    current = _current_key(session)
    keys = [key for key, _, _ in RAIL]
    at = keys.index(current) if current in keys else -1
    stages = [_stage(session, i, at) for i in range(len(RAIL))]
    return {"stages": stages, "current": next((s for s in stages if s["state"] == "current"), None)}


def _current_key(session: Session) -> str:
    return next((key for key, _, stages in RAIL if session.stage in {s.value for s in stages}), "")


def _stage(session: Session, i: int, at: int) -> dict[str, Any]:
    key, word, engine_stages = RAIL[i]
    times = session.stage_times.get(key)
    state = _stage_state(session, key, i, at, times)
    if session.failed_stage and session.failed_stage in {key, *(s.value for s in engine_stages)}:
        state = "failed"
    return {"key": key, "word": word, "state": state, **_stage_time(times, state)}


def _stage_state(session: Session, key: str, i: int, at: int, times: Any) -> str:
    over = not session.is_live
    if i == at:
        return "done" if key == "end" or over else "current"
    if i < at:
        return "done" if times else "skipped"
    return "skipped" if over else "next"


def _stage_time(times: Any, state: str) -> dict[str, Any]:
    if not times:
        return {"took": None, "since": None}
    start, end = times[0], times[1]
    if end is None:
        since = datetime.fromtimestamp(start, UTC) if state == "current" else None
        return {"took": None, "since": since}
    # Two stamps of one millisecond: a stage that ran took some time, though less than they can tell.
    return {"took": words.duration(max(end - start, 0.001)), "since": None}


def lanes(session: Session, choices: Choices) -> dict[str, Any]:
    """Who worked when, and the line of what happens right now."""
    now = session.now or {}
    span = marks.spans_of(session.agents)
    start = span[0] if span else 0.0
    end = _lanes_end(session, span)
    rows = [_lane(name, lane, now, start, end) for name, lane in session.agents.items()]
    return {
        "agents": rows,
        "now": _now(session, now),
        "axis": _axis(start, end) if span else None,
        "start": start,
        "end": end,
    }


def _lanes_end(session: Session, span: tuple[float, float] | None) -> float:
    if session.is_held:
        return timezone.now().timestamp()
    return span[1] if span else 0.0


def _lane(
    name: str, lane: Mapping[str, Any], now: Mapping[str, Any], start: float, end: float
) -> dict[str, Any]:
    spans = lane.get("spans", [])
    state = {"working": "running", "done": "finished"}.get(
        str(lane.get("state", "")), str(lane.get("state", ""))
    )
    said = lane.get("summary") if state == "finished" else lane.get("task")
    if state == "running" and now.get("agent") == name and now.get("step"):
        said = _step_said(now)
    tally = _tally(spans)
    return {
        "name": name,
        "svg": marks.lane(spans, start, end),
        "state": state,
        "said": said or "",
        "tally": tally,
    }


def _step_said(now: Mapping[str, Any]) -> str:
    if now.get("round"):
        return f"{now['step']}, round {now['round']} of {now.get('rounds') or '?'}"
    return str(now["step"])


def _tally(spans: list[Any]) -> str:
    """The lane in words: what the drawing shows, for those who do not see it."""
    kinds = [span[2] for span in spans]
    said = [
        words.plural(kinds.count(k), w, m)
        for k, w, m in (("keep", "keep", ""), ("discard", "discard", ""), ("crash", "crash", "crashes"))
        if k in kinds
    ]
    return ", ".join(said)


def _now(session: Session, now: Mapping[str, Any]) -> dict[str, Any] | None:
    if not session.is_live or not now:
        return None
    step = str(now.get("step") or "")
    at = STEPS.index(step) if step in STEPS else -1
    steps = [
        {
            "word": STEP_WORDS.get(s, s.capitalize()),
            "state": "done" if i < at else "current" if i == at else "next",
        }
        for i, s in enumerate(STEPS)
    ]
    since = now.get("since")
    return {
        **now,
        "steps": steps if now.get("experiment") else [],
        "name": words.target(*_parts(str(now.get("target", "")))),
        "started": datetime.fromtimestamp(since, UTC) if isinstance(since, int | float) else None,
    }


def _parts(target: str) -> tuple[str, str]:
    path, _, name = target.rpartition("::")
    return path, name


def _axis(start: float, end: float) -> list[dict[str, Any]]:
    return [
        {"x": round(place * marks.LANE_WIDTH, 1), "percent": f"{place * 100:.1f}%", "at": moment}
        for place, moment in marks.ticks(start, end)
    ]


def points_of(session: Session) -> list[Point]:
    """The experiments of a session as chart points; nothing heavy is read."""
    columns = (
        "number",
        "status",
        "title",
        "ratio",
        "metric",
        "low",
        "high",
        "best",
        "reason_class",
        "reverted",
        "detail__end_to_end",
    )
    return [_point(session, row) for row in session.experiments.order_by("number").values(*columns)]


def _point(session: Session, row: Mapping[str, Any]) -> Point:
    whole = row["detail__end_to_end"] or {}
    total = whole.get("ratio") if row["status"] == "keep" else None
    total = total or (row["best"] if row["status"] == "keep" else None)
    source = whole if whole.get("ratio") and total else {} if total else row
    return Point(
        number=row["number"],
        status=row["status"],
        title=row["title"],
        url=reverse("experiment", args=[session.pk, row["number"]]),
        own=row["ratio"],
        total=total,
        low=source.get("low"),
        high=source.get("high"),
        reason_class=row["reason_class"],
        reverted=bool(row["reverted"]),
        own_low=row["low"],
        own_high=row["high"],
        elsewhere=bool(session.metric and row["metric"] and row["metric"] != session.metric),
    )


def chart(session: Session, choices: Choices) -> dict[str, Any]:
    points = points_of(session)
    limits = {**_defaults(), **session.limits}
    running = next((p.number for p in points if p.status == "running"), None)
    view = _view(session, points, choices.get("view", ""))
    figure = (
        comparisons.alone(points, floor=session.floor)
        if view == "own"
        else charts.speedup(
            points,
            floor=session.floor,
            baseline=session.baseline,
            unit=session.unit,
            consecutive=session.consecutive,
            plateau=int(limits["plateau"]),
            running=running,
            as_time=view == "time",
        )
    )
    done = [p for p in points if p.status != "running"]
    return {
        "figure": charts.to_json(figure),
        "points": points,
        "done": len(done),
        "running": running,
        "has_points": bool(points),
        "headline": headline(session, points),
        "apart": _apart(session) if view != "own" else "",
        "plateau": int(limits["plateau"]),
        "view": view,
        "asked": choices.get("view", "") == view,
        "views": _views(session),
        "elsewhere": sum(p.elsewhere and p.status == "keep" for p in points),
    }


def _apart(session: Session) -> str:
    """What the line shows, in words, when the session's number was measured on another metric than the line's."""
    measured = str((session.speedup or {}).get("metric") or "")
    return words.metric(session.metric) if session.metric and measured not in ("", session.metric) else ""


def _views(session: Session) -> list[tuple[str, str]]:
    time = [("time", "Bytes" if session.metric == "peak" else "Time")] if session.baseline is not None else []
    return [("ratio", "Whole"), *time, ("own", "Alone")]


def _view(session: Session, points: list[Point], asked: str) -> str:
    """The asked-for view; without a word, the whole session as soon as any of it is measured, else each on its own."""
    if asked in ("ratio", "own") or (asked == "time" and session.baseline is not None):
        return asked
    measured = any(p.total is not None for p in points)
    return "own" if not measured and any(p.own is not None for p in points) else "ratio"


def headline(session: Session, points: list[Point] | None = None) -> dict[str, Any]:
    """The one number of a session: measured at its end, else the running best with the interval of that keep."""
    measured = session.speedup or {}
    metric = str(measured.get("metric") or session.metric or "cpu")
    if measured.get("ratio") is not None:
        return {
            **measured,
            "metric": metric,
            "source": f"re-measured on {measured['label']}" if measured.get("label") else "re-measured",
            "floor": measured.get("floor", session.floor),
        }
    if session.best is None:
        return {"ratio": None, "metric": metric, "source": ""}
    keep = next((p for p in reversed(points or []) if p.status == "keep" and not p.reverted), None)
    low, high = (keep.low, keep.high) if keep and keep.total == session.best else (None, None)
    source = f"experiment {keep.number}" if keep else "running best"
    after = session.baseline / session.best if session.baseline and session.best else None
    return {"ratio": session.best, "low": low, "high": high, "metric": metric, "source": source, "floor": session.floor,
            "before": session.baseline, "after": after, "unit": session.unit}  # fmt: skip


def experiments(session: Session, choices: Choices) -> dict[str, Any]:
    show = choices.get("show", "") if choices.get("show", "") in SHOWS else "all"
    rows = session.experiments.order_by("-number")
    counts = dict.fromkeys(SHOWS, 0)
    for status in rows.values_list("status", flat=True):
        counts["all"] += 1
        counts[status] = counts.get(status, 0) + 1
    shown = rows if show == "all" else rows.filter(status=show)
    every = choices.get("all") == "1"
    listed = list(shown if every else shown[:ROWS_SHOWN])
    for row in listed:
        # A session may measure time in one row and bytes in the next: each row names its own unit.
        row.said = words.pair(row.before, row.after, row.unit)  # type: ignore[attr-defined]
    running = counts.get("running", 0)
    return {
        "rows": listed,
        "show": show,
        "counts": counts,
        "segments": [(key, key.capitalize(), counts[key]) for key in SHOWS if key == "all" or counts[key]],
        "done": counts["all"] - running,
        "running_count": running,
        "more": max(0, (counts[show] if show != "all" else counts["all"]) - len(listed)),
    }


def targets(session: Session, choices: Choices) -> dict[str, Any]:
    rows = list(session.targets.all()[:12])
    largest = max((t.share or 0 for t in rows), default=0)
    now = session.now or {}
    running = str(now.get("target", ""))
    for row in rows:
        row.said = _target_said(session, row, running)  # type: ignore[attr-defined]
    return {
        "targets": rows,
        "largest": largest,
        "count": session.targets.count(),
        "commit": rows[0].commit if rows else "",
    }


def _target_said(session: Session, row: Any, running: str) -> str:
    if running and f"{row.path}::{row.qualname}" == running:
        return "Working on it"
    if row.note:
        return str(row.note)
    if row.kept:
        return words.plural(row.kept, "keep")
    return "No gain yet" if row.tried else "Waiting" if session.is_live else "Not tried"


def bests(sessions: list[Session]) -> dict[int, list[float]]:
    """Running bests of several sessions for their sparklines, by session id, in one question."""
    rows = Experiment.objects.filter(session__in=sessions, status="keep", reverted="", best__isnull=False)
    found: dict[int, list[float]] = {session.pk: [] for session in sessions}
    for pk, best in rows.order_by("session", "number").values_list("session_id", "best"):
        found[pk].append(float(best or 1))
    return found


PANELS: dict[str, Callable[[Session, Choices], dict[str, Any]]] = {
    "facts": facts,
    "rail": rail,
    "lanes": lanes,
    "chart": chart,
    "experiments": experiments,
    "targets": targets,
}
"""Name of a panel -> its context. ``sessions/panels/<name>.html`` prints it."""
