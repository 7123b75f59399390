"""There is no second truth: what the texts and scripts say is what the engine does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from engine.brief import DOMAIN_CHOICES, MODES, BriefLimits
from engine.measure import gate, guard, judge, stats
from engine.order import RAIL
from engine.state import LIMITS, PRESERVED
from engine.state.results import STATUSES
from engine.values import PASSES, VERDICTS
from tests.plugin.conftest import ROOT, SCRIPTS

sys.path.insert(0, str(SCRIPTS))
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
    kept = next(line for line in text.split("\n") if line.startswith("Clean-up keeps"))
    assert set(re.findall(r"`([\w.-]+)`", kept)) == set(PRESERVED)


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
