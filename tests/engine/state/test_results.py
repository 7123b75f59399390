"""Rows from raw numbers, and numbers from what people write."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.state import results, results_digest, units


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("3.859ms±0.079ms", 3.859e6, "ns"),
        ("2.325ms median", 2.325e6, "ns"),
        ("36.721ms (median 27.9)", 36.721e6, "ns"),
        ("12 µs", 12e3, "ns"),
        ("~1.5s", 1.5e9, "ns"),
        ("12.5 MB", 12.5e6, "bytes"),
        ("3MiB", 3 * 2**20, "bytes"),
        ("41.5%", 41.5, "%"),
        ("1.23x", 1.23, "x"),
        ("0.9979", 0.9979, ""),
        ("1e3ns", 1000, "ns"),
    ],
)
def test_quantities(text: str, value: float, unit: str) -> None:
    found = units.quantity(text)
    assert found is not None
    assert found.value == pytest.approx(value)
    assert found.unit == unit


@pytest.mark.parametrize("text", ["", "-", "n/a", "nan", "inf", "(keypoint-only)", "about 3ms"])
def test_what_is_no_quantity_is_none(text: str) -> None:
    assert units.quantity(text) is None


def test_ratios_need_one_dimension_and_positive_numbers() -> None:
    ms, mb, zero = units.quantity("2ms"), units.quantity("2MB"), units.quantity("0ms")
    assert units.ratio(ms, units.quantity("500us")) == 4.0
    assert units.ratio(ms, mb) is None
    assert units.ratio(ms, zero) is None
    assert units.ratio(None, ms) is None
    assert units.improvement(ms, units.quantity("1ms")) == 0.5
    assert units.improvement(zero, ms) is None


def test_a_row_from_raw_numbers() -> None:
    row = results.measured(
        experiment="cpu-exp001", status="keep", unit="ns", before=2_528_000.0, after=2_347_000.0, low=1.05, high=1.11,
        pairs=40, floor=0.02, at=1_772_442_300.0, pattern="set-membership", target="a.py::f", commit="ef629a99e",
        metric="cpu", domain="cpu", agent="cpu", hypothesis="one set\tfor all",
    )  # fmt: skip
    assert (row.before, row.after, row.improvement) == ("2.528ms", "2.347ms", "+7.2%")
    assert row.timestamp == "2026-03-02T09:05:00Z"
    assert row.hypothesis == "one set for all"
    assert row.ratio == pytest.approx(2528 / 2347)
    assert (row.low, row.high, row.floor) == (1.05, 1.11, 0.02)
    line = results.render(results.Results(rows=(row,))).split("\n")[1].split("\t")
    assert len(line) == len(results.COLUMNS) == 18
    assert line[:3] == ["cpu-exp001", "keep", "set-membership"]


def test_unknown_is_a_dash_and_never_zero() -> None:
    row = results.measured(experiment="cpu-exp002", status="crash", unit="ns")
    assert (row.before, row.after, row.improvement, row.pairs) == ("", "", "", "")
    assert row.ratio is None
    assert results.render(results.Results(rows=(row,))).split("\n")[1].count("-\t") >= 10


def test_slower_has_a_minus() -> None:
    row = results.measured(experiment="m", status="discard", unit="bytes", before=2**20, after=2**21)
    assert (row.before, row.after, row.improvement) == ("1MiB", "2MiB", "-100.0%")


@given(
    value=st.floats(min_value=1e-3, max_value=1e15), unit=st.sampled_from(["ns", "ms", "bytes", "MB", "%"])
)
def test_written_quantities_read_back(value: float, unit: str) -> None:
    wanted, found = units.in_base(value, unit), units.quantity(units.written(value, unit))
    assert wanted is not None
    assert found is not None
    assert found.unit == wanted.unit
    assert math.isclose(found.value, wanted.value, rel_tol=1e-5)


def test_appending_keeps_the_newest() -> None:
    row = results.Row(experiment="e", status="keep")
    many = results.Results(rows=(row,) * results.ROW_LIMIT)
    last = results.append(many, results.Row(experiment="last", status="keep"))
    assert len(last.rows) == results.ROW_LIMIT
    assert last.rows[-1].experiment == "last"


def test_digests_ignore_line_ends_and_nothing_else() -> None:
    digest = results_digest("a\tb\n1\t2\n")
    assert digest == results_digest("\ufeffa\tb\r\n1\t2")
    assert digest != results_digest("a\tb\n1\t3\n")
    assert digest != results_digest("a\tb\n1\t2 \n")
    assert len(digest) == 64
