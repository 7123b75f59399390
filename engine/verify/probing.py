"""Starting the probe's scripts in the sandbox and reading their lines. A line without the run's nonce is not theirs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.sandbox import Completed, Limits, Sandbox
from engine.verify.evidence import Cancelled

if TYPE_CHECKING:
    from engine.environment import Environment

PROBE = Path(__file__).resolve().parent.parent / "probe"
OUTPUT_BYTES = 64 << 20


@dataclass(frozen=True)
class Answer:
    """What one run of a script said: its genuine lines in order, and how the process ended."""

    lines: tuple[dict[str, Any], ...]
    completed: Completed

    @property
    def end(self) -> dict[str, Any] | None:
        """The closing line; None when the script did not get there."""
        return self.lines[-1] if self.lines and self.lines[-1].get("kind") == "end" else None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("kind") == kind]


@dataclass(frozen=True)
class Place:
    """Where scripts run: the sandbox, the repo's interpreter, and what they may read besides the tree."""

    sandbox: Sandbox
    environment: Environment
    readable: tuple[Path, ...] = ()

    def ask(
        self,
        script: str,
        *,
        tree: Path,
        options: Mapping[str, Any],
        job: Mapping[str, Any] | None = None,
        seconds: float,
        hash_seed: int = 0,
        writable: Sequence[Path] = (),
    ) -> Answer:
        """Run one script over one checkout; raises Cancelled when the sandbox was told to stop."""
        nonce = secrets.token_hex(8)
        stdin = json.dumps({**job, "nonce": nonce}).encode() if job is not None else f"{nonce}\n".encode()
        completed = self.sandbox.run(
            self._argv(script, {"tree": str(tree), **options}),
            cwd=tree,
            readable=(tree, PROBE, *self.environment.readable, *self.readable),
            writable=tuple(writable),
            env={**self.environment.python_env(tree), "PYTHONHASHSEED": str(hash_seed)},
            limits=Limits(wall_seconds=seconds, output_bytes=OUTPUT_BYTES),
            stdin=stdin,
        )
        if completed.cancelled:
            raise Cancelled
        return Answer(tuple(_genuine(completed.stdout, nonce)), completed)

    def _argv(self, script: str, options: Mapping[str, Any]) -> list[str]:
        return [str(self.environment.python), str(PROBE / "tool.py"), script, json.dumps(options)]


def _genuine(output: bytes, nonce: str) -> list[dict[str, Any]]:
    found = []
    for raw in output.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and line.pop("nonce", None) == nonce:
            found.append(line)
    return found
