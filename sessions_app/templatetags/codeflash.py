"""Template tags and filters: numbers in words, status marks, icons and small drawings. All output is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.base import FilterExpression, Node, Parser, TextNode, Token, Variable
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app import marks, vocabulary, words

register = template.Library()
LONG_WAIT = timedelta(days=1)

register.filter("ratio", words.ratio)
register.filter("percent", words.percent)
register.filter("noise", words.noise)
register.filter("duration", words.duration)
register.filter("initials", words.initials)
register.filter("quantity", words.quantity)
register.filter("reason_word", vocabulary.reason)


@register.filter
def ratio3(value: object) -> str:
    return words.ratio(value, 3)


@register.filter
def sha(commit: str | None) -> str:
    return words.short(commit, 7)


@register.filter
def digest8(digest: str | None) -> str:
    return words.short(digest, 8)


@register.filter
def count(number: object) -> str:
    """``1,284``; unknown is an en dash."""
    known = words.known(number)
    return words.DASH if known is None else f"{known:,.0f}"


@register.filter
def plural(number: int, noun: str) -> str:
    one, _, many = noun.partition(",")
    return words.plural(number, one, many)


@register.filter
def person(user: Any) -> str:
    """A person's full name, else their user name; nobody is "a schedule"."""
    return str(user.get_full_name() or user.get_username()) if user else "the system"


@register.filter
def basename(path: str) -> str:
    return str(path).rsplit("/", 1)[-1]


@register.filter
def get(mapping: Any, key: str) -> Any:
    return mapping.get(key) if isinstance(mapping, dict) else None


def icon(name: str) -> SafeString:
    return format_html('<svg class="i" aria-hidden="true" focusable="false"><use href="#i-{}"/></svg>', name)


@register.tag("icon")
def _icon(parser: Parser, token: Token) -> Node:
    """``{% icon "plus" %}`` is markup when its template is read, not again at each of a page's hundred icons."""
    _, argument = token.split_contents()
    name = parser.compile_filter(argument)
    return IconNode(name) if isinstance(name.var, Variable) else TextNode(icon(str(name.var)))


class IconNode(Node):
    """An icon whose name is only known when the page is made."""

    def __init__(self, name: FilterExpression) -> None:
        self.name = name

    def render(self, context: template.Context) -> SafeString:
        return icon(str(self.name.resolve(context)))


@register.simple_tag
def agent_icon(agent: str) -> SafeString:
    return icon(vocabulary.agent_icon(agent))


@register.simple_tag
def agent(name: str) -> SafeString:
    """An agent: always with its name, in a neutral tile."""
    return format_html(
        '<span class="agent"><span class="tile">{}</span>{}</span>', agent_icon(name), name or "–"
    )


@lru_cache(maxsize=256)
def _marked(kind: str, mark: vocabulary.Mark) -> SafeString:
    """The same few marks stand in every row: their markup follows from these two alone."""
    return format_html('<span class="{} {}">{}{}</span>', kind, mark.family, icon(mark.icon), mark.word)


@register.simple_tag
def status(table: str, key: str) -> SafeString:
    """Icon and word in the family's colour, without a box."""
    return _marked("status", vocabulary.mark(table, key))


@register.simple_tag
def badge(table: str, key: str) -> SafeString:
    """A filled badge: status of a session, a person's decision, a learning's state."""
    return _marked("badge", vocabulary.mark(table, key))


@register.simple_tag
def verdict(key: str) -> SafeString:
    """The reviewing agent's verdict: outlined capitals."""
    return _marked("verdict", vocabulary.mark("verdict", key)) if key else SafeString("–")


@register.filter
def shown_status(session: Any) -> str:
    """The status people see: an expired lease shows as lost contact until the reaper acts."""
    return "lost_contact" if session.lost_contact else str(session.status)


@register.filter
def status_word(session: Any) -> str:
    return vocabulary.mark("session", shown_status(session)).word.lower()


@register.simple_tag
def speedup(value: object, metric: str = "cpu", places: int = 2) -> SafeString:
    """The number large and its word small; unknown in words."""
    if words.known(value) is None:
        return format_html('<span class="unknown">{}</span>', words.NOT_MEASURED)
    number, _, word = words.speedup(value, metric, places).partition("×")
    return format_html("<strong>{}×</strong>{}", number, word)


@register.simple_tag
def interval(low: object, high: object, places: int = 2) -> str:
    return words.interval(low, high, places)


@register.simple_tag
def pair(before: object, after: object, unit: str) -> SafeString:
    """``868 → 781 ms``, the second number strong."""
    first, second, name = words.pair(before, after, unit)
    return format_html("{} → <strong>{}</strong> {}", first, second, name)


@register.simple_tag
def stamp(moment: datetime | float | None, style: str = "when") -> SafeString:
    """A moment with its full stamp: ``when`` (today 14:02, 2 May), ``clock`` (15:48:22), ``waiting`` (ticks).

    The browser rewrites the text for the reader's own zone; without script it is UTC.
    """
    if moment is None:
        return format_html('<span class="unknown">{}</span>', words.DASH)
    if isinstance(moment, int | float):
        moment = datetime.fromtimestamp(moment, UTC)
    utc = moment.astimezone(UTC)
    text = (
        f"{utc:%H:%M:%S}" if style == "clock" else words.since(utc) if style == "waiting" else words.when(utc)
    )
    return format_html(
        '<time datetime="{}" data-{} title="{}">{}</time>',
        utc.isoformat(),
        style,
        f"{utc:%d %b %Y %H:%M:%S} UTC",
        text,
    )


@register.simple_tag
def waiting(since: datetime) -> SafeString:
    """How long something waits for a person; amber with a clock once that is more than a day."""
    ticking = stamp(since, "waiting")
    if datetime.now(UTC) - since <= LONG_WAIT:
        return ticking
    return format_html('<span class="status warn">{}{}</span>', icon("clock"), ticking)


@register.simple_tag
def elapsed(start: datetime | None, end: datetime | None = None) -> SafeString:
    """How long something took; while it runs the browser ticks it from the server's own start."""
    if start is None:
        return format_html('<span class="unknown">{}</span>', words.DASH)
    text = words.since(start, end)
    if end is not None:
        return format_html("<span>{}</span>", text)
    return format_html('<time datetime="{}" data-elapsed>{}</time>', start.astimezone(UTC).isoformat(), text)


@register.simple_tag
def interval_mark(row: Any, kept: bool | None = None) -> SafeString:
    """The mark of an experiment or of any record with ratio, low, high and floor."""

    def read(name: str) -> Any:
        return row.get(name) if isinstance(row, dict) else getattr(row, name, None)

    ratio, low, high, floor = (words.known(read(name)) for name in ("ratio", "low", "high", "floor"))
    is_kept = read("status") == "keep" if kept is None else kept
    return marks.interval_mark(ratio, low, high, floor, kept=is_kept)


@register.simple_tag
def wide_mark(experiment: Any) -> SafeString:
    """The mark of one experiment across a panel, with its scale written under it."""
    return marks.wide_mark(
        experiment.ratio, experiment.low, experiment.high, experiment.floor, kept=experiment.status == "keep"
    )


@register.simple_tag
def session_mark(row: dict[str, Any] | None, kept: bool = True) -> SafeString:
    """The mark of a whole session, on the wider axis."""
    data = row if isinstance(row, dict) else {}
    ratio, low, high, floor = (words.known(data.get(name)) for name in ("ratio", "low", "high", "floor"))
    return marks.interval_mark(ratio, low, high, floor, kept=kept, axis=marks.SESSION_AXIS)


@register.simple_tag
def sparkline(values: Sequence[float], top: float = 2.0) -> SafeString:
    return marks.sparkline(values, top=top)


@register.simple_tag
def meter(value: float, limit: float) -> SafeString:
    return marks.meter(value, limit)


@register.simple_tag
def share_bar(share: float | None, largest: float, first: bool = False) -> SafeString:
    return marks.share_bar(share, largest, first=first)


@register.simple_tag
def week_bars(counts: Sequence[tuple[str, int]]) -> SafeString:
    return marks.week_bars(counts)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The current address's query with some values changed; None or empty takes a value away, and so the page."""
    request = context["request"]
    values = {key: request.GET.getlist(key) for key in request.GET if key != "page"}
    for key, value in changes.items():
        values[key] = [] if value in (None, "") else [str(value)]
    return "?" + urlencode([(k, v) for k, vs in values.items() for v in vs])


@register.simple_tag(takes_context=True)
def sort_state(context: template.Context, column: str) -> str:
    """``aria-sort`` for a column head."""
    sort = context.get("sort", "")
    return "ascending" if sort == column else "descending" if sort == f"-{column}" else "none"


@register.simple_tag(takes_context=True)
def sort_link(context: template.Context, column: str) -> str:
    return query(context, sort=column if context.get("sort", "") == f"-{column}" else f"-{column}")


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, name: str, value: str) -> str:
    """The current query with one filter set; its name may come from a variable."""
    return query(context, **{name: value})


@register.simple_tag(takes_context=True)
def query_without(context: template.Context, name: str) -> str:
    return query(context, **{name: None})
