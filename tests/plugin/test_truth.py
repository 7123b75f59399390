"""There is no second truth: what the texts and scripts say is what the engine does."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from engine import events
from engine.agents import clean_up
from engine.brief import DOMAIN_CHOICES, MODES, BriefLimits
from engine.measure import gate, guard, judge, stats
from engine.order import RAIL
from engine.state import LIMITS, PRESERVED
from engine.state.results import STATUSES
from engine.values import PASSES, VERDICTS
from tests.plugin.conftest import ROOT, SCRIPTS

sys.path.insert(0, str(SCRIPTS))
import ab
import ab_rule
import companion_review

PLUGIN = ROOT / "plugin"
SHARED = PLUGIN / "references" / "shared"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_base_protocol_lists_the_engines_words() -> None:
    text = read(SHARED / "agent-base-protocol.md")
    assert ", ".join(f"`{status}`" for status in STATUSES) in text.replace("\n", " ")
    assert "Stages, in the order people see them: " + ", ".join(key for key, _, _ in RAIL) in text
    rows = re.findall(r"^\| `([\w-]+\.(?:md|tsv))` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(LIMITS)


def test_clean_up_keeps_what_the_engines_clean_up_keeps() -> None:
    lines = read(SHARED / "agent-base-protocol.md").split("\n")
    for_good, undecided = (
        set(re.findall(r"`([\w.-]+)`", next(line for line in lines if line.startswith(start))))
        for start in ("Clean-up keeps", "Until a person has decided it also keeps")
    )
    assert for_good == set(PRESERVED)
    assert for_good | undecided == set(clean_up.PRESERVED)
    removed = next(line for line in lines if "It removes" in line)
    assert not (for_good | undecided) & set(re.findall(r"`([\w.-]+)`", removed))
    kept = next(line for line in lines if line.startswith("So it keeps"))
    assert all(folder in kept and folder not in removed for folder in ("`bench/`", "`raw/`", "`venv/`"))


def test_every_state_file_has_a_whole_example_in_both_builds() -> None:
    """The build holds each to its strict form; here only that an agent finds one to copy."""
    base = [*PLUGIN.glob("agents/*.md"), *SHARED.glob("*.md")]
    for language in ROUTERS:
        pages = [*base, *PLUGIN.glob(f"languages/{language}/agents/*.md")]
        named = {
            name
            for page in pages
            for name in re.findall(r"^`{3,}\w+ ([\w-]+\.(?:md|tsv))$", read(page), re.MULTILINE)
        }
        assert named == set(LIMITS)


def test_the_classes_of_a_discard_are_the_engines() -> None:
    stated = re.search(r"reason_class`` is ([\w, ]+) or (\w+)", str(events.ExperimentDiscarded.__doc__))
    assert stated is not None
    engine = {*stated.group(1).split(", "), stated.group(2)}
    rule = next(
        line for line in read(SHARED / "handoff-template.md").split("\n") if "Class of a discard" in line
    )
    assert set(re.findall(r"`([\w ]+)`", rule)) == engine | {"conventions"}
    tree = read(SHARED / "experiment-loop-base.md").split("```text\n")[1].split("```")[0]
    assert set(re.findall(r"discard \(([\w ]+)\)", tree)) <= engine | {"conventions"}


def test_the_review_has_the_engines_passes_and_verdicts() -> None:
    text = read(PLUGIN / "agents" / "codeflash-review.md")
    passes = re.findall(r"^\d\. \*\*([\w ]+)\.\*\*", text, re.MULTILINE)
    assert tuple(each.lower() for each in passes) == PASSES
    verdicts = re.findall(r": \*\*([A-Z ]+)\*\*\.|Else \*\*([A-Z]+)\*\*", text)
    assert {a or b for a, b in verdicts} == {verdict.replace("_", " ") for verdict in VERDICTS}
    outcomes = [("approve", []), ("needs-attention", []), ("approve", [{"severity": "critical"}])]
    said = [companion_review.verdict_of({"verdict": word, "findings": found}) for word, found in outcomes]
    assert said == ["APPROVE", "REQUEST CHANGES", "BLOCK"]


def test_the_loop_ends_where_the_engines_loop_ends() -> None:
    text = read(SHARED / "experiment-loop-base.md")
    limits = BriefLimits()
    assert limits.plateau == 3 and "**Three consecutive discards**" in text
    assert limits.tries_per_target == 8 and "At most eight tries a target" in text
    assert "session that ended at its plateau the count begins at zero" in text


def test_the_skill_knows_the_engines_modes_and_domains() -> None:
    for path in PLUGIN.glob("languages/*/skills/codeflash-optimize/SKILL.md"):
        hint = re.search(r'^argument-hint: "([^ ]+) \[([^\]]+)\]', read(path), re.MULTILINE)
        assert hint is not None
        assert sorted(hint.group(1).split("|")) == sorted(MODES)
        assert set(hint.group(2).split("|")) <= set(DOMAIN_CHOICES)


def test_the_measuring_constants_are_the_engines() -> None:
    ours = (
        ab_rule.STAGE,
        ab_rule.GO_ON_P,
        ab_rule.WITNESS_P,
        ab_rule.EXTENDED_P,
        ab_rule.LEAST_FLOOR,
        ab_rule.WINDOW,
    )
    theirs = (gate.STAGE, gate.GO_ON_P, gate.WITNESS_P, gate.EXTENDED_P, gate.LEAST_FLOOR, gate.WINDOW)
    assert ours == theirs
    assert (ab_rule.WALL_SLACK, ab_rule.NOISY_FLOOR) == (gate.WALL_SLACK, gate.NOISY_FLOOR)
    assert (ab_rule.PEAK_FACTOR, ab_rule.PEAK_SLACK) == (guard.PEAK_FACTOR, guard.PEAK_SLACK)
    assert (ab_rule.PEAK_SHARE, ab_rule.PEAK_BYTES) == (judge.LEAST_SHARE, judge.LEAST_BYTES)
    assert {name: plan.sizes for name, plan in gate.PLANS.items()} == ab_rule.SIZES
    assert (stats.BLOCKS, stats.STUDENT_7) == (ab_rule.BLOCKS, ab_rule.STUDENT)


def test_the_text_about_measuring_says_the_rules_numbers() -> None:
    text = read(SHARED / "micro-benchmark.md")
    for words in (
        f"{gate.FLOOR_PROCESSES} processes",
        f"Never under {gate.LEAST_FLOOR:.0%}",
        f"p below {gate.WITNESS_P}",
        f"{guard.PEAK_FACTOR} times plus 1 MiB",
        f"First look** at {gate.STAGE} pairs",
    ):
        assert words in text, words


def test_the_seven_guarantees_and_three_allowances_are_written_down() -> None:
    text = read(SHARED / "agent-base-protocol.md")
    titles = ("Order that binds", "What may run alongside")
    order, alongside = (text.split(f"## {title}\n")[1].split("\n\n")[0] for title in titles)
    assert re.findall(r"^(\d)\. ", order, re.MULTILINE) == list("1234567")
    assert re.findall(r"^(\d)\. ", alongside, re.MULTILINE) == list("123")


ROUTERS = {
    "python": PLUGIN / "languages" / "python" / "agents" / "codeflash-python.md",
    "javascript": PLUGIN / "languages" / "javascript" / "agents" / "codeflash-javascript.md",
}
IN_STEP = {
    1: ("Language first", "Only now does anybody speak of domains"),
    4: ("codeflash-setup", "`run_in_background: false`", "No domain agent starts before it has finished"),
    7: ("`run_in_background: false`", "The baseline is its first act"),
    9: ("After `[complete]`, and only then", "`run_in_background: false`"),
    10: ("after the review and never before it",),
    8: ("no second optimizer on the same files",),
    11: ("Nothing is started after it: the session-end hook follows",),
}
"""What a router's steps must say for the seven guarantees to bind where somebody acts on them."""


@pytest.mark.parametrize("language", ROUTERS)
def test_the_guarantees_are_in_the_routers_steps(language: str) -> None:
    text = read(ROUTERS[language])
    steps = dict(re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |^## )", text, re.MULTILINE | re.DOTALL))
    for number, words in IN_STEP.items():
        for each in words:
            assert each in steps[str(number)], (number, each)
    resume = next(line for line in text.split("\n") if line.startswith("| `resume`"))
    assert "without `-b`" in resume and "then 7 to 11" in resume


SAID = {
    "agents/codeflash.md": (
        "The session-start hook has already run when you act",
        "Detection comes before any talk of a domain",
    ),
    "agents/codeflash-review.md": ("After the optimizer's `[complete]` and before clean-up",),
    "agents/codeflash-researcher.md": ("**Never run a timer, a profiler or the test suite.**",),
    **{
        f"languages/{language}/agents/codeflash-setup.md": (
            "Optimizers start when you have finished, not before",
        )
        for language in ("python", "javascript")
    },
    "languages/python/agents/codeflash-ci.md": (
        "after the last experiment, before clean-up",
        "Clean up; answer; start nothing after it",
        "New profile after each keep",
    ),
}
"""The same order, said to those whom it binds besides the routers and the optimizers."""


@pytest.mark.parametrize("place", SAID)
def test_the_order_is_said_to_whom_it_binds(place: str) -> None:
    for words in SAID[place]:
        assert words in read(PLUGIN / place), words


def agents() -> list[Path]:
    return sorted([*PLUGIN.glob("agents/*.md"), *PLUGIN.glob("languages/*/agents/*.md")])


def optimizers() -> list[Path]:
    return [
        path
        for path in agents()
        if path.stem.rpartition("-")[2] in ("deep", "cpu", "memory", "async", "structure")
    ]


@pytest.mark.parametrize("path", agents(), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_every_agent_is_sent_to_the_base_protocol_first(path: Path) -> None:
    inputs = read(path).split("## Inputs\n")[1].split("\n## ")[0]
    assert "${CLAUDE_PLUGIN_ROOT}/references/shared/agent-base-protocol.md" in inputs


@pytest.mark.parametrize("path", optimizers(), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_optimizers_profile_first_and_again_after_every_keep(path: Path) -> None:
    text = read(path)
    assert re.search(r"^1\. \*\*Baseline before any(thing else| change)", text, re.MULTILINE)
    assert "**After every keep profile again**" in text
    assert "`codeflash-researcher`" in text and "in the background" in text
    assert "in the root's `.codeflash/`: `bench/`, `raw/`, `results.tsv`, `HANDOFF.md`" in text
    if path.stem.endswith("-deep"):
        assert "**Researcher alongside**" in text and "in the background" in text
        assert "**Dispatch** (allowed, not required)" in text and "go on profiling" in text


def commands() -> list[tuple[str, str]]:
    """Every line of a text that runs ab.py, with the page it is on."""
    found = []
    for path in sorted(PLUGIN.rglob("*.md")):
        for line in read(path).split("\n"):
            if "/scripts/ab.py" in line:
                found.append((str(path.relative_to(PLUGIN)), line.strip()))
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of the repository that the texts talk about, with the work trees beside it."""
    for name in ("shop-codeflash", "shop-before", "shop-base", "shop-pr", "review-base", "review-head"):
        (tmp_path / name).mkdir()
    bench = tmp_path / "shop" / ".codeflash" / "bench"
    bench.mkdir(parents=True)
    for name in ("target", "load", "serve", "day", "shippable"):
        (bench / f"{name}.py").touch()
        (bench / f"{name}.mjs").touch()
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_measuring_command_of_the_texts_can_be_run(page: str, line: str, shop: Path) -> None:
    words = shlex.split(line)
    options = ab.parse(words[words.index("${CLAUDE_PLUGIN_ROOT}/scripts/ab.py") + 1 :])
    if options.script or options.module:
        assert options.python == str(shop / ".venv" / "bin" / "python"), (
            "the project's interpreter is measured"
        )
    else:
        program, workload = shlex.split(options.command)
        assert program == "node" and (options.before / workload).resolve().is_file()
        assert (options.before / workload).resolve().is_relative_to(shop), "one file, outside both trees"
    assert options.raw == "" or options.raw.startswith(".codeflash/raw/")


def test_there_are_measuring_commands_in_both_languages() -> None:
    pages = {page.split("/")[1] for page, _ in commands() if page.startswith("languages/")}
    assert pages == {"python", "javascript"} and len(commands()) >= 15


PROFILED = re.compile(r"unified-profiling-script\.py\" --|-m memray |-X importtime -c \"import PACKAGE\"` ")


def test_what_profiles_the_project_is_started_by_its_interpreter() -> None:
    """In agents and skills, which are acted on; the guides also name the options by themselves."""
    pages = [*PLUGIN.glob("languages/python/agents/*.md"), *PLUGIN.glob("languages/python/skills/*/*.md")]
    lines = [line for page in pages for line in read(page).split("\n") if PROFILED.search(line)]
    assert len(lines) >= 8
    assert [line for line in lines if ".venv/bin/python" not in line] == []


def test_what_imports_the_project_leaves_no_byte_code_in_its_trees() -> None:
    pages = [*PLUGIN.glob("languages/python/agents/*.md"), *PLUGIN.glob("languages/python/skills/*/*.md")]
    pages.append(PLUGIN / "languages" / "python" / "references" / "agent-base-protocol.md")
    lines = [line for page in pages for line in read(page).split("\n") if re.search(r"\bPYTHONPATH=", line)]
    assert len(lines) >= 7
    assert [line for line in lines if "PYTHONPYCACHEPREFIX=/tmp/shop-pyc PYTHONPATH=" not in line] == []
