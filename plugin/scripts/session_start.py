"""SessionStart hook: records the session and exports what later steps need. Offline, at most a second, never breaks."""

import os
import shlex

import companion_hook as hook
import companion_store as store


def exports(data):
    """What commands of this session get as environment."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    named = {
        "CODEX_COMPANION_SESSION_ID": data.get("session_id"),
        "CODEX_COMPANION_TRANSCRIPT_PATH": data.get("transcript_path"),
        "CLAUDE_PLUGIN_DATA": os.environ.get("CLAUDE_PLUGIN_DATA"),
        "CODEFLASH_PLUGIN_ROOT": root,
    }
    return {name: value for name, value in named.items() if isinstance(value, str) and value and "\x00" not in value}


def export(data):
    """Append to the file that the client names; one write, so that lines of two hooks do not mix."""
    target = os.environ.get("CLAUDE_ENV_FILE")
    if not target:
        return
    lines = "".join("export %s=%s\n" % (name, shlex.quote(value)) for name, value in exports(data).items())
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, lines.encode("utf-8", "replace"))
    finally:
        os.close(handle)


def start(data):
    export(data)
    kept = store.open_store(hook.folder_of(data))
    path = kept.session_file(data.get("session_id") or "unknown")
    before = store.read_json(path)
    store.write_json(
        path,
        {
            **before,
            "sessionId": data.get("session_id"),
            "workspaceRoot": str(kept.workspace),
            "transcriptPath": data.get("transcript_path"),
            "source": data.get("source"),
            "model": data.get("model"),
            "startedAt": before.get("startedAt") or store.now(),
            "updatedAt": store.now(),
            "starts": int(before.get("starts") or 0) + 1 if isinstance(before.get("starts"), (int, type(None))) else 1,
            "status": "running",
            "endedAt": None,
            "endReason": None,
        },
    )


if __name__ == "__main__":
    hook.run("SessionStart", start)
