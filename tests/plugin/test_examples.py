"""Every code block of the texts runs: pairs agree before and after, snippets hold what they assert, shell parses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import ROOT, other_interpreters

REFERENCES = ROOT / "plugin" / "languages" / "python" / "references"
PAIRS = REFERENCES / "measure_pairs.py"
DIFFERING = """{fence}python pair=x metric=cpu small=1 large=9
def make(n):
    return (n,)


def before(n):
    return n > 1


def after(n):
    return int(n > 1)
{fence}
"""
TEXTS = sorted((ROOT / "plugin").rglob("*.md"))


def test_every_python_block_runs_and_every_pair_agrees() -> None:
    done = subprocess.run(
        [sys.executable, str(PAIRS), "check", str(ROOT / "plugin")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_check_notices_a_pair_that_differs(tmp_path: Path) -> None:
    page = DIFFERING.format(fence="```")
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(PAIRS), "check", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "page.md:1: AssertionError: size 0: before and after differ" in done.stdout


@pytest.mark.parametrize("domain", ["async", "data-structures", "memory", "structure"])
def test_every_pair_has_its_measured_figures(domain: str) -> None:
    folder = REFERENCES / domain
    texts = {path: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    pairs = {
        name
        for text in texts.values()
        for name in re.findall(r"^```python pair=([\w-]+)", text, re.MULTILINE)
    }
    assert len(pairs) >= 6
    figures = texts[folder / "figures.md"]
    assert set(re.findall(r"^\| ([\w-]+) \| (?:cpu|wall|peak|import) ", figures, re.MULTILINE)) == pairs
    assert re.match(r"# Measured gains: Python 3\.\d+", figures)


JAVASCRIPT = ROOT / "plugin" / "languages" / "javascript" / "references"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")
def test_every_javascript_block_runs_and_every_pair_agrees() -> None:
    command = ["node", str(JAVASCRIPT / "measure_pairs.mjs"), "check", str(JAVASCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("domain", ["async", "cpu", "memory"])
def test_every_javascript_pair_has_its_measured_figures(domain: str) -> None:
    guide = (JAVASCRIPT / domain / "guide.md").read_text(encoding="utf-8")
    figures = (JAVASCRIPT / domain / "figures.md").read_text(encoding="utf-8")
    pairs = set(re.findall(r"^```js pair=([\w-]+)", guide, re.MULTILINE))
    assert len(pairs) >= 3
    assert set(re.findall(r"^\| ([\w-]+) \| (?:cpu|wall) ", figures, re.MULTILINE)) == pairs


def test_every_shell_block_parses() -> None:
    for path in TEXTS:
        for block in re.findall(
            r"^ *```bash\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
            assert done.returncode == 0, (path, done.stderr)


def test_the_blocks_hold_on_the_other_interpreters_of_this_machine() -> None:
    """Oldest and newest besides this one, where there are any."""
    for path in other_interpreters():
        done = subprocess.run([path, str(PAIRS), "check", str(REFERENCES)], capture_output=True, text=True)
        assert done.returncode == 0, (path, done.stdout)


def test_the_sample_commands_of_the_texts_are_options_that_exist() -> None:
    said = subprocess.run(
        [sys.executable, str(ROOT / "plugin/scripts/ab.py"), "gate", "--help"], capture_output=True, text=True
    )
    known = set(re.findall(r"--[a-z-]+", said.stdout))
    for path in TEXTS:
        for line in re.findall(r"ab\.py\"? (?:gate|compare) [^\n`]*", path.read_text(encoding="utf-8")):
            assert set(re.findall(r" (--[a-z-]+)", line)) <= known | {"--benchmark-disable"}, (path, line)


def test_the_manifest_and_the_marketplace_agree(built: Path) -> None:
    manifest = json.loads((built / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    market = json.loads((built / ".claude-plugin" / "marketplace.json").read_text(encoding="utf-8"))
    assert manifest["name"] == market["plugins"][0]["name"] == "codeflash-agent"
    assert manifest["version"] == market["plugins"][0]["version"]
