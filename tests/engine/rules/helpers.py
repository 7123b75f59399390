"""Sites and rewrites of a rule's cases, and comparing two versions of a function strictly."""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from engine.edit import apply
from engine.rules import Case, Rule
from engine.site import Site, build_site, survey


def site_of(case: Case, source: str | None = None) -> Site:
    """The site of a case, or of another text in its place."""
    text = (case.source if source is None else source).encode()
    others = None
    if case.files is not None:
        others = survey({case.path: text, **{path: each.encode() for path, each in case.files.items()}})
    return build_site(source=text, path=case.path, qualname=case.function, facts=case.facts, survey=others)


def rewrites(rule: Rule, case: Case, source: str | None = None) -> list[str]:
    """The new texts of everything the rule finds; faults of the rule are not caught."""
    site = site_of(case, source)
    return [apply(site, proposal).decode() for proposal in rule.find(site)]


def function_of(text: str, case: Case) -> Callable[..., Any]:
    """The case's function, from running the text as a module."""
    scope: dict[str, Any] = {"__name__": "case"}
    exec(compile(text, "<case>", "exec", dont_inherit=True), scope)
    found: Callable[..., Any] = scope["f" if case.function == "<module>" else case.function]
    return found


def outcome(
    function: Callable[..., Any], args: tuple[Any, ...], runner: asyncio.Runner
) -> tuple[object, ...]:
    """Result or exception, and the arguments afterwards, in a form that is equal only for the very same."""
    given = copy.deepcopy(args)
    try:
        value = function(*given)
        value = runner.run(value) if inspect.iscoroutine(value) else value
        told: tuple[object, ...] = ("returned", shape(value))
    except Exception as error:
        told = ("raised", type(error), str(error))
    return (*told, shape(given))


def shape(value: object) -> object:
    """Exact types, float bits, order of dicts; a set as the sorted shapes of its members."""
    if isinstance(value, float):
        return (float, value.hex())
    if isinstance(value, list | tuple):
        return (type(value), tuple(shape(each) for each in value))
    if isinstance(value, dict):
        return (type(value), tuple((shape(k), shape(v)) for k, v in value.items()))
    if isinstance(value, set | frozenset):
        return (type(value), tuple(sorted(map(repr, map(shape, value)))))
    if isinstance(value, io.StringIO):
        return (io.StringIO, value.getvalue(), value.tell())
    return (type(value), repr(value))


_WHOLE = st.integers() | st.integers(-3, 12)
_TEXT = st.text(max_size=6) | st.sampled_from(["", "a", "A", "ab", "b"])
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "int": _WHOLE,
    "str": _TEXT,
    "float": st.floats(),
    "list[int]": st.lists(_WHOLE, max_size=12),
    "list[str]": st.lists(_TEXT, max_size=12),
    "list[float]": st.lists(st.floats(), max_size=12),
    "dict[str, int]": st.dictionaries(_TEXT, _WHOLE, max_size=6),
    "_io.StringIO": st.lists(_TEXT, max_size=6).map(lambda parts: io.StringIO("\n".join(parts))),
}
