"""What a session costs beside the processes it must run: engine wall time ÷ wall time inside the target's processes.

    python -m benchmarks.overhead [--repo examples/shopworks] [--domain cpu] [--experiments 2]

A real session of the engine on a copy of the repository, as a child process like the worker's. Every run of the
sandbox is noted with the module that asked for it; runs at the same time count once. Preparing the environment (an
installer's time, cached for later sessions) is printed and belongs to neither side of the ratio.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks import harness

GOAL = 1.25
PREPARING = "environment"
WORDS = {
    "verify": "tests and behaviour checks",
    "measure": "gate and session measurement",
    "profile": "profiles and recording",
    PREPARING: "preparing the environment",
}
Span = tuple[float, float]


def engine_child(brief: Path, runs: Path) -> int:
    """In a process of its own: the engine's own start with every sandbox run written to ``runs``, one line each."""
    from engine import brief as briefs
    from engine.__main__ import run_session
    from engine.sandbox import Sandbox

    Sandbox.run = noted(Sandbox.run, runs)  # type: ignore[method-assign]
    return run_session(briefs.read(brief))


def noted(run: Callable[..., Any], path: Path) -> Callable[..., Any]:
    """``Sandbox.run`` that also writes who asked, when the program ended and how long it ran."""
    out = path.open("a", encoding="utf-8")

    @wraps(run)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        asked = _asking_package()
        done = run(*args, **kwargs)
        line = {"asked": asked, "ended": time.monotonic(), "seconds": done.wall_seconds}
        out.write(json.dumps(line) + "\n")
        out.flush()
        return done

    return wrapper


def _asking_package() -> str:
    """``verify`` for code in ``engine.verify``: the nearest caller outside the sandbox and this file."""
    frame = sys._getframe(2)
    while frame is not None:
        words = str(frame.f_globals.get("__name__", "")).split(".")
        if words[0] == "engine" and len(words) > 1 and words[1] != "sandbox":
            return words[1]
        frame = frame.f_back  # type: ignore[assignment]
    return "sandbox"


def together(spans: Iterable[Span]) -> float:
    """Seconds covered by at least one of the spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def plant(repo: Path, folder: Path) -> Path:
    """A copy of the repository's files with one commit, so that nothing of the original is touched."""
    from engine.workspace.planting import plant_repository

    copy = folder / repo.name
    shutil.copytree(repo, copy, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache"))
    plant_repository(copy, message="The repository as it stands")
    return copy


def write_brief(source: Path, folder: Path, options: Any) -> Path:
    from engine.brief import Brief, BriefLimits, write

    brief = Brief(
        session="1",
        repo=f"bench/{source.name}",
        source=str(source),
        work=str(folder / "work"),
        cache=str(folder / "cache"),
        lock=str(folder / "measuring.lock"),
        branch=f"codeflash/{source.name}-1",
        domain=options.domain,
        limits=BriefLimits(experiments=options.experiments, wall_seconds=options.minutes * 60),
        offline=not options.online,
    )
    write(brief, folder / "brief.json")
    return folder / "brief.json"


def run_engine(brief: Path, runs: Path, minutes: float) -> tuple[float, list[dict[str, Any]]]:
    """Wall seconds of the engine's process from start to exit, and what it stated."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--engine", str(brief), str(runs)]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=harness.ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            out, _ = process.communicate(timeout=minutes * 60 + 120)
        finally:
            process.terminate()  # the engine ends its own tree when asked
    return time.monotonic() - began, [json.loads(line) for line in out.splitlines()]


def spans_of(lines: Sequence[Mapping[str, Any]], *packages: str) -> list[Span]:
    return [(each["ended"] - each["seconds"], each["ended"]) for each in lines if each["asked"] in packages]


def table(
    wall: float, runs: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    packages = sorted({each["asked"] for each in runs}, key=lambda name: -together(spans_of(runs, name)))
    target = together(spans_of(runs, *(name for name in packages if name != PREPARING)))
    preparing = together(spans_of(runs, PREPARING))
    if not target:
        raise SystemExit(f"No process of the target repository ran: {_last_words(events)}")
    rows = [_row(WORDS.get(name, name), spans_of(runs, name), wall) for name in packages]
    rest = wall - together(spans_of(runs, *packages))
    rows.append(
        {
            "inside": "the engine itself, git, waiting",
            "runs": None,
            "seconds": rest,
            "% of wall": rest / wall * 100,
        }
    )
    ratio = (wall - preparing) / target
    notes = [
        f"engine wall ÷ wall inside the target's processes: {ratio:.3f} (goal: at most {GOAL})",
        f"the session: {_ended(events)}",
    ]
    return {
        "title": f"Where {wall:.0f} s of one session went",
        "rows": rows,
        "notes": notes,
        "ratio": ratio,
        "goal": GOAL,
    }


def _row(name: str, spans: Sequence[Span], wall: float) -> dict[str, Any]:
    seconds = together(spans)
    return {"inside": name, "runs": len(spans), "seconds": seconds, "% of wall": seconds / wall * 100}


def _ended(events: Sequence[Mapping[str, Any]]) -> str:
    last = events[-1] if events else {}
    return f"{last.get('outcome', 'ended early')}, {last.get('kept', 0)} kept of {last.get('tried', 0)} tried"


def _last_words(events: Sequence[Mapping[str, Any]]) -> str:
    failed = next((each for each in events if each["kind"] == "stage_failed"), {})
    return str(failed.get("reason") or "the engine said nothing about it")


def main() -> int:
    if sys.argv[1:2] == ["--engine"]:
        return engine_child(Path(sys.argv[2]), Path(sys.argv[3]))
    parser = harness.parser(__doc__)
    parser.add_argument("--repo", type=Path, default=harness.ROOT / "examples" / "shopworks")
    parser.add_argument("--domain", default="cpu")
    parser.add_argument("--experiments", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=45.0, help="the session's own time limit")
    parser.add_argument(
        "--online", action="store_true", help="let the installer fetch what the repository needs"
    )
    options = parser.parse_args()
    with harness.arena() as folder:
        runs = folder / "runs.jsonl"
        runs.touch()
        brief = write_brief(plant(options.repo.resolve(), folder), folder, options)
        wall, events = run_engine(brief, runs, options.minutes)
        result = table(wall, [json.loads(line) for line in runs.read_text().splitlines()], events)
    harness.show(result, as_json=options.json)
    return 0 if events and events[-1].get("outcome") == "finished" else 1


if __name__ == "__main__":
    raise SystemExit(main())
