"""Generate documents from their own grammar, and texts that are nearly documents."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.state import changelog, conventions, handoff, learnings, review_report, scan_report, setup
from engine.state.grammar import Document, Record, Slot, slots

MARKDOWN: dict[str, tuple[type[Document], Any, Any]] = {
    "setup.md": (setup.Setup, setup.parse, setup.render),
    "scan-report.md": (scan_report.ScanReport, scan_report.parse, scan_report.render),
    "HANDOFF.md": (handoff.Handoff, handoff.parse, handoff.render),
    "conventions.md": (conventions.Conventions, conventions.parse, conventions.render),
    "learnings.md": (learnings.Learnings, learnings.parse, learnings.render),
    "review-report.md": (review_report.ReviewReport, review_report.parse, review_report.render),
    "changelog.md": (changelog.Changelog, changelog.parse, changelog.render),
}

HOSTILE = st.sampled_from(
    [
        *("# Title", "## Summary", "### x", "#### deep", "## ", "#", "None.", "-", "---", "", " ", "\t"),
        *(
            "- **Verdict:** APPROVE",
            "**Verdict:** BLOCK",
            "- **Pairs:** many",
            "- **State:** clear",
            "- **Head:**",
        ),
        *(
            "```",
            "````",
            "~~~",
            "```sh",
            "`",
            "``````````````",
            "| a | b |",
            "| --- | --- |",
            "|",
            "| Rank | Domain |",
        ),
        *(
            "\\# x",
            "\\\\# x",
            "\\- **State:** open",
            "\\",
            "|\\|",
            "a|b",
            "\\|",
            "- item",
            "1. item",
            "  indented",
        ),
        *(
            "\u2028",
            "\x85",
            "\r\n",
            "\x00",
            "\ud800",
            "\ufeff",
            "<script>",
            "## Safety",
            "## Next Steps",
            "> quote",
        ),
        *(
            "| Experiment | Commit |",
            "| x | y | z |",
            "- **Severity:** worst",
            "- **Ratio:** 1.5x",
            "- **Ratio:** nan",
        ),
    ]
)
WORDS = st.text(max_size=30) | HOSTILE
TEXTS = st.lists(WORDS, max_size=6).map("\n".join)


def near(cls: type[Document]) -> st.SearchStrategy[str]:
    """Texts made of this document's own headings, labels and table heads, mixed with hostile lines."""
    own = sorted(_own_lines(cls))
    return st.lists(st.sampled_from(own) | HOSTILE | st.text(max_size=10), max_size=40).map("\n".join)


def _own_lines(cls: type[Record], level: int = 1) -> set[str]:
    lines = {"#" * level + " Untitled"}
    for slot in slots(cls):
        lines |= {f"- **{name}:** x" for name in slot.names() if name}
        lines |= {f"- **{slot.label}:** {word}" for word in (*slot.choices, "3", "1.5", "yes")}
        lines |= {"#" * (level + 1) + " " + name for name in (slot.under, slot.label, *slot.aliases) if name}
        if slot.record is not None:
            columns = [each.label for each in slots(slot.record) if each.kind == "fact"]
            lines.add("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
            lines.add("| " + " | ".join("1" for _ in columns) + " |")
            lines |= _own_lines(slot.record, level + 1)
    return lines


def records(cls: type[Record]) -> st.SearchStrategy[Any]:
    """Any record of ``cls`` that its constructor accepts."""
    return st.fixed_dictionaries({slot.name: _value(slot) for slot in slots(cls)}).map(lambda v: cls(**v))


def _value(slot: Slot) -> st.SearchStrategy[Any]:
    if slot.kind == "fact":
        return _fact(slot)
    if slot.kind in ("items", "code"):
        return st.lists(WORDS, max_size=4).map(tuple)
    if slot.record is None:
        return WORDS if slot.kind == "title" else TEXTS
    inner = records(slot.record)
    return inner if slot.kind == "record" else st.lists(inner, max_size=3).map(tuple)


def _fact(slot: Slot) -> st.SearchStrategy[Any]:
    if slot.choices:
        return st.sampled_from(["", *slot.choices])
    if slot.shape == "list":
        return st.lists(WORDS, max_size=3).map(tuple)
    number = {
        "bool": st.booleans(),
        "int": st.integers(-(10**17), 10**17),
        "float": st.floats(allow_nan=True),
    }
    return number[slot.shape] | st.none() if slot.shape in number else WORDS
