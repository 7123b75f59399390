"""Events survive their journey as one JSON line, and nothing unknown is dropped."""

from __future__ import annotations

import json

import pytest

from engine import events as e
from engine.values import Check, Isolation, Measurement, PassResult, ReviewFinding, Target, TestRun

TARGET = Target(path="a.py", qualname="C.f", line=3, domain="cpu", share=0.25, rules=("gen-to-list",))
SAMPLES: list[e.Event] = [
    e.SessionStarted(
        session="1",
        mode="start",
        crew="builtin",
        repo="acme/x",
        base="b" * 40,
        base_ref="main",
        branch="codeflash/x-1",
        isolation=Isolation(level="L2", checks=("network refused",)),
        fingerprint={"cpu": "x"},
    ),
    e.BaselineProfiled(commit="c", workload="tests", seconds=1.5, targets=(TARGET,), value=None),
    e.ExperimentKept(
        number=1,
        commit="c",
        measurement=Measurement(
            metric="cpu", unit="ns", outcome="keep", ratio=1.1, samples_before=(1.0, 2.0)
        ),
        tests=TestRun(passed=3, failed=0),
        checks=(Check(name="Tests", state="pass", tried=3, agreed=3),),
    ),
    e.PassFinished(
        result=PassResult(
            name="safety",
            state="open",
            summary="s",
            findings=(ReviewFinding(review_pass="safety", severity="high", title="t", line=4),),
        )
    ),
    e.NoteLogged(source="deep", text="line\nbreak \u2028 and \U0001f600", at=1.25),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda ev: ev.kind)
def test_one_line_and_back(event: e.Event) -> None:
    line = e.to_json(event)
    assert "\n" not in line
    assert e.from_json(line) == event


def test_an_unknown_kind_keeps_everything() -> None:
    raw = {"kind": "moon_rose", "at": 2.0, "phase": ["full", 1]}
    event = e.from_json(json.dumps(raw))
    assert isinstance(event, e.Unknown)
    assert json.loads(e.to_json(event)) == raw


def test_fields_of_a_later_version_are_tolerated() -> None:
    event = e.from_dict({"kind": "note_logged", "source": "x", "text": "y", "colour": "red"})
    assert event == e.NoteLogged(source="x", text="y")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        "{",
        '{"kind": 3}',
        '{"kind": "note_logged"}',
        '{"kind":"note_logged","source":1,"text":"x"}',
    ],
)
def test_a_malformed_line_says_so(line: str) -> None:
    with pytest.raises(e.MalformedEvent):
        e.from_json(line)


def test_not_a_number_never_leaves_the_engine() -> None:
    event = e.SessionMeasured(
        head="h",
        base="b",
        measurement=Measurement(metric="cpu", unit="ns", outcome="keep", ratio=float("nan")),
    )
    with pytest.raises(ValueError):
        e.to_json(event)
