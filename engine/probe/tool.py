"""Entry of the profilers: ``python tool.py NAME OPTIONS`` with NAME one of record, sample, counts, peak, aio, check.

The other files are loaded as a package of a private name, so that no module of the target is shadowed by one of ours
and none of ours by one of the target. Options are one JSON object, see ``workload.py``.
"""

import importlib
import json
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_codeflash_probe"


def load(name):
    """One of our own modules under the private package name."""
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [HERE]
        sys.modules[PACKAGE] = package
    return importlib.import_module(PACKAGE + "." + name)


def main(argv):
    options = json.loads(argv[2])
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.curdir) != HERE]
    if options["tree"] not in sys.path:
        sys.path.insert(0, options["tree"])
    return load(argv[1]).main(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
