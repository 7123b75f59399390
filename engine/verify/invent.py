"""Layer 5: inputs nobody has seen, from annotations and observed types, as tagged JSON for ``engine.probe.invented``.

Parameters of types that cannot be invented keep the value of a recorded call, or the whole layer is not checked.
Drawn by hypothesis with a fixed seed and no database: the same function and seed give the same inputs. Constants of
the function's own source are among the values, so that its branches are reached.
"""

from __future__ import annotations

import ast
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from engine.verify.typenames import Kind, from_annotation, from_observed

Strategy = st.SearchStrategy[Any]
Form = list[Any]
_LINE_CHARS = 20_000
_EXTRA_INPUTS = 200
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Parameter:
    """One parameter as the source writes it; ``variadic`` ones are never filled."""

    name: str
    annotation: ast.expr | None
    required: bool
    variadic: bool


def parameters(node: ast.AST) -> list[Parameter]:
    """The parameters of a function's node in order."""
    assert isinstance(node, _FUNCTION)
    args = node.args
    plain = [*args.posonlyargs, *args.args]
    defaults = len(plain) - len(args.defaults)
    found = [Parameter(arg.arg, arg.annotation, at < defaults, False) for at, arg in enumerate(plain)]
    keyed = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    found += [Parameter(arg.arg, arg.annotation, default is None, False) for arg, default in keyed]
    found += [Parameter(arg.arg, arg.annotation, False, True) for arg in (args.vararg, args.kwarg) if arg]
    return found


def invent(
    node: ast.AST, *, kind: str, observed: Mapping[str, Any], recorded: bool, seed_number: int, count: int
) -> list[dict[str, Any]]:
    """Up to ``count`` inputs as {"base": number of a recorded call, "args": {name: form}}; [] when impossible."""
    wanted = parameters(node)
    if kind == "method" and wanted:
        wanted = wanted[1:]  # self comes from a recorded call
    strategies = _strategies(node, wanted, observed)
    missing = [each for each in wanted if each.required and each.name not in strategies]
    if not strategies or ((missing or kind == "method") and not recorded):
        return []
    whole = st.fixed_dictionaries({"base": st.integers(0, 10**6), "args": st.fixed_dictionaries(strategies)})
    return _draw(whole, seed_number, count)


def _strategies(
    node: ast.AST, wanted: Iterable[Parameter], observed: Mapping[str, Any]
) -> dict[str, Strategy]:
    atoms = _constants(node)
    found: dict[str, Strategy] = {}
    for parameter in wanted:
        kinds = [] if parameter.variadic else _kinds(parameter, observed)
        if kinds:
            found[parameter.name] = st.one_of([_strategy(kind, atoms) for kind in kinds])
    return found


def _kinds(parameter: Parameter, observed: Mapping[str, Any]) -> list[Kind]:
    entry = observed.get(parameter.name)
    types = entry.get("types") if isinstance(entry, dict) else None
    names = list(types) if isinstance(types, dict) else []
    seen = [kind for name in names for kind in from_observed(str(name))]
    declared = from_annotation(parameter.annotation)
    if names and len(seen) < len(names) and not seen:
        return []  # objects were passed: an annotation alone would invent what the function never meets
    return list(dict.fromkeys(seen + declared))


def _constants(node: ast.AST) -> dict[type, list[Any]]:
    found: dict[type, list[Any]] = {int: [], str: [], float: [], bytes: []}
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and type(child.value) in found:
            found[type(child.value)].append(child.value)
    return {kind: list(dict.fromkeys(values))[:20] for kind, values in found.items()}


def _strategy(kind: Kind, atoms: Mapping[type, Sequence[Any]]) -> Strategy:
    scalar = _scalar(kind.name, atoms)
    if scalar is not None:
        return scalar
    parts = [st.one_of([_strategy(each, atoms) for each in part]) for part in kind.parts]
    return _container(kind, parts)


def _scalar(name: str, atoms: Mapping[type, Sequence[Any]]) -> Strategy | None:
    if name == "none":
        return st.just(["n"])
    if name == "bool":
        return st.booleans().map(lambda value: ["B", value])
    if name == "int":
        return _ints(atoms).map(_int_form)
    if name == "float":
        return st.one_of(
            _floats(atoms).map(lambda v: ["f", v.hex()]), _ints(atoms).filter(_small).map(_int_form)
        )
    if name == "str":
        return _texts(atoms).map(lambda value: ["s", value])
    if name in ("bytes", "bytearray"):
        tag = "b" if name == "bytes" else "y"
        return _bytes(atoms).map(lambda value: [tag, value.hex()])
    return None


def _int_form(value: int) -> Form:
    return ["i", format(value, "x")]


def _small(value: int) -> bool:
    return abs(value) < 2**53


def _ints(atoms: Mapping[type, Sequence[Any]]) -> Strategy:
    near = [value + d for value in atoms[int] for d in (-1, 0, 1) if abs(value) < 10_000]
    pool = [
        st.integers(-3, 12),
        st.integers(-3, 12),
        st.integers(-1000, 1000),
        st.sampled_from([2**31, -(2**63), 10**20]),
    ]
    return st.one_of([*pool[:3], *([st.sampled_from(near)] if near else []), pool[3]])


def _floats(atoms: Mapping[type, Sequence[Any]]) -> Strategy:
    known = st.sampled_from(
        [0.0, -0.0, 1.0, 0.5, 0.1, -1.0, 1e308, float("inf"), float("nan"), *atoms[float]]
    )
    return st.one_of(known, st.floats(), st.integers(-5, 5).map(float), st.floats(-100, 100))


def _texts(atoms: Mapping[type, Sequence[Any]]) -> Strategy:
    letters = "ab01 _-.,\n\tAé٣ß" + "".join(atoms[str])[:60]
    words = [value[:200] for value in atoms[str]] + ["", "a", "ab", "0"]
    plain = st.text(alphabet=st.sampled_from(sorted(set(letters))), max_size=12)
    joined = st.lists(st.sampled_from(words), max_size=4).map("".join)
    return st.one_of(plain, joined, st.sampled_from(words), st.text(max_size=6))


def _bytes(atoms: Mapping[type, Sequence[Any]]) -> Strategy:
    words = [b"", b"a", b"\x00\xff", *[value[:200] for value in atoms[bytes]]]
    return st.one_of(
        st.binary(max_size=10),
        st.sampled_from(words),
        st.lists(st.sampled_from(words), max_size=4).map(b"".join),
    )


_TAGS = {"list": "l", "tuple": "t", "set": "S", "frozenset": "Z"}


def _container(kind: Kind, parts: list[Strategy]) -> Strategy:
    if kind.name == "dict":
        pairs = st.tuples(parts[0], parts[1]).map(list)
        return st.lists(pairs, max_size=6).map(lambda items: ["d", items])
    tag = _TAGS[kind.name]
    if kind.fixed:
        return st.tuples(*parts).map(lambda items: [tag, list(items)])
    return st.one_of(
        st.lists(parts[0], max_size=8), st.lists(parts[0], max_size=8), st.lists(parts[0], max_size=25)
    ).map(lambda items: [tag, items])


def _draw(whole: Strategy, seed_number: int, count: int) -> list[dict[str, Any]]:
    """What hypothesis draws for one fixed seed, without its database and without shrinking."""
    found: list[dict[str, Any]] = []

    @seed(seed_number)
    @settings(
        max_examples=count,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(whole)
    def collect(value: dict[str, Any]) -> None:
        found.append(value)

    with warnings.catch_warnings(), _home_elsewhere():
        warnings.simplefilter("ignore")
        collect()
    return found


@contextmanager
def _home_elsewhere() -> Iterator[None]:
    """hypothesis keeps tables of characters in a folder; that is not to be the current one."""
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "codeflash-hypothesis")
    try:
        yield
    finally:
        set_hypothesis_home_dir(None)


def suggested(path: Path | None, node: ast.AST, kind: str) -> list[dict[str, Any]]:
    """Inputs somebody else suggests: one Python literal a line, a tuple of arguments or a dict by parameter name.

    Lines that are neither are left out; what is read counts as inside the contract only where the types say so.
    """
    if path is None or not path.is_file():
        return []
    names = [each.name for each in parameters(node) if not each.variadic][1 if kind == "method" else 0 :]
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[:_EXTRA_INPUTS]:
        args = _literal_args(line[:_LINE_CHARS], names)
        if args is not None:
            found.append({"base": 0, "args": args, "trusted": False})
    return found


def _literal_args(line: str, names: Sequence[str]) -> dict[str, Form] | None:
    try:
        value = ast.literal_eval(line.strip())
        values = value if isinstance(value, dict) else dict(zip(names, value, strict=False))
        return {name: encode(values[name]) for name in names if name in values}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def encode(value: Any) -> Form:
    """A plain builtin value as tagged JSON; raises ValueError for anything else."""
    if value is None:
        return ["n"]
    if isinstance(value, bool):
        return ["B", value]
    if isinstance(value, int):
        return _int_form(value)
    if isinstance(value, float):
        return ["f", value.hex()]
    if isinstance(value, str):
        return ["s", value]
    if isinstance(value, bytes):
        return ["b", value.hex()]
    if isinstance(value, dict):
        return ["d", [[encode(key), encode(item)] for key, item in value.items()]]
    for kind, tag in ((list, "l"), (tuple, "t"), (frozenset, "Z"), (set, "S")):
        if isinstance(value, kind):
            return [tag, [encode(item) for item in value]]
    raise ValueError(f"{type(value).__name__} is not a plain value")
