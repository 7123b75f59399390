"""A session in a terminal: its log as it happens, one status line below it, and a summary at the end."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from engine.order import RAIL
from sessions_app.models import Event, Experiment, Session, Target
from sessions_app.projections import RAIL_KEY
from sessions_app.sentences import line

LOOK_SECONDS = 0.25
PAGE = 200
_QUIET = {"experiment_advanced", "state_file_written"}
_STAGE_WORD = {key: word for key, word, _ in RAIL}


class Follower:
    """``look`` prints what is new and returns the session as it stands; quiet followers print nothing."""

    def __init__(self, session_id: int, *, console: Console, show: bool) -> None:
        self.session_id, self._console, self._show = session_id, console, show
        self._seen, self._began = 0, time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Follower:
        if self._show and self._console.is_terminal:
            self._live = Live(Text("queued"), console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self) -> Session:
        session = Session.objects.select_related("repo").get(pk=self.session_id)
        while self._show and self._seen < session.last_seq:
            rows = list(Event.objects.after(session.pk, self._seen, PAGE))
            if not rows:
                break
            for row in rows:
                self._print(row)
            self._seen = rows[-1].seq
        if self._live is not None:
            self._live.update(status_line(session, time.monotonic() - self._began))
        return session

    def _print(self, row: Event) -> None:
        if row.kind in _QUIET:
            return
        said = line(row.kind, row.body)
        text = Text(f"{row.at:%H:%M:%S}  ", style="dim")
        text.append(printable(said.text))
        if said.meta:
            text.append(f"  {printable(said.meta)[:160]}", style="dim")
        self._console.print(text, highlight=False)


def status_line(session: Session, seconds: float) -> Text:
    """One line: status, stage, what runs now, counts, time."""
    stage = _STAGE_WORD.get(RAIL_KEY.get(session.stage, ""), "Waiting")
    words = [session.status, stage, _now(session), f"{session.tried} tried", f"{session.kept} kept"]
    minutes, rest = divmod(int(seconds), 60)
    words.append(f"{minutes}:{rest:02d}")
    return Text("  ·  ".join(word for word in words if word), style="bold", no_wrap=True, overflow="ellipsis")


def _now(session: Session) -> str:
    now: dict[str, Any] = session.now
    if now.get("experiment"):
        rounds = f" {now['round']}/{now['rounds']}" if now.get("round") and now.get("rounds") else ""
        step = now.get("step") or "starting"
        return printable(f"#{now['experiment']} {now.get('title', '')}: {step}{rounds}")[:90]
    return printable(str(now.get("task") or now.get("agent") or ""))[:90]


def printable(text: str) -> str:
    """Words of a repo or an agent without markup and without anything a terminal would obey."""
    plain = unescape(re.sub(r"<[^>]*>", "", str(text)))
    return "".join(c if c.isprintable() else " " for c in plain)


def summary(session: Session) -> dict[str, Any]:
    """The machine-readable end of a session: plain JSON types, unknown is null."""
    rows = session.experiments.select_related("detail").order_by("number")
    return {
        "session": session.pk,
        "repo": session.repo.name,
        "status": session.status,
        "reason": session.end_reason,
        "stage": session.stage,
        "branch": session.branch,
        "base": session.base or None,
        "head": session.head or None,
        "isolation": session.isolation.get("level"),
        "domain": session.chosen_domain or session.domain or None,
        "tried": session.tried,
        "kept": session.kept,
        "crashed": session.crashed,
        "speedup": _speedup(session),
        "verdict": session.verdict or None,
        "experiments": [_experiment(each) for each in rows],
        "targets": [_target(each) for each in session.targets.order_by("rank")[:20]],
    }


def _speedup(session: Session) -> dict[str, Any] | None:
    if not session.speedup:
        return None
    names = ("ratio", "low", "high", "level", "metric", "unit", "outcome", "pairs", "floor")
    return {name: session.speedup.get(name) for name in names}


_EXPERIMENT = (
    *(
        "number",
        "title",
        "path",
        "qualname",
        "domain",
        "pattern",
        "status",
        "reason_class",
        "reason",
        "commit",
    ),
    *("metric", "unit", "before", "after", "ratio", "low", "high", "floor", "evidence", "reverted"),
)


def _experiment(each: Experiment) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _EXPERIMENT}


def _target(each: Target) -> dict[str, Any]:
    return {
        name: getattr(each, name)
        for name in ("rank", "path", "qualname", "domain", "share", "bound", "expected")
    }
