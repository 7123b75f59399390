"""Runs inside the sandbox with the new environment's Python: the last touches, then a list of what is installed.

Takes one JSON object on stdin: ``name``, ``version``, ``entry_points`` (group -> name -> value) of the repository,
``pth`` (lines for a path file), ``stand_ins`` (module name -> source). Prints ``{"installed": {name: version}}``.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import sysconfig
from pathlib import Path

OVERLAY = '''"""Supplies modules that a build would have written into the repository."""
import importlib.abc, importlib.util, sys
STAND_INS = {stand_ins!r}
class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in STAND_INS else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(STAND_INS[module.__name__], module.__dict__)
sys.meta_path.append(Finder())
'''


def main() -> None:
    given = json.load(sys.stdin)
    site = Path(sysconfig.get_paths()["purelib"])
    lines = list(given["pth"])
    if given["stand_ins"]:
        write(site / "codeflash_stand_ins.py", OVERLAY.format(stand_ins=given["stand_ins"]))
        lines.append("import codeflash_stand_ins")
    if lines:
        write(site / "codeflash.pth", "".join(line + "\n" for line in lines))
    if given["name"]:
        describe(site, given["name"], given["version"], given["entry_points"])
    json.dump({"installed": installed()}, sys.stdout)


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def describe(site: Path, name: str, version: str, entry_points: dict[str, dict[str, str]]) -> None:
    """Metadata for the repository, which is used from its tree: what importlib.metadata finds."""
    for other in site.glob("*.dist-info"):
        if key(other.name.split("-")[0]) == key(name):
            shutil.rmtree(str(other))
    folder = site / "{}-{}.dist-info".format(re.sub(r"[-_.]+", "_", name), version)
    folder.mkdir(parents=True)
    write(folder / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    write(folder / "INSTALLER", "codeflash\n")
    write(folder / "RECORD", "")
    parts = []
    for group, points in entry_points.items():
        lines = "".join(f"{point} = {target}\n" for point, target in points.items())
        parts.append(f"[{group}]\n{lines}")
    write(folder / "entry_points.txt", "\n".join(parts))


def key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for item in distributions():
        name = item.metadata["Name"]
        if name:
            found.setdefault(key(name), item.version)
    return found


if __name__ == "__main__":
    main()
