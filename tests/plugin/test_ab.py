"""ab.py: the same answers as the engine's gate on the same samples, and honest runs of real programs."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from statistics import median

import pytest

from engine.measure import gate, judge, stats
from engine.measure.model import Process
from engine.measure.record import Couple, Record
from engine.state.results import COLUMNS, Row
from tests.plugin.conftest import SCRIPTS, Run, other_interpreters

sys.path.insert(0, str(SCRIPTS))
import ab_rule

GAINS = (0.9, 0.99, 1.0, 1.02, 1.03, 1.05, 1.08, 1.2, 3.0)


def samples(seed: int, gain: float, count: int, spread: float = 0.04) -> list[list[dict[str, list[int]]]]:
    """Pairs of processes on a machine whose speed drifts: the new version is ``gain`` times faster."""
    coin, drift, couples = random.Random(seed), 0.0, []
    for _ in range(count):
        sides = []
        for scale in (gain, 1.0):
            drift = 0.7 * drift + coin.gauss(0, spread)
            walls = [int(2e6 * scale * math.exp(abs(drift)) * (1 + coin.expovariate(25))) for _ in range(9)]
            sides.append({"cpu": [int(each * 0.9) for each in walls], "wall": walls, "peak": [2**24]})
        couples.append([{**side, "peak": 2**24} for side in sides])
    return couples


def engine_record(
    couples: list[list[dict[str, list[int]]]], metric: str, purpose: str, level: float
) -> Record:
    def process(arm: str, side: dict[str, list[int]]) -> Process:
        wide = {"cpu": tuple(side["cpu"]), "wall": tuple(side["wall"])}
        return Process(arm=arm, at=0.0, peak=side["peak"], **wide)  # type: ignore[arg-type]

    pairs = tuple(Couple("AB", process("A", a), process("B", b)) for a, b in couples)
    return Record(
        purpose=purpose,
        metric=metric,
        kind="command",
        workload="w",
        label="w",
        delta=0.03,
        couples=pairs,
        level=level,
    )


@pytest.mark.parametrize("metric", ["cpu", "wall", "import"])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_the_engine_on_the_same_samples(metric: str, seed: int) -> None:
    seen = set()
    for gain in GAINS:
        for count in (20, 40, 80):
            couples = samples(seed * 100 + int(gain * 50), gain, count)
            record = {"metric": metric, "purpose": "gate", "delta": 0.03, "level": 0.95, "couples": couples}
            ours = ab_rule.judge(record)
            theirs = judge.judge(engine_record(couples, metric, "gate", 0.95))
            assert (ours["outcome"], ours["reason"]) == (theirs.outcome, theirs.reason), (gain, count)
            assert ours["pairs"] == theirs.pairs or theirs.ratio is not None
            assert tuple(ours["witnesses"]) == theirs.witnesses
            for name in ("ratio", "low", "high", "p"):
                assert ours[name] == pytest.approx(getattr(theirs, name), abs=2e-5), name
            seen.add(ours["outcome"])
    assert {"keep", "unclear"} <= seen


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_a_comparison_gives_the_engines_interval(level: float) -> None:
    couples = samples(7, 1.3, 40)
    ours = ab_rule.judge(
        {"metric": "cpu", "purpose": "compare", "delta": 0.03, "level": level, "couples": couples}
    )
    theirs = judge.judge(engine_record(couples, "cpu", "compare", level))
    assert ours["outcome"] == theirs.outcome == "measured"
    assert [ours[n] for n in ("ratio", "low", "high")] == pytest.approx(
        [theirs.ratio, theirs.low, theirs.high], abs=2e-5
    )


def test_the_floor_is_the_engines() -> None:
    for seed in range(5):
        scores = [ab_rule.score(a, "cpu") for a, _ in samples(seed, 1.0, 40)]
        theirs = gate.floor_of([gate.Score(*each) for each in scores], by_least=True)
        assert ab_rule.floor_of(scores, "cpu") == pytest.approx(theirs)
        theirs = gate.floor_of([gate.Score(*each) for each in scores], by_least=False)
        assert ab_rule.floor_of(scores, "wall") == pytest.approx(theirs)


def test_the_statistics_agree_with_ties_and_zeros() -> None:
    coin = random.Random(3)
    for n in (1, 5, 20, 40, 80):
        values = [coin.choice((-2, -1, 0, 1, 1, 2, 3)) / 10 for _ in range(n)]
        assert ab_rule.signed_rank_p(values) == pytest.approx(stats.signed_rank_p(values))
        theirs = stats.hodges_lehmann(values)
        assert ab_rule.hodges_lehmann(values) == pytest.approx((theirs.estimate, theirs.low, theirs.high))


def test_guards_hold_a_faster_version_back() -> None:
    couples = samples(5, 1.5, 80)
    record = {"metric": "cpu", "purpose": "gate", "delta": 0.03, "level": 0.95, "couples": couples}
    assert ab_rule.judge(record)["outcome"] == "keep"
    hungry = [[a, {**b, "peak": 2**26}] for a, b in couples]
    assert "peak memory grew" in ab_rule.judge({**record, "couples": hungry})["reason"]
    sleepy = [[a, {**b, "wall": [each * 3 for each in b["wall"]]}] for a, b in couples]
    found = ab_rule.judge({**record, "couples": sleepy})
    assert (found["outcome"], "wall clock" in found["reason"]) == ("discard", True)


SLOW = "def total(n):\n    return sum([i * i for i in range(n)] * 12)\n"
FAST = "def total(n):\n    return 12 * sum([i * i for i in range(n)])\n"
WORKLOAD = "import shop\n\n\ndef setup():\n    return 4000\n\n\ndef run(n):\n    return shop.total(n)\n"


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    home = tmp_path / "arbeit mit ä und space"
    for name, text in (("old", SLOW), ("new", FAST)):
        (home / name / "src").mkdir(parents=True)
        (home / name / "src" / "shop.py").write_text(text, encoding="utf-8")
    (home / "work.py").write_text(WORKLOAD, encoding="utf-8")
    return home


def test_a_real_gain_is_kept_stored_and_decided_again(run: Run, trees: Path) -> None:
    words = ("gate", "--before", "old", "--after", "new", "--script", "work.py", "--raw", "raw/one.json")
    words = (*words, "--floor", "0.02", "--json")
    done = run("ab.py", *words, cwd=trees)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["outcome"] == "keep" and found["low"] > 1.03 and found["pairs"] in (40, 80)
    again = json.loads(run("ab.py", "replay", "raw/one.json", "--json", cwd=trees).stdout)
    assert again == found
    raw = json.loads((trees / "raw" / "one.json").read_text(encoding="utf-8"))
    middles = [median(median(c[side]["cpu"]) for c in raw["couples"]) for side in (0, 1)]
    assert middles[0] / middles[1] == pytest.approx(found["before"] / found["after"], rel=0.2)
    assert set(raw["order"]) == {"before", "after"}
    quads = [raw["order"][i : i + 2] for i in range(0, len(raw["order"]), 2)]
    assert all(first != second for first, second in quads)
    cells_are_those_of_a_results_row(found["cells"])


def cells_are_those_of_a_results_row(cells: dict[str, str]) -> None:
    assert set(cells) <= set(COLUMNS)
    row = Row(**cells)  # type: ignore[arg-type]
    assert row.ratio == pytest.approx(row.before_quantity.value / row.after_quantity.value)  # type: ignore[union-attr]
    assert row.low is not None and row.floor == pytest.approx(0.02)


def test_commands_and_their_own_values_are_measured(run: Run, trees: Path) -> None:
    (trees / "one.py").write_text(
        'print(\'AB {"cpu": [2000, 2100], "wall": [2000, 2100]}\')\n', encoding="utf-8"
    )
    (trees / "two.py").write_text(
        'print(\'AB {"cpu": [1000, 1100], "wall": [1000, 1100]}\')\n', encoding="utf-8"
    )
    words = ("--before-command", f"{sys.executable} one.py", "--after-command", f"{sys.executable} two.py")
    found = json.loads(run("ab.py", "gate", *words, "--json", cwd=trees).stdout)
    assert (found["outcome"], found["floor"]) == ("keep", 0.02)
    assert found["ratio"] == pytest.approx(2.0, rel=0.1)


def test_memory_is_decided_by_the_least_peak(run: Run, trees: Path) -> None:
    (trees / "old" / "src" / "shop.py").write_text("def total(n):\n    return sum([i for i in range(n)])\n")
    (trees / "new" / "src" / "shop.py").write_text("def total(n):\n    return sum(range(n))\n")
    (trees / "work.py").write_text(WORKLOAD.replace("4000", "600000"), encoding="utf-8")
    words = (
        "gate",
        "--before",
        "old",
        "--after",
        "new",
        "--script",
        "work.py",
        "--metric",
        "peak",
        "--floor",
        "0.05",
    )
    found = json.loads(run("ab.py", *words, "--json", cwd=trees).stdout)
    assert found["outcome"] == "keep", found
    assert found["unit"] == "bytes" and found["before"] - found["after"] > 2**20


def test_a_crash_is_a_crash_and_never_a_number(run: Run, trees: Path) -> None:
    (trees / "new" / "src" / "shop.py").write_text("def total(n):\n    raise RuntimeError('broken')\n")
    words = ("gate", "--before", "old", "--after", "new", "--script", "work.py", "--floor", "0.02", "--json")
    done = run("ab.py", *words, cwd=trees)
    found = json.loads(done.stdout)
    assert (done.returncode, found["outcome"], found["ratio"]) == (3, "crash", None)
    assert "the changed version failed" in found["reason"] and "broken" in found["reason"]


def test_a_hanging_version_is_ended_with_its_children(run: Run, trees: Path) -> None:
    script = (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )
    (trees / "hang.py").write_text(script, encoding="utf-8")
    command = f"{sys.executable} hang.py"
    words = (
        "--before-command",
        command,
        "--after-command",
        command,
        "--timeout",
        "0.3",
        "--floor",
        "0.02",
        "--json",
    )
    done = run("ab.py", "gate", *words, cwd=trees)
    assert done.returncode == 3 and "took longer than 0.3 s" in json.loads(done.stdout)["reason"]


def test_too_small_a_budget_is_said_not_answered_with_fewer_pairs(run: Run, trees: Path) -> None:
    words = (
        "gate",
        "--before",
        "old",
        "--after",
        "new",
        "--script",
        "work.py",
        "--budget",
        "0.001",
        "--json",
    )
    done = run("ab.py", *words, cwd=trees)
    found = json.loads(done.stdout)
    assert (done.returncode, found["outcome"], found["pairs"]) == (1, "unclear", 0)
    assert found["reason"].startswith("needs ")


WRONG = {
    ("gate", "--before", "old", "--after", "new"): "exactly one of",
    ("gate", "--before", "old", "--script", "work.py"): "--before and --after",
    ("gate", "--before", "old", "--after", "nowhere", "--script", "work.py"): "nowhere is no folder",
    ("gate", "--before", "old", "--after", "new", "--script", "none.py"): "is no file",
    ("gate", "--before", "old", "--after", "new", "--module", "shop", "--metric", "cpu"): "belong together",
    ("replay", "none.json"): "cannot be read",
}


@pytest.mark.parametrize("words", WRONG, ids=lambda words: "-".join(words)[:40])
def test_a_wrong_call_says_what_to_change(words: tuple[str, ...], run: Run, trees: Path) -> None:
    done = run("ab.py", *words, cwd=trees)
    assert done.returncode == 2 and WRONG[words] in done.stderr


def test_it_runs_on_the_oldest_and_newest_interpreters_here(run: Run, trees: Path) -> None:
    for path in other_interpreters():
        words = (
            "gate",
            "--before",
            "old",
            "--after",
            "new",
            "--module",
            "shop",
            "--floor",
            "0.02",
            "--python",
            path,
        )
        found = json.loads(run("ab.py", *words, "--json", cwd=trees).stdout)
        assert found["outcome"] in ("discard", "unclear", "keep") and found["ratio"] is not None, found


def test_an_interpreter_is_named_from_where_the_caller_stands(run: Run, trees: Path) -> None:
    (trees / "v/bin").mkdir(parents=True)
    (trees / "v/bin/python").symlink_to(sys.executable)
    words = ("gate", "--before", "old", "--after", "new", "--module", "shop", "--floor", "0.02")
    found = json.loads(run("ab.py", *words, "--python", "v/bin/python", "--json", cwd=trees).stdout)
    assert found["outcome"] != "crash" and found["ratio"] is not None, found


NOISY = """
import pathlib
import sys

count = pathlib.Path(sys.argv[1])
number = int(count.read_text() or 0) if count.exists() else 0
count.write_text(str(number + 1))
noisy = number < int(sys.argv[2])
value = 1_000_000 * (1 + number * 7919 % 11 / 10) if noisy else 1_000_000
print('AB {"cpu": [%d], "wall": [%d]}' % (value, value))
"""


@pytest.mark.parametrize(("noisy_processes", "still_noisy"), [(42, False), (10_000, True)])
def test_a_noisy_floor_is_measured_once_more(
    noisy_processes: int, still_noisy: bool, run: Run, trees: Path, tmp_path: Path
) -> None:
    """Two processes to warm up and forty for a floor; what is noisy afterwards is the machine's doing."""
    program, count = tmp_path / "noisy.py", tmp_path / "count"
    program.write_text(NOISY, encoding="utf-8")
    command = f"{sys.executable} {program} {count} {noisy_processes}"
    words = ("gate", "--before", "old", "--after", "new", "--command", command, "--patience", "0")
    done = run("ab.py", *words, cwd=trees)
    assert "the machine is noisy; waiting up to 0 s" in done.stderr
    assert ("noisy machine" in done.stdout) is still_noisy, done.stdout
    assert ("floor 1.020x" in done.stdout) is not still_noisy
    assert int(count.read_text()) >= 2 + 40 + 40 + 40


def test_work_alongside_gives_the_commands_own_status(run: Run, trees: Path) -> None:
    done = run("ab.py", "alongside", "--", sys.executable, "-c", "raise SystemExit(7)", cwd=trees)
    assert done.returncode == 7
