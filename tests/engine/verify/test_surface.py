"""Changes of structure: what a module shows to others stays the same, and every module imports in a fresh process."""

from __future__ import annotations

from engine.values import Target
from engine.verify import Evidence
from engine.verify.surface import modules
from tests.engine.verify.house import new_house

SHOP = {
    "src/pkg/__init__.py": "from pkg.prices import price\n",
    "src/pkg/prices.py": (
        "import decimal\nimport json\n\nLIMIT = 3\n\n\ndef price(text):\n    return json.loads(text)\n\n\n"
        "def exact(text):\n    return decimal.Decimal(text)\n"
    ),
    "src/pkg/cli.py": "from pkg.prices import price\n\n\ndef main(text):\n    return price(text)\n",
    "src/pkg/__main__.py": "raise SystemExit(9)\n",
    "tests/test_prices.py": (
        "from pkg import prices\nfrom pkg.cli import main\n\n\ndef test_price():\n    assert prices.price('3') == 3\n"
        "    assert prices.exact('1') == 1\n    assert main('4') == 4\n"
    ),
}
LAZY = (
    SHOP["src/pkg/prices.py"]
    .replace("import decimal\n", "")
    .replace("    return dec", "    import decimal\n\n    return dec")
)


def verify(
    changes: dict[str, str], *, path: str = "src/pkg/prices.py", repo: dict[str, str] = SHOP
) -> Evidence:
    with new_house(repo, {**repo, **changes}, import_roots=("src",)) as house:
        row = Target(path=path, qualname="<module>", line=1, domain="structure")
        return house.verify(row)


def test_modules_are_found_below_their_import_root() -> None:
    with new_house(SHOP, {}, import_roots=("src",)) as house:
        assert modules(house.before, ("src",)) == ["pkg", "pkg.cli", "pkg.prices"]


def test_an_import_moved_into_its_function_is_kept() -> None:
    found = verify({"src/pkg/prices.py": LAZY})
    assert found.passed and found.level == "E1", found
    imports = next(each for each in found.checks if each.name == "Fresh imports")
    assert (imports.state, imports.tried, imports.agreed) == ("pass", 3, 3)


def test_a_lazy_line_that_no_test_reaches_is_no_evidence() -> None:
    repo = {
        **SHOP,
        "tests/test_prices.py": SHOP["tests/test_prices.py"].replace(
            "    assert prices.exact('1') == 1\n", ""
        ),
    }
    found = verify({"src/pkg/prices.py": LAZY}, repo=repo)
    assert (found.passed, found.reason_class) == (False, "no evidence")


def test_a_name_that_somebody_patches_stays() -> None:
    repo = {**SHOP, "src/pkg/patching.py": "TARGET = 'pkg.prices.decimal'\n"}
    found = verify({"src/pkg/prices.py": LAZY}, repo=repo)
    assert not found.passed and "pkg.prices.decimal is gone" in found.reason


def test_a_constant_that_is_gone_is_a_difference() -> None:
    found = verify({"src/pkg/prices.py": SHOP["src/pkg/prices.py"].replace("LIMIT = 3\n", "")})
    assert not found.passed and "LIMIT is gone" in found.reason


def test_another_signature_is_a_difference() -> None:
    found = verify(
        {
            "src/pkg/prices.py": SHOP["src/pkg/prices.py"].replace(
                "def exact(text)", "def exact(text, places=2)"
            )
        }
    )
    assert not found.passed and "exact" in found.reason


def test_a_new_public_name_is_a_difference() -> None:
    found = verify({"src/pkg/prices.py": SHOP["src/pkg/prices.py"] + "\n\ndef helper():\n    return 1\n"})
    assert not found.passed and "helper" in found.reason


def test_printing_on_import_is_a_difference() -> None:
    found = verify({"src/pkg/prices.py": SHOP["src/pkg/prices.py"] + "\nprint('hello')\n"})
    assert not found.passed and "prints" in found.reason


def test_an_import_cycle_that_only_a_fresh_process_meets_is_found() -> None:
    """The tests import the modules in an order that works; importing the changed one first fails."""
    before = {
        **SHOP,
        "src/pkg/__init__.py": "",
        "src/pkg/first.py": "import pkg.second\n\nONE = 1\n\n\ndef two():\n    return pkg.second.TWO\n",
        "src/pkg/second.py": "TWO = 2\n",
        "tests/test_prices.py": (
            "import pkg.first\nfrom pkg.second import TWO\n\n\ndef test_two():\n    assert pkg.first.two() == TWO\n"
        ),
    }
    after = {
        "src/pkg/first.py": "ONE = 1\n\n\ndef two():\n    return TWO\n\n\nfrom pkg.second import TWO\n",
        "src/pkg/second.py": "from pkg.first import ONE\n\nTWO = 2 * ONE\n",
    }
    found = verify(after, path="src/pkg/second.py", repo=before)
    assert not found.passed and found.reason_class == "differs"
    assert found.reason.startswith("import pkg.second:"), found.reason


LAZY_EXPORTS = """
_HOMES = {"price": "pkg.prices"}


def __getattr__(name):
    if name in _HOMES:
        import importlib

        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(name)


def __dir__():
    return sorted([*globals(), *_HOMES])
"""


def test_lazy_exports_are_seen_through() -> None:
    found = verify({"src/pkg/__init__.py": LAZY_EXPORTS}, path="src/pkg/__init__.py")
    assert found.reason_class != "differs", found.reason
    forgotten = LAZY_EXPORTS.replace('"price": ', '"prices": ')
    found = verify({"src/pkg/__init__.py": forgotten}, path="src/pkg/__init__.py")
    assert not found.passed and "pkg.price is gone" in found.reason


def test_annotations_that_can_no_longer_be_evaluated_are_disclosed() -> None:
    before = "import decimal\n\n\ndef pay(amount: decimal.Decimal) -> None:\n    return None\n"
    after = (
        "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\n"
        "if TYPE_CHECKING:\n    import decimal\n\n\n"
        "def pay(amount: decimal.Decimal) -> None:\n    return None\n"
    )
    repo = {**SHOP, "src/pkg/pay.py": before}
    found = verify({"src/pkg/pay.py": after}, path="src/pkg/pay.py", repo=repo)
    assert found.passed, found.reason
    assert any("pkg.pay.pay" in text for text in found.disclosed)
