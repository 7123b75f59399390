"""``docs/state-files.md`` is true: its examples are the written form, and it names everything the grammar has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.state import LIMITS, check, results
from engine.state.grammar import Record, slots
from tests.engine.state.strategies import MARKDOWN

PAGE = (Path(__file__).parents[3] / "docs" / "state-files.md").read_text(encoding="utf-8")
CHAPTERS = dict(
    re.findall(r"^## (\S+\.\w+)\n(.*?)(?=^## (?:\S+\.\w+|Digests)\n)", PAGE, re.DOTALL | re.MULTILINE)
)


def test_every_file_has_a_chapter() -> None:
    assert list(CHAPTERS) == list(LIMITS) == list(check.FILES)


@pytest.mark.parametrize("name", LIMITS)
def test_the_example_is_the_written_form(name: str) -> None:
    (example,) = re.findall(r"^````text\n(.*?)^````$", CHAPTERS[name], re.DOTALL | re.MULTILINE)
    parse, render = check.FILES[name]
    assert render(parse(example)) == example
    assert check.check_text(name, example) == []


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_label_and_section_is_named(name: str) -> None:
    for word in words(MARKDOWN[name][0]):
        assert f"`{word}`" in CHAPTERS[name] or f"**{word}**" in CHAPTERS[name], word


def words(cls: type[Record]) -> set[str]:
    found = {name for slot in slots(cls) for name in (slot.label, slot.under, *slot.choices) if name}
    return found.union(*(words(slot.record) for slot in slots(cls) if slot.record))


def test_every_column_and_status_is_named() -> None:
    for word in (*results.COLUMNS, *results.STATUSES):
        assert f"`{word}`" in CHAPTERS["results.tsv"], word


def test_sizes_are_those_of_the_code() -> None:
    for name, limit in LIMITS.items():
        assert re.search(rf"^\| \[`{re.escape(name)}`\].*\| {limit // 1000} kB \|$", PAGE, re.MULTILINE)
