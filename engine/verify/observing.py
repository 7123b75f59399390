"""One version of one function observed over many inputs, through as many processes as its crashes need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.verify.comparing import Facts
from engine.verify.probing import Place
from engine.verify.recordings import Subject
from engine.verify.trees import ChangedLines

LAYERS = {"r": "recorded", "p": "perturbed", "g": "generated"}
BUDGET = {"recorded": 1.2, "perturbed": 1.2, "generated": 0.8}
"""CPU seconds a layer may take in one process before the rest of its inputs is left out; a few are always tried."""

PERTURBED, INVENTED = 400, 300
CALL_SECONDS = 1.0
_WALL_SECONDS = 120.0
_RESTARTS = 4


@dataclass(frozen=True)
class Plan:
    """Everything that both versions have in common: the subject, the inputs and the seed."""

    subject: Subject
    tier: str
    seed: int
    invented: Sequence[Mapping[str, Any]] = ()
    perturbed: int = PERTURBED


@dataclass
class Observed:
    """Facts by input id in order. At ``fatal`` inputs the process ended; ``broken`` says why none could run."""

    facts: dict[str, Facts] = field(default_factory=dict)
    fatal: list[str] = field(default_factory=list)
    broken: str = ""
    lost: int = 0
    lines: set[int] = field(default_factory=set)
    state: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


def observe(
    place: Place,
    plan: Plan,
    *,
    tree: Path,
    hash_seed: int,
    only: Sequence[str] | None = None,
    limits: Mapping[str, float] | None = None,
    explain: Sequence[str] = (),
    lines: ChangedLines | None = None,
    hasty: bool = False,
) -> Observed:
    """Observe one version. ``only`` narrows to those ids; without it every layer runs within its budget. ``hasty``
    ends at the first input that meets its limit; the inputs after it have no facts then.
    """
    job = {**_job(plan, only=only, limits=limits or {}, explain=explain, lines=lines), "hasty": hasty}
    seen = Observed()
    seconds = _WALL_SECONDS + sum((limits or {}).values()) / 10
    for _ in range(_RESTARTS):
        answer = place.ask("observe", tree=tree, options={}, job=job, seconds=seconds, hash_seed=hash_seed)
        _read(answer.lines, seen)
        if answer.end is not None or seen.broken:
            return seen
        started = answer.of("start")
        if not answer.of("ready") or not started:
            seen.broken = seen.broken or _why_it_ended(answer.completed.limit, answer.completed.stderr)
            return seen
        last = str(started[-1]["id"])
        if last not in seen.facts:
            seen.fatal.append(last)
        job["after"] = last
    return seen


def _job(
    plan: Plan,
    *,
    only: Sequence[str] | None,
    limits: Mapping[str, float],
    explain: Sequence[str],
    lines: ChangedLines | None,
) -> dict[str, Any]:
    subject = plan.subject
    return {
        "module": subject.module,
        "qualname": subject.qualname,
        "kind": subject.kind,
        "calls": str(subject.calls) if subject.calls else "",
        "seed": plan.seed,
        "tier": plan.tier,
        "perturb": plan.perturbed,
        "generated": list(plan.invented),
        "only": list(only) if only is not None else None,
        "after": "",
        "explain": list(explain),
        "limits": dict(limits),
        "limit": CALL_SECONDS,
        "budget": BUDGET,
        "lines": {"path": lines.path, "lines": list(lines.lines)} if lines and lines.lines else None,
    }


def _read(lines: Sequence[Mapping[str, Any]], seen: Observed) -> None:
    for line in lines:
        kind = line.get("kind")
        if kind == "input":
            seen.facts[str(line["id"])] = line
        elif kind == "ready":
            seen.lost = int(line["lost"])
        elif kind == "broken":
            seen.broken = str(line["error"])
        elif kind == "end":
            seen.lines.update(line["lines"])
            seen.state, seen.stopped = dict(line["state"]), bool(line["stopped"])


def _why_it_ended(limit: str, stderr: bytes) -> str:
    if limit:
        return f"the process met its {limit} limit while importing"
    tail = stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return "the process ended while importing" + (f": {tail[0][:300]}" if tail else "")
