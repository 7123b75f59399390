"""What the researcher suggests reaches the verification: a run opened on a real repository, prepared and profiled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.agents import experiment, researcher, start, suggesting
from engine.crews import choose
from engine.run import Attempt, CancelToken, Run
from engine.site import Survey
from engine.values import Target
from tests.conftest import make_repo
from tests.tiny import TINY, brief_for

RARE = 7919 * 10**6 + 13
CODE = """def rare(n):
    total = n
    return n % 7919 == 13 and n > 10**9


def busy(words):
    return [word for word in words if word.upper() in ["A", "B"]]
"""
REPO = {
    **TINY,
    "tiny/words.py": CODE,
    "demo.py": f"from tiny.words import rare\n\nif rare({RARE}):\n    print('found')\n",
    "tests/test_words.py": (
        "from tiny.words import busy, rare\n\n\n"
        "def test_rare():\n    for n in range(3000):\n        assert not rare(n)\n\n\n"
        "def test_busy():\n    assert busy(['a', 'c'] * 3000) == ['a'] * 3000\n"
    ),
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A session on the repo up to its baseline profile."""
    source = make_repo(tmp_path / "tiny", REPO)
    run = start.open_run(brief_for(source, tmp_path / "s"), CancelToken())
    crew = choose("builtin")
    for step in (start.start, crew.route, crew.prepare, crew.validate, crew.baseline):
        for _ in step(run):
            pass
    yield run
    run.pool.shutdown()


def wrong_rewrite(run: Run, target: Target) -> tuple[experiment.Arms, Attempt]:
    """A rewrite that only one input tells from the original, and the experiment that tries it."""
    head = run.workspace.head
    arms = experiment.Arms(run.workspace.tree("before", head), run.workspace.tree("after", head))
    place = arms.after / target.path
    place.write_text(CODE.replace("return n % 7919 == 13 and n > 10**9", "return False"), encoding="utf-8")
    base = Attempt(
        number=1, uid="1", target=target, agent="cpu", pattern="x", title="x", hypothesis="x", tier="guarded",
        metric="cpu", status="running",
    )  # fmt: skip
    return arms, base


def test_a_suggested_input_is_tried_by_the_experiment(run: Run) -> None:
    target = Target(path="tiny/words.py", qualname="rare", line=1, domain="cpu")
    arms, base = wrong_rewrite(run, target)
    assert experiment.check_behaviour(run, arms, base).passed, "no other input tells the two apart"

    research = researcher.Research(run)
    research.look([replace(target, qualname="busy"), target])
    research.settle(target.id)
    assert f"{{'n': {RARE}}}" in run.findings[target.id].inputs
    assert "1 input found in its callers" in run.findings[target.id].text
    evidence = experiment.check_behaviour(run, *wrong_rewrite(run, target))
    research.finish()
    assert (evidence.passed, evidence.reason_class) == (False, "differs")
    assert str(RARE) in evidence.counterexample


SUGGESTING = {
    "pkg/__init__.py": b"",
    "pkg/mod.py": b'''
def join(parts, sep=",", *rest):
    """Join.

    >>> join(["a", "b"], sep="-")
    'a-b'
    >>> not python
    """


class Box:
    def put(self, value): ...
''',
    "tests/test_mod.py": b"join(['t'])\njoin(['a'], ';')\n",
    "scripts/run.py": (
        b"import pkg.mod\npkg.mod.join([1, 2])\njoin(unknown)\njoin(*many)\njoin([], nobody=1)\njoin()\n"
        b"join(1, 2, 3)\njoin(['t'])\nBox().put({1: None})\n"
    ),
    "broken.py": b"def (",
}


def test_literal_calls_anywhere_in_the_repo_are_suggested_once_tests_last() -> None:
    found = suggesting.suggest(Survey(SUGGESTING), "pkg/mod.py::join")
    assert found == (
        "{'parts': ['a', 'b'], 'sep': '-'}",
        "{'parts': [1, 2]}",
        "{'parts': ['t']}",
        "{'parts': ['a'], 'sep': ';'}",
    )
    assert suggesting.suggest(Survey(SUGGESTING), "pkg/mod.py::Box.put") == ("{'value': {1: None}}",)
    assert suggesting.suggest(Survey(SUGGESTING), "pkg/mod.py::<module>") == ()
