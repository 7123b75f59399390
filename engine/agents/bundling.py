"""Rules feed each other: after single tries fail, unclear rewrites of one function are tried as one bundle."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.agents.proposing import Candidate, site_of, skip_key
from engine.edit import EditRefused, apply
from engine.rules import Proposal, Rule
from engine.run import Run
from engine.site import SiteError

MOST = 3
TIERS = ("exact", "guarded")


def next_bundle(run: Run) -> Candidate | None:
    """The next untried bundle on the current head: two or three unclear rewrites of one target, applied in turn."""
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for each in run.unclear:
        if each.proposal.tier in TIERS:
            groups.setdefault((each.target_id, each.rule.domain), []).append(each)
    for key in sorted(groups):
        bundle = together(run, groups[key][:MOST])
        if bundle is not None and bundle.key not in run.tried_keys:
            return bundle
    return None


def together(run: Run, parts: list[Candidate]) -> Candidate | None:
    """One candidate from several; a part that no longer applies after the others is left out."""
    if len(parts) < 2:
        return None
    path, qualname = parts[0].path, parts[0].qualname
    before = run.workspace.show(run.workspace.head, path)
    text, applied = before, []
    for part in parts:
        after = _again(run, part, text)
        if after is not None:
            text = after
            applied.append(part)
    if len(applied) < 2:
        return None
    rule, proposal = _joined(applied)
    key = skip_key(run, rule, before, qualname, proposal)
    return replace(applied[0], rule=rule, proposal=proposal, before=before, after=text, key=key)


def _again(run: Run, part: Candidate, source: bytes) -> bytes | None:
    """The same proposal found anew in the text that the others left."""
    try:
        site = site_of(run, part.target_id, source)
        same = next((p for p in part.rule.propose(site) if p.claim == part.proposal.claim), None)
        return apply(site, same) if same is not None else None
    except (SiteError, EditRefused):
        return None


def _joined(parts: list[Candidate]) -> tuple[Rule, Proposal]:
    first = parts[0]
    rule = replace(
        first.rule,
        id="+".join(part.rule.id for part in parts),
        gain=math.prod(part.rule.gain for part in parts),
    )
    proposal = replace(
        first.proposal,
        claim="; ".join(part.proposal.claim for part in parts),
        obligations=tuple(dict.fromkeys(o for part in parts for o in part.proposal.obligations)),
        tier="guarded" if any(part.proposal.tier == "guarded" for part in parts) else "exact",
    )
    return rule, proposal
