"""From an error in a role to the fact that a session records, with what to do about it."""

from __future__ import annotations

import logging
import traceback

from engine import events as e
from engine.environment import EnvironmentProblem
from engine.run import RoleFailed
from engine.sandbox import SandboxError
from engine.workspace import WorkspaceError

log = logging.getLogger("engine")
FORESEEN = (WorkspaceError, SandboxError, EnvironmentProblem)
"""Their message is a sentence for a person; where in our code it was raised helps nobody."""


def failed(stage: str, agent: str, error: Exception) -> e.StageFailed:
    """The event of an error; one that nobody foresaw is logged and brings its traceback."""
    if isinstance(error, RoleFailed):
        return e.StageFailed(
            stage=stage, agent=agent, reason=error.reason, advice=error.advice, output=error.output
        )
    advice, output = getattr(error, "advice", ""), getattr(error, "output", "")
    if not advice and not isinstance(error, FORESEEN):
        log.error("unexpected failure in %s", stage, exc_info=error)
        output = "".join(traceback.format_exception(error))[-4000:]
    return e.StageFailed(
        stage=stage, agent=agent, reason=str(error) or type(error).__name__, advice=advice, output=output
    )
