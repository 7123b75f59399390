"""Everything the design names is there, at its place, and is more than a heading."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.plugin.conftest import ROOT

PLUGIN = ROOT / "plugin"
PYTHON = PLUGIN / "languages" / "python"
NAMED = [
    *(f"agents/{name}.md" for name in ("codeflash", "codeflash-researcher", "codeflash-review")),
    *(f"commands/{name}.md" for name in ("codex-review", "codex-setup", "codex-status")),
    "hooks/hooks.json",
    *(
        f"references/shared/{name}.md"
        for name in (
            "agent-base-protocol",
            "experiment-loop-base",
            "pre-submit-review",
            "e2e-benchmarks",
            "micro-benchmark",
            "pr-body-templates",
            "pr-preparation",
            "adversarial-review",
            "changelog-template",
            "handoff-template",
            "learnings-template",
        )
    ),
    *(
        f"languages/python/agents/codeflash-{name}.md"
        for name in (
            "python",
            "setup",
            "scan",
            "deep",
            "cpu",
            "memory",
            "async",
            "structure",
            "ci",
            "pr-prep",
        )
    ),
    "languages/python/skills/codeflash-optimize/SKILL.md",
    "languages/python/skills/memray-profiling/SKILL.md",
    *(
        f"languages/python/references/{name}"
        for name in (
            "agent-base-protocol.md",
            "e2e-benchmarks.md",
            "micro-benchmark.md",
            "pre-submit-review.md",
            "pr-body-templates.md",
            "unified-profiling-script.py",
            "library-replacement.md",
            "async/guide.md",
            "data-structures/guide.md",
            "memory/guide.md",
            "structure/guide.md",
        )
    ),
]


@pytest.mark.parametrize("name", NAMED)
def test_it_exists_and_has_substance(name: str) -> None:
    words = (PLUGIN / name).read_text(encoding="utf-8").split()
    assert len(words) >= (40 if name.startswith(("commands", "hooks")) else 150), name


AGENTS = sorted(PLUGIN.glob("**/agents/*.md"))


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_an_agent_says_what_its_reader_needs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.*)$", text, re.MULTILINE))
    assert {"Inputs", "You may touch", "State files", "Messages", "You stop", "When stuck"} <= headings
    assert any(heading.startswith("Steps") for heading in headings)
    front = yaml.safe_load(text.split("---")[1])
    assert front["name"] == path.stem
    assert len(front["description"]) > 60


def test_the_hooks_are_the_three_with_their_times() -> None:
    hooks = json.loads((PLUGIN / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    times = {event: entry["timeout"] for event, ((group,)) in hooks.items() for entry in group["hooks"]}
    assert times == {"SessionStart": 5, "SessionEnd": 5, "Stop": 900}


def test_the_binding_order_is_in_the_prompts_where_it_binds() -> None:
    python = (PYTHON / "agents" / "codeflash-python.md").read_text(encoding="utf-8")
    places = [
        python.index(word)
        for word in ("**Language first.**", "**Setup.**", "**Form the team.**", "**Review.**", "**Clean up**")
    ]
    assert places == sorted(places)
    for name in ("deep", "cpu", "memory", "async", "structure"):
        text = (PYTHON / "agents" / f"codeflash-{name}.md").read_text(encoding="utf-8")
        assert "**Baseline before any" in text, name
        assert re.search(r"\*\*After every keep profile again", text), name


@pytest.mark.parametrize("command", ["agents", "skills", "commands"])
def test_the_parts_are_where_the_client_looks_for_them(built: Path, command: str) -> None:
    assert any((built / command).iterdir())
    assert not (built / "languages").exists()
    nested = [path for path in (built / "agents").rglob("*.md") if path.parent.name != "agents"]
    assert nested == []
