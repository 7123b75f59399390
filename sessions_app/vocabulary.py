"""The one status vocabulary: each thing's exact word, its icon and its colour family.

A key nobody knows (a newer engine, a hand-edited file) prints as itself in a neutral mark, never as a guess.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """``family`` is ok, run, warn, bad, mute or plain; ``icon`` names a symbol of the sprite."""

    word: str
    icon: str
    family: str


SESSION: dict[str, Mark] = {
    "queued": Mark("Queued", "hourglass", "plain"),
    "preparing": Mark("Preparing", "spinner", "run"),
    "running": Mark("Running", "play", "run"),
    "waiting": Mark("Waiting for you", "person", "warn"),
    "paused": Mark("Paused", "pause", "plain"),
    "stopping": Mark("Stopping", "stop", "warn"),
    "finished": Mark("Finished", "check-ring", "ok"),
    "failed": Mark("Failed", "cross-ring", "bad"),
    "cancelled": Mark("Cancelled", "cross", "mute"),
    "interrupted": Mark("Interrupted", "cut", "warn"),
    "lost_contact": Mark("Lost contact", "signal-off", "bad"),
}
EXPERIMENT: dict[str, Mark] = {
    "running": Mark("Running", "spinner", "run"),
    "keep": Mark("Keep", "check-ring", "ok"),
    "discard": Mark("Discard", "minus-ring", "mute"),
    "crash": Mark("Crash", "crash", "bad"),
}
VERDICT: dict[str, Mark] = {
    "APPROVE": Mark("APPROVE", "shield", "ok"),
    "REQUEST_CHANGES": Mark("REQUEST CHANGES", "return", "warn"),
    "BLOCK": Mark("BLOCK", "block", "bad"),
}
DECISION: dict[str, Mark] = {
    "waiting": Mark("Waiting for you", "person", "warn"),
    "approved": Mark("Approved", "check-ring", "ok"),
    "changes_requested": Mark("Changes requested", "return", "warn"),
    "blocked": Mark("Blocked", "block", "bad"),
    "stale": Mark("Stale", "clock-back", "stale"),
}
PASS: dict[str, Mark] = {
    "clear": Mark("Clear", "check-ring", "ok"),
    "clear_after_fix": Mark("Clear after fix", "check-ring", "ok"),
    "open": Mark("Open finding", "info", "warn"),
    "failed": Mark("Failed", "block", "bad"),
    "not_done": Mark("Not done", "dashed", "mute"),
}
SEVERITY: dict[str, Mark] = {
    "critical": Mark("Critical", "block", "bad"),
    "high": Mark("High", "triangle", "bad"),
    "medium": Mark("Medium", "diamond", "warn"),
    "low": Mark("Low", "info", "plain"),
    "note": Mark("Note", "info", "mute"),
}
FINDING: dict[str, Mark] = {
    "open": Mark("Open", "dot", "warn"),
    "fixed": Mark("Fixed", "check", "ok"),
    "accepted": Mark("Accepted", "person", "plain"),
}
LEARNING: dict[str, Mark] = {
    "proposed": Mark("Proposed", "dashed", "dashed"),
    "confirmed": Mark("Confirmed", "check-ring", "ok"),
    "contradicted": Mark("Contradicted", "not-equal", "bad"),
    "retired": Mark("Retired", "box", "plain"),
}
CHECK: dict[str, Mark] = {
    "pass": Mark("Pass", "check-ring", "ok"),
    "warning": Mark("Warning", "triangle", "warn"),
    "fail": Mark("Fail", "cross-ring", "bad"),
    "checking": Mark("Checking", "spinner", "run"),
    "not_checked": Mark("Not checked", "dashed", "mute"),
}
STAGE: dict[str, Mark] = {
    "done": Mark("Done", "check-ring", "ok"),
    "current": Mark("Now", "play", "run"),
    "next": Mark("To come", "dashed", "mute"),
    "failed": Mark("Failed", "cross-ring", "bad"),
    "skipped": Mark("Skipped", "dash", "mute"),
}
AGENT_STATE: dict[str, Mark] = {
    "running": Mark("Running", "spinner", "run"),
    "watching": Mark("Watching", "eye", "plain"),
    "finished": Mark("Finished", "check-ring", "ok"),
    "failed": Mark("Failed", "cross-ring", "bad"),
    "stopped": Mark("Stopped", "stop", "mute"),
    "waiting": Mark("Waiting", "hourglass", "plain"),
    "not_started": Mark("Not started", "hourglass", "mute"),
}
AGENT_ICONS: dict[str, str] = {
    "router": "path",
    "setup": "wrench",
    "deep": "flask",
    "cpu": "chip",
    "memory": "slabs",
    "async": "pulse",
    "structure": "spine",
    "researcher": "lens-plus",
    "review": "shield",
    "scan": "target",
    "ci": "refresh",
    "pr-prep": "branch",
}
TABLES: dict[str, dict[str, Mark]] = {
    "session": SESSION,
    "experiment": EXPERIMENT,
    "verdict": VERDICT,
    "decision": DECISION,
    "pass": PASS,
    "severity": SEVERITY,
    "finding": FINDING,
    "learning": LEARNING,
    "check": CHECK,
    "stage": STAGE,
    "agent": AGENT_STATE,
}
REASONS: dict[str, str] = {
    "tests": "tests failed",
    "differs": "behaviour differs",
    "slower": "slower",
    "noise": "within noise",
    "no evidence": "no evidence",
    "guard": "end to end got worse",
    "static": "refused before running",
}
GROUPS: dict[str, tuple[str, ...]] = {
    "decisions": (
        "experiment_kept",
        "experiment_discarded",
        "experiment_crashed",
        "keep_reverted",
        "scan_reported",
        "plateau_reached",
        "session_measured",
        "review_filed",
        "stage_failed",
        "session_ended",
        "session_interrupted",
        "session_cancelled",
        "session_failed",
        "cancel_requested",
    ),
    "agents": (
        "session_started",
        "agent_started",
        "agent_finished",
        "language_detected",
        "domain_chosen",
        "setup_finished",
        "tests_ran",
        "dependencies_researched",
        "team_formed",
        "experiment_started",
        "finding_sent",
        "claim_measured",
        "pass_finished",
    ),
    "commits": ("experiment_kept", "keep_reverted"),
    "problems": (
        "experiment_crashed",
        "stage_failed",
        "session_interrupted",
        "session_failed",
        "note_logged",
    ),
}
"""The feed's filters as kinds, so that the server can page by them and the browser can sort what arrives."""


def mark(table: str, key: str) -> Mark:
    """The mark of ``key`` in a table of this module; an unknown key prints as itself."""
    found = TABLES.get(table, {}).get(key)
    return found or Mark(key.replace("_", " ") or "Unknown", "dashed", "mute")


def agent_icon(agent: str) -> str:
    return AGENT_ICONS.get(agent.removeprefix("codeflash-").lower(), "dot")


def reason(reason_class: str) -> str:
    """The second line of a discarded experiment."""
    return REASONS.get(reason_class, reason_class)
