"""Figures are read back by their numbers: heights are logs of measured ratios, failures are off the value axis."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta

import pytest

from sessions_app import charts, comparisons, diffs
from sessions_app.placing import Point

POINTS = [
    Point(number=1, status="keep", title="first", own=1.2, total=1.17, low=1.15, high=1.19, url="/e/1"),
    Point(number=2, status="discard", title="noise", own=0.99, low=0.97, high=1.01, reason_class="noise"),
    Point(number=3, status="discard", title="wrong", own=1.5, reason_class="tests"),
    Point(number=4, status="crash", title="boom"),
    Point(number=5, status="keep", title="taken off", own=1.3, total=1.5, reverted=True),
    Point(number=6, status="keep", title="second", own=1.1, total=1.3, low=1.27, high=1.33),
    Point(number=7, status="discard", title="<b>x</b>", own=0.5, reason_class="slower"),
    Point(number=8, status="running", title="now"),
]


def traces(figure) -> dict[str, dict]:
    return {t["meta"]["role"]: t for t in charts.to_json(figure)["data"]}


def test_heights_are_logs_of_what_was_measured() -> None:
    found = traces(charts.speedup(POINTS, floor=0.012, running=8))
    assert found["keep"]["x"] == [1, 5, 6]
    assert found["keep"]["y"] == pytest.approx([math.log2(1.17), math.log2(1.5), math.log2(1.3)], rel=1e-4)
    assert found["discard"]["x"] == [2, 7]
    assert found["discard"]["y"][0] == pytest.approx(math.log2(1.17 * 0.99), rel=1e-3)
    assert found["keep"]["error_y"]["array"][0] == pytest.approx(math.log2(1.19 / 1.17), rel=1e-3)


def test_a_keep_without_a_measured_whole_claims_nothing() -> None:
    points = [
        Point(number=1, status="keep", title="less memory", own=1.295, low=1.29, high=1.3, elsewhere=True),
        Point(
            number=2, status="discard", title="more memory", own=0.5, elsewhere=True, reason_class="slower"
        ),
    ]
    found = traces(charts.speedup(points))
    assert found["best"]["y"] == [0, 0] and found["keep"]["y"] == [0] and found["discard"]["y"] == [0]
    assert found["keep"]["error_y"]["array"] == [0] and "not measured" in found["keep"]["hovertext"][0]


def test_alone_each_stands_by_its_own_ratio() -> None:
    points = [
        Point(number=1, status="keep", title="a", own=1.295, own_low=1.25, own_high=1.3, elsewhere=True),
        *POINTS[2:4],
    ]
    found = traces(comparisons.alone(points))
    assert found["keep"]["y"] == pytest.approx([math.log2(1.295)], rel=1e-4) and "best" not in found
    assert found["keep"]["error_y"]["arrayminus"][0] == pytest.approx(math.log2(1.295 / 1.25), rel=1e-3)
    assert found["crash"]["yaxis"] == found["wrong"]["yaxis"] == "y2" and "discard" not in found


def test_failures_are_never_on_the_value_axis() -> None:
    found = traces(charts.speedup(POINTS))
    assert found["crash"]["x"] == [4] and found["wrong"]["x"] == [3]
    assert found["crash"]["yaxis"] == found["wrong"]["yaxis"] == "y2"
    assert all(3 not in t["x"] and 4 not in t["x"] for r, t in found.items() if r in ("keep", "discard"))


def test_the_running_best_steps_only_with_keeps_that_stayed() -> None:
    best = traces(charts.speedup(POINTS))["best"]
    assert best["x"] == [0, 1, 6, 8] and best["line"]["shape"] == "hv"
    assert best["y"] == pytest.approx([0, math.log2(1.17), math.log2(1.3), math.log2(1.3)], rel=1e-4)


def test_the_running_one_has_no_value_of_its_own() -> None:
    ring = traces(charts.speedup(POINTS, running=8))["running"]
    assert (
        ring["x"] == [8]
        and ring["y"] == pytest.approx([math.log2(1.3)], rel=1e-4)
        and "not measured" in ring["hovertext"]
    )


def test_the_band_lies_over_the_discards_since_the_last_keep() -> None:
    layout = charts.to_json(charts.speedup(POINTS, consecutive=1, plateau=3, baseline=1.284e9, unit="ns"))[
        "layout"
    ]
    band = next(s for s in layout["shapes"] if s["name"] == "plateau")
    assert (band["x0"], band["x1"]) == (6.5, 7.5)
    said = [a["text"] for a in layout["annotations"]]
    assert "1 of 3 discards" in said and "baseline 1,284 ms" in said and "1.30× best" in said


def test_time_is_a_view_of_the_same_heights() -> None:
    ratio = charts.to_json(charts.speedup(POINTS, baseline=1.284e9, unit="ns"))
    time = charts.to_json(charts.speedup(POINTS, baseline=1.284e9, unit="ns", as_time=True))
    assert (
        ratio["data"] == time["data"]
        and ratio["layout"]["yaxis"]["tickvals"] == time["layout"]["yaxis"]["tickvals"]
    )
    assert "1×" in ratio["layout"]["yaxis"]["ticktext"] and "1,284 ms" in time["layout"]["yaxis"]["ticktext"]


@pytest.mark.parametrize(("low", "high"), [(-0.05, 0.1), (-0.5, 1.2), (-1, 3), (-0.5, 7.2), (-6, 12)])
def test_an_axis_has_few_round_ticks_and_one_among_them(low: float, high: float) -> None:
    from sessions_app.placing import ticks

    found = ticks(low, high)
    assert 1 in found and len(found) <= 10 and found == sorted(found)


def test_an_empty_session_shows_its_baseline_alone() -> None:
    found = traces(charts.speedup([]))
    assert set(found) == {"best", "baseline", "rail"} and found["baseline"]["y"] == [0]


def test_figures_carry_no_colour_no_template_and_no_markup() -> None:
    text = charts.dumps(charts.speedup(POINTS, floor=0.02, consecutive=1, plateau=3, running=8))
    data = json.loads(text)
    assert "template" not in data["layout"] and "<b>" not in text and "&lt;b&gt;" in text
    assert '"color"' not in text and "#" not in text.replace('"url"', "")


def test_sessions_of_one_day_stand_by_the_hour() -> None:
    def axis(*hours: int) -> dict:
        start = datetime(2026, 5, 2, tzinfo=UTC)
        rows = [
            comparisons.Finished(label="#1", when=start + timedelta(hours=h), ratio=1.2, low=None, high=None,
                                 approved=False, live=False, url="/")
            for h in hours
        ]  # fmt: skip
        return charts.to_json(comparisons.repo_history(rows))["layout"]["xaxis"]

    assert axis(9)["range"] == ["2026-05-02T08:00:00+00:00", "2026-05-02T10:00:00+00:00"]
    assert "%H:%M" in axis(9, 12)["tickformat"] and "range" not in axis(0, 72)


def test_the_running_best_ends_with_the_last_experiment() -> None:
    best = traces(charts.speedup(POINTS[:2], baseline=1.284e9, unit="ns"))["best"]
    assert max(best["x"]) == POINTS[1].number < 4
    assert set(traces(charts.speedup([]))["best"]["x"]) == {0}, "before the first experiment there is no line"


def test_changed_words_are_marked_whole() -> None:
    text = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-share = piece / sum(sold)\n+share = piece / sold_total\n"
    rows = diffs.read(text).files[0].rows
    marked = [re.sub(r"<(?!/?mark)[^>]+>", "", row.html) for row in rows if row.kind != "hunk"]
    assert marked == ["share = piece / <mark>sum(sold)</mark>", "share = piece / <mark>sold_total</mark>"]


def test_before_and_after_share_a_unit() -> None:
    figure = comparisons.before_after([868e6, 870e6, 860e6], [781e6, 780e6], "ns")
    assert figure is not None
    found = traces(figure)
    assert found["before"]["x"] == [868, 870, 860] and found["before-median"]["x"] == [868, 868]
    said = [note["text"] for note in charts.to_json(figure)["layout"]["annotations"]]
    assert said == ["87.5 ms less", "median 868 ms", "median 780 ms"]
    assert comparisons.before_after([], [1.0], "ns") is None


def test_sessions_stand_on_the_first_ones_baseline() -> None:
    one = comparisons.Series(label="#1", points=POINTS[:2], baseline=1000.0)
    other = comparisons.Series(label="#2", points=POINTS[:2], baseline=2000.0)
    data = charts.to_json(comparisons.compare([one, other]))["data"]
    lines = {t["meta"]["role"]: t for t in data if t["mode"] == "lines"}
    assert lines["a"]["y"][0] == 0 and lines["b"]["y"][0] == -1


def test_a_repos_line_rises_only_with_approved_sessions() -> None:
    def row(day: int, ratio: float, *, approved: bool) -> comparisons.Finished:
        when = datetime(2026, 5, day, tzinfo=UTC)
        return comparisons.Finished(
            label=f"#{day}",
            when=when,
            ratio=ratio,
            low=None,
            high=None,
            approved=approved,
            live=False,
            url="/s",
        )

    figure = comparisons.repo_history(
        [row(1, 2.0, approved=True), row(2, 1.5, approved=False), row(3, 2.0, approved=True)]
    )
    assert figure is not None
    found = traces(figure)
    assert found["best"]["y"] == [0, 1, 2, 2] and found["discard"]["y"] == pytest.approx(
        [math.log2(3)], rel=1e-4
    )
    assert comparisons.repo_history([]) is None


def test_vendored_files_are_the_reviewed_ones() -> None:
    from tools import vendor

    assert vendor.problems() == []
