"""The parts that run no process: type names, invented inputs, comparing, trees, recordings read tolerantly."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.probe.invented import decode
from engine.values import TestRun
from engine.verify import comparing, invent
from engine.verify.evidence import enough
from engine.verify.recordings import Recordings
from engine.verify.suite import worse
from engine.verify.trees import changed_functions, changed_lines, is_check, module_name
from engine.verify.typenames import Kind, from_annotation, from_observed

INT, STR, FLOAT, NONE = Kind("int"), Kind("str"), Kind("float"), Kind("none")


def node_of(source: str) -> ast.AST:
    return ast.parse(source).body[0]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("builtins.int", [INT]),
        ("builtins.NoneType", [NONE]),
        ("builtins.list[builtins.int]", [Kind("list", ((INT,),))]),
        ("builtins.list[builtins.int|builtins.str]", [Kind("list", ((INT, STR),))]),
        (
            "builtins.dict[builtins.str, builtins.list[builtins.float]]",
            [Kind("dict", ((STR,), (Kind("list", ((FLOAT,),)),)))],
        ),
        ("builtins.list", [Kind("list", ((INT, STR),))]),
        ("pkg.mod.Thing", []),
        ("builtins.list[pkg.mod.Thing]", []),
        ("builtins.set[builtins.list[builtins.int]]", []),
        ("builtins.list[", []),
        ("", []),
    ],
)
def test_observed_types_become_kinds(name: str, kinds: list[Kind]) -> None:
    assert from_observed(name) == kinds


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("int", [INT]),
        ("'int'", [INT]),
        ("int | None", [INT, NONE]),
        ("Optional[str]", [STR, NONE]),
        ("t.Union[int, str]", [INT, STR]),
        ("list[int]", [Kind("list", ((INT,),))]),
        ("Sequence[str]", [Kind("list", ((STR,),))]),
        ("tuple[int, str]", [Kind("tuple", ((INT,), (STR,)), True)]),
        ("tuple[int, ...]", [Kind("tuple", ((INT,),))]),
        ("dict[str, int]", [Kind("dict", ((STR,), (INT,)))]),
        ("Any", []),
        ("Thing", []),
        ("list[Thing]", []),
        ("Callable[[int], str]", []),
    ],
)
def test_annotations_become_kinds(text: str, kinds: list[Kind]) -> None:
    assert from_annotation(ast.parse(text, mode="eval").body) == kinds


def test_the_same_seed_invents_the_same_inputs() -> None:
    node = node_of("def f(xs: list[int], name: str = 'key', *rest, flag: bool = False): ...")
    draw = [
        invent.invent(node, kind="function", observed={}, recorded=False, seed_number=number, count=60)
        for number in (3, 3, 4)
    ]
    assert draw[0] == draw[1] != draw[2]
    assert all(set(item["args"]) == {"xs", "name", "flag"} for item in draw[0])
    assert any(decode(item["args"]["name"]) == "key" for item in draw[0]), "constants of the source are tried"


def test_what_cannot_be_invented_is_left_alone() -> None:
    node = node_of("def f(self, thing: Thing, n: int): ...")
    common = {"observed": {}, "seed_number": 1, "count": 5}
    assert invent.invent(node, kind="method", recorded=False, **common) == []
    with_calls = invent.invent(node, kind="method", recorded=True, **common)
    assert with_calls and all(set(item["args"]) == {"n"} for item in with_calls)
    assert invent.invent(node_of("def f(): ..."), kind="function", recorded=True, **common) == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=8,
)


@settings(derandomize=True, database=None, max_examples=200, deadline=None)
@given(values)
def test_invented_values_survive_the_journey(value: Any) -> None:
    assert repr(decode(json.loads(json.dumps(invent.encode(value))))) == repr(value)


def test_suggested_inputs_are_literals_only(tmp_path: Path) -> None:
    path = tmp_path / "inputs.txt"
    path.write_text("([1, 2], 'a')\n__import__('os').getcwd()\n{'b': 1.5}\nnonsense\n" + "(" * 5000 + "\n")
    found = invent.suggested(path, node_of("def f(a, b): ..."), "function")
    assert [item["args"] for item in found] == [
        {"a": invent.encode([1, 2]), "b": invent.encode("a")},
        {"b": invent.encode(1.5)},
    ]
    assert not any(item["trusted"] for item in found)


def facts(**names: Any) -> dict[str, Any]:
    return {"inside": True, "outcome": "returned", "value": "v", "effects": "e", **names}


def test_facets_are_told_apart() -> None:
    same = facts()
    assert comparing.difference(same, facts(), "exact") == ""
    assert comparing.difference(same, None, "exact") == "died"
    assert comparing.difference(same, facts(outcome="slow"), "guarded") == "slow"
    assert comparing.difference(same, facts(outcome="lazy builtins.generator"), "guarded") == "outcome"
    assert comparing.difference(same, facts(value="w"), "guarded") == "value"
    assert comparing.difference(same, facts(effects="f"), "guarded") == "effects"
    assert comparing.difference(same, facts(again="x"), "guarded") == "again"
    raised = facts(outcome="raised builtins.ValueError", message="a")
    assert comparing.difference(raised, {**raised, "message": "b"}, "exact") == "message"
    assert comparing.difference(raised, {**raised, "message": "b"}, "guarded") == ""


@pytest.mark.parametrize(
    ("left", "right", "near"),
    [
        (1.0, 1.0 + 5e-10, True),
        (1.0, 1.0 + 5e-9, False),
        (0.0, 5e-13, True),
        (0.0, 5e-12, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (math.inf, math.inf, True),
        (math.inf, 1e308, False),
        (0.0, -0.0, True),
    ],
)
def test_numeric_tolerance(left: float, right: float, near: bool) -> None:
    assert comparing.close([left.hex()], [right.hex()]) is near


def test_ten_times_as_long_is_a_difference_only_beyond_noise() -> None:
    assert comparing.too_slow([0.01, 0.02], [0.9, 0.6])
    assert not comparing.too_slow([0.0001], [0.1])
    assert not comparing.too_slow([0.01, 0.02], [0.9, 0.1])


def test_what_each_tier_needs() -> None:
    assert enough("E1", "exact", "cpu") and not enough("E0", "exact", "cpu")
    assert enough("E2", "guarded", "memory") and not enough("E1", "guarded", "cpu")
    assert enough("E1", "guarded", "async") and enough("E1", "guarded", "structure")
    assert enough("E3", "numeric", "cpu") and not enough("E2", "numeric", "async")
    assert not enough("E2", "external", "cpu")


BASE = TestRun(passed=5, failed=1, exit_code=1, failures=("t.py::old - why",))


def test_a_run_is_judged_against_the_base() -> None:
    assert worse(TestRun(passed=5, failed=1, exit_code=1, failures=("t.py::old - again",)), BASE) == ""
    assert "t.py::new" in worse(TestRun(passed=5, failed=1, exit_code=1, failures=("t.py::new - x",)), BASE)
    assert "4 tests passed" in worse(TestRun(passed=4, failed=0, skipped=2, exit_code=0), BASE)
    assert worse(TestRun(passed=5, failed=0, exit_code=None), BASE)


def test_only_lines_that_can_run_count_as_changed(tmp_path: Path) -> None:
    for name, text in (
        ("before", "import a\n\ndef f():\n    return 1\n"),
        (
            "after",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n\n\ndef f():\n"
            '    """Words."""\n    # comment\n    x = 1\n    return x\n',
        ),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text(text)
    found = changed_lines(before=tmp_path / "before", after=tmp_path / "after", path="m.py")
    assert found.lines == (1, 2, 9, 10)
    ids = changed_functions(before=tmp_path / "before", after=tmp_path / "after", paths=["m.py"])
    assert ids == ["m.py::f"]


def test_tests_and_their_configuration_are_told_from_the_product() -> None:
    assert all(
        map(
            is_check,
            ["tests/a.py", "pkg/test_a.py", "pkg/a_test.py", "conftest.py", "pyproject.toml", "setup.cfg"],
        )
    )
    assert not any(map(is_check, ["pkg/a.py", "src/pkg/testing.py", "pkg/latest.py"]))


def test_module_names() -> None:
    assert module_name("src/pkg/a.py", ("src",)) == "pkg.a"
    assert module_name("pkg/__init__.py", (".",)) == "pkg"
    assert module_name("a.py", ()) == "a"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"targets": 3}', '{"targets": {"a::b": 4}}', "{" * 2000])
def test_a_broken_index_is_the_same_as_nothing_recorded(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    subject = Recordings(tmp_path).subject("a::b", "a")
    assert subject.calls is None and subject.why_not


def test_a_calls_file_outside_the_folder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "index.json").write_text(json.dumps({"targets": {"a::b": {"file": "../secret"}}}))
    assert Recordings(folder).subject("a::b", "a").calls is None
