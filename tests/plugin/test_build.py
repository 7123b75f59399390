"""Assembly: the same bytes each time, all or nothing, and a line for every fault that a text can have."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from tests.plugin.conftest import LANGUAGES, ROOT, build


def digest(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.relative_to(folder).as_posix(): (sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    assert build(tmp_path / "one").returncode == build(tmp_path / "deeper" / "two").returncode == 0
    assert digest(tmp_path / "one") == digest(tmp_path / "deeper" / "two")


def test_paths_are_rewritten_to_where_files_end_up(built: Path) -> None:
    for path in built.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert "${CLAUDE_PLUGIN_ROOT}/languages/" not in text, path


def test_frontmatter_means_the_same_to_a_real_yaml_reader(built: Path) -> None:
    for path in [*built.glob("agents/*.md"), *built.glob("commands/*.md"), *built.glob("skills/*/SKILL.md")]:
        front = yaml.safe_load(path.read_text(encoding="utf-8").split("---")[1])
        assert all(isinstance(value, str | bool | list) for value in front.values()), path


@pytest.mark.parametrize(
    "words", [[], ["LANG=javascript"], ["LANG=klingon"]], ids=["none", "javascript", "unknown"]
)
def test_only_a_language_on_makes_own_command_line_counts(words: list[str]) -> None:
    environment = {**os.environ, "LANG": "de_AT.UTF-8", "MAKEFLAGS": ""}
    command = ["make", "-n", "build-plugin", *words]
    said = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "de_AT" not in said
    assert ("--lang" in said) == bool(words)


def test_an_unknown_language_is_refused_and_the_known_are_named(tmp_path: Path) -> None:
    done = build(tmp_path / "out", "--lang", "klingon")
    assert done.returncode == 1
    assert all(language in done.stderr for language in LANGUAGES)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "a plugin"
    shutil.copytree(ROOT / "plugin", target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_a_failed_build_leaves_the_old_result(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist"
    assert build(out, "--plugin", str(copy)).returncode == 0
    before = digest(out)
    (copy / "agents" / "codeflash.md").write_text("no frontmatter\n", encoding="utf-8")
    assert build(out, "--plugin", str(copy)).returncode == 1
    assert digest(out) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


FAULTS = {
    "reference": ("Read `${CLAUDE_PLUGIN_ROOT}/references/shared/nowhere.md`.", "does not exist"),
    "bare path": ("Read `references/shared/micro-benchmark.md`.", "begin it with ${CLAUDE_PLUGIN_ROOT}/"),
    "link": ("See [this](elsewhere.md).", "leads nowhere"),
    "agent": ("Start `codeflash-wizard` next.", "no agent or skill codeflash-wizard"),
    "command": ("Then run /codex-magic once.", "no command or skill /codex-magic"),
    "removed tool": ("Call TeamCreate first.", "TeamCreate was removed"),
    "state file": ("Write `.codeflash/summary.md` now.", "summary.md is no state file"),
    "nearly a state file": ("Read `handoff.md` first.", "meant is HANDOFF.md"),
    "verdict": ("Then the verdict is REQUEST_CHANGES.", "REQUEST_CHANGES is no verdict"),
    "other verdict": ("Then the verdict is APPROVED.", "APPROVED is no verdict"),
    "status": ("It becomes a row `kept`.", "kept is no status"),
    "stage": ("That is stage `polish`.", "polish is no stage"),
    "plateau": ("Stop after five consecutive discards.", "3 consecutive discards"),
    "grammar": (
        "```markdown learnings.md\n# Learnings\n\n## A\n\n- **Outcome:** maybe\n```",
        "keep, discard, note",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_text_is_named_with_file_and_line(fault: str, copy: Path, tmp_path: Path) -> None:
    text, expected = FAULTS[fault]
    page = copy / "references" / "shared" / "experiment-loop-base.md"
    lines = page.read_text(encoding="utf-8").rstrip("\n").count("\n") + 1
    page.write_text(page.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + text + "\n", encoding="utf-8")
    done = build(tmp_path / "out", "--plugin", str(copy))
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if expected in line]
    file, number = said.split(":")[:2]
    assert file.endswith("experiment-loop-base.md")
    assert lines + 2 <= int(number) <= lines + 8
    assert not (tmp_path / "out").exists()


FRONT = {
    "unknown key": ("tool: Read", "tool is no frontmatter key"),
    "ignored key": ("permissionMode: plan", "permissionMode is ignored"),
    "unknown tool": ("tools: Read, Telepathy", "no tool Telepathy"),
    "removed tool": ("tools: Read, TeamCreate", "TeamCreate was removed"),
    "unknown agent": ("tools: Agent(codeflash-wizard)", "names an agent that does not exist"),
    "bad yaml": ("note: one: two", "bad YAML"),
    "twice": ("name: codeflash", "bad YAML: the key occurs twice"),
    "colour": ("color: octarine", "octarine is no colour"),
}


@pytest.mark.parametrize("fault", FRONT)
def test_a_fault_in_frontmatter_is_named_with_its_line(fault: str, copy: Path, tmp_path: Path) -> None:
    line, expected = FRONT[fault]
    page = copy / "agents" / "codeflash.md"
    text = page.read_text(encoding="utf-8").replace("color: cyan\n", "")
    page.write_text(text.replace("---\n", f"---\n{line}\n", 1), encoding="utf-8")
    done = build(tmp_path / "out", "--plugin", str(copy))
    assert done.returncode == 1
    assert any(expected in said and "codeflash.md:" in said for said in done.stderr.splitlines()), done.stderr


def test_bad_json_and_python_are_named_with_their_line(copy: Path, tmp_path: Path) -> None:
    (copy / "hooks" / "hooks.json").write_text('{\n "hooks": {\n', encoding="utf-8")
    (copy / "scripts" / "state_check.py").write_text("import sys\nmatch = = 1\n", encoding="utf-8")
    said = build(tmp_path / "out", "--plugin", str(copy)).stderr
    assert "hooks.json:3: bad JSON" in said
    assert "state_check.py:2: no Python 3.8" in said


def test_an_unknown_hook_event_is_named(copy: Path, tmp_path: Path) -> None:
    page = copy / "hooks" / "hooks.json"
    page.write_text(
        page.read_text(encoding="utf-8").replace('"SessionEnd"', '"SessionOver"'), encoding="utf-8"
    )
    assert "no hook event SessionOver" in build(tmp_path / "out", "--plugin", str(copy)).stderr


def test_a_file_in_both_layers_needs_a_stated_merge(copy: Path, tmp_path: Path) -> None:
    overlay = copy / "languages" / "python"
    (overlay / "LICENSE").write_text("More words.\n", encoding="utf-8")
    assert "LICENSE is in both layers" in build(tmp_path / "out", "--plugin", str(copy)).stderr
    (overlay / "merge.json").write_text('{"LICENSE": "append"}', encoding="utf-8")
    assert build(tmp_path / "out", "--plugin", str(copy)).returncode == 0
    text = (tmp_path / "out" / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License") and text.endswith("More words.\n")
    assert not (tmp_path / "out" / "merge.json").exists()
