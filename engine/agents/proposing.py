"""From the ranked table to concrete edits: every rule may propose for every target; static checks come first."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from engine.edit import EditRefused, apply, editable
from engine.profile import RulePrior
from engine.rules import Proposal, Rule, proposals
from engine.run import Run
from engine.site import Site, SiteError, Survey, build_site
from engine.values import Target
from engine.workspace import TooLarge


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One proposal that passed the static checks: the whole new text of one file."""

    target_id: str
    path: str
    qualname: str
    line: int
    rule: Rule
    proposal: Proposal
    before: bytes
    after: bytes
    key: str

    @property
    def prior(self) -> RulePrior:
        return RulePrior(rule=self.rule.id, domain=self.rule.domain, gain=self.rule.gain)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A proposal that the edit layer refused, with its reason."""

    target_id: str
    rule: str
    reason: str


def split_id(target_id: str) -> tuple[str, str]:
    path, _, qualname = target_id.partition("::")
    return path, qualname


def candidates_of(run: Run, target_id: str) -> Iterator[Candidate | Refused]:
    """All proposals for one target on the current head, already edited and checked; refusals keep their reason."""
    path, qualname = split_id(target_id)
    if not editable(path) or run.profile is None:
        return
    try:
        source = run.workspace.show(run.workspace.head, path)
        site = site_of(run, target_id, source)
    except (SiteError, TooLarge):
        return
    for rule, proposal in proposals(site, domain=run.domain):
        key = skip_key(run, rule, source, qualname, proposal)
        try:
            after = apply(site, proposal)
        except EditRefused as refused:
            yield Refused(target_id=target_id, rule=rule.id, reason=str(refused))
            continue
        line = getattr(site.node, "lineno", 1)
        yield Candidate(
            target_id=target_id,
            path=path,
            qualname=qualname,
            line=line,
            rule=rule,
            proposal=proposal,
            before=source,
            after=after,
            key=key,
        )


def site_of(run: Run, target_id: str, source: bytes) -> Site:
    """The site of a target in a text of its file; raises SiteError when it cannot be read."""
    assert run.profile is not None
    path, qualname = split_id(target_id)
    return build_site(
        source=source,
        path=path,
        qualname=qualname,
        facts=run.profile.facts_for(target_id),
        survey=survey_of(run),
    )


SURVEYED_BYTES = 1 << 20


def survey_of(run: Run) -> Survey:
    """What the rest of the repo does with each file, read once per head from a laid-out tree."""
    head = run.workspace.head
    known = run.surveys.get(head)
    if known is None:
        with run.survey_lock:
            known = run.surveys.get(head) or Survey(_python_files(run, head))
            run.surveys = {head: known}
    return known


def _python_files(run: Run, head: str) -> dict[str, bytes]:
    tree = run.workspace.tree("survey", head)
    names = [name for name in run.workspace.files(head) if name.endswith(".py")]
    files = {name: tree / name for name in names}
    return {name: path.read_bytes() for name, path in files.items() if path.stat().st_size <= SURVEYED_BYTES}


def skip_key(run: Run, rule: Rule, source: bytes, qualname: str, proposal: Proposal) -> str:
    """Same rule and version on the same code and Python minor: tried once. Layout and comments do not count."""
    python = ".".join((run.environment.python_version if run.environment else "").split(".")[:2])
    parts = (rule.id, str(rule.version), python, qualname, _normal(source, qualname), proposal.claim)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _normal(source: bytes, qualname: str) -> str:
    tree: ast.AST = ast.parse(source)
    for name in qualname.split("."):
        if name in ("<module>", "<locals>"):
            continue
        body = getattr(tree, "body", [])
        found = [n for n in body if getattr(n, "name", None) == name]
        if not found:
            break
        tree = found[-1]
    return ast.dump(tree)


def priors(found: dict[str, list[Candidate]]) -> dict[str, list[RulePrior]]:
    return {target_id: [c.prior for c in each] for target_id, each in found.items()}


def collect(run: Run, target_ids: list[str]) -> tuple[dict[str, list[Candidate]], list[Refused]]:
    """Candidates for each target, those of earlier tries left out."""
    found: dict[str, list[Candidate]] = {}
    refused: list[Refused] = []
    for target_id in target_ids:
        for each in candidates_of(run, target_id):
            if isinstance(each, Refused):
                refused.append(each)
            elif each.key not in run.tried_keys:
                found.setdefault(target_id, []).append(each)
    return found, refused


def order(run: Run, target: Target, candidates: list[Candidate]) -> list[Candidate]:
    """Most promising first: P(keep) of the rule by its usual gain; ties by rule id, so that the order is fixed."""
    history = run.history
    assert history is not None
    return sorted(
        candidates, key=lambda c: (-history.p_keep(c.rule.id) * c.rule.gain, c.rule.id, c.proposal.claim)
    )
