"""The one table of legal (stage, event) pairs. An illegal pair raises and changes nothing.

The seven ordering guarantees are rows: the session starts before any agent acts; language before domain; setup
before optimizers; baseline before experiments; re-profile after every keep; review after ``[complete]`` and before
clean-up; the session's end last. The three parallel allowances (researcher alongside, several optimizers in
worktrees, deep dispatching while it profiles) are the self-loops of ALONGSIDE.
"""

from __future__ import annotations

from enum import StrEnum

from engine import events as e


class Stage(StrEnum):
    NEW = "new"
    START = "start"
    ROUTE = "route"
    SETUP = "setup"
    VALIDATE = "validate"
    BASELINE = "baseline"
    LOOP = "loop"
    EXPERIMENT = "experiment"
    REPROFILE = "reprofile"
    REVIEW = "review"
    CLEANUP = "cleanup"
    ENDING = "ending"
    ENDED = "ended"


RAIL: tuple[tuple[str, str, frozenset[Stage]], ...] = (
    ("start", "Session start", frozenset({Stage.START})),
    ("route", "Route", frozenset({Stage.ROUTE})),
    ("setup", "Setup", frozenset({Stage.SETUP})),
    ("validate", "Validate", frozenset({Stage.VALIDATE})),
    ("baseline", "Baseline", frozenset({Stage.BASELINE})),
    ("loop", "Experiment loop", frozenset({Stage.LOOP, Stage.EXPERIMENT, Stage.REPROFILE})),
    ("review", "Review", frozenset({Stage.REVIEW})),
    ("cleanup", "Cleanup", frozenset({Stage.CLEANUP, Stage.ENDING})),
    ("end", "End", frozenset({Stage.ENDED})),
)
"""The nine stages people see, in the seed's order: key, word, and the engine stages each one covers."""


class OutOfOrder(ValueError):
    """An event that may not happen in this stage."""

    def __init__(self, stage: Stage, event: type[e.Event]) -> None:
        super().__init__(f"{event.kind} is not allowed in stage {stage}")
        self.stage, self.event = stage, event


_S = Stage
_WORKING = (_S.START, _S.ROUTE, _S.SETUP, _S.VALIDATE, _S.BASELINE, _S.LOOP, _S.EXPERIMENT, _S.REPROFILE)
_ANY_TIME = (e.NoteLogged, e.StateFileWritten, e.AgentStarted, e.AgentFinished, e.MeasuringWaited, e.Unknown)
_OPTIMIZING = (_S.LOOP, _S.EXPERIMENT, _S.REPROFILE)
ALONGSIDE = (e.FindingSent, e.LearningNoted, e.ProposalDropped)

TABLE: dict[tuple[Stage, type[e.Event]], Stage] = {
    (_S.NEW, e.SessionStarted): _S.START,
    (_S.START, e.LanguageDetected): _S.ROUTE,
    (_S.ROUTE, e.DomainChosen): _S.SETUP,
    (_S.SETUP, e.SetupFinished): _S.VALIDATE,
    (_S.VALIDATE, e.TestsRan): _S.VALIDATE,
    (_S.VALIDATE, e.DependenciesResearched): _S.VALIDATE,
    (_S.VALIDATE, e.TeamFormed): _S.BASELINE,
    (_S.BASELINE, e.BaselineProfiled): _S.LOOP,
    (_S.BASELINE, e.PlateauReached): _S.REVIEW,
    (_S.LOOP, e.ProgressRestored): _S.LOOP,
    (_S.LOOP, e.ExperimentStarted): _S.EXPERIMENT,
    (_S.EXPERIMENT, e.ExperimentAdvanced): _S.EXPERIMENT,
    (_S.EXPERIMENT, e.TestsRan): _S.EXPERIMENT,
    (_S.EXPERIMENT, e.ExperimentKept): _S.REPROFILE,
    (_S.EXPERIMENT, e.ExperimentDiscarded): _S.LOOP,
    (_S.EXPERIMENT, e.ExperimentCrashed): _S.LOOP,
    (_S.REPROFILE, e.ExperimentAdvanced): _S.REPROFILE,
    (_S.REPROFILE, e.Reprofiled): _S.LOOP,
    (_S.LOOP, e.KeepReverted): _S.LOOP,
    (_S.LOOP, e.ScanReported): _S.CLEANUP,
    (_S.LOOP, e.PlateauReached): _S.REVIEW,
    (_S.REVIEW, e.TestsRan): _S.REVIEW,
    (_S.REVIEW, e.SessionMeasured): _S.REVIEW,
    (_S.REVIEW, e.ClaimMeasured): _S.REVIEW,
    (_S.REVIEW, e.PassFinished): _S.REVIEW,
    (_S.REVIEW, e.ReviewFiled): _S.CLEANUP,
    (_S.REVIEW, e.StageFailed): _S.CLEANUP,
    (_S.CLEANUP, e.StageFailed): _S.ENDING,
    (_S.CLEANUP, e.CleanedUp): _S.ENDING,
    (_S.NEW, e.StageFailed): _S.ENDING,
    (_S.ENDING, e.SessionEnded): _S.ENDED,
    **{(stage, e.StageFailed): _S.CLEANUP for stage in _WORKING},
    **{(stage, event): stage for stage in _OPTIMIZING for event in ALONGSIDE},
    **{
        (stage, event): stage
        for stage in (*_WORKING, _S.REVIEW, _S.CLEANUP, _S.ENDING)
        for event in _ANY_TIME
    },
}
"""SessionStarted is the only way out of NEW; nothing leaves ENDED. The review mode goes from BASELINE to REVIEW by
PlateauReached with cause ``branch``: there is no experiment to wait for."""


def advance(stage: Stage, event: e.Event) -> Stage:
    """The stage after ``event``; raises OutOfOrder when the pair is not in the table."""
    try:
        return TABLE[(stage, type(event))]
    except KeyError:
        raise OutOfOrder(stage, type(event)) from None
