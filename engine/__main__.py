"""The engine's command line: run|scan|review BRIEF.json, and reviewer, replay, stages, state, status."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
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

    try:
        crew = choose(brief.crew)
    except Exception as error:
        return _usage(str(error))
    last = _tell(conduct(brief, crew, cancel=_cancel_token()))
    return 0 if isinstance(last, e.SessionEnded) and last.outcome == "finished" else 1


def _reviewer(rest: list[str]) -> int:
    """The reviewing process of a session that runs elsewhere: it ends when the pipe on its stdin closes."""
    from engine.agents.review import brief, reviewer

    if len(rest) != 1:
        return _usage("python -m engine reviewer REVIEW-BRIEF.json (started by a session)")
    try:
        given = brief.read(Path(rest[0]))
    except ValueError as error:
        return _usage(str(error))
    threading.Thread(target=_end_with_session, daemon=True).start()
    last = _tell(reviewer.conduct(given, _cancel_token()))
    return 1 if isinstance(last, e.StageFailed) else 0


def _end_with_session() -> None:
    """Nobody reads a review whose session is gone; what runs behind walls dies with the process that holds them."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def _cancel_token() -> CancelToken:
    token = CancelToken()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: token.set())
    return token


def _tell(events: Iterable[e.Event]) -> e.Event | None:
    """Print each event as one flushed line; gives back the last."""
    # Paths and outputs of a repo may hold bytes that are no text; a line is written all the same.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    last = None
    for event in events:
        _print(e.to_json(event))
        last = event
    return last


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


def _state_files(rest: list[str]) -> int:
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
    "reviewer": _reviewer,
    "replay": _replay,
    "stages": _stages,
    "state": _state_files,
    "status": _status,
}

if __name__ == "__main__":
    sys.exit(main())
