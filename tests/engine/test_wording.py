"""Sentences for people name a module by its file, never by the mark that stands for it in ids."""

from __future__ import annotations

from typing import Any, cast

from engine.agents.experiment import commit_message, hypothesis
from engine.agents.proposing import Candidate
from engine.rules import Proposal, catalogue
from engine.run import Attempt
from engine.values import Measurement, Target

MODULE = Target(path="pkg/x.py", qualname="<module>", line=1, domain="structure", share=0.5)
FUNCTION = Target(path="pkg/x.py", qualname="Box.open", line=3, domain="cpu", share=0.5)


def sentences(target: Target) -> list[str]:
    rule = catalogue()[0]
    candidate = Candidate(
        target_id=target.id,
        path=target.path,
        qualname=target.qualname,
        line=target.line,
        rule=rule,
        proposal=Proposal(claim="Import x later", edits=(), intended=cast(Any, None)),
        before=b"",
        after=b"",
        key="k",
    )
    why = hypothesis(target, candidate)
    attempt = Attempt(
        number=1,
        uid="u",
        target=target,
        agent="deep",
        pattern=rule.id,
        title="Import x later",
        hypothesis=why,
        tier="guarded",
        metric="import",
        status="keep",
    )
    measured = Measurement(metric="import", unit="ns", outcome="keep")
    return [why, commit_message(attempt, measured)]


def test_a_module_is_named_by_its_file() -> None:
    why, message = sentences(MODULE)
    assert why.startswith("Module pkg/x.py takes 50.0% of the profiled import time. ")
    assert message.startswith("perf(module pkg/x.py): Import x later\n")
    assert "<module>" not in why + message


def test_a_function_by_its_name() -> None:
    why, message = sentences(FUNCTION)
    assert why.startswith("Box.open takes 50.0% of the profiled CPU time. ")
    assert message.startswith("perf(Box.open): Import x later\n")
