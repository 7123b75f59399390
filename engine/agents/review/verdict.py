"""From six pass results to one verdict and one plain sentence. Pure."""

from __future__ import annotations

from collections import Counter

from engine.run import Run
from engine.values import PassResult, ReviewFinding

MUST_RUN = ("correctness", "safety")


def open_findings(passes: list[PassResult]) -> list[ReviewFinding]:
    return [f for p in passes for f in p.findings if f.state == "open"]


def state_of(findings: list[ReviewFinding]) -> str:
    """A pass fails on an open critical finding, is open on a medium or high one, else clear."""
    severities = {f.severity for f in findings if f.state == "open"}
    if "critical" in severities:
        return "failed"
    return "open" if severities & {"high", "medium"} else "clear"


def verdict_of(passes: list[PassResult]) -> str:
    """APPROVE, REQUEST_CHANGES or BLOCK by severity and by which passes ran."""
    counts = Counter(f.severity for f in open_findings(passes))
    missing = {p.name for p in passes if p.state == "not_done"}
    if counts["critical"] or missing & set(MUST_RUN):
        return "BLOCK"
    if counts["high"] or counts["medium"] >= 3 or missing:
        return "REQUEST_CHANGES"
    return "APPROVE"


def summary_of(run: Run, passes: list[PassResult], verdict: str) -> str:
    """One or two plain sentences for the top of the report."""
    if run.workspace.head == run.workspace.base:
        return "No experiment was kept: there is no change to merge."
    counts = Counter(f.severity for f in open_findings(passes))
    missing = [p.name for p in passes if p.state == "not_done"]
    done = "All six passes are done." if not missing else f"Not done: {', '.join(missing)}."
    words = ", ".join(f"{counts[s]} {s}" for s in ("critical", "high", "medium", "low", "note") if counts[s])
    return f"{done} {'Open findings: ' + words if words else 'No finding is open'}."
