"""Stop hook: when a person has switched the review gate on, Codex decides whether the turn may end.

Off: a note about running jobs on stderr, nothing else. On: fails closed, that is, anything but ALLOW keeps the turn open with
its reason. A turn that goes on because of a block is let go at its next stop (``stop_hook_active``), so that no loop arises.
"""

import json
import signal
import sys

import companion_codex as codex
import companion_hook as hook
import companion_process as process
import companion_review as review
import companion_store as store

SECONDS = 840
MOST_MESSAGE = 20_000


def stop(data):
    kept = store.open_store(hook.folder_of(data))
    state = kept.read()
    running = [job["id"] for job in state["jobs"] if job.get("status") not in store.ENDED]
    if not state["config"].get("stopReviewGate"):
        if running:
            sys.stderr.write("Codex jobs still run: %s; see /codex-status\n" % ", ".join(running[:5]))
        return
    if data.get("stop_hook_active"):
        sys.stderr.write("The review gate has spoken once for this turn; /codex-review looks again.\n")
        return
    hook.limit(0)
    process.on_end(told_to_end)
    allowed, reason = ask(kept, data)
    if not allowed:
        print(json.dumps({"decision": "block", "reason": reason}))


def told_to_end(*_):
    """Raised where the gate waits, so that Codex is ended too and the turn is kept open with the reason."""
    process.on_end(signal.SIG_IGN)
    raise codex.CodexFailed("it was told to end")


def ask(kept, data):
    """(allowed, reason). Without a codex on this machine the gate cannot be meant: allowed, with a note."""
    if codex.find() is None:
        sys.stderr.write("The review gate is on but codex was not found; see /codex-setup\n")
        return True, ""
    message = str(data.get("last_assistant_message") or "(none)")[:MOST_MESSAGE]
    try:
        answer = codex.execute(review.GATE % message, folder=kept.workspace, seconds=SECONDS)
    except Exception as error:  # whatever went wrong, a gate that is on does not open by itself
        return False, "The review gate got no answer: %s. /codex-setup --disable-review-gate switches it off." % error
    allowed, reason = review.gate_answer(answer.text)
    return allowed, "Codex review: %s" % reason


if __name__ == "__main__":
    hook.run("Stop", stop)
