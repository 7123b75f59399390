"""Check a .codeflash folder against the grammar of the state files: ``state_check.py [DIR]``, default ``.codeflash``.

Prints file, line, what is wrong and what was expected. Exit status 0 for none, 1 for some, 2 when it cannot check. It runs
the reader and writer of the engine, which the assembled plugin carries in ``lib``.
"""

import sys
from pathlib import Path


def library():
    """The folder that holds the package ``engine``: the plugin's own, or the repository this file lies in."""
    here = Path(__file__).resolve().parent.parent
    return next((each for each in (here / "lib", here.parent) if (each / "engine" / "state").is_dir()), None)


def main(words):
    if sys.version_info < (3, 11):
        found = "%d.%d" % sys.version_info[:2]
        sys.stderr.write("state_check: needs Python 3.11 or newer, this is %s; run it with another python3\n" % found)
        return 2
    found = library()
    if found is None:
        sys.stderr.write("state_check: the folder lib is missing; assemble the plugin again\n")
        return 2
    sys.path.insert(0, str(found))
    sys.dont_write_bytecode = True
    from engine.state.check import main as check

    return check(words or [".codeflash"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
