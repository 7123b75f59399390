"""The engine's command line: ``run|scan|review BRIEF.json``, ``replay``, ``stages``, ``state``, ``status``."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine import events as e
from engine.brief import Brief, BriefError, read
from engine.run import CancelToken


def main(argv: list[str] | None = None) -> int:
    """Exit status 0 when the session finished, 1 when it ended otherwise, 2 for unusable arguments."""
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    return VERBS[arguments.verb](arguments.rest)


def _session(mode: str | None) -> Callable[[list[str]], int]:
    def verb(rest: list[str]) -> int:
        if len(rest) != 1:
            return _usage(f"python -m engine {mode or 'run'} BRIEF.json")
        try:
            brief = read(Path(rest[0]))
        except BriefError as error:
            return _usage(str(error))
        return run_session(replace(brief, mode=mode) if mode else brief)

    return verb


def run_session(brief: Brief) -> int:
    """Conduct one session; each event is one flushed line on stdout. SIGTERM and SIGINT ask it to stop."""
    from engine.conductor import conduct
    from engine.crews import choose

    # Paths and outputs of a repo may hold bytes that are no text; a line is written all the same.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    token = CancelToken()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: token.set())
    outcome = ""
    try:
        crew = choose(brief.crew)
    except Exception as error:
        return _usage(str(error))
    for event in conduct(brief, crew, cancel=token):
        _print(e.to_json(event))
        if isinstance(event, e.SessionEnded):
            outcome = event.outcome
    return 0 if outcome == "finished" else 1


def _print(line: str) -> None:
    """One line at a time; a reader that went away ends the engine quietly."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def _replay(rest: list[str]) -> int:
    from engine.measure import replay

    if not rest:
        return _usage("python -m engine replay RAW.json.gz ...")
    for name in rest:
        print(f"{name}: {replay(Path(name))}")
    return 0


def _stages(_rest: list[str]) -> int:
    from engine.order import TABLE

    for (stage, event), after in TABLE.items():
        print(f"{stage:<11} {event.kind:<24} -> {after}")
    return 0


def _state(rest: list[str]) -> int:
    from engine.state.check import main as check

    if rest[:1] != ["check"]:
        return _usage("python -m engine state check DIR")
    return check(rest[1:])


def _status(rest: list[str]) -> int:
    from engine.state import handoff

    if len(rest) != 1:
        return _usage("python -m engine status WORK_OR_STATE_FOLDER")
    root = Path(rest[0])
    for path in (root / ".codeflash" / "HANDOFF.md", root / "HANDOFF.md"):
        if path.is_file():
            print(handoff.render(handoff.parse(path.read_text(encoding="utf-8", errors="replace"))))
            return 0
    return _usage(f"{root} holds no HANDOFF.md: no session has written its state there yet")


def _usage(sentence: str) -> int:
    print(f"engine: {sentence}", file=sys.stderr)
    return 2


VERBS: dict[str, Callable[[list[str]], int]] = {
    "run": _session(None),
    "scan": _session("scan"),
    "review": _session("review"),
    "replay": _replay,
    "stages": _stages,
    "state": _state,
    "status": _status,
}

if __name__ == "__main__":
    sys.exit(main())
