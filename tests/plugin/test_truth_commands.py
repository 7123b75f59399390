"""The block of a command page, run as the client hands it to the agent: with the person's words put in."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.conftest import git, make_repo
from tests.plugin.conftest import ROOT

PAGE = ROOT / "plugin" / "commands" / "codex-review.md"
WORDS = """--wait --base main it's `touch one` $(touch two) "$HOME" & what's \\lost"""


def test_no_shell_reads_what_the_person_says_to_codex_review(tmp_path: Path, bin_path: str) -> None:
    (block,) = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    repo = make_repo(tmp_path / "shop")
    git(repo, "checkout", "-q", "-b", "faster")
    (repo / "pkg" / "__init__.py").write_text("def one():\n    return 2\n", encoding="utf-8")
    git(repo, "commit", "-q", "-a", "-m", "Faster")
    env = {
        **os.environ,
        "PATH": bin_path,
        "HOME": str(tmp_path),
        "CLAUDE_PLUGIN_ROOT": str(ROOT / "plugin"),
        "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"),
        "FAKE_CODEX": "approve",
        "FAKE_CODEX_LOG": str(tmp_path / "calls"),
    }
    command = ["bash", "-c", block.replace("$ARGUMENTS", WORDS)]
    done = subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = (json.loads(line) for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines())
    assert WORDS.removeprefix("--wait --base main ") in call["prompt"]
    assert "changes since main" in call["prompt"]
    assert not {"one", "two"} & {path.name for path in repo.iterdir()}
