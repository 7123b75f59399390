"""What the language and the standard library promise: pure callables and methods, and what they return.

A row is listed only when it has no effect for exact builtin arguments. ``total`` rows also never raise for the
argument kinds given here.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of ``text``; shorter to read than a list of quoted ones."""
    return frozenset(text.split())


PURE_BUILTINS = words(
    "abs all any bool bytes chr dict divmod enumerate float frozenset int isinstance issubclass len list "
    "max min ord pow range repr reversed round set slice sorted str sum tuple type zip bin hex oct ascii "
    "hash"
)
"""Pure on exact builtin arguments (``all``, ``any``, ``list`` .. also on pure generators over them)."""

PURE_METHODS: dict[str, frozenset[str]] = {
    "str": words(
        "capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha "
        "isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join "
        "ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit "
        "rstrip split splitlines startswith strip swapcase title translate upper zfill"
    ),
    "bytes": words(
        "count decode endswith find hex index isalnum isalpha isdigit join lower lstrip partition replace "
        "rfind rsplit rstrip split startswith strip title upper"
    ),
    "list": frozenset({"copy", "count", "index"}),
    "tuple": frozenset({"count", "index"}),
    "dict": frozenset({"copy", "get", "items", "keys", "values"}),
    "set": words("copy difference intersection isdisjoint issubset issuperset symmetric_difference union"),
    "frozenset": words("copy difference intersection isdisjoint issubset issuperset union"),
    "int": frozenset({"bit_length", "conjugate"}),
    "float": frozenset({"is_integer", "hex"}),
    "range": frozenset({"count", "index"}),
}

MUTATING_METHODS: dict[str, frozenset[str]] = {
    "list": words("append clear extend insert pop remove reverse sort"),
    "dict": words("clear pop popitem setdefault update"),
    "set": words(
        "add clear difference_update discard intersection_update pop remove symmetric_difference_update "
        "update"
    ),
    "bytearray": words("append clear extend insert pop remove reverse"),
}

STR_TOTAL = words(
    "capitalize casefold isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric "
    "isprintable isspace istitle isupper lower lstrip rstrip splitlines strip swapcase title upper"
)
"""Without arguments these never raise on an exact ``str``."""
STR_TOTAL_WITH_TEXT = words(
    "count endswith find lstrip removeprefix removesuffix replace rfind rstrip startswith strip"
)
"""With exact ``str`` arguments these never raise on an exact ``str``."""
STR_RETURNS = {
    **dict.fromkeys(
        words(
            "capitalize casefold center expandtabs format join ljust lower lstrip removeprefix removesuffix "
            "replace rjust rstrip strip swapcase title translate upper zfill"
        ),
        "str",
    ),
    **dict.fromkeys(words("count find index rfind rindex"), "int"),
    **dict.fromkeys(words("split rsplit splitlines"), "list"),
    **dict.fromkeys(["partition", "rpartition"], "tuple"),
}
BOOL_PREFIXES = ("is", "startswith", "endswith")

MATH_RETURNS = {
    **dict.fromkeys(
        words(
            "acos acosh asin asinh atan atan2 atanh cbrt copysign cos cosh degrees dist erf erfc exp exp2 expm1 "
            "fabs fmod fsum gamma hypot ldexp lgamma log log10 log1p log2 pow radians sin sinh sqrt tan tanh"
        ),
        "float",
    ),
    **dict.fromkeys(words("ceil comb factorial floor gcd isqrt lcm perm trunc"), "int"),
    **dict.fromkeys(words("isclose isfinite isinf isnan"), "bool"),
}
MATH_CONSTANTS = frozenset({"pi", "e", "tau", "inf", "nan"})
MATH_TOTAL = frozenset(
    {"fabs", "degrees", "radians", "atan", "isfinite", "isinf", "isnan", "copysign", "atan2"}
)
"""Never raise on exact floats."""

PURE_FUNCTIONS: dict[str, str] = {f"math.{name}": kind for name, kind in MATH_RETURNS.items()}
"""Listed standard functions, ``module.name`` -> exact type returned for builtin numbers."""

EXCEPTIONS = words(
    "ArithmeticError AssertionError AttributeError EOFError Exception IndexError KeyError LookupError "
    "NotImplementedError OSError OverflowError RuntimeError TypeError UnicodeError ValueError ZeroDivisionError"
)
"""Making one has no effect; raising it is seen where it is raised."""

LAZY_ITERTOOLS = {
    "combinations": 2,
    "permutations": 2,
    "product": 0,
    "chain": 0,
    "zip_longest": 0,
    "pairwise": 0,
}
"""Iterators over builtin containers that have no effect and cannot raise; the number is the count of arguments, the
last a whole number that is not negative, or 0 for any number of containers."""

OPAQUE_CALLS = frozenset({"eval", "exec", "locals", "globals", "vars", "dir", "compile", "breakpoint"})
OPAQUE_MODULES = frozenset({"inspect", "sys.settrace", "sys._getframe", "gc"})

QUIET_STDLIB_EXCEPT = words(
    "antigravity this readline rlcompleter site sitecustomize usercustomize idlelib turtledemo lib2to3 "
    "faulthandler tracemalloc encodings locale signal atexit __main__ __future__ test builtins sys"
)
"""Standard modules whose import does something, or which must stay where they are."""

QUIET_PACKAGES = words(
    "numpy scipy pandas sklearn networkx sympy requests httpx aiohttp urllib3 yaml jinja2 markupsafe rich "
    "pygments lxml bs4 PIL dateutil pytz jsonschema docutils markdown cryptography sqlalchemy psycopg "
    "boto3 botocore toml tomlkit babel tabulate packaging platformdirs"
)
"""Installed packages whose import, as documented, only defines things."""
