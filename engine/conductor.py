"""The lifecycle of a session, readable from top to bottom: steps 1 to 16 of the method.

``conduct`` is a generator of events. Each one passes ``advance`` first, so an illegal order raises instead of being
stated. A failure in any role becomes ``StageFailed``; clean-up and the session's end are always reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine import events as e
from engine.agents import clean_up, start
from engine.brief import Brief
from engine.crews import Crew
from engine.failures import failed
from engine.order import Stage, advance
from engine.run import Cancelled, CancelToken, Run, stamp


def conduct(brief: Brief, crew: Crew, *, cancel: CancelToken) -> Iterator[e.Event]:
    """Every event of one session in its one legal order; ends with SessionEnded whatever happens."""
    stage = Stage.NEW
    for event in _whole(brief, crew, cancel):
        stage = advance(stage, event)
        yield stamp(event)


def _whole(brief: Brief, crew: Crew, cancel: CancelToken) -> Iterator[e.Event]:
    try:
        run = start.open_run(brief, cancel)
    except Exception as error:  # any fault before the session exists is its one fact
        yield failed("start", "router", error)
        yield e.SessionEnded(outcome="failed", reason=str(error) or type(error).__name__)
        return
    progress = _Progress()
    failure: e.StageFailed | None = None
    try:
        for event in _work(run, crew):
            progress.see(event)
            yield event
    except Cancelled:
        failure = e.StageFailed(
            stage=progress.stage,
            agent=progress.agent,
            reason="Stopped on request",
            advice="Kept experiments are on the session branch. Resume continues from the hand-off.",
            cancelled=True,
        )
    except Exception as error:  # a role's failure is a fact of the session, never the end of the process
        failure = failed(progress.stage, progress.agent, error)
    if failure is not None:
        run.discard_inbox()
        yield failure
    yield from clean_up.clean_up(run, failure)


def _work(run: Run, crew: Crew) -> Iterator[e.Event]:
    yield from start.start(run)  # 1, 2: the session starts before any agent acts
    yield from crew.route(run)  # 3, 4: language, then domain
    yield from crew.prepare(run)  # 5: setup before optimizers
    yield from crew.validate(run)  # 6, 7: tests, dependencies, team
    if run.brief.mode == "review":
        yield e.PlateauReached(cause="branch", message="[complete] reviewing the branch as it is")
    else:
        yield from crew.baseline(run)  # 8: baseline before experiments
        if run.brief.mode == "scan":
            yield from crew.scan(run)
            return
        yield from crew.optimize(run)  # 9-11: the loop, researcher alongside, until a plateau
    yield from crew.review(run)  # 12, 13: six passes, one verdict


class _Progress:
    """Which stage and agent were at work, for the words of a failure."""

    def __init__(self) -> None:
        self.stage, self.agent = "start", "router"
        self._order = Stage.NEW

    def see(self, event: e.Event) -> None:
        self._order = advance(self._order, event)
        # The session's own start is over once an agent acts: what fails then is the routing.
        routing = self._order is Stage.START and isinstance(event, e.AgentStarted)
        self.stage = str(Stage.ROUTE if routing else self._order)
        if isinstance(event, e.AgentStarted) and event.agent != "researcher":
            self.agent = event.agent
