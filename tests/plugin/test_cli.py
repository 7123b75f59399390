"""The real client, where it is found, against a scripted model on loopback: it takes the plugin as it is meant.

The client is ``$CLAUDE_CLI``, ``claude`` on PATH, or the one that the Python SDK's wheel carries. It gets an empty home
and a key that opens nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import make_repo
from tests.plugin.conftest import Run
from tests.plugin.model_server import Answer, ModelServer


def client() -> str | None:
    named = os.environ.get("CLAUDE_CLI") or shutil.which("claude")
    spec = importlib.util.find_spec("claude_agent_sdk")
    if named or spec is None or spec.origin is None:
        return named
    packed = Path(spec.origin).parent / "_bundled" / "claude"
    return str(packed) if packed.is_file() else None


CLI = client()
pytestmark = pytest.mark.skipif(
    CLI is None, reason="no claude client on this machine; name one with CLAUDE_CLI"
)


def call(
    home: Path, *words: str, cwd: Path, url: str = "http://127.0.0.1:9", **more: str
) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / "config"),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "dummy",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
        **more,
    }
    command = [str(CLI), *words]
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )


def validate(what: Path, tmp_path: Path) -> dict[str, object]:
    words = ("plugin", "validate", str(what), "--strict", "--json")
    done = call(tmp_path / "home", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def test_it_is_valid_in_the_strict_sense(built: Path, tmp_path: Path) -> None:
    """Given the folder, the client looks at the marketplace's manifest only; the plugin's own has to be named."""
    assert validate(built, tmp_path)["success"] is True
    report = validate(built / ".claude-plugin" / "plugin.json", tmp_path)
    provides = report["provides"]
    assert isinstance(provides, dict)
    written = json.loads((built / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    ours = {
        (event, hook["type"], hook["command"])
        for event, groups in written.items()
        for group in groups
        for hook in group["hooks"]
    }
    taken = {(hook["event"], hook["type"], hook["command"]) for hook in provides["hooks"]}
    assert taken == ours and {event for event, _, _ in taken} == {"SessionStart", "SessionEnd", "Stop"}
    assert set(provides["agents"]) == names_of(built, "agents/*.md")
    assert set(provides["skills"]) == names_of(built, "skills/*/SKILL.md")
    assert set(provides["commands"]) == names_of(built, "commands/*.md")


def names_of(built: Path, pattern: str) -> set[str]:
    found = built.glob(pattern)
    return {f"codeflash-agent:{path.parent.name if path.name == 'SKILL.md' else path.stem}" for path in found}


def test_it_lists_our_parts_starts_an_agent_and_fires_the_hooks(built: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shop")
    agent = {"description": "Scan", "prompt": "Hello", "subagent_type": "codeflash-agent:codeflash-scan"}
    script: list[Answer] = [{"name": "Agent", "input": {**agent, "run_in_background": False}}]
    words = ("-p", "hello", "--output-format", "stream-json", "--verbose", "--plugin-dir", str(built))
    with ModelServer(script) as model:
        done = call(
            tmp_path / "home", *words, "--permission-mode", "bypassPermissions", cwd=repo, url=model.url
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    start = next(event for event in events if event.get("subtype") == "init")
    ours = {
        key: {name for name in start[key] if name.startswith("codeflash-agent:")}
        for key in ("agents", "skills")
    }
    assert not start.get("plugin_errors")
    assert ours["agents"] == names_of(built, "agents/*.md")
    assert ours["skills"] == names_of(built, "skills/*/SKILL.md")
    commands = names_of(built, "commands/*.md") | ours["skills"]
    assert {name for name in start["slash_commands"] if name.startswith("codeflash-agent:")} == commands
    asked = [json.dumps(request.get("system")) for request in model.requests]
    (scan,) = [text for text in asked if "Minutes, not hours" in text]
    assert "${CLAUDE_PLUGIN_ROOT}" not in scan and str(built) in scan
    (record,) = (tmp_path / "home" / "config").rglob("state/*/sessions/*.json")
    assert json.loads(record.read_text(encoding="utf-8"))["sessionId"] == start["session_id"]


def test_the_gate_keeps_a_turn_open_once_with_its_reason(
    python_plugin: Path, run: Run, bin_path: str, tmp_path: Path
) -> None:
    repo, home = make_repo(tmp_path / "shop"), tmp_path / "home"
    data = home / "config" / "plugins" / "data" / "codeflash-agent-inline"
    on = run(
        "codex.py", "setup", "--enable-review-gate", cwd=repo, PATH=bin_path, CLAUDE_PLUGIN_DATA=str(data)
    )
    assert on.returncode == 0
    words = ("-p", "hello", "--plugin-dir", str(python_plugin))
    with ModelServer(["First.", "Second."]) as model:
        done = call(home, *words, cwd=repo, url=model.url, PATH=bin_path, FAKE_CODEX="block")
    assert (done.returncode, done.stdout.strip()) == (0, "Second."), done.stderr
    said = json.dumps([request.get("messages") for request in model.requests])
    assert "Codex review: pkg/__init__.py:1 loses an order" in said
