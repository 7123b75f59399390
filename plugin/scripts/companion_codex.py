"""Runs ``codex exec --json`` and reads its events: bounded time, bounded output, tolerant of lines it does not know.

``execute`` gives an Answer or raises CodexFailed with a sentence. Standard library only.
"""

import json
import os
import selectors
import shutil
import subprocess
import tempfile
import time

import companion_process as process

MOST_LINE = 4 << 20
MOST_OUTPUT = 128 << 20
LAST_WORDS = 600
PHASES = {"reasoning": "investigating", "command_execution": "verifying", "file_change": "editing", "agent_message": "finalizing"}


class CodexFailed(Exception):
    """Codex gave no usable answer; the message says what happened."""


class Answer:
    """``text``: the last message; ``thread``: its id or None; ``usage``: token counts or None; ``odd``: lines not
    understood; ``last_words``: the end of what it wrote to standard error.
    """

    def __init__(self):
        self.text, self.thread, self.usage, self.odd, self.failure = "", None, None, 0, ""
        self.last_words = b""


def find():
    """The path of the codex executable, or None."""
    return shutil.which("codex")


def version(path):
    try:
        done = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise CodexFailed("codex was found at %s but does not start: %s" % (path, error)) from error
    if done.returncode:
        raise CodexFailed("codex --version ended with status %d" % done.returncode)
    return last_line(done)


def last_line(done):
    """The last line that a command said; warnings of the start-up come before it."""
    lines = (done.stdout.strip() or done.stderr.strip()).decode("utf-8", "replace").splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def logged_in(path):
    """(whether somebody is logged in, what codex said about it)."""
    try:
        done = subprocess.run([path, "login", "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=15)
    except (OSError, subprocess.SubprocessError) as error:
        return False, "codex login status failed: %s" % error
    return done.returncode == 0, last_line(done)


def execute(prompt, *, folder, seconds, schema=None, on_line=None):
    """Ask Codex in a read-only sandbox. ``on_line(phase, text)`` hears of progress."""
    path = find()
    if path is None:
        raise CodexFailed("codex was not found on PATH; /codex-setup says how to install it")
    with tempfile.TemporaryDirectory(prefix="codex-companion-") as scratch:
        words = [path, "exec", "--json", "-s", "read-only", "-C", str(folder), "--skip-git-repo-check"]
        if schema:
            name = os.path.join(scratch, "schema.json")
            with open(name, "w", encoding="utf-8") as file:
                json.dump(schema, file)
            words += ["--output-schema", name]
        with open(os.path.join(scratch, "prompt"), "w+", encoding="utf-8", errors="replace") as asked:
            asked.write(prompt)
            asked.flush()
            asked.seek(0)
            return converse([*words, "-"], asked, folder, time.monotonic() + seconds, on_line)


def converse(words, asked, folder, until, on_line):
    running = subprocess.Popen(
        words, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=str(folder), start_new_session=True
    )
    since, answer = process.started(running.pid), Answer()
    try:
        for line in lines_of(running, until, answer):
            hear(answer, line, on_line)
        running.wait(timeout=max(until - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise CodexFailed("codex closed its output but did not end in time") from None
    finally:
        process.end(running.pid, since)
        running.stdout.close()
        running.stderr.close()
        running.wait()
    return judged(answer, running.returncode)


def lines_of(running, until, answer):
    """Complete lines of standard output until it closes; overlong lines are given as "". Of the errors only the end is
    kept, in ``answer``. CodexFailed when time or size runs out.
    """
    rest, skipping = b"", False
    for piece in pieces_of(running, until, answer):
        *complete, rest = (rest + piece).split(b"\n")
        for line in complete:
            yield b"" if skipping else line
            skipping = False
        if len(rest) > MOST_LINE:
            rest, skipping = b"", True
    if rest and not skipping:
        yield rest


def pieces_of(running, until, answer):
    """What comes on standard output, as it comes, until both pipes are closed."""
    total = 0
    with selectors.DefaultSelector() as waiting:
        for pipe in (running.stdout, running.stderr):
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            left = until - time.monotonic()
            if left <= 0:
                raise CodexFailed("codex gave no answer in time")
            for key, _ in waiting.select(min(left, 1.0)):
                piece = os.read(key.fd, 1 << 16)
                total += len(piece)
                if total > MOST_OUTPUT:
                    raise CodexFailed("codex printed more than %d MB" % (MOST_OUTPUT >> 20))
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is running.stderr:
                    answer.last_words = (answer.last_words + piece)[-LAST_WORDS:]
                else:
                    yield piece


def hear(answer, line, on_line):
    """Take one event into the answer."""
    try:
        event = json.loads(line.decode("utf-8", "replace"))
        kind = event["type"]
    except (ValueError, KeyError, TypeError, RecursionError):
        answer.odd += bool(line.strip())
        return
    item = event.get("item") if isinstance(event.get("item"), dict) else {}
    if kind == "thread.started":
        answer.thread = event.get("thread_id")
    elif kind == "item.completed" and item.get("type") == "agent_message":
        answer.text = str(item.get("text") or "")
    elif kind == "turn.completed":
        answer.usage, answer.failure = event.get("usage"), ""
    elif kind in ("turn.failed", "error"):
        error = event.get("error") if isinstance(event.get("error"), dict) else event
        answer.failure = str(error.get("message") or "no reason given")
    if on_line and item:
        said = next((item[key] for key in ("command", "text", "query", "message") if item.get(key)), "")
        on_line(PHASES.get(item.get("type"), "running"), "%s: %s" % (item.get("type"), said))


def judged(answer, status):
    if answer.failure:
        raise CodexFailed("codex failed: %s" % answer.failure[:500])
    if status:
        said = answer.last_words.decode("utf-8", "replace").strip()
        raise CodexFailed("codex ended with status %s%s" % (status, ": " + said if said else ""))
    if not answer.text.strip():
        odd = "; %d lines were not events" % answer.odd if answer.odd else ""
        raise CodexFailed("codex ended without an answer%s" % odd)
    return answer
