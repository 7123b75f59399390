"""Evidence seen ahead: what no test can speak for is dropped with its reason and never becomes an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from engine.agents.foreseeing import no_evidence
from engine.agents.proposing import Candidate
from engine.profile import FunctionRow, Profile
from engine.rules import Proposal, catalogue
from engine.values import Target
from tests.conftest import make_repo
from tests.tiny import TINY, brief_for, of_kind, run_engine

BEFORE = "import x\n\n\ndef used(a=1):\n    return x.y(a)\n\n\ndef unused():\n    return x.z()\n"
IN_USED = BEFORE.replace("    return x.y", "    import x\n    return x.y")
IN_UNUSED = BEFORE.replace("    return x.z", "    import x\n    return x.z")
IN_BOTH = IN_USED.replace("    return x.z", "    import x\n    return x.z")
AT_TOP = BEFORE.replace("import x\n", "import x as x\n")
NEW_ONE = BEFORE + "\n\ndef __getattr__(name):\n    raise AttributeError(name)\n"
DEFAULT = BEFORE.replace("unused():", "unused(b=2):")


def profile_of(*called: str, whole: bool = True) -> Profile:
    rows = tuple(FunctionRow(id=f"m.py::{name}", path="m.py", qualname=name, line=1) for name in called)
    return Profile(commit="c", workload="w", source="test", functions=rows, whole=whole)


def words(after: str, domain: str = "structure", profile: Profile | None = None) -> str:
    candidate = Candidate(
        target_id="m.py::<module>",
        path="m.py",
        qualname="<module>",
        line=1,
        rule=catalogue()[0],
        proposal=Proposal(claim="c", edits=(), intended=cast(Any, None)),
        before=BEFORE.encode(),
        after=after.encode(),
        key="k",
    )
    target = Target(path="m.py", qualname="<module>", line=1, domain=domain)
    return no_evidence(profile or profile_of("used"), target, candidate)


@pytest.mark.parametrize("after", [IN_USED, AT_TOP, NEW_ONE, DEFAULT], ids=["used", "top", "new", "default"])
def test_lines_that_tests_or_imports_run_are_tried(after: str) -> None:
    assert words(after) == ""


@pytest.mark.parametrize("after", [IN_UNUSED, IN_BOTH], ids=["unused", "both"])
def test_an_import_moved_to_where_no_test_goes_is_dropped(after: str) -> None:
    assert words(after) == "no test runs the changed lines in unused"


def test_elsewhere_one_line_that_runs_is_enough() -> None:
    assert words(IN_BOTH, domain="cpu") == ""
    assert words(IN_UNUSED, domain="cpu") == "no test runs the changed lines in unused"


def test_what_was_not_watched_to_its_end_is_unknown_and_drops_nothing() -> None:
    assert words(IN_UNUSED, profile=profile_of("used", whole=False)) == ""


def test_a_session_drops_it_before_any_experiment(tmp_path: Path) -> None:
    files = {
        **TINY,
        "tiny/words.py": TINY["tiny/words.py"].replace("\nfrom typing", "\nimport decimal\nfrom typing")
        + "\n\ndef exact(text):\n    return decimal.Decimal(text)\n",
    }
    source = make_repo(tmp_path / "tiny", files)
    code, lines = run_engine(brief_for(source, tmp_path / "s", domain="structure"), tmp_path / "s")
    assert code == 0, lines[-1]
    assert not of_kind(lines, "experiment_started")
    reasons = [line["reason"] for line in of_kind(lines, "proposal_dropped")]
    assert reasons == ["no test runs the changed lines in exact"]
    assert of_kind(lines, "plateau_reached")[0]["cause"] == "no target"
