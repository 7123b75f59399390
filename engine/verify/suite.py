"""Layer 1: the repo's own tests, and the judgement of a run against the run on the base.

A run counts only when its parts agree: the closing line is there, its counts are those of the single outcomes, and
pytest's exit code says the same. A suite that ends early, exits by itself or loses tests does not pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.sandbox import Sandbox
from engine.values import TestRun
from engine.verify.probing import Answer, Place
from engine.verify.trees import ChangedLines

if TYPE_CHECKING:
    from engine.environment import Environment

_OUTCOMES = ("passed", "failed", "skipped", "errors")
_ALWAYS = ("-p", "no:cacheprovider", "-p", "no:randomly", "--color=no", "-q")
_USAGE_ERROR = 4
_TESTS_FAILED = 1
_NOTHING_COLLECTED = 5
_OUTPUT_CHARS = 20_000


@dataclass(frozen=True)
class Suite:
    """A run of the tests, the ids by outcome, and which of the asked-for lines the tests executed."""

    run: TestRun
    outcomes: dict[str, str]
    lines: frozenset[int] = frozenset()


def run_tests(
    *,
    tree: Path,
    environment: Environment,
    sandbox: Sandbox,
    limits_seconds: float,
    select: Sequence[str] = (),
) -> TestRun:
    """Run the tests of a checkout, all or the selected node ids. Never raises for what the tests do."""
    place = Place(sandbox, environment)
    return run_suite(place, tree=tree, seconds=limits_seconds, select=select).run


def run_suite(
    place: Place, *, tree: Path, seconds: float, select: Sequence[str] = (), lines: ChangedLines | None = None
) -> Suite:
    """As run_tests, with every single outcome and the executed ones of ``lines``."""
    args = [*_ALWAYS, *(select or place.environment.test_args)]
    answer = _ask(place, tree, seconds, args, lines)
    if answer.completed.exit_code == _USAGE_ERROR and not answer.of("test"):
        # The repo's own options may ask for plugins that are not installed; the tests themselves may be fine.
        args = ["-o", "addopts=", *args]
        answer = _ask(place, tree, seconds, args, lines)
    return _read(answer, ["pytest", *args])


def _ask(place: Place, tree: Path, seconds: float, args: list[str], lines: ChangedLines | None) -> Answer:
    wanted = {"path": lines.path, "lines": list(lines.lines)} if lines and lines.lines else None
    options = {"args": args, "lines": wanted}
    return place.ask("suite", tree=tree, options=options, seconds=seconds, writable=(tree,))


def _read(answer: Answer, command: list[str]) -> Suite:
    tests = answer.of("test")
    counts = Counter(str(line.get("outcome")) for line in tests)
    failures = [f"{line['id']} - {line.get('why', '')}"[:400] for line in tests if _is_bad(line)]
    doubts = _doubts(answer, counts)
    run = TestRun(
        passed=counts["passed"],
        failed=counts["failed"],
        skipped=counts["skipped"],
        errors=counts["errors"] + len(doubts),
        seconds=answer.completed.wall_seconds,
        command=" ".join(command),
        exit_code=answer.completed.exit_code,
        failures=tuple(failures + doubts),
        output=_tail(answer),
        limit=answer.completed.limit,
    )
    end = answer.end or {}
    outcomes = {str(line["id"]): str(line.get("outcome")) for line in tests}
    return Suite(run, outcomes, frozenset(int(line) for line in end.get("lines", ())))


def _is_bad(line: dict[str, Any]) -> bool:
    return line.get("outcome") in ("failed", "errors")


def _doubts(answer: Answer, counts: Counter[str]) -> list[str]:
    """Reasons not to believe the run as a whole."""
    completed, end = answer.completed, answer.end
    if completed.limit:
        return [f"the test run was ended by its {completed.limit} limit after {completed.wall_seconds:.0f} s"]
    if end is None:
        return ["the test run ended before pytest was done, with exit code " + str(completed.exit_code)]
    if any(end["counts"].get(name, 0) != counts[name] for name in _OUTCOMES):
        return ["the counts of the test run do not add up"]
    if end["missing"] and completed.exit_code == 0:
        return [f"{end['missing']} collected tests never ran, yet the exit code says success"]
    bad = counts["failed"] + counts["errors"]
    if end["code"] != completed.exit_code or (completed.exit_code == 0) != (bad == 0):
        return _odd_exit(completed.exit_code, bad, counts.total())
    return []


def _odd_exit(code: int | None, bad: int, ran: int) -> list[str]:
    if (code == _TESTS_FAILED and bad) or (code == _NOTHING_COLLECTED and not ran):
        return []
    if bad and code not in (0, None):
        return []  # interrupted by errors while collecting: the errors themselves are listed
    return [f"the test run reports {bad} failures but exit code {code}"]


def _tail(answer: Answer) -> str:
    text = answer.completed.stderr.decode("utf-8", "replace")
    return text if len(text) <= _OUTPUT_CHARS else "…" + text[-_OUTPUT_CHARS:]


def failing(run: TestRun) -> frozenset[str]:
    """Node ids of the tests that failed."""
    return frozenset(text.split(" - ", 1)[0] for text in run.failures)


def worse(after: TestRun, baseline: TestRun) -> str:
    """Why a run is worse than the one on the base, in a sentence; empty when it is not."""
    new = sorted(failing(after) - failing(baseline))
    if new:
        why = next((text for text in after.failures if text.startswith(new[0])), new[0])
        many = (
            "1 test that passed before fails"
            if len(new) == 1
            else f"{len(new)} tests that passed before fail"
        )
        return f"{many}: {why}"
    if after.exit_code is None:
        return "the test run did not end by itself"
    if after.passed < baseline.passed:
        return f"{after.passed} tests passed, {baseline.passed} did before"
    if after.passed + after.skipped + after.failed == 0 and baseline.passed + baseline.failed > 0:
        return "no test ran"
    return ""
