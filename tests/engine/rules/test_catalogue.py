"""The catalogue is found by walking the package, and nothing else knows a rule by name."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from engine.edit import EditRefused
from engine.facts import Facts
from engine.rules import Rule, catalogue, proposals
from engine.site import Site, build_site
from engine.values import DOMAINS

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("engine", "sessions_app", "reviews_app", "config", "templates", "static", "tools")


def test_three_rules_a_domain_of_one_shape() -> None:
    rules = catalogue()
    assert all(count >= 3 for count in Counter(rule.domain for rule in rules).values())
    assert {rule.domain for rule in rules} == set(DOMAINS)
    assert len({rule.id for rule in rules}) == len(rules)
    for rule in rules:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id)
        assert rule.tier in ("exact", "guarded", "numeric", "external")
        assert rule.metric in ("cpu", "wall", "peak", "import")
        assert rule.gain > 1
        assert rule.version >= 1
        assert rule.summary[-1] != "."


def test_no_rule_is_named_outside_the_catalogue() -> None:
    ids = [rule.id.encode() for rule in catalogue()]
    named = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            known = path.suffix in (".py", ".html", ".js", ".css", ".txt") and "vendor" not in path.parts
            if known and (ROOT / "engine" / "rules") not in path.parents:
                named += [(path.name, each.decode()) for each in ids if each in path.read_bytes()]
    assert named == []


def site(source: str, qualname: str = "f", **facts: object) -> Site:
    return build_site(source=source.encode(), path="pkg/mod.py", qualname=qualname, facts=Facts(**facts))  # type: ignore[arg-type]


BOTH = "def f(xs):\n    a = ','.join(str(x) for x in xs)\n    b = list(x for x in xs)[:2]\n    return a, b\n"
INTS = {"xs": {"builtins.list[builtins.int]": 1}}


def test_proposals_are_those_of_the_domain() -> None:
    here = site(BOTH, arg_types=INTS)
    assert {rule.domain for rule, _ in proposals(here, domain="cpu")} == {"cpu"}
    assert {rule.domain for rule, _ in proposals(here, domain="memory")} == {"memory"}
    assert {rule.domain for rule, _ in proposals(here, domain="deep")} == {"cpu", "memory"}


def test_the_same_claim_twice_tells_the_places_apart() -> None:
    here = site("def f(xs):\n    return list(x for x in xs), list(x for x in xs)\n", arg_types=INTS)
    claims = [each.claim for _, each in proposals(here, domain="cpu")]
    assert len(claims) == len(set(claims)) == 2


def test_a_rule_for_newer_pythons_is_silent_on_older_ones() -> None:
    rule = next(each for each in catalogue() if each.python > (3, 8))
    case = rule.examples[0]
    for python, expected in (((3, 8), 0), ((3, 12), 1)):
        facts = Facts(**{**case.facts.__dict__, "python": python})
        here = build_site(source=case.source.encode(), path=case.path, qualname=case.function, facts=facts)
        assert len(list(rule.propose(here))) == expected


def test_a_fault_in_a_rule_ends_nothing(caplog: object) -> None:
    def broken(_site: Site) -> object:
        raise KeyError("a fault")

    def refusing(_site: Site) -> object:
        raise EditRefused("no")

    for find in (broken, refusing):
        rule = Rule(
            id="x-y", version=1, domain="cpu", tier="exact", metric="cpu", summary="s", gain=1.1, find=find
        )  # type: ignore[arg-type]
        assert list(rule.propose(site("def f():\n    pass\n"))) == []
