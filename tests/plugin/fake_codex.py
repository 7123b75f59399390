"""A codex that speaks the events of ``codex exec --json`` and behaves as FAKE_CODEX says.

Modes: good, critical, approve, allow, block, mumble, slow, hang, crash, failed, malformed, huge, silent, family, notes,
flood (endless output), moan (endless errors), dying (errors, then a bad end).
What it was called with goes to FAKE_CODEX_LOG, one JSON object a line.
"""

import json
import os
import subprocess
import sys
import time

FINDING = {
    "severity": "high",
    "title": "The cache has no bound",
    "body": "Each customer adds an entry.",
    "file": "pkg/__init__.py",
    "line_start": 1,
    "line_end": 2,
    "confidence": 0.8,
    "recommendation": "Give it a bound.",
}


ANSWERS = {
    "allow": "ALLOW: nothing changed",
    "block": "BLOCK: pkg/__init__.py:1 loses an order",
    "mumble": "Well.",
}
CHILD = """
import os, subprocess, sys, time
os.setsid()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(600)
"""


def say(**event):
    print(json.dumps(event), flush=True)


def message(text):
    say(type="item.completed", item={"id": "i9", "type": "agent_message", "text": text})


def review(verdict, *findings):
    message(
        json.dumps(
            {"verdict": verdict, "summary": "Looked.", "findings": findings, "next_steps": ["Bound it."]}
        )
    )


def main(words):
    mode = os.environ.get("FAKE_CODEX", "good")
    if words[:1] == ["--version"]:
        print("codex-cli 0.163.0 (fake)")
        return 0
    if words[:2] == ["login", "status"]:
        print("Not logged in" if mode == "stranger" else "Logged in")
        return int(mode == "stranger")
    prompt = sys.stdin.read()
    with open(os.environ.get("FAKE_CODEX_LOG", os.devnull), "a", encoding="utf-8") as log:
        log.write(
            json.dumps({"argv": words, "prompt": prompt, "pid": os.getpid(), "cwd": os.getcwd()}) + "\n"
        )
    if mode == "silent":
        return 0
    say(type="thread.started", thread_id="thread-1")
    say(type="turn.started")
    command = {"id": "i1", "type": "command_execution", "command": "git diff", "status": "completed"}
    say(type="item.completed", item=command)
    return act(mode)


def act(mode):
    if mode in ("good", "notes", "slow"):
        time.sleep(1.0 if mode == "slow" else 0)
        say(type="item.completed", item={"id": "i2", "type": "something_new", "data": [1]})
        review("needs-attention", FINDING)
    elif mode == "critical":
        review("needs-attention", {**FINDING, "severity": "critical"})
    elif mode == "approve":
        review("approve")
    elif mode in ANSWERS:
        message(ANSWERS[mode])
    elif mode == "hang":
        time.sleep(600)
    elif mode == "family":
        subprocess.Popen([sys.executable, "-c", CHILD])
        time.sleep(600)
    elif mode in ("flood", "moan"):
        pipe = sys.stdout.buffer if mode == "flood" else sys.stderr.buffer
        while True:
            pipe.write(b"{}" + b" " * 60_000 + b"\n")
    elif mode == "dying":
        sys.stderr.write("noise\n" * 200_000 + "the model is overloaded\n")
        return 3
    elif mode == "crash":
        os.kill(os.getpid(), 9)
    elif mode == "failed":
        say(type="turn.failed", error={"message": "usage limit reached"})
        return 1
    elif mode == "malformed":
        print("{not json\n[1, 2]\n\x00\n", flush=True)
        message('{"verdict": "fine"}')
    elif mode == "huge":
        print("x" * (5 << 20), flush=True)
        review("approve")
    say(type="turn.completed", usage={"input_tokens": 10, "cached_input_tokens": 0, "output_tokens": 5})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
