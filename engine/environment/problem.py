"""Why a target repo cannot be run here."""

from __future__ import annotations


class EnvironmentProblem(Exception):
    """The message is a sentence that says what to do."""
