"""Figures of finished things: one experiment's rounds, sessions side by side, a repo over time.

Same rules as :mod:`sessions_app.charts`: plain rows in, a figure out, roles instead of colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from sessions_app import words
from sessions_app.charts import (
    FAILED_AXIS,
    MARKERS,
    add_failures,
    base_shapes,
    hover,
    plain_text,
    whisker,
)
from sessions_app.placing import FAILED, Point, log2, place, ticks


@dataclass(frozen=True, kw_only=True)
class Series:
    """One session of a comparison: its points and its baseline in the session's unit."""

    label: str
    points: Sequence[Point]
    baseline: float | None


def alone(points: Sequence[Point], *, floor: float | None = None) -> go.Figure:
    """Each experiment by its own ratio against the best before it, whatever it measured: what did each try bring?"""
    known = [p for p in points if p.own is not None and p.own > 0 and p.reason_class not in FAILED]
    figure = go.Figure()
    for status, symbol, size in (("discard", "circle-open", 6.5), ("keep", "circle", 9)):
        rows = [p for p in known if p.status == status][-MARKERS:]
        if rows:
            figure.add_scatter(
                x=[p.number for p in rows], y=[log2(p.own or 1) for p in rows], mode="markers",
                marker={"symbol": symbol, "size": size, "line": {"width": 1.5}},
                error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 0,
                         "array": [whisker(p.own, p.own_high) for p in rows],
                         "arrayminus": [whisker(p.own_low, p.own) for p in rows]},
                hovertext=[_own_hover(p) for p in rows], hoverinfo="text", customdata=[p.url for p in rows],
                meta={"role": status},
            )  # fmt: skip
    add_failures(figure, points)
    last = max([p.number for p in points] + [4])
    layout = _compare_layout(
        [1.0, 1 + (floor or 0.02) * 2, *(min(max(p.own or 1, 2**-4), 2**12) for p in known)], last
    )
    layout["yaxis"]["domain"] = [0.16, 1]
    layout["xaxis"]["anchor"] = "y2"
    layout["yaxis2"] = FAILED_AXIS
    layout["margin"] = {"l": 54, "r": 24, "t": 8, "b": 40}
    layout["uirevision"] = "alone"
    figure.layout = {**layout, "shapes": base_shapes()}
    return figure


def _own_hover(point: Point) -> str:
    ci = words.interval(point.own_low, point.own_high, 3)
    said = words.ratio(point.own, 3) + (f", {ci}" if ci else "") + ", against the best before it"
    return "<br>".join((f"Experiment {point.number}: {point.status}", plain_text(point.title), said))


def before_after(before: Sequence[float], after: Sequence[float], unit: str) -> go.Figure | None:
    """Two strips of rounds in one unit with a bar at each median; None when no round was kept."""
    if not before or not after:
        return None
    factor, name = words.column_unit([*before, *after], unit)
    figure = go.Figure()
    for row, role, symbol, values in ((1, "before", "circle-open", before), (0, "after", "circle", after)):
        xs = [v * factor for v in values]
        jitter = [row + ((i * 7) % 11 - 5) / 28 for i in range(len(xs))]
        figure.add_scatter(
            x=xs[-MARKERS:],
            y=jitter[-MARKERS:],
            mode="markers",
            marker={"symbol": symbol, "size": 7, "line": {"width": 1.5}},
            hovertemplate=f"%{{x:.4g}} {name}<extra></extra>",
            meta={"role": role},
        )
        middle = _median(xs)
        figure.add_scatter(x=[middle, middle], y=[row - 0.28, row + 0.28], mode="lines", line={"width": 2},
                           hoverinfo="skip", meta={"role": f"{role}-median"})  # fmt: skip
    figure.layout = {**_strip_layout(name), "annotations": _strip_labels(before, after, factor, name)}
    return figure


def _strip_layout(unit: str) -> dict[str, Any]:
    return {
        "uirevision": "strips",
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 54, "r": 16, "t": 8, "b": 30},
        "xaxis": {"ticksuffix": f" {unit}", "zeroline": False, "nticks": 8, "tickangle": 0},
        "yaxis": {"range": [-0.5, 1.5], "tickvals": [0, 1], "ticktext": ["after", "before"], "showgrid": False,
                  "zeroline": False, "fixedrange": True},
    }  # fmt: skip


def _strip_labels(
    before: Sequence[float], after: Sequence[float], factor: float, unit: str
) -> list[dict[str, Any]]:
    first, second = _median(before) * factor, _median(after) * factor
    change = first - second
    word = "less" if change > 0 else "more"
    said = f"{words.in_unit(abs(change), 1)} {unit} {word}"
    ends = ((first, 1.4, second), (second, -0.4, first))
    medians = [
        {"x": x, "y": y, "text": f"median {words.in_unit(x, 1)} {unit}", "showarrow": False, "name": "median",
         "xanchor": "right" if x >= other else "left"}
        for x, y, other in ends
    ]  # fmt: skip
    return [
        {"x": (first + second) / 2, "y": 0.5, "text": said, "showarrow": False, "name": "change"},
        *medians,
    ]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


COMPARE_ROLES = (
    ("a", "circle", "solid"),
    ("b", "square", "dash"),
    ("c", "diamond", "dot"),
    ("d", "cross", "dashdot"),
)


def compare(series: Sequence[Series]) -> go.Figure:
    """Sessions on one absolute axis: times faster than the first session's baseline (its own where that is unknown)."""
    figure = go.Figure()
    reference = series[0].baseline if series else None
    labels: list[dict[str, Any]] = []
    tops, last = [1.0], 4
    for one, (role, symbol, dash) in zip(series, COMPARE_ROLES, strict=False):
        scale = reference / one.baseline if reference and one.baseline else 1.0
        placed, steps = place(one.points)
        end = max([p.number for p in one.points] + [steps[-1][0]])
        xs, ys = [n for n, _ in steps] + [end], [log2(r * scale) for _, r in steps]
        figure.add_scatter(x=xs, y=[*ys, ys[-1]], mode="lines", line={"shape": "hv", "width": 2, "dash": dash},
                           hoverinfo="skip", meta={"role": role})  # fmt: skip
        for status in ("discard", "keep"):
            marks = [p for p in placed if p.point.status == status]
            figure.add_scatter(
                x=[p.point.number for p in marks], y=[log2(p.y * scale) for p in marks], mode="markers",
                marker={"symbol": symbol + ("-open" if status == "discard" else ""), "size": 7},
                hovertext=[hover(p) for p in marks], hoverinfo="text", customdata=[p.point.url for p in marks],
                meta={"role": role},
            )  # fmt: skip
        tops += [p.y * scale for p in placed] + [scale]
        last = max(last, end)
        labels.append({"x": end, "y": ys[-1], "text": plain_text(one.label), "showarrow": False, "xanchor": "left",
                       "xshift": 8, "yshift": 8 - 16 * (len(labels) % 2), "name": role})  # fmt: skip
    figure.layout = {**_compare_layout(tops, last), "annotations": labels}
    return figure


def _compare_layout(ratios: list[float], last: int) -> dict[str, Any]:
    low, high = min(log2(r) for r in ratios), max(log2(r) for r in ratios)
    air = max((high - low) * 0.1, 0.1)
    marked = ticks(low - air, high + air)
    return {
        "uirevision": "compare",
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 54, "r": 110, "t": 8, "b": 40},
        "xaxis": {"range": [-0.6, last + 0.6], "title": {"text": "Experiment"}, "showgrid": False, "zeroline": False,
                  "tick0": 0, "dtick": max(1, -(-last // 13))},
        "yaxis": {"range": [low - air, high + air], "tickvals": [log2(t) for t in marked],
                  "ticktext": [f"{t:g}×" for t in marked], "zeroline": False},
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One measured session of a repo's history."""

    label: str
    when: datetime
    ratio: float
    low: float | None
    high: float | None
    approved: bool
    live: bool
    url: str


def repo_history(rows: Sequence[Finished]) -> go.Figure | None:
    """The branch people merge to as a step line over dates: it rises only with approved sessions; others are hollow."""
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: row.when)
    total, xs, ys = 1.0, [rows[0].when.isoformat()], [0.0]
    spots: dict[str, list[tuple[Finished, float]]] = {"approved": [], "other": [], "live": []}
    for row in rows:
        kind = "approved" if row.approved else "live" if row.live else "other"
        height = total * row.ratio
        spots[kind].append((row, height))
        if row.approved:
            total = height
            xs.append(row.when.isoformat())
            ys.append(log2(total))
    figure = go.Figure()
    figure.add_scatter(x=[*xs, rows[-1].when.isoformat()], y=[*ys, ys[-1]], mode="lines",
                       line={"shape": "hv", "width": 2}, hoverinfo="skip", meta={"role": "best"})  # fmt: skip
    for kind, symbol, role in (("other", "circle-open", "discard"), ("approved", "circle", "keep"),
                               ("live", "circle-open", "running")):  # fmt: skip
        _add_sessions(figure, spots[kind], symbol, role)
    heights = [h for group in spots.values() for _, h in group] + [1.0, 2 ** max(ys)]
    layout = _compare_layout(heights, 4)
    layout["uirevision"] = "history"
    layout["margin"]["r"] = 24
    layout["xaxis"] = {"type": "date", "showgrid": False, "zeroline": False, **_dates(rows)}
    figure.layout = layout
    return figure


def _dates(rows: Sequence[Finished]) -> dict[str, Any]:
    """Days under the axis; sessions of one day stand by the hour, with room on both sides."""
    first, last = min(row.when for row in rows), max(row.when for row in rows)
    if last - first >= timedelta(days=2):
        return {"tickformat": "%-d %b"}
    room = max((last - first) / 10, timedelta(hours=1))
    around = [(first - room).isoformat(), (last + room).isoformat()]
    return {"tickformat": "%H:%M\n%-d %b", "range": around, "nticks": 8}


def _add_sessions(figure: go.Figure, spots: list[tuple[Finished, float]], symbol: str, role: str) -> None:
    if spots:
        figure.add_scatter(
            x=[row.when.isoformat() for row, _ in spots], y=[log2(height) for _, height in spots], mode="markers",
            marker={"symbol": symbol, "size": 9, "line": {"width": 1.5}}, hoverinfo="text",
            hovertext=[f"{plain_text(row.label)}<br>{words.ratio(row.ratio)}" for row, _ in spots],
            customdata=[row.url for row, _ in spots], meta={"role": role},
        )  # fmt: skip
