"""Numbers, times and small drawings: exact words, and an unknown value is never a zero."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from engine import events as e
from sessions_app import marks, vocabulary, words
from sessions_app.sentences import TABLE, line
from sessions_app.vocabulary import GROUPS


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0.4 s"), (0, "0.0 s"), (0.01, "under 0.1 s"), (9.96, "10 s"), (48, "48 s"), (131, "2 m 11 s"),
     (119.7, "2 m 00 s"),
     (6420, "1 h 47 m"), (97_200, "1 d 3 h"), (None, "–"), (float("nan"), "–"), ("soon", "–")],
)  # fmt: skip
def test_durations_are_the_two_largest_units(seconds: object, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(702e6, "ns", "702 ms"), (1.284e9, "ns", "1,284 ms"), (3.48e10, "ns", "34.8 s"), (410, "ns", "410 ns"),
     (7320, "ns", "7.32 µs"), (98.67e6, "bytes", "94.1 MiB"), (0, "ns", "0 ns"), (None, "ns", "Not measured"),
     (3.0, "calls", "3.00 calls"), (float("inf"), "ns", "Not measured"), (0.25, "calls", "0.250 calls"),
     (99.96e6, "ns", "100 ms")],
)  # fmt: skip
def test_quantities_read_well_and_unknown_is_a_word(value: object, unit: str, said: str) -> None:
    assert words.quantity(value, unit) == said


def test_ratios_intervals_and_noise() -> None:
    assert words.speedup(1.834) == "1.83× faster" and words.speedup(2.04, "peak") == "2.04× less memory"
    assert words.speedup(0.973, places=3) == "0.973×, slower" and words.speedup(None) == "Not measured"
    assert words.interval(1.79, 1.87) == "1.79–1.87" and words.interval(None, 2) == "" == words.interval(
        "x", 1
    )
    assert (
        words.noise(0.012) == "±1.2%"
        and words.percent(0.298) == "29.8%"
        and words.percent(None) == "Not measured"
    )
    assert words.pair(868e6, 781e6, "ns") == ("868", "781", "ms") and words.pair(868e6, None, "ns") == (
        "868",
        "–",
        "ms",
    )
    assert words.pair(None, None, "ns") == ("–", "–", "")
    assert words.pair(1.36e6, 11_241, "ns") == ("1.36", "0.0112", "ms"), "a small end keeps its digits"


def test_a_whole_module_is_named_by_its_file() -> None:
    assert words.target("src/shop/feeds.py", "<module>") == "feeds.py"
    assert words.target("src/shop/feeds.py", "Feed.read") == "Feed.read"
    body = {"rule": "lazy-import", "target": "src/shop/feeds.py::<module>", "reason": "x"}
    assert "<code>feeds.py</code>" in line("proposal_dropped", body).text


def test_days_are_named_by_how_far_they_are() -> None:
    now = datetime(2026, 5, 12, 15, 0, tzinfo=UTC)
    assert (
        words.when(now - timedelta(hours=1), now) == "14:00"
        and words.when(now - timedelta(days=10), now) == "2 May"
    )
    assert words.when(now - timedelta(days=375), now) == "2 May 2025" and words.when(None) == "–"


def test_a_mark_without_a_measurement_is_the_axis_alone() -> None:
    bare = marks.interval_mark(None, None, None, 0.012, kept=False)
    assert "circle" not in bare and "arrow" not in bare and 'class="axis"' in bare
    for odd in (float("nan"), float("inf"), 0.0, -1.0):
        assert "circle" not in marks.interval_mark(odd, None, None, None, kept=True)


def test_a_mark_off_its_scale_is_an_arrow_at_that_edge() -> None:
    left = marks.interval_mark(0.741, 0.73, 0.75, 0.012, kept=False)
    right = marks.interval_mark(2.0, 1.9, 2.1, 0.012, kept=True)
    assert 'd="M7 4.5 3 8' in left and "M89 4.5" in right and "circle" not in left + right


def test_a_mark_places_by_the_logarithm() -> None:
    def x(ratio: float) -> float:
        found = re.search(r'cx="([\d.]+)"', marks.interval_mark(ratio, None, None, None, kept=True))
        assert found
        return float(found[1])

    assert x(1.1) - x(1.0) == pytest.approx(
        x(1.0) - x(1 / 1.1) if 1 / 1.1 > 0.92 else x(1.1) - x(1.0), abs=0.2
    )
    assert x(0.95) < x(1.0) < x(1.05)


def test_drawings_have_no_style_and_no_script() -> None:
    drawn = (
        marks.interval_mark(1.1, 1.05, 1.15, 0.01, kept=True) + marks.sparkline([1.1, 1.4]) + marks.meter(9, 10)
        + marks.lane([[0, 5, "keep"], [5, 9, "discard"], [9, 12, "crash"], [12, None, "experiment"]], 0, 20)
        + marks.week_bars([("2 May", 3), ("9 May", 0)]) + marks.wide_mark(1.1, 1.0, 1.2, 0.01, kept=True)
    )  # fmt: skip
    assert "style" not in drawn and "onload" not in drawn and drawn.count("<svg") == drawn.count("</svg>")
    assert 'class="fill warn"' in drawn and marks.sparkline([]).count("path") == 0


def test_every_event_of_the_engine_has_its_sentence() -> None:
    assert {kind for kind in e.KINDS if kind != "unknown"} <= TABLE.keys()
    assert {kind for kinds in GROUPS.values() for kind in kinds} <= TABLE.keys()


def test_an_unknown_kind_prints_what_it_holds() -> None:
    found = line("moon_rose", {"phase": "full"})
    assert "moon rose" in found.text and '"phase": "full"' in found.meta


def test_notes_of_the_engine_are_printed_a_line_each() -> None:
    body = {"head": "a" * 40, "kept": 2, "tried": 5, "consecutive": 0, "notes": ["results.tsv had no header", "2 <b>"],
            "recovered": [{"number": 3}]}  # fmt: skip
    found = line("progress_restored", body)
    assert "2 kept of 5" in found.text
    assert found.meta.split("\n")[1:] == ["results.tsv had no header", "2 <b>"]
    assert "1 keep recovered from the branch" in found.meta
    assert line("progress_restored", {**body, "notes": 7}).code, "notes of another shape print as they are"


def test_unknown_words_of_a_newer_engine_print_as_themselves() -> None:
    assert vocabulary.mark("experiment", "odd_state").word == "odd state"
    assert (
        vocabulary.mark("session", "").word == "Unknown" and vocabulary.reason("new reason") == "new reason"
    )
