"""Evidence seen ahead: a proposal whose changed lines no test can run is dropped before it becomes an experiment.

Such an experiment can only end with "no evidence" after a whole run of the suite, and three of them would be taken for
a plateau. What is known ahead is which functions the tests call; a line inside one that none calls cannot run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.agents.proposing import Candidate
from engine.profile import Profile
from engine.values import Target
from engine.verify.evidence import BY_TESTS
from engine.verify.trees import functions, lines_changed

SHOWN = 3


def no_evidence(profile: Profile | None, target: Target, candidate: Candidate) -> str:
    """Why no evidence can come of this proposal, in words; empty when it may, or when that is not known."""
    if profile is None:
        return ""
    places = list(_functions_of_changes(candidate))
    silent = [name for name in places if name and profile.called(f"{candidate.path}::{name}") is False]
    # Only tests speak for imports and awaits, of every changed line; elsewhere one line that runs is worth a try.
    if silent and (target.domain in BY_TESTS or len(silent) == len(places)):
        return f"no test runs the changed lines in {_listed(list(dict.fromkeys(silent)))}"
    return ""


def _functions_of_changes(candidate: Candidate) -> Iterator[str]:
    """For each changed line the function it is in, empty for lines of the module and of functions that are new."""
    old, new = (text.decode("utf-8", "replace") for text in (candidate.before, candidate.after))
    known = functions(old)
    spans = [(*_body(node), name) for name, node in functions(new).items() if name in known]
    for line in lines_changed(old, new, candidate.path).lines:
        yield next((name for first, last, name in spans if first <= line <= last), "")


def _body(node: ast.AST) -> tuple[int, int]:
    """First and last line of what a call of the function runs; decorators and defaults run when it is defined."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return node.body[0].lineno, node.end_lineno or node.lineno


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
