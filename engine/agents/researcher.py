"""The researcher: reads targets 2 to 5 while the optimizer works on target 1. Read-only; it never times anything."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from pathlib import Path

from engine import events as e
from engine.agents import proposing, suggesting
from engine.agents.proposing import Candidate
from engine.measure import working
from engine.run import Run
from engine.values import Target

log = logging.getLogger("engine.researcher")
FIRST, LAST = 2, 5


class Research:
    """A thread with a queue of rankings. It thinks under the shared lock, so it never runs beside a measurement."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rankings: queue.SimpleQueue[list[tuple[int, Target]] | None] = queue.SimpleQueue()
        self._done: dict[str, threading.Event] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="researcher", daemon=True)
        self._thread.start()

    def look(self, targets: list[Target]) -> None:
        """A new ranking: research its ranks 2 to 5, each target once."""
        new = []
        for rank, target in enumerate(targets[FIRST - 1 : LAST], FIRST):
            if target.id not in self._done:
                self._done[target.id] = threading.Event()
                new.append((rank, target))
        self._rankings.put(new)

    def settle(self, target_id: str) -> None:
        """Wait for the finding on a target that is being looked at, so that its experiments always know it."""
        done = self._done.get(target_id)
        while done is not None and not done.wait(0.1):
            if self._run.cancel.is_set() or not self._thread.is_alive():
                return

    def finish(self) -> None:
        """Stop after the current target and wait for the thread."""
        self._stop.set()
        self._rankings.put(None)
        self._thread.join(timeout=60)

    def _work(self) -> None:
        while (targets := self._rankings.get()) is not None:
            for rank, target in targets:
                if self._stop.is_set():
                    return
                self._one(rank, target)
                self._done[target.id].set()

    def _one(self, rank: int, target: Target) -> None:
        try:
            with working(Path(self._run.brief.lock)):
                finding = study(self._run, rank, target)
        except Exception:  # the optimizer goes on without this finding
            log.exception("research on %s failed", target.id)
            return
        self._run.findings[target.id] = finding
        self._run.say(finding)


def launch(run: Run) -> Research:
    """Start the researcher on the current ranking."""
    research = Research(run)
    run.say(e.AgentStarted(agent="researcher", task="Analyse targets 2 to 5"))
    research.look(run.targets)
    return research


def study(run: Run, rank: int, target: Target) -> e.FindingSent:
    """One finding: which rules apply, what they assume, what was tried before, inputs to try, and reasons not to."""
    found = list(proposing.candidates_of(run, target.id))
    candidates = [each for each in found if isinstance(each, Candidate)]
    obligations = [o for c in candidates for o in c.proposal.obligations]
    risks = [each.reason for each in found if isinstance(each, proposing.Refused)]
    inputs = suggesting.suggest(proposing.survey_of(run), target.id)
    return e.FindingSent(
        target=target.id,
        rank=rank,
        text=_text(run, target, candidates, len(inputs)),
        proposals=tuple(f"{c.rule.id}: {c.proposal.claim}" for c in candidates),
        obligations=tuple(dict.fromkeys(obligations)),
        risks=tuple(dict.fromkeys(risks)),
        inputs=inputs,
    )


def _text(run: Run, target: Target, candidates: list[Candidate], inputs: int) -> str:
    facts = run.profile.facts_for(target.id) if run.profile else None
    words = [f"{len(candidates)} rewrites apply" if candidates else "No known rewrite applies"]
    if facts is not None and facts.calls:
        words.append(f"{facts.calls} calls recorded")
    if facts is not None and facts.repeat_rate is not None:
        words.append(f"{facts.repeat_rate:.0%} of them repeat earlier arguments")
    if inputs:
        words.append(f"{inputs} input{'' if inputs == 1 else 's'} found in its callers and examples to try")
    past = Counter(a.status for a in run.attempts if a.target.id == target.id)
    if past:
        words.append("tried before here: " + ", ".join(f"{n} {status}" for status, n in sorted(past.items())))
    told = [n for n in run.brief.learnings if n.get("target") == target.id]
    if told:
        words.append(f"{len(told)} team learnings name it")
    return "; ".join(words) + "."
