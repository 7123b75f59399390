"""The eight state files as a session goes: who writes which, when, and how a resume reads them back.

setup.md by setup, scan-report.md by scan, results.tsv and HANDOFF.md by the optimizers after every experiment,
conventions.md, learnings.md and changelog.md by the router, review-report.md by the reviewer.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from engine import events as e
from engine.agents import restoring
from engine.run import Attempt, Run
from engine.state import (
    changelog,
    conventions,
    handoff,
    learnings,
    read_folder,
    report_digest,
    results,
    results_digest,
    review_report,
    scan_report,
    setup,
    write_file,
)
from engine.values import PassResult

SHOWN_BYTES = 256 * 1024
CARRIED = ("results.tsv", "learnings.md", "changelog.md", "HANDOFF.md")


def open_notebook(run: Run) -> Iterator[e.Event]:
    """Lay out the state folder: what an earlier session left, what people bind, what the team has learned."""
    if run.brief.resume_from:
        earlier = read_folder(Path(run.brief.resume_from) / ".codeflash")
        for name in CARRIED:
            if name in earlier:
                write_file(run.state_folder, name, earlier[name].text)
    yield _write(run, "conventions.md", conventions.render(_conventions(run)))
    yield _write(run, "learnings.md", learnings.render(learnings.merge(_learnings(run), _given(run))))


def _conventions(run: Run) -> conventions.Conventions:
    brief = run.brief
    words = [*brief.conventions, *([f"Asked for by a reviewer: {brief.reason}"] if brief.reason else [])]
    return conventions.Conventions(
        run_tag=f"session {brief.session}",
        target=brief.repo,
        focus=brief.goal,
        constraints=tuple(_line(word) for word in words),
        decisions=("Tests, benchmarks and configuration are never edited", "One commit per kept experiment"),
    )


def _given(run: Run) -> list[learnings.Learning]:
    """The accepted notes that this session was given, as entries of its learnings.md."""
    return [
        learnings.Learning(
            claim=_line(str(n.get("claim", ""))),
            domain=str(n.get("domain", "")),
            pattern=str(n.get("pattern", "")),
            outcome=str(n.get("outcome", "")),
            target=str(n.get("target", "")),
            repo=str(n.get("repo", "")),
            session=str(n.get("session", "")),
            trust=str(n.get("trust", "")),
            identity=str(n.get("id", "")),
            evidence=_line(str(n.get("evidence", ""))),
        )
        for n in run.brief.learnings
    ]


def restore(run: Run) -> Iterator[e.Event]:
    """On resume: keeps are commits, skip keys and the plateau count come from the hand-off."""
    if not run.brief.resume_from:
        return
    earlier = _read(run)
    hand_off = handoff.parse(earlier.get("HANDOFF.md", ""))
    run.tried_keys.update(t.key for t in hand_off.discarded if t.key)
    table = results.parse(earlier.get("results.tsv", ""))
    found = restoring.keeps(run, hand_off, table)
    run.attempts.extend(found.attempts)
    run.number_from = restoring.last_number(table, found.attempts)
    run.consecutive = 0 if hand_off.stopped.startswith("plateau") else (hand_off.consecutive or 0)
    yield e.ProgressRestored(
        head=run.workspace.head,
        kept=len(run.kept),
        tried=run.number_from,
        consecutive=run.consecutive,
        notes=tuple(found.notes),
        recovered=tuple(found.recovered),
    )


def write_setup(run: Run) -> Iterator[e.Event]:
    """setup.md: what the setup agent found."""
    env = run.environment
    assert env is not None
    document = setup.Setup(
        manager=env.manager,
        lock_digest=env.lock_digest,
        cached=env.cached,
        python=env.python.name,
        python_version=env.python_version,
        import_roots=tuple(env.import_roots),
        packages=tuple(setup.Package(name=n, version=v) for n, v in sorted(env.installed.items())),
        test_command="pytest " + " ".join(env.test_args),
        benchmarks=tuple(env.benchmarks),
        profilers=("SIGPROF sampler", "cProfile", "tracemalloc", "importtime"),
        structure=tuple(env.packages),
        isolation=run.isolation.level,
        mechanism=run.isolation.mechanism,
        isolation_reason=_line(run.isolation.reason),
        status=tuple(_line(note) for note in env.notes),
    )
    yield _write(run, "setup.md", setup.render(document))


def write_scan(run: Run, recommended: str) -> Iterator[e.Event]:
    """scan-report.md: the ranked table and the recommended domain."""
    profile = run.profile
    document = scan_report.ScanReport(
        recommended=recommended,
        base=run.workspace.head,
        workload=_line(profile.workload) if profile else "",
        date=_date(),
        targets=scan_report.ranked(run.targets),
        limits=tuple(_line(note) for note in (profile.notes if profile else ())),
    )
    yield _write(run, "scan-report.md", scan_report.render(document))


def write_experiment(run: Run, attempt: Attempt) -> Iterator[e.Event]:
    """After every experiment: its row, its learning, and a hand-off that a resume can start from."""
    table = results.append(results.parse(_read(run).get("results.tsv", "")), _row(attempt))
    yield _write(run, "results.tsv", results.render(table))
    if attempt.status in ("keep", "discard"):
        noted = learning_of(run, attempt)
        yield noted
        entry = learnings.Learning(
            claim=_line(noted.claim),
            domain=noted.domain,
            pattern=noted.pattern,
            outcome=noted.outcome,
            target=noted.target,
            repo=run.brief.repo,
            session=run.brief.session,
            experiment=str(attempt.number),
            commit=attempt.commit[:12],
            ratio=noted.ratio,
            evidence=_line(noted.evidence),
        )
        yield _write(run, "learnings.md", learnings.render(learnings.merge(_learnings(run), [entry])))
    yield from write_hand_off(run)


def _row(attempt: Attempt) -> results.Row:
    m = attempt.measurement
    return results.measured(
        experiment=f"{attempt.agent}-exp{attempt.number:03d}",
        status=attempt.status,
        unit=m.unit if m else "ns",
        before=m.before if m else None,
        after=m.after if m else None,
        low=m.low if m else None,
        high=m.high if m else None,
        pairs=m.pairs if m else None,
        floor=m.floor if m else None,
        at=attempt.finished or None,
        pattern=attempt.pattern,
        target=attempt.target.id,
        commit=attempt.commit[:12],
        metric=attempt.metric,
        domain=attempt.target.domain,
        agent=attempt.agent,
        hypothesis=_line(attempt.title),
    )


def learning_of(run: Run, attempt: Attempt) -> e.LearningNoted:
    """One claim with its numbers: what held on which code, or what did not and why."""
    m = attempt.measurement
    python = run.environment.python_version if run.environment else ""
    numbers = (
        f"{m.ratio:.3f}x, {m.pairs} pairs"
        if m and m.ratio is not None
        else attempt.reason_class or "not measured"
    )
    if attempt.status == "keep":
        claim = f"{attempt.pattern} on {attempt.target.words} pays: {attempt.title}"
    else:
        claim = f"{attempt.pattern} on {attempt.target.words} does not pay: {attempt.reason or attempt.reason_class}"
    return e.LearningNoted(
        number=attempt.number,
        domain=attempt.target.domain,
        pattern=attempt.pattern,
        outcome=attempt.status,
        claim=claim,
        evidence=f"{numbers}; {m.label if m else 'no measurement'}; Python {python}",
        target=attempt.target.id,
        commit=attempt.commit or None,
        ratio=m.ratio if m else None,
    )


def write_hand_off(run: Run, stopped: str = "") -> Iterator[e.Event]:
    """HANDOFF.md: everything a resume needs."""
    env = run.environment
    document = handoff.Handoff(
        session=run.brief.session,
        date=_date(),
        repo=run.brief.repo,
        domain=run.domain,
        mode=run.brief.mode,
        branch=run.workspace.branch,
        base=run.workspace.base,
        head=run.workspace.head,
        tried=run.number_from + sum(not a.restored for a in run.attempts),
        consecutive=run.consecutive,
        best=run.best,
        stopped=stopped or run.stopped,
        kept=tuple(_kept(a) for a in run.kept),
        discarded=tuple(_tried(a) for a in run.attempts if a.status != "keep" or a.reverted),
        next_targets=scan_report.ranked(run.targets[:10]),
        discoveries=tuple(_line(note) for note in run.notes),
        reproduce=(f"pytest {' '.join(env.test_args)}",) if env else (),
    )
    yield _write(run, "HANDOFF.md", handoff.render(document))


def _kept(attempt: Attempt) -> handoff.Kept:
    m = attempt.measurement
    return handoff.Kept(
        experiment=str(attempt.number),
        commit=attempt.commit[:12],
        pattern=attempt.pattern,
        target=attempt.target.id,
        ratio=m.ratio if m else None,
        low=m.low if m else None,
        high=m.high if m else None,
        metric=attempt.metric,
        title=_line(attempt.title),
    )


def _tried(attempt: Attempt) -> handoff.Tried:
    return handoff.Tried(
        experiment=str(attempt.number),
        pattern=attempt.pattern,
        target=attempt.target.id,
        reason_class=attempt.reason_class or attempt.status,
        reason=_line(attempt.reverted or attempt.reason),
        key=attempt.skip_key,
    )


def write_changelog(run: Run) -> Iterator[e.Event]:
    """changelog.md: the summary a pull request starts from."""
    m = run.session_measurement
    entry = changelog.SessionEntry(
        title=f"Session {run.brief.session}: {run.brief.repo}",
        session=run.brief.session,
        date=_date(),
        branch=run.workspace.branch,
        base=run.workspace.base,
        head=run.workspace.head,
        ratio=m.ratio if m else None,
        low=m.low if m else None,
        high=m.high if m else None,
        measured=_line(m.label) if m else "",
        kept=tuple(_kept(a) for a in run.kept),
        discarded=tuple(_tried(a) for a in run.attempts if a.status != "keep" or a.reverted),
    )
    old = changelog.parse(_read(run).get("changelog.md", ""))
    yield _write(run, "changelog.md", changelog.render(changelog.add(old, entry)))


def write_review(
    run: Run, passes: list[PassResult], verdict: str, summary: str
) -> Generator[e.Event, None, str]:
    """review-report.md; returns the digest that a decision is bound to."""
    document = review_report.from_passes(
        passes,
        verdict=verdict,
        base=run.workspace.base,
        head=run.workspace.head,
        branch=run.workspace.branch,
        reviewer="review",
        date=_date(),
        results_digest=results_digest_of(run),
        summary=_line(summary),
    )
    text = review_report.render(document)
    yield _write(run, "review-report.md", text)
    return report_digest(text)


def results_digest_of(run: Run) -> str:
    """The digest of results.tsv as it now stands; an absent file counts as an empty one."""
    return results_digest(_read(run).get("results.tsv", ""))


def rows(run: Run) -> tuple[results.Row, ...]:
    """The rows of results.tsv as it now stands."""
    return results.parse(_read(run).get("results.tsv", "")).rows


def _learnings(run: Run) -> learnings.Learnings:
    return learnings.parse(_read(run).get("learnings.md", ""))


def _read(run: Run) -> dict[str, str]:
    if not run.state_folder.is_dir():
        return {}
    return {name: reading.text for name, reading in read_folder(run.state_folder).items()}


def _write(run: Run, name: str, text: str) -> e.StateFileWritten:
    digest = write_file(run.state_folder, name, text)
    shown = text.encode()[:SHOWN_BYTES].decode("utf-8", "ignore")
    return e.StateFileWritten(name=name, digest=digest, content=shown, cut=max(0, len(text) - len(shown)))


def _line(text: Any) -> str:
    """One line without control characters: state files are line grammars."""
    return " ".join(str(text).split())


def _date() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
