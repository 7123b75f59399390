"""Real environments made in the real sandbox, from a local folder of packages: no test here needs the network."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.environment import Environment, EnvironmentProblem, prepare
from engine.environment import install as installing
from engine.sandbox import Completed, Sandbox, probe_isolation

from .test_manifest import write

SHOP = {
    "src/shop/__init__.py": "from shop import _version\n",
    "tests/test_shop.py": "import shop, wheelhouse_one\nfrom importlib.metadata import version, entry_points\n"
    "def test_it():\n    assert version('shop') == '1.5'\n    assert wheelhouse_one.VALUE == 1\n"
    "    assert shop._version.version == '1.5'\n"
    "    assert [e.name for e in entry_points(group='shop.plugins')] == ['a']\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1.5"\ndependencies = ["wheelhouse-one"]\n'
    '[project.entry-points."shop.plugins"]\na = "shop:a"\n'
    '[tool.setuptools_scm]\nversion_file = "src/shop/_version.py"\n'
    '[tool.pytest.ini_options]\naddopts = "--cov=shop"\n',
}


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="codeflash-env-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """Shared, so that pytest is lent and compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="codeflash-cache-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sandbox(place: Path) -> Sandbox:
    return Sandbox(probe_isolation(), scratch=place / "scratch")


@pytest.fixture
def wheels(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place packages come from: a folder of wheels made here."""
    folder = place / "wheels"
    folder.mkdir()
    wheel(folder, "wheelhouse_one", "1.0")
    wheel(folder, "wheelhouse_one", "2.0", code="VALUE = 2\n")
    for name in list(os.environ):
        if installing.PASSED_ON.fullmatch(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, name: str, version: str, code: str = "VALUE = 1\n") -> None:
    """A wheel as an installer wants it: files, metadata and a record of digests."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def run(environment: Environment, sandbox: Sandbox, tree: Path, *words: str) -> Completed:
    return sandbox.run(
        [environment.python, *words],
        cwd=tree,
        readable=environment.readable,
        env=environment.python_env(tree),
    )


def run_tests(environment: Environment, sandbox: Sandbox, tree: Path) -> Completed:
    return run(
        environment, sandbox, tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *environment.test_args
    )


def locked_shop(place: Path) -> Path:
    lock = '[[package]]\nname = "wheelhouse-one"\nversion = "1.0"\n'
    tree = write(place / "shop", {**SHOP, "uv.lock": lock})
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tree


def test_a_project_runs_from_its_tree(place: Path, cache: Path, sandbox: Sandbox, wheels: Path) -> None:
    """Locked version, metadata and entry points without installing, a stand-in for a built module, a lent pytest."""
    tree = locked_shop(place)
    environment = prepare(tree=tree, cache=cache, sandbox=sandbox)
    assert environment.manager == "uv" and not environment.cached
    assert environment.installed["wheelhouse-one"] == "1.0" and environment.installed["shop"] == "1.5"
    assert (environment.import_roots, environment.packages) == (("src",), ("shop",))
    assert environment.test_args == ("-o", "addopts=", "tests")
    words = " ".join(environment.notes)
    assert (
        "locked versions" in words
        and "product's own" in words
        and "stand-in" in words
        and "--cov=shop" in words
    )
    done = run_tests(environment, sandbox, tree)
    assert done.ok and b"1 passed" in done.stdout, done
    again = prepare(tree=tree, cache=cache, sandbox=sandbox)
    assert again.cached and again.python == environment.python and again.notes == environment.notes
    assert not list((cache / "envs").glob("*/scratch")), "downloads are not kept"


def test_pip_does_when_there_is_no_uv(
    place: Path, sandbox: Sandbox, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.environment.build.find_uv", lambda: None)
    tree = locked_shop(place)
    environment = prepare(tree=tree, cache=place / "cache", sandbox=sandbox)
    assert environment.installed["wheelhouse-one"] == "1.0"
    assert run_tests(environment, sandbox, tree).ok


def test_a_lock_that_cannot_be_kept_is_noted(
    place: Path, cache: Path, sandbox: Sandbox, wheels: Path
) -> None:
    tree = locked_shop(place)
    (tree / "uv.lock").write_text('[[package]]\nname = "wheelhouse-one"\nversion = "0.9"\n')
    environment = prepare(tree=tree, cache=cache, sandbox=sandbox)
    assert environment.installed["wheelhouse-one"] == "2.0"
    assert any("could not be installed here" in note for note in environment.notes)


def test_test_packages_that_cannot_be_had_are_noted(
    place: Path, cache: Path, sandbox: Sandbox, wheels: Path
) -> None:
    tree = write(
        place / "r", {"r.py": "", "requirements.txt": "wheelhouse-one\n", "requirements-test.txt": "nope\n"}
    )
    environment = prepare(tree=tree, cache=cache, sandbox=sandbox)
    assert any("nope" in note for note in environment.notes)
    assert "No tests were found." in environment.notes


def test_packages_that_cannot_be_had_are_a_sentence(place: Path, sandbox: Sandbox, wheels: Path) -> None:
    tree = write(place / "r", {"r.py": "", "requirements.txt": "does-not-exist-anywhere\n"})
    with pytest.raises(EnvironmentProblem, match=r"could not be installed .*does-not-exist-anywhere"):
        prepare(tree=tree, cache=place / "cache", sandbox=sandbox)
    assert not [path for path in (place / "cache/envs").iterdir() if path.is_dir()], "nothing half-made stays"


def test_a_plain_folder_offline(place: Path, cache: Path, sandbox: Sandbox) -> None:
    tree = write(
        place / "plain",
        {
            "one.py": "def one():\n    return 1\n",
            "test_one.py": "import one\ndef test():\n    assert one.one() == 1\n",
        },
    )
    environment = prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True)
    assert environment.manager == "plain" and environment.test_args == ("test_one.py",)
    assert run_tests(environment, sandbox, tree).ok


def test_offline_does_not_reach_for_packages(
    place: Path, cache: Path, sandbox: Sandbox, wheels: Path
) -> None:
    tree = write(place / "r", {"r.py": "", "requirements.txt": "wheelhouse-one\n"})
    environment = prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True)
    assert "wheelhouse-one" not in environment.installed
    assert any("Offline" in note for note in environment.notes)


def test_a_half_made_environment_is_made_again(place: Path, cache: Path, sandbox: Sandbox) -> None:
    tree = write(place / "plain", {"one.py": ""})
    first = prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True)
    (cache / "envs" / f"{first.lock_digest}.json").unlink()
    first.python.unlink()
    second = prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True)
    assert not second.cached and run(second, sandbox, tree, "-c", "import one").ok
    shutil.rmtree(cache / "envs" / second.lock_digest)
    assert run(prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True), sandbox, tree, "-V").ok


def _prepare_in_process(tree: str, cache: str, scratch: str) -> bool:
    sandbox = Sandbox(probe_isolation(), scratch=Path(scratch))
    return prepare(tree=Path(tree), cache=Path(cache), sandbox=sandbox, offline=True).cached


def test_two_sessions_make_it_once(place: Path) -> None:
    tree = write(place / "plain", {"one.py": ""})
    jobs = [(str(tree), str(place / "cache"), str(place / f"scratch-{n}")) for n in range(3)]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        cached = pool.starmap(_prepare_in_process, jobs)
    assert sorted(cached) == [False, True, True]


@pytest.mark.parametrize(
    ("requires", "words"),
    [
        (">=3.99", "needs Python >=3.99 and this machine has"),
        ("three", "no version range"),
        ("<3.0", "needs Python <3.0"),
    ],
)
def test_a_python_that_is_not_there(
    place: Path, cache: Path, sandbox: Sandbox, requires: str, words: str
) -> None:
    text = f'[project]\nname = "a"\nrequires-python = "{requires}"\n'
    tree = write(place / "r", {"a.py": "", "pyproject.toml": text})
    with pytest.raises(EnvironmentProblem, match=words):
        prepare(tree=tree, cache=cache, sandbox=sandbox, offline=True)


def test_an_installer_cannot_write_outside_or_leave_a_trap(
    place: Path, sandbox: Sandbox, wheels: Path
) -> None:
    """A source package whose build writes where it can: only the new environment is in its reach."""
    target = place / "target"
    target.mkdir()
    target.chmod(0o777)
    build = (
        "import os, pathlib\n"
        f"for p in ('{target}/owned', '{place}/cache/envs/owned', '{place}/cache/owned', '/etc/owned'):\n"
        "    try: pathlib.Path(p).write_text('x')\n    except OSError: pass\n"
        "raise SystemExit('refused')\n"
    )

    source = write(
        place / "evil-1.0",
        {"setup.py": build, "PKG-INFO": "Metadata-Version: 1.0\nName: evil\nVersion: 1.0\n"},
    )
    with tarfile.open(wheels / "evil-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "evil-1.0")
    tree = write(place / "r", {"a.py": "", "requirements.txt": "evil\n"})
    with pytest.raises(EnvironmentProblem):
        prepare(tree=tree, cache=place / "cache", sandbox=sandbox)
    assert not list(place.rglob("owned"))
