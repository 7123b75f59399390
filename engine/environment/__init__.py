"""Find out how a repository is run, and make an environment for it once: interpreter, packages, pytest."""

from __future__ import annotations

from engine.environment.build import Environment, prepare
from engine.environment.problem import EnvironmentProblem

__all__ = ["Environment", "EnvironmentProblem", "prepare"]
