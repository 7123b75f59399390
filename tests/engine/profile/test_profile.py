"""One real profile of the small shop: what each table says, what was recorded, and what could not be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.probe import calls
from engine.profile import Profile, profile
from engine.profile.tables import function_rows
from engine.profile.tools import Report
from engine.sandbox import Sandbox
from tests.engine.profile import shop
from tests.engine.profile.conftest import surroundings

pytestmark = pytest.mark.xdist_group("profile")
PRICES = "src/shop/prices.py::"
NET = "src/shop/net.py::"


def row(profiled: Profile, target: str):
    found = profiled.row(target)
    assert found is not None, target
    return found


def test_every_function_that_ran_is_in_the_table_with_its_line(profiled: Profile) -> None:
    names = {f.qualname for f in profiled.functions if f.path == "src/shop/prices.py"}
    assert {"total", "weight", "fib", "wrapped", "doubled", "Basket.__init__", "Basket.__secret"} <= names
    source = shop.PRICES.lstrip("\n").splitlines()
    for each in profiled.functions:
        if each.path == "src/shop/prices.py":
            assert f"def {each.qualname.split('.')[-1]}(" in source[each.line - 1]


def test_tests_and_library_code_are_nobodys(profiled: Profile) -> None:
    assert all(target.startswith("src/shop/") for target in profiled.target_ids())


def test_the_own_share_is_the_leafs_and_the_reach_the_callers(profiled: Profile) -> None:
    weight, total = row(profiled, PRICES + "weight"), row(profiled, PRICES + "total")
    assert weight.share > 0.5 > total.share
    assert total.reach >= 0.5
    assert sum(f.share for f in profiled.functions) == pytest.approx(1, abs=0.01)
    assert all(f.reach >= f.share for f in profiled.functions)


def test_call_counts_are_exact(profiled: Profile) -> None:
    counts = {name: row(profiled, PRICES + name).calls for name in ("weight", "total", "cheap", "lookup")}
    assert counts == {"weight": 12002, "total": 302, "cheap": 503, "lookup": 3}
    assert row(profiled, PRICES + "squares").calls == 1
    assert row(profiled, NET + "fetch").calls == 7


def test_a_call_of_a_coroutine_costs_its_waiting_too(profiled: Profile) -> None:
    facts = profiled.facts_for(NET + "fetch")
    assert facts.cost_ns is not None and facts.cost_ns > 5e6
    assert facts.waiting_share is not None and facts.waiting_share > 0.8


def test_reaching_tests_are_known_by_node_id(profiled: Profile) -> None:
    assert profiled.tests_reaching(PRICES + "fib") == (
        "tests/test_shop.py::test_fib[3]",
        "tests/test_shop.py::test_fib[9]",
    )
    assert profiled.tests_reaching(PRICES + "nothing") == ()


def test_at_most_200_distinct_calls_with_the_smallest_and_the_largest(profiled: Profile) -> None:
    assert row(profiled, PRICES + "cheap").distinct == 200
    kept = calls.load_calls(recorded(profiled, PRICES + "total"))
    sizes = sorted(len(call["args"][0]) for call in kept)
    assert sizes[0] == 0 and sizes[-1] == 40
    assert max(call["count"] for call in kept) == 300


def recorded(profiled: Profile, target: str) -> Path:
    return profiled.recordings / str(profiled.index[target]["file"])


@pytest.mark.parametrize(
    "name",
    [
        "lookup",
        "shuffle",
        "wrapped",
        "doubled",
        "squares",
        "fib",
        "Basket.parse",
        "Basket.empty",
        "Basket.size",
    ],
)
def test_odd_shapes_are_replayable(profiled: Profile, name: str) -> None:
    assert profiled.index[PRICES + name]["unreplayable"] == ""
    assert profiled.replayable(PRICES + name)
    assert profiled.evidence(PRICES + name, "cpu") == "E3"


def test_what_cannot_be_copied_says_why(profiled: Profile) -> None:
    assert not profiled.replayable(PRICES + "drain")
    assert "generator" in profiled.index[PRICES + "drain"]["unreplayable"]
    assert profiled.evidence(PRICES + "drain", "cpu") == "E2"


def test_arguments_are_copied_before_the_call_changes_them(profiled: Profile) -> None:
    (kept,) = raw(profiled, PRICES + "shuffle")
    assert calls.thaw(kept["blob"]) == (([3, 1],), {})


def raw(profiled: Profile, target: str) -> list[dict]:
    return calls.raw_calls(recorded(profiled, target))


def test_varargs_and_keywords_come_back_as_they_were_given(profiled: Profile) -> None:
    thawed = [calls.thaw(call["blob"]) for call in raw(profiled, PRICES + "cheap")]
    assert ((1, 3, 4, 5), {"flag": True, "extra": "x"}) in thawed


def test_facts_speak_of_types_sizes_attributes_and_locals(profiled: Profile) -> None:
    facts = profiled.facts_for(PRICES + "total")
    assert "builtins.list[builtins.int]" in facts.arg_types["rows"]
    assert facts.sizes["rows"] == (0, 40)
    assert facts.returns["builtins.int"] > 0
    assert facts.repeat_rate is not None and facts.repeat_rate > 0.9
    assert facts.packages == {"pytest"}
    basket = profiled.facts_for(PRICES + "Basket.open")
    assert any(name.startswith("builtins.list") for name in basket.arg_types["self.items"])
    locals_ = profiled.index[PRICES + "weight"]["locals"]
    assert set(locals_["value"]["types"]) == {"builtins.int", "builtins.float"}


def test_the_memory_table_names_the_function_and_the_line_of_the_peak(profiled: Profile) -> None:
    top = profiled.memory[0]
    assert (top.qualname, top.own_bytes > 3 << 20) == ("build", True)
    assert top.share > 0.9
    if profiled.sites:
        assert profiled.sites[0][0] == "src/shop/report.py:6"
    assert profiled.peak_rss > 10 << 20


def test_waits_in_a_row_and_blocking_are_told_apart(profiled: Profile) -> None:
    rows = {a.qualname: a for a in profiled.asynchronous}
    assert max(site.in_row for site in rows["one_by_one"].sites) == 4
    assert max(site.in_row for site in rows["fetch"].sites) == 1
    assert rows["blocking"].blocked_ns > 25e6
    assert rows["one_by_one"].reach > rows["one_by_one"].share
    assert rows["mixed"].worst_lag_ns > 25e6
    assert sum(a.share for a in profiled.asynchronous) <= 1.05


def test_import_time_belongs_to_whoever_is_first_to_import(profiled: Profile) -> None:
    rows = {m.name: m for m in profiled.modules}
    assert {"shop", "shop.prices", "shop.report", "shop.net"} <= set(rows)
    assert rows["shop"].reach == pytest.approx(1.0)
    assert rows["shop.report"].imports.keys() >= {"decimal", "colorsys"}
    assert rows["shop.net"].share > 0.5 and "asyncio" in rows["shop.net"].imports
    facts = profiled.facts_for("src/shop/report.py::<module>")
    assert facts.import_ns["decimal"] > 0 and facts.import_ns["shop"] > facts.import_ns["shop.report"]
    assert facts.called["build"] == 1
    assert profiled.module_of("src/shop/report.py") == "shop.report"
    assert profiled.module_of("src/shop/__init__.py") == "shop"


def test_collapsed_stacks_are_written_beside_the_recordings(profiled: Profile) -> None:
    lines = (profiled.recordings / "cpu.collapsed").read_text().splitlines()
    assert any(line.startswith("src/shop/prices.py::total;src/shop/prices.py::weight ") for line in lines)


def test_benchmarks_come_first_and_are_kept_apart(benchmarked: Profile) -> None:
    assert (benchmarked.source, benchmarked.workload) == ("benchmark", "the repo's benchmarks")
    assert {f.qualname for f in benchmarked.functions if f.share and f.share > 0.02} <= {
        "weight",
        "fib",
        "total",
        "shuffle",
    }
    total = recorded(benchmarked, PRICES + "total")
    assert sorted(len(c["args"][0]) for c in calls.load_calls(total, "benchmark")) == [10, 20]
    assert len(calls.load_calls(total, "test")) == 3
    assert benchmarked.index[PRICES + "fib"]["benchmarks"] == ["benchmarks/bench_shop.py::bench_fib"]
    assert benchmarked.index[PRICES + "shuffle"]["benchmarks"] == ["benchmarks/test_speed.py::test_shuffle"]
    assert benchmarked.row(PRICES + "lookup").share == 0.0
    assert not benchmarked.memory and not benchmarked.modules and not benchmarked.asynchronous


def test_a_suite_that_does_not_load_gives_notes_and_no_error(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = shop.write(tmp_path / "tree")
    (tree / "tests" / "test_shop.py").write_text("import nothing_of_that_name\n")
    found = profile(
        tree=tree,
        environment=surroundings(),
        sandbox=sandbox,
        out=tmp_path / "out",
        domains=("cpu",),
        commit="c",
    )
    assert found.functions == ()
    assert any("could not be collected" in note and "nothing_of_that_name" in note for note in found.notes)


def test_without_pytest_each_profiler_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = shop.write(tmp_path / "tree")
    (tree / "src" / "pytest.py").write_text("raise ImportError('no pytest here')\n")
    found = profile(
        tree=tree,
        environment=surroundings(),
        sandbox=sandbox,
        out=tmp_path / "out",
        domains=("memory",),
        commit="c",
    )
    assert found.functions == () and found.memory == ()
    assert any("no pytest here" in note for note in found.notes)


def test_a_damaged_report_is_a_note(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = shop.write(tmp_path / "tree")
    (tree / "tests" / "test_shop.py").write_text(
        "import os\n"
        "def test_it():\n"
        "    real = os.replace\n"
        "    def lie(a, b):\n"
        "        open(a, 'w').write('[1, 2')\n"
        "        real(a, b)\n"
        "    os.replace = lie\n"
    )
    found = profile(
        tree=tree,
        environment=surroundings(),
        sandbox=sandbox,
        out=tmp_path / "out",
        domains=("cpu",),
        commit="c",
    )
    assert found.functions == ()
    assert any("gave no report" in note for note in found.notes)


def test_the_index_has_the_agreed_shape(profiled: Profile) -> None:
    index = json.loads((profiled.recordings / "index.json").read_text())
    entry = index["targets"][PRICES + "total"]
    assert {"file", "module", "qualname", "path", "line", "calls", "distinct", "kind", "repeat_rate"} <= set(
        entry
    )
    assert {"unreplayable", "args", "returns", "tests", "locals"} <= set(entry)
    assert entry["args"]["rows"]["max_size"] == 40
    kinds = {
        name: index["targets"][PRICES + name]["kind"] for name in ("total", "Basket.add", "Basket.parse")
    }
    assert kinds == {"total": "function", "Basket.add": "method", "Basket.parse": "function"}
    assert index["targets"][NET + "fetch"]["kind"] == "coroutine"


def test_without_exact_counts_the_recorder_and_the_sampler_speak() -> None:
    sample = Report(
        tool="sample",
        source="test",
        data={
            "ticks_inside": 100,
            "inside_ns": 1000,
            "runs": 2,
            "targets": {"a.py::f": {"own_ns": 600, "reach_ns": 1000, "line": 3}},
        },
    )
    index = {"a.py::f": {"line": 3, "calls": 5, "kind": "function"}}
    (row,) = function_rows(sample=sample, counts=Report(tool="counts"), index=index)
    assert (row.share, row.reach, row.calls, row.cost_ns) == (0.6, 1.0, 5, 100.0)


def test_numbers_of_a_hostile_report_are_not_trusted() -> None:
    sample = Report(
        tool="sample",
        data={
            "ticks_inside": 100,
            "inside_ns": 1000,
            "targets": {"a.py::f": {"own_ns": "many", "reach_ns": -5, "line": True}, "b": 3, "c.py::g": None},
        },
    )
    (row,) = function_rows(sample=sample, counts=Report(tool="counts"), index={})
    assert (row.id, row.share, row.reach, row.line) == ("a.py::f", 0.0, 0.0, 0)


LIES = """
import json, os

def test_it():
    real = os.replace

    def lie(a, b):
        report = json.load(open(a))
        report["data"]["targets"] = {"a.py::f": {"own_ns": [], "reach_ns": "x"}, "b": 1, "c::d": None}
        report["data"].update(ticks="many", ticks_inside=30, inside_ns=100, highest=-1, sites=[[1], "x"], wall_ns=1e400)
        json.dump(report, open(a, "w"))
        real(a, b)

    os.replace = lie
"""


def test_a_report_full_of_lies_raises_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = shop.write(tmp_path / "tree")
    (tree / "tests" / "test_shop.py").write_text(LIES)
    found = profile(
        tree=tree,
        environment=surroundings(),
        sandbox=sandbox,
        out=tmp_path / "out",
        domains=("memory", "async"),
        commit="c",
    )
    assert [f.share for f in found.functions] in ([], [0.0])
    assert found.memory == () and found.asynchronous == () and found.sites == ()
