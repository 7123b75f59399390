"""Small drawings as SVG with geometry in attributes: interval mark, sparkline, meter, share bar, lanes, week bars.

Pure functions, numbers in and safe markup out. Every drawing is hidden from assistive technology: the same numbers
always stand beside it as text. Colours come from classes, never from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

EXPERIMENT_AXIS = (0.92, 1.18)
SESSION_AXIS = (0.85, 3.0)
MARK_WIDTH, MARK_HEIGHT = 96, 16
LANE_WIDTH, LANE_HEIGHT = 400, 18


def _xy(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _position(value: float, axis: tuple[float, float], width: float) -> float:
    low, high = math.log(axis[0]), math.log(axis[1])
    return 4 + (math.log(max(value, 1e-9)) - low) / (high - low) * (width - 8)


def _svg(kind: str, width: float, height: float, body: SafeString) -> SafeString:
    return format_html(
        '<svg class="{}" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true" focusable="false">{}</svg>',
        kind, _xy(width), _xy(height), _xy(width), _xy(height), body,
    )  # fmt: skip


def _stretched(kind: str, width: float, height: float, body: SafeString) -> SafeString:
    """A drawing that fills the width its place gives it."""
    return format_html(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        kind, _xy(width), _xy(height), body,
    )  # fmt: skip


def interval_mark(
    ratio: float | None,
    low: float | None,
    high: float | None,
    floor: float | None,
    *,
    kept: bool,
    axis: tuple[float, float] = EXPERIMENT_AXIS,
    width: float = MARK_WIDTH,
) -> SafeString:
    """A ratio and its interval on a log axis. Not measured: the axis alone, never a dot at 1× or at 0."""
    one = _position(1, axis, width)
    parts = [format_html('<line class="axis" x1="4" x2="{}" y1="8" y2="8"/>', _xy(width - 4))]
    if floor:
        left, right = (_clamp(_position(v, axis, width), width) for v in (1 / (1 + floor), 1 + floor))
        parts.append(
            format_html(
                '<rect class="noise" x="{}" y="3" width="{}" height="10"/>', _xy(left), _xy(right - left)
            )
        )
    parts.append(format_html('<line class="one" x1="{0}" x2="{0}" y1="2" y2="14"/>', _xy(one)))
    if ratio is not None and math.isfinite(ratio) and ratio > 0:
        parts.extend(_estimate(ratio, low, high, axis, width, kept))
    scale = "mark session-scale" if axis == SESSION_AXIS else "mark"
    return _svg(scale, width, MARK_HEIGHT, SafeString("".join(parts)))


def wide_mark(
    ratio: float | None, low: float | None, high: float | None, floor: float | None, *, kept: bool
) -> SafeString:
    """The same mark across a whole panel, on an axis that reaches the estimate, with words under its ticks."""
    top = max(EXPERIMENT_AXIS[1], (high or ratio or 1) * 1.06)
    bottom = min(EXPERIMENT_AXIS[0], (low or ratio or 1) * 0.94)
    axis, width = (max(bottom, 0.05), min(top, 200)), 380.0
    inner = interval_mark(ratio, low, high, floor, kept=kept, axis=axis, width=width)
    words_under = format_html(
        '<text x="{}" y="30">1×{}</text>',
        _xy(_inside(_position(1, axis, width), width, 52)),
        f", noise ±{floor * 100:.1f}%" if floor else "",
    )
    if ratio and abs(_position(ratio, axis, width) - _position(1, axis, width)) > 90:
        words_under += format_html(
            '<text x="{}" y="30">{}×</text>',
            _xy(_inside(_position(ratio, axis, width), width, 24)),
            f"{ratio:.2f}",
        )
    return format_html(
        '<svg class="wide-mark" viewBox="0 0 {} 34" aria-hidden="true" focusable="false">{}{}</svg>',
        _xy(width), inner, words_under,
    )  # fmt: skip


def _inside(x: float, width: float, half: float) -> float:
    """Where a centred word of twice ``half`` stays whole."""
    return min(max(x, half), width - half)


def _clamp(x: float, width: float) -> float:
    return min(max(x, 4), width - 4)


def _estimate(
    ratio: float, low: float | None, high: float | None, axis: tuple[float, float], width: float, kept: bool
) -> Iterable[SafeString]:
    state = "kept" if kept else "not-kept"
    if ratio < axis[0]:
        yield format_html('<path class="arrow {}" d="M7 4.5 3 8l4 3.5z"/>', state)
        return
    if ratio > axis[1]:
        yield format_html(
            '<path class="arrow {0}" d="M{1} 4.5 {2} 8l-4 3.5z"/>', state, _xy(width - 7), _xy(width - 3)
        )
        return
    if low and high and low > 0 and high > 0:
        left, right = (_clamp(_position(v, axis, width), width) for v in (low, high))
        yield format_html(
            '<rect class="ci {}" x="{}" y="5" width="{}" height="6" rx="2"/>',
            state,
            _xy(left),
            _xy(max(right - left, 1)),
        )
    yield format_html(
        '<circle class="dot {}" cx="{}" cy="8" r="2.5"/>', state, _xy(_position(ratio, axis, width))
    )


def sparkline(
    values: Sequence[float], *, top: float = 2.0, width: float = 130, height: float = 32
) -> SafeString:
    """Running best as a step line on a log axis from 1× to ``top`` (shared by one list); 1× is dashed."""
    top = max(top, 1.05, *(v for v in values if math.isfinite(v)))
    base = height - 4

    def y(value: float) -> float:
        return base - math.log(max(value, 1)) / math.log(top) * (height - 9)

    one = format_html('<line class="one" x1="0" x2="{0}" y1="{1}" y2="{1}"/>', _xy(width), _xy(base))
    if not values:
        return _svg("spark", width, height, one)
    step = (width - 8) / max(len(values), 12)
    path = f"M0 {_xy(y(1))}"
    x = 0.0
    for value in values:
        x += step
        path += f"H{_xy(x)}V{_xy(y(value))}"
    line = format_html('<path class="best" d="{}"/>', path)
    end = format_html('<circle class="end" cx="{}" cy="{}" r="3"/>', _xy(x), _xy(y(values[-1])))
    return _svg("spark", width, height, SafeString(one + line + end))


def meter(value: float, limit: float, *, width: float = 80) -> SafeString:
    """Use of a limit; amber from 80%."""
    share = min(max(value / limit, 0), 1) if limit > 0 else 0
    return _bar("meter", share, "warn" if share >= 0.8 else "", width)


def share_bar(share: float | None, largest: float, *, first: bool = False) -> SafeString:
    """Share of time of one target against the largest in its list."""
    part = share / largest if share and largest else 0
    return _bar("share", min(part, 1), "first" if first else "", 200)


def _bar(kind: str, share: float, state: str, width: float) -> SafeString:
    body = format_html(
        '<rect class="track" width="{0}" height="4" rx="2"/><rect class="fill {1}" width="{2}" height="4" rx="2"/>',
        _xy(width), state, _xy(share * width),
    )  # fmt: skip
    return _stretched(f"bar {kind}", width, 4, body)


def lane(spans: Iterable[Sequence[Any]], start: float, end: float) -> SafeString:
    """Who worked when: ``[start, end, kind]`` in epoch seconds, ``end`` None while it runs.

    keep: full-height block; discard: hollow and thin; crash: a cross; running: a running block; else a grey block.
    """
    long = max(end - start, 1.0)

    def x(moment: float) -> float:
        return min(max((moment - start) / long, 0), 1) * LANE_WIDTH

    parts = [
        _span(x(s[0]), x(end if s[1] is None else s[1]), "running" if s[1] is None else str(s[2]))
        for s in _drawn(list(spans))
    ]
    track = format_html('<rect class="track" width="{}" height="{}" rx="3"/>', LANE_WIDTH, LANE_HEIGHT)
    return _stretched("lane", LANE_WIDTH, LANE_HEIGHT, SafeString("".join([track, *parts])))


def _drawn(spans: list[Sequence[Any]]) -> list[Sequence[Any]]:
    """Experiments lie inside an agent's working time: where there are any, only they are drawn."""
    tries = [span for span in spans if str(span[2]) != "work"]
    return tries or spans


def _span(left: float, right: float, kind: str) -> SafeString:
    width = max(right - left, 2.0)
    if kind == "keep":
        return format_html(
            '<rect class="keep" x="{}" y="1" width="{}" height="16" rx="1"/>', _xy(left), _xy(width)
        )
    if kind == "discard":
        return format_html(
            '<rect class="discard" x="{}" y="6" width="{}" height="6"/>', _xy(left), _xy(width)
        )
    if kind in ("crash", "failed"):
        middle = left + width / 2
        return format_html(
            '<path class="failed" d="M{0} 5.5l7 7m0-7l-7 7"/>', _xy(min(max(middle - 3.5, 0), LANE_WIDTH - 7))
        )
    if kind == "running":
        return format_html(
            '<rect class="running" x="{}" y="5" width="{}" height="8" rx="1"/>', _xy(left), _xy(width)
        )
    return format_html(
        '<rect class="work" x="{}" y="6" width="{}" height="6" rx="1"/>', _xy(left), _xy(width)
    )


def week_bars(counts: Sequence[tuple[str, int]], *, width: float = 370, height: float = 92) -> SafeString:
    """Bars with their number above and their week below; the newest week is pale because it is not over."""
    top = max((count for _, count in counts), default=0) or 1
    slot = width / max(len(counts), 1)
    shape = (
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>'
        '<text x="{}" y="{}">{}</text><text class="week" x="{}" y="{}">{}</text>'
    )
    last = len(counts) - 1
    rows = (_week(i, label, count, top, slot, height, i == last) for i, (label, count) in enumerate(counts))
    bars = format_html_join("", shape, rows)
    base = format_html('<line class="one" x1="0" x2="{0}" y1="{1}" y2="{1}"/>', _xy(width), _xy(height - 18))
    return _svg("weeks", width, height, SafeString(base + bars))


def _week(
    i: int, label: str, count: int, top: int, slot: float, height: float, last: bool
) -> tuple[str, ...]:
    tall = count / top * (height - 40)
    left, middle, floor = i * slot + slot * 0.14, i * slot + slot / 2, height - 18
    return (
        "week-bar now" if last else "week-bar", _xy(left), _xy(floor - tall), _xy(slot * 0.72), _xy(tall),
        _xy(middle), _xy(floor - tall - 5), str(count), _xy(middle), _xy(height - 4), label,
    )  # fmt: skip


def ticks(start: float, end: float) -> list[tuple[float, float]]:
    """Round moments for the lanes' time axis: (position 0..1, epoch seconds), at most five."""
    long = max(end - start, 1.0)
    step = next((s for s in (10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400) if long / s <= 4), 86400)
    first = math.ceil(start / step) * step
    return [((moment - start) / long, moment) for moment in range(first, int(end) + 1, step)]


def spans_of(agents: Mapping[str, Any]) -> tuple[float, float] | None:
    """The first and last moment any agent worked, in epoch seconds; None before anyone did."""
    moments = [
        m for a in agents.values() for s in a.get("spans", []) for m in s[:2] if isinstance(m, int | float)
    ]
    return (min(moments), max(moments)) if moments else None
