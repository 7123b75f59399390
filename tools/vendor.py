"""Check that every vendored browser file is byte for byte the one that was reviewed, and that nothing else lies there.

``python tools/vendor.py`` exits 0 when all digests agree; ``--write`` records the digests of what lies there now.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "static" / "vendor" / "vendor.json"
PLACES = (ROOT / "static" / "vendor", ROOT / "tests" / "vendor")


def digest(path: Path) -> str:
    """The sha512 of a file in the form browsers use for integrity."""
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def found() -> dict[str, Path]:
    """Every vendored file by its path in the repository."""
    files = (path for place in PLACES for path in sorted(place.rglob("*")) if path.is_file() and path != LIST)
    return {path.relative_to(ROOT).as_posix(): path for path in files}


def entries() -> list[dict[str, str]]:
    """What lies there now: folder names are ``<name>-<version>``."""
    rows = []
    for name, path in found().items():
        package, _, version = path.parent.name.rpartition("-")
        rows.append({"name": package, "version": version, "file": name, "sha512": digest(path)})
    return rows


def problems() -> list[str]:
    """One sentence for each file that differs, is missing or is not listed."""
    listed = {row["file"]: row["sha512"] for row in json.loads(LIST.read_text(encoding="utf-8"))}
    here = found()
    said = [f"{name} is listed and missing" for name in sorted(listed.keys() - here.keys())]
    said += [f"{name} is there and not listed" for name in sorted(here.keys() - listed.keys())]
    both = sorted(listed.keys() & here.keys())
    said += [
        f"{name} differs from its recorded digest" for name in both if digest(here[name]) != listed[name]
    ]
    said += [f"{name} names a source map" for name in both if b"sourceMappingURL" in here[name].read_bytes()]
    return said


def main(argv: list[str]) -> int:
    if "--write" in argv:
        LIST.write_text(json.dumps(entries(), indent=1) + "\n", encoding="utf-8")
        return 0
    said = problems()
    print("\n".join(said) or f"{len(found())} vendored files agree with their digests")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
