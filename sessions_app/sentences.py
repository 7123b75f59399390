"""One plain sentence for each kind of event, and one line of meta under it. Bodies are untrusted: all text is escaped.

Every function takes the event's JSON body and returns a :class:`Line`; a body that lacks what its kind promises, or a
kind nobody knows, falls back to plain printing, so that a log never has a hole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app import vocabulary, words
from sessions_app.phrases import Body, cut, join, measured, name, notes, ratio

TEXT_CHARS = 2000


@dataclass(frozen=True)
class Line:
    """What one row prints; without an ``agent`` the tile shows ``icon`` in the colour of ``family``.

    Consecutive rows with the same ``fold`` stand for one thing that moves on; a feed shows the newest of them.
    Consecutive rows with the same ``gather`` are many of one kind; a feed puts them into one row that opens.
    """

    text: SafeString
    meta: str = ""
    agent: str = ""
    icon: str = ""
    family: str = "plain"
    code: bool = False
    fold: str = ""
    gather: str = ""


def line(kind: str, body: Any) -> Line:
    """The line of one event; never raises for what a body holds."""
    if not isinstance(body, Mapping):
        return _plain(kind, body)
    try:
        return TABLE[kind](body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return _plain(kind, body)


def _plain(kind: str, body: Any) -> Line:
    raw = json.dumps(body, ensure_ascii=False, default=str)
    return Line(format_html("<b>{}</b>", kind.replace("_", " ") or "event"), cut(raw), icon="dot", code=True)


def _started(b: Body) -> Line:
    text = format_html("<b>Session started</b> on <code>{}</code>", b["branch"])
    isolation = b.get("isolation") or {}
    level = isolation.get("level", "") if isinstance(isolation, Mapping) else ""
    meta = join(
        f"from {words.short(b['base'])}", b.get("crew"), b.get("mode"), level and f"isolation {level}"
    )
    return Line(text, meta, icon="play", family="run")


def _agent_started(b: Body) -> Line:
    return Line(format_html("<b>{}</b> started", b["agent"]), cut(b.get("task", "")), agent=b["agent"])


def _agent_finished(b: Body) -> Line:
    return Line(format_html("<b>{}</b> finished", b["agent"]), cut(b.get("summary", "")), agent=b["agent"])


def _language(b: Body) -> Line:
    text = format_html("<b>router</b> found {}", b["language"])
    return Line(
        text, f"{words.plural(b['files'], 'file')}, {words.plural(b['lines'], 'line')}", agent="router"
    )


def _domain(b: Body) -> Line:
    return Line(format_html("<b>router</b> chose <b>{}</b>", b["domain"]), cut(b["reason"]), agent="router")


def _setup(b: Body) -> Line:
    text = format_html("<b>setup</b> prepared Python {} with {}", b["python_version"], b["manager"])
    how = "from the cache" if b.get("cached") else words.duration(b["seconds"])
    return Line(text, notes(b, words.plural(b.get("packages", 0), "package"), how), agent="setup")


def _tests(b: Body) -> Line:
    run = b["run"]
    failed = run["failed"] + run.get("errors", 0)
    text = format_html("<b>Tests</b> {}: {} passed", "pass" if not failed else "fail", f"{run['passed']:,}")
    if failed:
        text = format_html("{}, {} failed", text, f"{failed:,}")
    if run.get("skipped"):
        text = format_html("{}, {} skipped", text, f"{run['skipped']:,}")
    meta = join(
        b.get("purpose"), words.duration(run.get("seconds")) if run.get("seconds") is not None else ""
    )
    icon, family = ("cross-ring", "bad") if failed else ("check", "ok")
    return Line(text, meta, icon=icon, family=family)


def _dependencies(b: Body) -> Line:
    meta = notes(b, ", ".join(map(str, b["packages"])) or "no third-party package")
    return Line(SafeString("<b>researcher</b> read the dependencies"), meta, agent="researcher")


def _team(b: Body) -> Line:
    return Line(SafeString("<b>Team</b> formed"), ", ".join(map(str, b["agents"])), icon="person")


def _top(targets: Any) -> str:
    if not targets:
        return "no target above the floor"
    first = targets[0]
    return (
        f"top is {name(first)}, {words.percent(first.get('share'))}; {words.plural(len(targets), 'target')}"
    )


def _baseline(b: Body) -> Line:
    value = words.quantity(b.get("value"), str(b.get("unit", "")))
    noise = words.noise(b["floor"]) if b.get("floor") is not None else ""
    text = format_html("<b>Baseline</b> {} {}", value, noise)
    return Line(text, notes(b, b.get("workload"), _top(b["targets"])), icon="flag")


def _reprofiled(b: Body) -> Line:
    return Line(
        format_html("<b>Re-profiled</b> after {}", words.short(b["commit"])),
        cut(_top(b["targets"])),
        icon="refresh",
    )


def _dropped(b: Body) -> Line:
    text = format_html("Dropped <code>{}</code> on <code>{}</code>", b["rule"], name(b["target"]))
    return Line(text, cut(b["reason"]), icon="minus-ring", family="mute")


def _experiment_started(b: Body) -> Line:
    text = format_html("<b>{}</b> started experiment {}", b["agent"], b["number"])
    return Line(text, cut(join(b["title"], name(b["target"]))), agent=b["agent"])


STEPS = {
    "profile": "profiles",
    "reason": "states a hypothesis",
    "implement": "writes the change",
    "test": "runs the tests",
    "benchmark": "measures",
    "decide": "decides",
    "commit": "commits",
    "re-profile": "profiles again",
}


def _advanced(b: Body) -> Line:
    text, fold = format_html("Experiment {} {}", b["number"], STEPS.get(b["step"], b["step"])), ""
    if b.get("round") is not None:
        text = format_html("{}, round {} of {}", text, b["round"], b.get("rounds") or "?")
        fold = f"x{b['number']}-{b['step']}"
    return Line(text, cut(b.get("detail", "")), icon="chevron", family="mute", fold=fold)


def _kept(b: Body) -> Line:
    text = format_html("<b>Kept experiment {}: {}</b>", b["number"], ratio(b["measurement"]))
    best = f"Best is {words.ratio(b['best'])}" if b.get("best") is not None else ""
    meta = join(measured(b["measurement"]), f"commit {words.short(b['commit'])}", best)
    return Line(text, meta, icon="check-ring", family="ok")


def _discarded(b: Body) -> Line:
    m = b.get("measurement")
    gain = f": {ratio(m)}" if isinstance(m, Mapping) and m.get("ratio") is not None else ""
    text = format_html(
        "Discarded experiment {}{}, {}", b["number"], gain, vocabulary.reason(b["reason_class"])
    )
    towards = f"{b['consecutive']} in a row" if b.get("consecutive") else ""
    return Line(text, cut(join(b["reason"], towards)), icon="minus-ring", family="mute")


def _crashed(b: Body) -> Line:
    text = format_html("<b>Experiment {} crashed</b>", b["number"])
    return Line(text, cut(b["error"]), icon="crash", family="bad")


def _reverted(b: Body) -> Line:
    text = format_html("<b>Took experiment {} off the branch</b>", b["number"])
    return Line(
        text, cut(join(b["reason"], f"head is {words.short(b['head'])}")), icon="return", family="warn"
    )


def _finding(b: Body) -> Line:
    text = format_html("<b>researcher</b> sent a finding on <code>{}</code>", name(b["target"]))
    return Line(text, cut(b["text"]), agent="researcher")


def _learning(b: Body) -> Line:
    return Line(
        format_html("<b>Learning noted</b>: {}", cut(b["claim"])), cut(b.get("evidence", "")), icon="book"
    )


def _restored(b: Body) -> Line:
    text = format_html("<b>Progress restored</b>: {} kept of {}", b["kept"], b["tried"])
    recovered = b.get("recovered") or ()
    found = f"{words.plural(len(recovered), 'keep')} recovered from the branch" if recovered else ""
    return Line(text, notes(b, f"head is {words.short(b['head'])}", found), icon="clock-back")


def _scan(b: Body) -> Line:
    text = format_html(
        "<b>scan</b> ranked {}, recommends {}", words.plural(len(b["targets"]), "target"), b["domain"]
    )
    return Line(text, cut(b["summary"]), agent="scan")


CAUSES = {
    "plateau": "the last tries brought nothing",
    "no target": "no target is left",
    "budget": "the time limit is reached",
    "experiments": "the limit of experiments is reached",
    "branch": "the branch is taken as it is",
}


def _plateau(b: Body) -> Line:
    text = format_html("<b>Optimizing is complete</b>: {}", CAUSES.get(b["cause"], b["cause"]))
    return Line(text, cut(b["message"]), icon="flag")


def _measured_session(b: Body) -> Line:
    m = b["measurement"]
    text = format_html("<b>Session measured: {}</b>", words.speedup(m.get("ratio"), str(m.get("metric", ""))))
    return Line(text, measured(m, 2), icon="target", family="ok")


def _measured_claim(b: Body) -> Line:
    m = b["measurement"]
    text = format_html("<b>review</b> measured experiment {} again: {}", b["number"], ratio(m))
    return Line(text, measured(m), agent="review")


def _pass(b: Body) -> Line:
    result = b["result"]
    found = vocabulary.mark("pass", result["state"])
    text = format_html("<b>review</b> {}: {}", result["name"], found.word.lower())
    family = "plain" if found.family == "ok" else found.family
    return Line(
        text,
        cut(result.get("summary", "")),
        agent="review" if family == "plain" else "",
        icon=found.icon,
        family=family,
    )


def _review(b: Body) -> Line:
    found = vocabulary.mark("verdict", b["verdict"])
    text = format_html("<b>Review filed: {}</b> for {}", found.word, words.short(b["head"]))
    return Line(text, cut(b["summary"]), icon=found.icon, family=found.family)


def _file(b: Body) -> Line:
    left_out = f", {b['cut']:,} bytes cut" if b.get("cut") else ""
    return Line(
        format_html("Wrote <code>{}</code>", b["name"]),
        f"{words.short(b['digest'], 8)}{left_out}",
        icon="file",
        family="mute",
        gather="state file",
    )


def _waited(b: Body) -> Line:
    waited = words.duration(b["seconds"]) if b.get("seconds") is not None else ""
    return Line(
        format_html("Waiting to measure behind {}", b["behind"]), waited, icon="hourglass", family="warn"
    )


def _note(b: Body) -> Line:
    level = b.get("level", "info")
    icon, family = {"warning": ("triangle", "warn"), "error": ("cross-ring", "bad")}.get(
        level, ("dot", "mute")
    )
    return Line(format_html("<b>{}</b>", b["source"]), cut(b["text"], TEXT_CHARS), icon=icon, family=family)


def _failed(b: Body) -> Line:
    what = "stopped" if b.get("cancelled") else "failed"
    text = format_html("<b>{} {} in {}</b>", b["agent"] or "engine", what, b["stage"])
    icon, family = ("stop", "warn") if b.get("cancelled") else ("cross-ring", "bad")
    return Line(text, cut(join(b["reason"], b.get("advice"))), icon=icon, family=family)


def _cleaned(b: Body) -> Line:
    return Line(
        SafeString("<b>Cleaned up</b>"),
        "kept " + (", ".join(map(str, b["preserved"])) or "nothing"),
        icon="box",
    )


def _ended(b: Body) -> Line:
    found = vocabulary.mark("session", b["outcome"])
    text = format_html(
        "<b>Session {}</b>: {} kept of {}", found.word.lower(), b.get("kept", 0), b.get("tried", 0)
    )
    took = words.duration(b["seconds"]) if b.get("seconds") is not None else ""
    return Line(text, cut(join(b.get("reason"), took)), icon=found.icon, family=found.family)


def _interrupted(b: Body) -> Line:
    text = SafeString("<b>Session interrupted</b>")
    return Line(text, cut(join(b.get("reason"), b.get("advice"))), icon="cut", family="warn")


def _cancel(b: Body) -> Line:
    return Line(format_html("<b>Stopping</b>, asked by {}", b["by"]), icon="stop", family="warn")


def _cancelled(b: Body) -> Line:
    return Line(SafeString("<b>Session cancelled</b>"), cut(b.get("reason", "")), icon="cross", family="mute")


def _session_failed(b: Body) -> Line:
    meta = cut(join(b.get("reason"), b.get("advice")))
    return Line(SafeString("<b>Session failed</b>"), meta, icon="cross-ring", family="bad")


TABLE: dict[str, Callable[[Body], Line]] = {
    "session_started": _started,
    "agent_started": _agent_started,
    "agent_finished": _agent_finished,
    "language_detected": _language,
    "domain_chosen": _domain,
    "setup_finished": _setup,
    "tests_ran": _tests,
    "dependencies_researched": _dependencies,
    "team_formed": _team,
    "baseline_profiled": _baseline,
    "reprofiled": _reprofiled,
    "proposal_dropped": _dropped,
    "experiment_started": _experiment_started,
    "experiment_advanced": _advanced,
    "experiment_kept": _kept,
    "experiment_discarded": _discarded,
    "experiment_crashed": _crashed,
    "keep_reverted": _reverted,
    "finding_sent": _finding,
    "learning_noted": _learning,
    "progress_restored": _restored,
    "scan_reported": _scan,
    "plateau_reached": _plateau,
    "session_measured": _measured_session,
    "claim_measured": _measured_claim,
    "pass_finished": _pass,
    "review_filed": _review,
    "state_file_written": _file,
    "measuring_waited": _waited,
    "note_logged": _note,
    "stage_failed": _failed,
    "cleaned_up": _cleaned,
    "session_ended": _ended,
    "session_interrupted": _interrupted,
    "cancel_requested": _cancel,
    "session_cancelled": _cancelled,
    "session_failed": _session_failed,
}
