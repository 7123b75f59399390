"""Which files a change may touch: Python code of the repo itself, never tests, benchmarks or configuration."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from engine.site.known import words

_CHECKS = words(
    "test tests testing spec specs bench benches benchmark benchmarks asv_bench migrations vendor vendored _vendor "
    "third_party node_modules site-packages"
)
"""Folders whose files are left alone wherever they lie."""
_OUTSIDE = words("doc docs example examples script scripts ci tools perf build dist")
"""Folders whose files are left alone at the top of the repo; inside a package they are code."""
_FILES = words(
    "setup.py conftest.py noxfile.py fabfile.py conf.py sitecustomize.py usercustomize.py "
    "settings.py versioneer.py _version.py gunicorn.conf.py wsgi.py asgi.py "
    "manage.py"
)
_TEST_NAME = re.compile(r"^(?:test_.*|.*_tests?|tests?|bench_.*|.*_bench|.*_benchmarks?|benchmarks?)\.py$")


def editable(path: str) -> bool:
    """Whether ``path`` (posix, relative to the tree) is code that a change may touch."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or pure.suffix != ".py":
        return False
    folders = [part.lower() for part in pure.parts[:-1]]
    if any(part.startswith(".") or part in _CHECKS for part in folders) or set(folders[:1]) & _OUTSIDE:
        return False
    name = pure.name.lower()
    return name not in _FILES and not _TEST_NAME.match(name)
