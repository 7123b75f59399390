"""The one shape of a rule, and the doors to all of them."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from engine.edit import Change, Edit, EditRefused, Intended
from engine.facts import Facts
from engine.site import Site

log = logging.getLogger("engine.rules")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Edits with the tree they must lead to. ``claim`` is one sentence without a full stop; ``obligations`` are what is
    assumed and not proven; ``tier`` may be below the rule's own when observed facts stand in for a proof."""

    claim: str
    edits: tuple[Edit, ...]
    intended: Intended
    obligations: tuple[str, ...] = ()
    tier: str = "guarded"


def code(text: str) -> str:
    """A source text written indented in a rule's module."""
    return textwrap.dedent(text).lstrip("\n")


@dataclass(frozen=True, kw_only=True)
class Case:
    """An example (``expected`` is the whole new file) or a refusal (``expected`` is None), with why it is one.

    ``inputs`` are type words, one a parameter, from which tests make arguments; empty when calls cannot be compared.
    ``files`` is the rest of the repo, for rules that look at it.
    """

    why: str
    source: str
    function: str
    expected: str | None = None
    facts: Facts = field(default_factory=Facts)
    inputs: tuple[str, ...] = ()
    path: str = "pkg/mod.py"
    files: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``id`` is a kebab-case slug; ``metric`` one of cpu, wall, peak, import; ``gain`` the usual ratio.

    ``python`` is the oldest Python the rewrite runs on. ``find`` yields proposals: no input or output, no target code,
    no clock, no chance.
    """

    id: str
    version: int
    domain: str
    tier: str
    metric: str
    summary: str
    gain: float
    find: Callable[[Site], Iterator[Proposal]]
    needs: tuple[str, ...] = ()
    python: tuple[int, int] = (3, 8)
    examples: tuple[Case, ...] = ()
    refuses: tuple[Case, ...] = ()

    def propose(self, site: Site) -> Iterator[Proposal]:
        """Proposals for ``site``, never an exception."""
        if (0, 0) < site.facts.python < self.python:
            return
        seen: Counter[str] = Counter()
        try:
            for each in self.find(site):
                seen[each.claim] += 1
                place = seen[each.claim]
                yield each if place == 1 else replace(each, claim=f"{each.claim} (place {place})")
        except (RecursionError, EditRefused):
            return
        except Exception:  # one rule's fault must not end a session
            log.exception("rule %s failed on %s::%s", self.id, site.path, site.qualname)


def proposal(
    change: Change, claim: str, *, tier: str = "guarded", obligations: tuple[str, ...] = ()
) -> Iterator[Proposal]:
    """The finished proposal of ``change``."""
    edits, intended = tuple(change.edits), change.finish()
    yield Proposal(claim=claim, edits=edits, intended=intended, obligations=obligations, tier=tier)


@cache
def catalogue() -> tuple[Rule, ...]:
    """Every rule, by domain and id."""
    import engine.rules as package

    names = sorted(each.name for each in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    rules = [module.RULE for module in modules if hasattr(module, "RULE")]
    return tuple(sorted(rules, key=lambda rule: (rule.domain, rule.id)))


def proposals(site: Site, *, domain: str) -> Iterator[tuple[Rule, Proposal]]:
    """What the rules of ``domain`` (``deep`` or empty: all) propose for ``site``, in the catalogue's order."""
    for rule in catalogue():
        if domain in ("", "deep", rule.domain):
            for each in rule.propose(site):
                yield rule, each
