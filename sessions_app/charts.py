"""Figures as plotly objects from plain rows, and as JSON of plain lists with five digits.

Colours, fonts and themes are not here: each trace and shape carries a role (``meta`` or ``name``) which the browser
paints from the page's tokens. Ratios are drawn as log2, so that a doubling is always the same height; a failed run is
never a point on the value axis. Nothing here reads the database.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from sessions_app import words
from sessions_app.placing import FAILED, Placed, Point, log2, place, ticks

LABELLED_KEEPS = 3
MARKERS = 2000
FAILED_AXIS: dict[str, Any] = {
    "range": [-1, 1],
    "domain": [0, 0.1],
    "tickvals": [0],
    "ticktext": ["failed"],
    "showgrid": False,
    "zeroline": False,
    "fixedrange": True,
}
"""The rail of failed runs under a plot: never the value axis."""


def to_json(figure: go.Figure) -> dict[str, Any]:
    """Plain lists and five significant digits: what travels in the page."""
    found: dict[str, Any] = _plain(figure.to_plotly_json())
    found.get("layout", {}).pop("template", None)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def dumps(figure: go.Figure) -> str:
    return json.dumps(to_json(figure), separators=(",", ":"), allow_nan=False)


def speedup(
    points: Sequence[Point],
    *,
    floor: float | None = None,
    baseline: float | None = None,
    unit: str = "",
    consecutive: int = 0,
    plateau: int = 0,
    running: int | None = None,
    as_time: bool = False,
) -> go.Figure:
    """The live chart: running best, keeps and discards with whiskers, noise band, failures on their own rail.

    ``consecutive`` of ``plateau`` discards are shaded. ``as_time`` labels the same heights in the baseline's unit.
    """
    placed, steps = place(points)
    reach = max([p.number for p in points] + [running or 0])
    last = max(reach, 4)
    figure = go.Figure()
    _add_band(figure, steps, floor, reach)
    _add_best(figure, steps, reach)
    _add_marks(figure, [p for p in placed if p.point.status == "discard"], "discard", "circle-open", 6.5)
    _add_marks(figure, [p for p in placed if p.point.status == "keep"], "keep", "circle", 9)
    _add_baseline(figure)
    _add_running(figure, running, steps)
    add_failures(figure, points)
    # Given whole: an update would compare each part with the empty layout before it, at half the cost of the chart.
    figure.layout = {
        **_layout(placed, steps, last, floor, baseline if as_time else None, unit),
        "annotations": _labels(placed, steps, last) + _notes(points, consecutive, plateau, baseline, unit),
        "shapes": _shapes(points, consecutive, plateau),
    }
    return figure


def _add_band(figure: go.Figure, steps: list[tuple[int, float]], floor: float | None, last: int) -> None:
    if not floor:
        return
    xs = [n for n, _ in steps] + [last]
    ys = [log2(r) for _, r in steps] + [log2(steps[-1][1])]
    up = math.log2(1 + floor)
    for sign, fill in ((-1, None), (1, "tonexty")):
        figure.add_scatter(
            x=xs,
            y=[y + sign * up for y in ys],
            mode="lines",
            line={"shape": "hv", "width": 0},
            fill=fill,
            hoverinfo="skip",
            meta={"role": "noise"},
        )


def _add_best(figure: go.Figure, steps: list[tuple[int, float]], last: int) -> None:
    figure.add_scatter(
        x=[n for n, _ in steps] + [last],
        y=[log2(r) for _, r in steps] + [log2(steps[-1][1])],
        mode="lines",
        line={"shape": "hv", "width": 2},
        hoverinfo="skip",
        meta={"role": "best"},
    )


def _add_marks(figure: go.Figure, placed: list[Placed], role: str, symbol: str, size: float) -> None:
    if not placed:
        return
    placed = placed[-MARKERS:]
    figure.add_scatter(
        x=[p.point.number for p in placed],
        y=[log2(p.y) for p in placed],
        mode="markers",
        marker={"symbol": symbol, "size": size, "line": {"width": 1.5}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [whisker(p.y, p.high) for p in placed],
            "arrayminus": [whisker(p.low, p.y) for p in placed],
            "thickness": 1,
            "width": 0,
        },
        hovertext=[hover(p) for p in placed],
        hoverinfo="text",
        customdata=[p.point.url for p in placed],
        meta={"role": role},
    )


def whisker(low: float | None, high: float | None) -> float:
    if low is None or high is None or low <= 0 or high <= 0:
        return 0.0
    return max(log2(high) - log2(low), 0.0)


def hover(placed: Placed) -> str:
    point = placed.point
    ci = words.interval(placed.low, placed.high)
    whole = f"{words.ratio(placed.y)} faster than the baseline" + (f", {ci}" if ci else "")
    if point.total is None:
        whole = f"{words.ratio(point.own, 3)} on its own; the whole session is not measured"
    return "<br>".join((f"Experiment {point.number}: {point.status}", plain_text(point.title), whole))


def plain_text(text: str, limit: int = 60) -> str:
    """Text from a repo inside a label the chart library would read as markup."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _add_baseline(figure: go.Figure) -> None:
    figure.add_scatter(
        x=[0], y=[0], mode="markers", marker={"symbol": "diamond", "size": 9}, hovertext="Baseline",
        hoverinfo="text", meta={"role": "baseline"},
    )  # fmt: skip


def _add_running(figure: go.Figure, running: int | None, steps: list[tuple[int, float]]) -> None:
    if running is None:
        return
    figure.add_scatter(
        x=[running], y=[log2(steps[-1][1])], mode="markers", hoverinfo="text",
        marker={"symbol": "circle-open", "size": 13, "line": {"width": 2}},
        hovertext=f"Experiment {running} is running: not measured yet", meta={"role": "running"},
    )  # fmt: skip


def add_failures(figure: go.Figure, points: Sequence[Point]) -> None:
    # The rail is there before the first failure, so that the axis under it does not jump.
    figure.add_scatter(x=[None], y=[None], yaxis="y2", hoverinfo="skip", meta={"role": "rail"})
    crashed = [p for p in points if p.status == "crash"]
    wrong = [p for p in points if p.status == "discard" and p.reason_class in FAILED]
    for role, symbol, rows in (("crash", "x-thin-open", crashed), ("wrong", "line-ns-open", wrong)):
        if rows:
            figure.add_scatter(
                x=[p.number for p in rows],
                y=[0] * len(rows),
                yaxis="y2",
                mode="markers",
                marker={"symbol": symbol, "size": 9, "line": {"width": 2}},
                hovertext=[f"Experiment {p.number}: {_failure(p)}<br>{plain_text(p.title)}" for p in rows],
                hoverinfo="text",
                customdata=[p.url for p in rows],
                meta={"role": role},
            )


def _failure(point: Point) -> str:
    from sessions_app.vocabulary import reason

    return "crash" if point.status == "crash" else reason(point.reason_class)


def _layout(
    placed: list[Placed],
    steps: list[tuple[int, float]],
    last: int,
    floor: float | None,
    baseline: float | None,
    unit: str,
) -> dict[str, Any]:
    low, high = _range([p.y for p in placed] + [r for _, r in steps], floor)
    marked = ticks(low, high)
    text = [words.quantity(baseline / t, unit) for t in marked] if baseline else [f"{t:g}×" for t in marked]
    return {
        "uirevision": "speedup",
        "margin": {"l": 54, "r": 64, "t": 8, "b": 40},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": {"range": [-0.6, last + 0.6], "title": {"text": "Experiment"}, "showgrid": False, "zeroline": False,
                  "tick0": 0, "dtick": max(1, -(-last // 13)), "anchor": "y2"},
        "yaxis": {"range": [low, high], "tickvals": [log2(t) for t in marked], "ticktext": text, "zeroline": False,
                  "domain": [0.16, 1]},
        "yaxis2": FAILED_AXIS,
    }  # fmt: skip


def _range(ratios: list[float], floor: float | None) -> tuple[float, float]:
    """The log2 range: everything measured down to an eighth below the lowest best, at least a quarter step of air."""
    values = [log2(r) for r in ratios]
    low = max(min([*values, 0.0]), min(0.0, -0.5))
    high = max([*values, math.log2(1 + (floor or 0.02) * 3), 0.2])
    air = max((high - low) * 0.08, 0.04)
    return low - max(air, 0.09), high + air


def _labels(placed: list[Placed], steps: list[tuple[int, float]], last: int) -> list[dict[str, Any]]:
    """The biggest keeps and the last best: labels on the data, so that no legend must be matched."""
    keeps = [p for p in placed if p.point.status == "keep" and not p.point.reverted and p.gain > 1]
    biggest = sorted(keeps, key=lambda p: -p.gain)[:LABELLED_KEEPS]
    found = [_label(p, last) for p in biggest]
    if len(steps) > 1:
        best = steps[-1][1]
        found.append({"x": last, "y": log2(best), "text": f"{best:.2f}× best", "showarrow": False,
                      "xanchor": "left", "xshift": 10, "name": "best"})  # fmt: skip
    return found


def _label(placed: Placed, last: int) -> dict[str, Any]:
    name = plain_text(placed.point.title, 24)
    right = placed.point.number < last * 0.3
    return {
        "x": placed.point.number, "y": log2(placed.y), "showarrow": False, "name": "keep",
        "text": f"{name} +{(placed.gain - 1) * 100:.0f}%",
        "xanchor": "left" if right else "right", "xshift": 8 if right else -8, "yshift": -12 if right else 10,
    }  # fmt: skip


def _notes(
    points: Sequence[Point], consecutive: int, plateau: int, baseline: float | None, unit: str
) -> list[dict[str, Any]]:
    """What the dotted line and the pale band are; the line's words stand left of the band."""
    found: list[dict[str, Any]] = []
    band = _band(points, consecutive, plateau)
    if baseline is not None:
        where = {"x": band[0] - 0.3} if band else {"x": 1, "xref": "paper"}
        text = f"baseline {words.quantity(baseline, unit)}"
        found.append(
            {
                **where,
                "y": 0,
                "text": text,
                "showarrow": False,
                "xanchor": "right",
                "yshift": 9,
                "name": "note",
            }
        )
    if band:
        text = f"{consecutive} of {plateau} discards"
        found.append({"x": band[1], "yref": "paper", "y": 0.155, "yanchor": "bottom", "showarrow": False,
                      "xanchor": "right", "text": text, "name": "plateau"})  # fmt: skip
    return found


def _band(points: Sequence[Point], consecutive: int, plateau: int) -> tuple[float, float] | None:
    """Where the discards since the last keep lie, as experiment numbers; None when there is none."""
    done = [p.number for p in points if p.status in ("discard", "crash")]
    if not consecutive or not plateau or not done:
        return None
    return done[-min(consecutive, len(done))] - 0.5, done[-1] + 0.5


def base_shapes() -> list[dict[str, Any]]:
    """The dotted line at 1× and the rail of failures."""
    one = {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 0, "y1": 0, "yref": "y", "layer": "below",
           "line": {"width": 1, "dash": "dot"}, "name": "one"}  # fmt: skip
    rail = {"type": "rect", "x0": 0, "x1": 1, "xref": "paper", "y0": 0, "y1": 0.1, "yref": "paper",
            "layer": "below", "line": {"width": 0}, "name": "rail"}  # fmt: skip
    return [one, rail]


def _shapes(points: Sequence[Point], consecutive: int, plateau: int) -> list[dict[str, Any]]:
    found = base_shapes()
    band = _band(points, consecutive, plateau)
    if band:
        found.append({"type": "rect", "x0": band[0], "x1": band[1], "y0": 0.16, "y1": 1, "yref": "paper",
                      "layer": "below", "line": {"width": 0}, "name": "plateau"})  # fmt: skip
    return found
