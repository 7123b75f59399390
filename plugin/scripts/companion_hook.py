"""Runs a hook so that it can never break a session: bounded input, bounded time, any fault is one line in a log.

Exit status is 0 whatever happens; the log is hooks.log in the workspace's state folder, or nowhere if that cannot be written.
"""

import contextlib
import json
import os
import signal
import sys
import traceback

import companion_store as store

MOST_INPUT = 4 << 20
SECONDS = 0.9


class TooSlow(Exception):
    """The hook's time is up."""


def read_input():
    """The hook's JSON from standard input; {} for anything else."""
    try:
        found = json.loads(sys.stdin.buffer.read(MOST_INPUT).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def folder_of(data):
    named = data.get("cwd")
    return named if isinstance(named, str) and os.path.isdir(named) else os.getcwd()


def log(data, text):
    with contextlib.suppress(Exception):
        store.open_store(folder_of(data)).log(text)


def limit(seconds):
    """Raise TooSlow in this process after ``seconds``; 0 switches it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def too_slow(*_):
    raise TooSlow("the hook took longer than %.1f s" % SECONDS)


def run(name, act):
    """Call ``act(data)`` and end with status 0."""
    data = {}
    try:
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, too_slow)
        limit(SECONDS)
        data = read_input()
        act(data)
        sys.stdout.flush()
    except BaseException as error:  # a hook that fails must not be felt by the person's session
        limit(0)
        last = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        place = " (%s:%s)" % (os.path.basename(last.filename), last.lineno) if last else ""
        log(data, "%s: %s: %s%s" % (name, type(error).__name__, error, place))
    limit(0)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(0)
