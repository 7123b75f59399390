"""A program in the engine's place: speaks the real event format and behaves as the brief's goal says.

Used where a test is about the worker and not about optimizing. ``goal`` is a list of words, done in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine import events as e
from engine.brief import Brief, read
from tests.store import facts

stopped = False


def main() -> int:
    brief = read(Path(sys.argv[1]))
    for word in brief.goal.split() or ["story"]:
        code = DO[word](brief)
        if code is not None:
            return code
    return 0


def say(event: e.Event) -> None:
    sys.stdout.write(e.to_json(event) + "\n")
    sys.stdout.flush()


def story(brief: Brief) -> int:
    for event in facts.whole():
        say(event)
    return 0


def opening(brief: Brief) -> None:
    for event in facts.opening():
        say(event)


def polite(brief: Brief) -> None:
    signal.signal(signal.SIGTERM, _stop)


def _stop(*_: object) -> None:
    global stopped
    stopped = True


def stubborn(brief: Brief) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def tick(brief: Brief) -> int:
    """State something every 20 ms until asked to stop, then end as the engine does."""
    number = 0
    while not stopped:
        say(e.NoteLogged(source="engine", text=f"tick {number}"))
        number += 1
        time.sleep(0.02)
    say(e.StageFailed(stage="baseline", agent="cpu", reason="Stopped on request", cancelled=True))
    say(e.SessionEnded(outcome="cancelled", reason="Stopped on request"))
    return 1


def family(brief: Brief) -> None:
    """Leave relatives of every kind: a child, one in a session of its own, and an orphan that ignores signals."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    deaf = "import os,signal,time\nfor n in (1,2,15): signal.signal(n, signal.SIG_IGN)\n"
    orphan = f"{deaf}\nif os.fork(): os._exit(0)\nos.setsid()\n"
    orphan += f"open(r'{brief.work}/orphan', 'w').write(str(os.getpid()))\n"
    pids = [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
    subprocess.Popen([sys.executable, "-c", f"{orphan}time.sleep(600)"]).wait()
    while not (found := Path(brief.work, "orphan")).exists() or not found.read_text():
        time.sleep(0.01)
    pids += [int(found.read_text()), os.getpid()]
    Path(brief.work, "pids.tmp").write_text(" ".join(map(str, pids)))
    Path(brief.work, "pids.tmp").rename(Path(brief.work, "pids"))


def die(brief: Brief) -> int:
    print("the engine met a wall", file=sys.stderr)
    return 3


def usage(brief: Brief) -> int:
    print("crew 'claude' is not installed", file=sys.stderr)
    return 2


def vanish(brief: Brief) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def noise(brief: Brief) -> None:
    """Lines that are no events: text, half an event, bytes that are no UTF-8, and one of 20 MB."""
    out = sys.stdout.buffer
    out.write(b'hello\n{"kind": "experiment_started"}\n\xff\xfe\x00 odd\n[1]\n')
    for _ in range(20):
        out.write(b"x" * (1 << 20))
    out.write(b"\n")
    out.flush()


def linger(brief: Brief) -> int:
    """State the end and then do not end."""
    stubborn(brief)
    for event in facts.whole():
        say(event)
    time.sleep(600)
    return 0


DO = {
    f.__name__: f for f in (story, opening, polite, stubborn, tick, family, die, usage, vanish, noise, linger)
}

if __name__ == "__main__":
    sys.exit(main())
