"""Folders as other tools and hands leave them: everything is read, nothing is dropped, nothing raises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.state import check, handoff, learnings, read_folder, results, review_report, scan_report, setup
from engine.state.grammar import Record, slots
from tests.engine.state.strategies import MARKDOWN

FOLDERS = Path(__file__).parents[2] / "fixtures" / "codeflash-folders"
NAMES = sorted(path.name for path in FOLDERS.iterdir() if path.is_dir())


def text(folder: str, name: str) -> str:
    return read_folder(FOLDERS / folder)[name].text


def our_words(cls: type[Record]) -> set[str]:
    """Words that a reader may replace by ours: labels and section titles that others use, and their vocabulary."""
    words: set[str] = set()
    for slot in slots(cls):
        names = (slot.label, slot.under, *slot.aliases, *slot.words)
        words |= {word.lower() for name in names for word in re.findall(r"\w+", name)}
        words |= our_words(slot.record) if slot.record else set()
    return words


def test_there_are_twenty_of_them() -> None:
    assert len(NAMES) >= 20


@pytest.mark.parametrize("folder", NAMES)
def test_nothing_is_dropped(folder: str) -> None:
    for name, reading in read_folder(FOLDERS / folder).items():
        parse, render = check.FILES[name]
        written = render(parse(reading.text)).lower()
        known = (
            our_words(MARKDOWN[name][0])
            if name in MARKDOWN
            else set(results._ALIASES) | {"latency_ms", "metric"}
        )
        for word in re.findall(r"\w+", reading.text.lower()):
            assert word in written or word in known or word in ("sh", "bash", "2"), (folder, name, word)


@pytest.mark.parametrize("folder", NAMES)
def test_reading_again_gives_the_same(folder: str) -> None:
    for name, reading in read_folder(FOLDERS / folder).items():
        parse, render = check.FILES[name]
        document = parse(reading.text)
        assert parse(render(document)) == document


@pytest.mark.parametrize("folder", NAMES)
def test_a_check_says_where_and_what(folder: str) -> None:
    for problem in check.check_folder(FOLDERS / folder):
        assert problem.file
        assert problem.what
        assert problem.expected
        assert problem.line >= 0


def test_our_own_folder_has_no_problem() -> None:
    assert check.check_folder(FOLDERS / "ours") == []
    assert set(read_folder(FOLDERS / "ours")) == set(check.FILES)


def test_ratios_come_from_the_numbers_not_from_the_words() -> None:
    rows = results.parse(text("nine-columns", "results.tsv")).rows
    assert [row.kind for row in rows] == ["baseline", "keep", "discard", "measurement", "blocked"]
    assert rows[1].ratio == pytest.approx(3.412 / 3.160)
    assert rows[2].ratio == pytest.approx(3.160 / 3.391)
    assert rows[3].ratio == pytest.approx(21.9 / 18.2)
    assert rows[0].ratio is None
    assert rows[4].ratio is None
    memory = results.parse(text("many-baselines", "results.tsv")).rows
    assert [row.ratio for row in memory] == [None, pytest.approx(10 / 9), None, 8.0, None]


def test_a_half_written_row_waits() -> None:
    document = results.parse(text("half-written", "results.tsv"))
    assert [row.experiment for row in document.rows] == ["baseline"]
    assert document.half.startswith("cpu-exp001")
    assert "not finished" in document.notes[0].what


def test_other_tools_columns_find_their_place() -> None:
    rows = results.parse(text("one-metric", "results.tsv")).rows
    assert rows[1].hypothesis == "raise the learning rate"
    assert dict(rows[1].extra) == {"memory_gb": "44.2", "val_loss": "0.993200"}
    assert rows[3].kind == "crash"
    timed = results.parse(text("latency-column", "results.tsv")).rows
    assert [row.after for row in timed] == ["12.40ms", "11.02ms", "9.80ms", "0.00ms"]
    counted = results.parse(text("iterations", "results.tsv"))
    assert [row.after for row in counted.rows][:3] == ["512.0", "498.5", "490.1"]
    assert counted.rows[2].kind == "keep"
    assert counted.unread == ("# metric: bundle size, lower is better",)


def test_status_words_of_others() -> None:
    rows = results.parse(text("upper-case", "results.tsv")).rows
    assert [row.kind for row in rows] == ["keep", "discard", "discard", "wip", "blocked", "measurement"]
    assert rows[3].status == "WIP"


def test_no_header_and_commas() -> None:
    assert [row.kind for row in results.parse(text("no-header", "results.tsv")).rows] == [
        "baseline",
        "keep",
        "crash",
    ]
    commas = results.parse(text("commas-in-rows", "results.tsv"))
    assert commas.rows == ()
    assert len(commas.unread) == 2


def test_quotes_extra_cells_and_missing_cells() -> None:
    rows = results.parse(text("quotes-and-notes", "results.tsv")).rows
    assert rows[0].pattern == 'join-"fast"'
    assert rows[0].ratio == pytest.approx(36.721 / 31.4)
    assert dict(rows[1].extra) == {"column 10": "see notes", "column 11": "twice"}
    assert (rows[2].experiment, rows[2].status, rows[2].commit) == ("exp003", "keep", "")


def test_encodings() -> None:
    readings = read_folder(FOLDERS / "not-utf-8")
    assert "not UTF-8" in readings["learnings.md"].note
    assert readings["results.tsv"].note == "read as UTF-16"
    assert results.parse(readings["results.tsv"].text).rows[0].target == "naïve()"
    marked = results.parse(text("bom-and-crlf", "results.tsv"))
    assert marked.rows[1].commit == "0badcafe1"
    assert marked.notes == ()


def test_facts_of_a_foreign_setup() -> None:
    found = setup.parse(text("nine-columns", "setup.md"))
    assert found.manager == "uv (at /usr/local/bin/uv)"
    assert found.python_version == "3.12.4"
    assert found.profilers == ("✓ nsys", "✗ memray")


def test_several_sessions_in_one_hand_off() -> None:
    found = handoff.parse(text("handoff-in-the-middle", "HANDOFF.md"))
    assert (found.branch, found.head) == ("codeflash/optimize", "a41f0c9d2")
    assert found.next_steps == ("try batch=8", "ask about precision")
    assert "codeflash/second" in found.extra[-1].text
    assert handoff.parse(text("handoff-at-end", "HANDOFF.md")).reproduce == (
        "# warm up first",
        "python bench.py --runs 100",
    )


def test_a_report_written_by_hand() -> None:
    report = review_report.parse(text("review-by-hand", "review-report.md"))
    assert report.engine_verdict == "REQUEST_CHANGES"
    first, second = report.correctness.findings
    assert (first.severity, first.path, first.line) == ("critical", "src/cache.py", 12)
    assert second.severity == ""
    assert second.text == "- **Severity:** cosmetic"


def test_a_table_with_other_columns_in_another_order() -> None:
    report = scan_report.parse(text("odd-tables", "scan-report.md"))
    assert [(row.rank, row.target, row.share) for row in report.targets] == [
        (1, "src/a.py::load", 0.415),
        (None, "src/c.py::main", None),
    ]
    assert "about half" in report.extra[1].text


def test_bullets_become_learnings() -> None:
    found = learnings.atoms(learnings.parse(text("learnings-as-bullets", "learnings.md")))
    assert [each.claim for each in found] == [
        "the parser is cold, leave it",
        "imports of `slowlib` cost 40 ms",
        "set for membership in `pick`: 3.1x",
        "generator in `spread`",
        "caching `price`: one hit in a hundred",
    ]
    assert found[2].evidence == "on 1,500 articles\nUnder: Worked"
