"""How much each rule's idiom gains here: before / after at two sizes, both measured in turn in one run.

    python -m benchmarks.rules_idioms

Ratios above 1 are better. The idioms are the examples of the rules themselves. CPU time is the least of many calls,
memory the traced peak, waiting the wall time under one loop, import the CPU time of a fresh process. The last line is
what asking all rules about one function of the standard library costs.
"""

from __future__ import annotations

import ast
import asyncio
import io
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.facts import Facts
from engine.rules import Case, Rule, catalogue
from engine.site import SiteError, build_site

SMALL, LARGE = 10, 2_000
ROUNDS = 9
WAIT = "0.002"


def value(words: str, size: int) -> Any:
    """An argument of the kind that a case names, with about ``size`` items."""
    made: dict[str, Callable[[], Any]] = {
        "int": lambda: size,
        "str": lambda: "ab" * size,
        "list[int]": lambda: [n * 7 % 101 for n in range(size)],
        "list[str]": lambda: [f"name-{n}" for n in range(size)],
        "dict[str, int]": lambda: {f"name-{n}": n for n in range(size)},
        "_io.StringIO": lambda: io.StringIO("one line of a file\n" * size),
    }
    return made[words]()


def function_of(text: str, case: Case) -> Callable[..., Any]:
    scope: dict[str, Any] = {"__name__": "idiom"}
    exec(
        compile(
            text.replace("sleep(0)", f"sleep({WAIT})").replace("PAUSE = 0", f"PAUSE = {WAIT}"),
            "<idiom>",
            "exec",
        ),
        scope,
    )
    found: Callable[..., Any] = scope[case.function]
    return found


def in_turn(measure: Callable[[int], float]) -> float | None:
    """Before / after of the least value of each, taken as before, after, after, before and so on."""
    values: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS):
        for arm in (0, 1) if round_ % 2 else (1, 0):
            values[arm].append(measure(arm))
    before, after = min(values[0]), min(values[1])
    return before / after if after > 0 else None


def cpu(case: Case, size: int) -> float | None:
    arms = [function_of(text, case) for text in (case.source, case.expected or "")]
    given = [value(words, size) for words in case.inputs]
    loops = _loops(lambda: arms[0](*given))

    def measure(arm: int) -> float:
        started = time.process_time()
        for _ in range(loops):
            arms[arm](*given)
        return time.process_time() - started

    return in_turn(measure)


def _loops(call: Callable[[], Any]) -> int:
    started = time.perf_counter()
    call()
    return max(1, min(2_000, int(0.004 / max(time.perf_counter() - started, 1e-7))))


def peak(case: Case, size: int) -> float | None:
    arms = [function_of(text, case) for text in (case.source, case.expected or "")]

    def measure(arm: int) -> float:
        given = [value(words, size) for words in case.inputs]
        tracemalloc.start()
        arms[arm](*given)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return float(highest)

    return in_turn(measure)


def wall(case: Case, size: int) -> float | None:
    """Eight tasks at once for a coroutine that blocks, one for a coroutine that waits for items in a row."""
    arms = [function_of(text, case) for text in (case.source, case.expected or "")]
    given = [value(words, min(size, 50)) for words in case.inputs]

    async def all_of_them(arm: int) -> None:
        await asyncio.gather(*(arms[arm](*given) for _ in range(8)))

    def measure(arm: int) -> float:
        started = time.perf_counter()
        asyncio.run(all_of_them(arm))
        return time.perf_counter() - started

    return in_turn(measure)


def fresh_import(case: Case, _size: int) -> float | None:
    name = case.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    with tempfile.TemporaryDirectory() as folder:
        trees = [Path(folder, arm) for arm in ("before", "after")]
        for tree, text in zip(trees, (case.source, case.expected or ""), strict=True):
            for path, content in {**(case.files or {}), case.path: text}.items():
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_text(content)

        def measure(arm: int) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-S", "-c", f"import {name}"], cwd=trees[arm], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return in_turn(measure)


METERS = {"cpu": cpu, "peak": peak, "wall": wall, "import": fresh_import}


def measurable(rule: Rule) -> Case:
    """The first example with arguments, or that is imported."""
    return next(case for case in rule.examples if case.inputs or rule.metric == "import")


def row(rule: Rule) -> str:
    case, meter = measurable(rule), METERS[rule.metric]
    sizes = (SMALL, LARGE) if rule.metric != "import" else (SMALL,)
    ratios = [meter(case, size) for size in sizes]
    told = "  ".join(f"{ratio:8.2f}x" if ratio else "  unknown" for ratio in ratios)
    return f"{rule.id:18} {rule.metric:7} {told:22} {case.why}"


def asking() -> str:
    """Median milliseconds of asking every rule about one function."""
    library, spent = Path(sysconfig.get_paths()["stdlib"]), []
    for name in ("argparse.py", "textwrap.py", "statistics.py", "heapq.py", "asyncio/tasks.py"):
        source = (library / name).read_bytes()
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                try:
                    site = build_site(source=source, path=f"lib/{name}", qualname=node.name, facts=Facts())
                except SiteError:
                    continue
                started = time.perf_counter()
                for rule in catalogue():
                    list(rule.propose(site))
                spent.append((time.perf_counter() - started) * 1e3)
    return (
        f"asking all rules about a function: {statistics.median(spent):.2f} ms at the median of {len(spent)}"
    )


def main() -> None:
    print(f"Python {sys.version.split()[0]}; sizes {SMALL} and {LARGE}; {ROUNDS} rounds in turn")
    for rule in catalogue():
        print(row(rule), flush=True)
    print(asking())


if __name__ == "__main__":
    main()
