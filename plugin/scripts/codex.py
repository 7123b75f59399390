"""The Codex companion behind /codex-setup, /codex-review and /codex-status.

    codex.py setup [--enable-review-gate | --disable-review-gate] [--json]
    codex.py review [--wait | --background] [--base REF | --commit SHA] [--json] [what to look at ...]
    codex.py review -                 the same words on standard input, so that no shell reads them
    codex.py status [JOB] [--wait] [--result] [--cancel] [--json]

Exit status 0, 1 when what was asked for failed, 2 for a wrong call. Standard library only, Python 3.8 or newer.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time

import companion_codex as codex
import companion_process as process
import companion_review as review
import companion_store as store

REVIEW_SECONDS = 1800
WAIT_SECONDS, POLL_SECONDS = 240, 2
RECENT, PROGRESS_LINES = 8, 4
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def setup(options, kept):
    """What is there, what is missing, and the gate's switch."""
    done = []
    if options.enable_review_gate or options.disable_review_gate:
        on = options.enable_review_gate
        kept.change(lambda state: state["config"].update(stopReviewGate=on))
        done.append("review gate switched %s for %s" % ("on" if on else "off", kept.workspace))
    path, found, steps = codex.find(), {"available": False, "detail": "not on PATH"}, []
    auth = {"loggedIn": False, "detail": "not asked"}
    if path:
        try:
            found = {"available": True, "detail": codex.version(path)}
            auth["loggedIn"], auth["detail"] = codex.logged_in(path)
        except codex.CodexFailed as error:
            found["detail"] = str(error)
    if not found["available"]:
        steps.append("Install the Codex CLI: npm install -g @openai/codex")
    elif not auth["loggedIn"]:
        steps.append("Log in yourself, in a terminal: codex login")
    report = {
        "ready": found["available"] and auth["loggedIn"],
        "python": {"available": True, "detail": sys.version.split()[0]},
        "codex": found,
        "auth": auth,
        "reviewGateEnabled": bool(kept.read()["config"].get("stopReviewGate")),
        "stateFolder": str(kept.path),
        "actionsTaken": done,
        "nextSteps": steps,
    }
    print(json.dumps(report, indent=1) if options.json else setup_text(report))
    return 0


def setup_text(report):
    lines = [
        "Codex companion: %s" % ("ready" if report["ready"] else "not ready"),
        "codex: %s" % report["codex"]["detail"],
        "login: %s" % report["auth"]["detail"],
        "review gate: %s" % ("on" if report["reviewGateEnabled"] else "off"),
        "state: %s" % report["stateFolder"],
        *("done: %s" % each for each in report["actionsTaken"]),
        *("next: %s" % each for each in report["nextSteps"]),
    ]
    return "\n".join(lines)


def new_job(kept, target, focus):
    stamp, number = "", int(time.time() * 1000)
    while number:
        number, digit = divmod(number, 36)
        stamp = DIGITS[digit] + stamp
    name = "review-%s-%s" % (stamp, "".join(secrets.choice(DIGITS) for _ in range(6)))
    at = store.now()
    return {
        "id": name,
        "kind": "adversarial-review",
        "kindLabel": "adversarial-review",
        "jobClass": "review",
        "title": "Adversarial review",
        "summary": ("%s. %s" % (target, focus)).strip(". ")[:200],
        "workspaceRoot": str(kept.workspace),
        "sessionId": os.environ.get("CODEX_COMPANION_SESSION_ID"),
        "write": False,
        "status": "queued",
        "phase": "queued",
        "pid": os.getpid(),
        "pidStarted": process.started(os.getpid()),
        "createdAt": at,
        "updatedAt": at,
        "logFile": str(kept.jobs / (name + ".log")),
        "request": {"target": target, "focus": focus},
    }


def start_review(options, kept):
    try:
        target = review.target_of(kept.workspace, options.base, options.commit)
    except (ValueError, OSError, subprocess.SubprocessError) as error:
        return wrong(str(error))
    if codex.find() is None:
        return failed("codex was not found on PATH; /codex-setup says how to install it. No review was made.")
    job = kept.save(new_job(kept, target, " ".join(options.focus)))
    if options.wait:
        job = work(kept, job)
        return show_result(job, options.json)
    spawn(kept, job)
    if options.json:
        print(json.dumps({"jobId": job["id"], "status": job["status"], "target": target}))
    else:
        print("Started %s: %s\n/codex-status %s shows its progress." % (job["id"], target, job["id"]))
    return 0


def end_politely():
    """A signal to end takes the way of an exception, so that Codex is ended too."""
    process.on_end(lambda *_: sys.exit(143))


def spawn(kept, job):
    """The worker in a session of its own, so that it can be ended with everything it starts."""
    with open(job["logFile"], "ab") as log:
        running = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "worker", job["id"]],
            cwd=str(kept.workspace), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    note_pid(kept, job["id"], running.pid)


def note_pid(kept, name, pid):
    """Say who works on the job: not we who asked for it, unless the worker has said so itself meanwhile."""
    since = process.started(pid)

    def put(state):
        for job in state["jobs"]:
            if job["id"] == name and job.get("pid") == os.getpid():
                job.update(pid=pid, pidStarted=since)

    kept.change(put)


def worker(options, kept):
    job = kept.job(options.job)
    if job["status"] in store.ENDED:
        return 1
    job.update(pid=os.getpid(), pidStarted=process.started(os.getpid()))
    return 0 if work(kept, job)["status"] == "completed" else 1


def work(kept, job):
    """Ask Codex and store what came of it; never leaves a job running."""
    end_politely()
    job.update(status="running", phase="starting", startedAt=store.now())
    if kept.save(job)["status"] in store.ENDED:
        return job
    target, focus = job["request"]["target"], job["request"]["focus"]
    kept.note(job, "reviewing %s" % target)

    def heard(phase, text):
        kept.note(job, text)
        if phase != job["phase"]:
            job["phase"] = phase
            kept.save(job)

    try:
        answer = codex.execute(
            review.prompt_of(target, focus),
            folder=kept.workspace, seconds=REVIEW_SECONDS, schema=review.SCHEMA, on_line=heard,
        )
        job["threadId"] = answer.thread
        result = review.parse(answer.text)
        job.update(status="completed", phase="done", result=result, rendered=review.render(target, result))
    except Exception as error:  # the job's end is a fact, whatever ended it
        job.update(status="failed", phase="failed", errorMessage=str(error) or type(error).__name__)
    except BaseException:
        job.update(status="failed", phase="failed", completedAt=store.now(), errorMessage="it was told to end")
        kept.save(job)
        raise
    job["completedAt"] = store.now()
    kept.note(job, job.get("errorMessage") or "done")
    return kept.save(job)


def show_result(job, as_json):
    if as_json:
        print(json.dumps(job, indent=1))
    elif job["status"] == "completed":
        print(job.get("rendered") or "the result is gone")
    else:
        print("%s %s: %s" % (job["id"], job["status"], job.get("errorMessage") or job.get("phase")))
    return 0 if job["status"] == "completed" else 1


def reconcile(kept):
    """A job whose process is gone without a result has failed."""
    gone = [
        job["id"]
        for job in kept.read()["jobs"]
        if job.get("status") not in store.ENDED and job.get("pid") and not process.alive(job["pid"], job.get("pidStarted"))
    ]
    if gone:
        kept.change(lambda state: lost(state, gone))


def lost(state, names):
    at = store.now()
    for job in state["jobs"]:
        if job["id"] in names and job.get("status") not in store.ENDED:
            gone = not process.alive(job.get("pid"), job.get("pidStarted"))
            if gone:
                job.update(status="failed", phase="failed", completedAt=at, updatedAt=at)
                job["errorMessage"] = "its process is gone and left no result"


def status(options, kept):
    reconcile(kept)
    if not options.job:
        return overview(options, kept)
    try:
        job = kept.job(options.job)
    except LookupError as error:
        return wrong(str(error))
    if options.cancel:
        return cancel(kept, job)
    until = time.monotonic() + WAIT_SECONDS
    while options.wait and job["status"] not in store.ENDED and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        reconcile(kept)
        job = kept.job(job["id"])
    if options.result:
        return show_result(job, options.json)
    print(json.dumps(job, indent=1) if options.json else "\n".join(job_lines(kept, job)))
    return 0


def cancel(kept, job):
    if job["status"] in store.ENDED:
        return wrong("%s has already ended: %s" % (job["id"], job["status"]))
    at = store.now()

    def put(state):
        for each in state["jobs"]:
            if each["id"] == job["id"] and each.get("status") not in store.ENDED:
                each.update(status="cancelled", phase="cancelled", completedAt=at, updatedAt=at)

    kept.change(put)
    ended = process.end(job.get("pid"), job.get("pidStarted"))
    print("%s cancelled%s" % (job["id"], "" if ended else "; some of its processes could not be ended"))
    return 0 if ended else 1


def job_lines(kept, job):
    head = "%s  %s (%s)  %s" % (job["id"], job["status"], job.get("phase", "-"), job.get("summary", ""))
    why = ["  %s" % job["errorMessage"]] if job.get("errorMessage") else []
    return [head, *why, *("  %s" % line for line in kept.lines(job, PROGRESS_LINES))]


def overview(options, kept):
    state = kept.read()
    jobs = sorted(state["jobs"], key=lambda job: str(job.get("updatedAt", "")), reverse=True)
    running = [job for job in jobs if job.get("status") not in store.ENDED]
    ended = [job for job in jobs if job.get("status") in store.ENDED]
    gate = bool(state["config"].get("stopReviewGate"))
    if options.json:
        shown = {"running": running, "latestFinished": ended[0] if ended else None, "recent": ended[1 : 1 + RECENT]}
        print(json.dumps({**shown, "reviewGateEnabled": gate}, indent=1))
        return 0
    lines = ["Review gate: %s" % ("on" if gate else "off"), "", "Running:"]
    lines += [line for job in running for line in job_lines(kept, job)] or ["  none"]
    lines += ["", "Latest finished:", *(job_lines(kept, ended[0]) if ended else ["  none"])]
    lines += ["", "Recent:", *([job_lines(kept, job)[0] for job in ended[1 : 1 + RECENT]] or ["  none"])]
    print("\n".join(lines))
    return 0


def wrong(sentence):
    sys.stderr.write("codex companion: %s\n" % sentence)
    return 2


def failed(sentence):
    sys.stderr.write("codex companion: %s\n" % sentence)
    return 1


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    settings, asking, looking, working = (verbs.add_parser(name) for name in ("setup", "review", "status", "worker"))
    gate = settings.add_mutually_exclusive_group()
    gate.add_argument("--enable-review-gate", action="store_true")
    gate.add_argument("--disable-review-gate", action="store_true")
    how = asking.add_mutually_exclusive_group()
    how.add_argument("--wait", action="store_true")
    how.add_argument("--background", action="store_true")
    what = asking.add_mutually_exclusive_group()
    what.add_argument("--base")
    what.add_argument("--commit")
    asking.add_argument("focus", nargs="*")
    looking.add_argument("job", nargs="?")
    for flag in ("--wait", "--result", "--cancel"):
        looking.add_argument(flag, action="store_true")
    working.add_argument("job")
    for each in (settings, asking, looking):
        each.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def words_of(text):
    """The words of a person as those of a call: options first, everything from the first other word on as it is."""
    words, given = text.split(), []
    while words and words[0].startswith("--"):
        given.append(words.pop(0))
        if given[-1] in ("--base", "--commit") and words:
            given.append(words.pop(0))
    return [*given, "--", *words] if words else given


VERBS = {"setup": setup, "review": start_review, "status": status, "worker": worker}


def main(words):
    if words == ["review", "-"]:
        words = ["review", *words_of(sys.stdin.read())]
    options = parse(words)
    try:
        return VERBS[options.verb](options, store.open_store(os.getcwd()))
    except (OSError, store.Busy) as error:
        return failed("its state cannot be kept: %s" % error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
