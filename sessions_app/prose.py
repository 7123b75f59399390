"""Markdown from repos and agents as safe HTML: one door, one allow-list, a bound on size.

Raw HTML in the text is shown as text. Anything too large, or anything the parser cannot take, is escaped plain text.
"""

from __future__ import annotations

import nh3
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

MAX_CHARS = 200_000
_TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "s", "code", "pre",
    "blockquote", "table", "thead", "tbody", "tr", "th", "td", "a",
}  # fmt: skip
_PARSER = MarkdownIt("js-default", {"html": False, "linkify": False, "maxNesting": 20})


def prose(text: str) -> SafeString:
    """Sanitised HTML; links only to http, https and mailto, and never followed by a crawler."""
    if len(text) > MAX_CHARS:
        return plain(text)
    try:
        rendered = _render(text)
    except (ValueError, RecursionError, IndexError):
        return plain(text)
    clean = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return SafeString(clean)


def _render(text: str) -> str:
    """Headings start two levels down: a page has one title of its own, and its panels the next level."""
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        for child in token.children or []:
            # ``__dict__`` is a name of Python, not a loud "dict".
            if child.type in ("strong_open", "strong_close") and child.markup == "__":
                child.type, child.tag, child.nesting, child.content = "text", "", 0, "__"
    rendered: str = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return rendered


def plain(text: str) -> SafeString:
    """The text as it is, in a box that keeps its lines."""
    return format_html('<pre class="raw">{}</pre>', text)


def hits(text: str, terms: list[str]) -> SafeString:
    """Escaped text with each found word marked; the words are matched without case."""
    lowered = text.lower()
    spans: list[tuple[int, int]] = []
    for term in terms:
        start = lowered.find(term) if term else -1
        while start >= 0 and len(spans) < 200:
            spans.append((start, start + len(term)))
            start = lowered.find(term, start + len(term))
    return _marked(text, sorted(spans)) if len(lowered) == len(text) else SafeString(escape(text))


def _marked(text: str, spans: list[tuple[int, int]]) -> SafeString:
    parts, at = [], 0
    for start, end in spans:
        if start < at:
            continue
        parts += [escape(text[at:start]), format_html('<mark class="hit">{}</mark>', text[start:end])]
        at = end
    return SafeString("".join([*parts, escape(text[at:])]))
