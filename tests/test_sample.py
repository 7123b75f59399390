"""The bundled sample: its own suite passes, the twelve good rewrites agree, the tempting wrong ones do not.

The rewrites here are written by hand and applied to the sample's real text, so that a change of the sample that takes
an opportunity or a trap away is noticed.
"""

from __future__ import annotations

import ast
import asyncio
import io
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[1] / "examples" / "shopworks"
PACKAGE = SAMPLE / "src" / "shopworks"


def python(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in ``tree`` with nothing of our environment but the way to find programs."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=tree, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "shopworks"
    shutil.copytree(SAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    return copy


def module(path: str, old: str = "", new: str = "") -> dict[str, Any]:
    """The names of one module of the sample, with ``old`` replaced by ``new`` in its text."""
    text = (PACKAGE / path).read_text(encoding="utf-8")
    assert old in text, f"{path} no longer holds {old!r}"
    made = types.ModuleType(path.replace("/", ".").removesuffix(".py"))
    made.__dict__["__file__"] = str(PACKAGE / path)
    exec(compile(text.replace(old, new), path, "exec", dont_inherit=True), made.__dict__)
    return made.__dict__


def outcome(call: Callable[[dict[str, Any]], Any], names: dict[str, Any]) -> Any:
    """What the call gives, or the kind of exception it raises."""
    try:
        return call(names)
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_its_own_suites_pass(tree: Path, folder: str) -> None:
    run = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
    assert "skipped" not in run.stdout


def sources() -> Iterator[Path]:
    return (path for path in SAMPLE.rglob("*.py") if "__pycache__" not in path.parts)


def test_it_is_plain_files_of_a_believable_size() -> None:
    assert not (SAMPLE / ".git").exists()
    functions = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert 20 <= len(functions) <= 30
    assert all(ast.get_docstring(node) for node in functions)


def test_it_reads_on_python_3_8_and_needs_nothing_but_the_standard_library() -> None:
    allowed = {*sys.stdlib_module_names, "shopworks", "pytest"}
    for path in sources():
        parsed = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
        for node in ast.walk(parsed):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path


LOG = "08:00 /tea 200 512\n08:01 /mug 404 0\nbroken\n08:02 /tea 200 512"

RIGHT: dict[str, tuple[str, str, str, list[Callable[[dict[str, Any]], Any]]]] = {
    "invariant-hoist": (
        "pricing.py",
        "    shares = []\n    for pieces in sold:\n        shares.append(100 * pieces / sum(sold))",
        "    shares = []\n    whole = sum(sold)\n    for pieces in sold:\n        shares.append(100 * pieces / whole)",
        [
            lambda m: m["sales_shares"]([3, 0, 9]),
            lambda m: m["sales_shares"]([]),
            lambda m: m["sales_shares"]([0]),
        ],
    ),
    "gen-to-list": (
        "catalogue.py",
        '";".join(str(cell) for cell in row)',
        '";".join([str(cell) for cell in row])',
        [lambda m: m["price_list"]([("tea", 1, None), ()]), lambda m: m["price_list"]([])],
    ),
    "set-membership": (
        "stock.py",
        "    ready = []\n",
        "    ready = []\n    available = set(available)\n",
        [lambda m: m["shippable"](["a", "b", "a"], ["a", "c"]), lambda m: m["shippable"]([], [])],
    ),
    "reduce-generator": (
        "stock.py",
        "sum([(reading - mean) ** 2 for reading in readings])",
        "sum((reading - mean) ** 2 for reading in readings)",
        [
            lambda m: m["reading_spread"]([n * 37 % 200 for n in range(999)]),
            lambda m: m["reading_spread"]([]),
        ],
    ),
    "iterate-file": (
        "logs.py",
        "    counts: Dict[str, int] = {}\n    for line in log.readlines():",
        "    counts: Dict[str, int] = {}\n    for line in log:",
        [lambda m: m["status_counts"](io.StringIO(LOG)), lambda m: m["status_counts"](io.StringIO(""))],
    ),
    "iterate-file, a real file": (
        "catalogue.py",
        "in table.readlines():",
        "in table:",
        [lambda m: m["zone_surcharges"]("zones"), lambda m: m["zone_surcharges"]("none")],
    ),
    "pick-islice": (
        "suggestions.py",
        "return list(combinations(ordered, 2))[:20]",
        "from itertools import islice; return list(islice(combinations(ordered, 2), 20))",
        [lambda m: m["bundle_preview"](list("zyxwvutsrq")), lambda m: m["bundle_preview"](["a"])],
    ),
    "gather-loop": (
        "suppliers.py",
        "    prices = []\n    for sku in skus:\n        prices.append(await ask_price(sku))\n    return prices",
        "    return list(await asyncio.gather(*(ask_price(sku) for sku in skus)))",
        [lambda m: asyncio.run(m["collect_prices"](["tea", "mug", "pot"]))],
    ),
    "sleep-async": (
        "warehouse.py",
        "        last = reading\n        time.sleep(0.002)",
        "        last = reading\n        await asyncio.sleep(0.002)",
        [
            lambda m: asyncio.run(m["wait_for_scale"]([9, 5, 3, 2], 1)),
            lambda m: asyncio.run(m["wait_for_scale"]([], 1)),
        ],
    ),
    "block-thread": (
        "warehouse.py",
        "label = print_label(order)",
        "label = await asyncio.to_thread(print_label, order)",
        [lambda m: asyncio.run(m["dispatch"]("o-1"))],
    ),
}


@pytest.mark.parametrize("rule", RIGHT)
def test_a_good_rewrite_agrees(rule: str) -> None:
    path, old, new, calls = RIGHT[rule]
    for call in calls:
        assert outcome(call, module(path, old, new)) == outcome(call, module(path))


def transfers(names: dict[str, Any]) -> Any:
    balances = {"main": 100}
    left = asyncio.run(names["settle_transfers"](balances, [("main", 70), ("main", 20), ("main", 70)]))
    return left, balances


def rest_of_feed(names: dict[str, Any]) -> Any:
    feed = iter("abcdefg")
    return names["newest_alerts"](feed), list(feed)


def bays(names: dict[str, Any]) -> Any:
    """Two trucks at once, the lock held in a way that does not stop the loop."""

    class Loose:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    async def both() -> list[int]:
        known: dict[str, int] = {}
        take = names["take_bay"]
        return list(await asyncio.gather(take(known, "red", Loose()), take(known, "blue", Loose())))

    return asyncio.run(both())


def repeated(names: dict[str, Any]) -> Any:
    log = io.StringIO("a /x 500 1\nb /y 200 1\nc /z 500 1\n")
    return names["repeat_errors"](log), log.getvalue()


WRONG: dict[str, tuple[str, str, str, Callable[[dict[str, Any]], Any]]] = {
    "a call with an effect is hoisted": (
        "pricing.py",
        "    for price in prices:\n        percent = next(coupons, 0)\n",
        "    percent = next(coupons, 0)\n    for price in prices:\n",
        lambda m: m["apply_coupons"]([1000, 1000], iter([10, 50])),
    ),
    "a set loses the order": (
        "stock.py",
        "    seen: List[str] = []\n    for sku in skus:\n        if sku not in seen:\n"
        "            seen.append(sku)\n    return seen",
        "    return sorted(set(skus))",
        lambda m: m["unique_in_order"](["b", "a", "b"]),
    ),
    "a set of lists": (
        "stock.py",
        "    missing = []\n",
        "    missing = []\n    parts = set(parts)\n",
        lambda m: m["missing_parts"]([["nut", 4]], [["nut", 4]]),
    ),
    "a generator hides the broken cell": (
        "catalogue.py",
        "any([int(cell) < 0 for cell in cells])",
        "any(int(cell) < 0 for cell in cells)",
        lambda m: m["has_negative"](["-1", "three"]),
    ),
    "islice leaves the feed unread": (
        "suggestions.py",
        "return list(feed)[:3]",
        "from itertools import islice; return list(islice(feed, 3))",
        rest_of_feed,
    ),
    "transfers at once": (
        "suppliers.py",
        "    left = []\n    for account, cents in transfers:\n"
        "        left.append(await book(balances, account, cents))\n    return left",
        "    return list(await asyncio.gather(*(book(balances, a, c) for a, c in transfers)))",
        transfers,
    ),
    "the bay is given away while waiting": (
        "warehouse.py",
        '        time.sleep(0.002)\n        bays["next"]',
        '        await asyncio.sleep(0.002)\n        bays["next"]',
        bays,
    ),
    "the log grows while it is read": (
        "logs.py",
        "    repeated = 0\n    for line in log.readlines():",
        "    repeated = 0\n    for line in log:",
        repeated,
    ),
}


@pytest.mark.parametrize("trap", WRONG)
def test_a_tempting_rewrite_differs(trap: str) -> None:
    path, old, new, call = WRONG[trap]
    assert outcome(call, module(path, old, new)) != outcome(call, module(path))


def rewrite(tree: Path, path: str, *pairs: tuple[str, str]) -> None:
    file = tree / "src" / "shopworks" / path
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, f"{path} no longer holds {old!r}"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def suite(tree: Path) -> subprocess.CompletedProcess[str]:
    return python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_papers.py")


GOOD_STRUCTURE: dict[str, tuple[str, list[tuple[str, str]], str]] = {
    "lazy-import": (
        "archive.py",
        [
            ("from multiprocessing.pool import ThreadPool\n", ""),
            ("    with ThreadPool", "    from multiprocessing.pool import ThreadPool\n\n    with ThreadPool"),
        ],
        "multiprocessing.pool",
    ),
    "type-import": (
        "feeds.py",
        [
            ("from http.client import HTTPResponse\n", ""),
            (
                "import Optional\n",
                "import TYPE_CHECKING, Optional\n\nif TYPE_CHECKING:\n    from http.client import HTTPResponse\n",
            ),
        ],
        "http.client",
    ),
}


@pytest.mark.parametrize("rule", GOOD_STRUCTURE)
def test_a_good_structure_rewrite_saves_the_import(tree: Path, rule: str) -> None:
    path, pairs, heavy = GOOD_STRUCTURE[rule]
    loaded = f"import sys, shopworks; print({heavy!r} in sys.modules)"
    assert python(tree, "-c", loaded).stdout.strip() == "True"
    rewrite(tree, path, *pairs)
    assert python(tree, "-c", loaded).stdout.strip() == "False"
    assert suite(tree).returncode == 0


def test_lazy_exports_keep_every_public_name(tree: Path) -> None:
    file = tree / "src" / "shopworks" / "__init__.py"
    parsed = ast.parse(file.read_text(encoding="utf-8"))
    homes = {a.name: n.module for n in parsed.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert len(homes) >= 20
    body = f"""__all__ = {sorted(homes)!r}
_HOMES = {homes!r}

def __getattr__(name):
    import importlib
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(_HOMES[name]), name)
"""
    file.write_text(body, encoding="utf-8")
    loaded = "import sys, shopworks; print('asyncio' in sys.modules)"
    assert python(tree, "-c", loaded).stdout.strip() == "False"
    assert suite(tree).returncode == 0


BAD_STRUCTURE: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an import that registers a format": (
        "export.py",
        [
            ("from shopworks.formats import page\n", ""),
            ("    return page.as_page", "    from shopworks.formats import page\n    return page.as_page"),
        ],
    ),
    "annotations that are read while running": (
        "records.py",
        [
            ("from decimal import Decimal\nfrom typing import ", "from typing import TYPE_CHECKING, "),
            ('R = TypeVar("R")', 'if TYPE_CHECKING:\n    from decimal import Decimal\nR = TypeVar("R")'),
        ],
    ),
}


@pytest.mark.parametrize("trap", BAD_STRUCTURE)
def test_a_tempting_structure_rewrite_fails_its_tests(tree: Path, trap: str) -> None:
    path, pairs = BAD_STRUCTURE[trap]
    rewrite(tree, path, *pairs)
    assert suite(tree).returncode == 1


def test_a_lazy_export_with_the_name_of_a_module_gives_the_module(tree: Path) -> None:
    call = "import shopworks.wording.slug, shopworks.wording as w; print(callable(w.slug))"
    assert python(tree, "-c", call).stdout.strip() == "True"
    lazy = "def __getattr__(name):\n    from shopworks.wording import slug\n    return slug.slug\n"
    (tree / "src" / "shopworks" / "wording" / "__init__.py").write_text(lazy, encoding="utf-8")
    assert python(tree, "-c", call).stdout.strip() == "False"
