"""What we write reads back equal; what others write never breaks the reader and stays what it was."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.state import results
from engine.state.check import FILES
from tests.engine.state.strategies import HOSTILE, MARKDOWN, near, records

MANY = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("name", MARKDOWN)
@given(data=st.data())
@MANY
def test_written_documents_read_back_equal(name: str, data: st.DataObject) -> None:
    cls, parse, render = MARKDOWN[name]
    document = data.draw(records(cls))
    text = render(document)
    assert parse(text) == document
    assert render(parse(text)) == text
    assert parse(text).notes == ()


@pytest.mark.parametrize("name", MARKDOWN)
@given(data=st.data())
@MANY
def test_any_text_reads_and_keeps_its_meaning(name: str, data: st.DataObject) -> None:
    cls, parse, render = MARKDOWN[name]
    document = parse(data.draw(near(cls)))
    again = parse(render(document))
    assert again == document
    assert render(again) == render(document)


@pytest.mark.parametrize("name", MARKDOWN)
@given(data=st.data())
@MANY
def test_cleaning_is_done_once(name: str, data: st.DataObject) -> None:
    document = data.draw(records(MARKDOWN[name][0]))
    assert type(document)(**{f.name: getattr(document, f.name) for f in fields(document)}) == document


CELLS = (
    st.text(max_size=20)
    | HOSTILE
    | st.sampled_from(["keep", "2.3ms±0.1", "n/a", '"', "latency_ms", "status"])
)
ROWS = st.fixed_dictionaries(dict.fromkeys(results.COLUMNS, CELLS)).map(lambda cells: results.Row(**cells))


@given(rows=st.lists(ROWS, max_size=5))
@MANY
def test_written_results_read_back_equal(rows: list[results.Row]) -> None:
    document = results.Results(rows=tuple(rows))
    assert results.parse(results.render(document)) == document


@given(
    lines=st.lists(st.lists(CELLS, max_size=22).map("\t".join), max_size=8),
    header=st.lists(st.sampled_from([*results.COLUMNS, "description", "x", "Status", ""]), max_size=20),
    end=st.sampled_from(["", "\n"]),
)
@MANY
def test_any_table_reads_and_keeps_its_meaning(lines: list[str], header: list[str], end: str) -> None:
    document = results.parse("\n".join(["\t".join(header), *lines]) + end)
    assert results.parse(results.render(document)) == document


@pytest.mark.parametrize("name", FILES)
@given(text=st.text(max_size=400))
@MANY
def test_nothing_raises(name: str, text: str) -> None:
    parse, render = FILES[name]
    render(parse(text)).encode("utf-8")


LONG: dict[str, str] = {
    "no line end": "a" * 4_000_000,
    "dashes": "|" + "-" * 300_000 + "x|\n" * 2,
    "hashes": "#" * 300_000,
    "headings": "# a\n" * 70_000,
    "deep and back": "## a\n###### b\n" * 20_000,
    "backticks": "`" * 300_000,
    "fences": "```\n" * 70_000,
    "stars": "- **" * 80_000,
    "bars": "| " * 120_000,
    "rows": "| a | b |\n| --- | --- |\n" * 12_000,
    "escapes": "\\" * 300_000 + "|",
    "blank lines": "\n" * 1_000_000,
    "tabs": "\t" * 4_000_000,
    "short rows": "experiment\tstatus\n" + "a\tb\n" * 900_000,
    "facts": "- **Verdict:** APPROVE\n" * 10_000,
    "known tables": "## Next Targets\n" + "| Rank |\n| --- |\n| 1 |\n\n" * 9_000,
    "entries": "## a\n- **Domain:** cpu\n" * 9_000,
}


@pytest.mark.parametrize("shape", LONG)
def test_texts_at_the_limit_are_read_in_one_pass(shape: str) -> None:
    """A reader that is not linear would not come back from these."""
    for parse, render in FILES.values():
        document: Any = parse(LONG[shape])
        assert len(render(document)) < 60_000_000
        assert len(document.notes) <= 501
