"""After recording, in a fresh process: can each target be found again and its recorded calls be rebuilt?

Rewrites ``index.json`` with the reason where not. Only calls that load are counted as distinct afterwards.
"""

import json
import os
import time

from . import calls
from .names import Names

SECONDS_PER_TARGET = 2.0


def main(options):
    folder, tree = options["out"], options["tree"]
    path = os.path.join(folder, "index.json")
    with open(path, encoding="utf-8") as stream:
        index = json.load(stream)
    calls.prepare(folder, tree)
    names = Names(tree)
    until = time.monotonic() + options["seconds"]
    for entry in index["targets"].values():
        if not entry["unreplayable"] and time.monotonic() < until:
            entry["unreplayable"] = problem(folder, entry, names)
    with open(path + ".part", "w", encoding="utf-8") as stream:
        json.dump(index, stream, indent=1, sort_keys=True)
    os.replace(path + ".part", path)
    os._exit(0)


def problem(folder, entry, names):
    """The reason why a target cannot be replayed, or an empty string."""
    try:
        function = calls.resolve(entry["module"], entry["qualname"])[2]
    except (Exception, SystemExit) as error:
        return "it cannot be found again in a fresh process: %s" % _words(error)
    code = function.__code__
    owner = names.at(code.co_filename, code.co_firstlineno)
    if owner is None or owner.id != "%s::%s" % (entry["path"], entry["qualname"]):
        return "its name leads to other code: it was replaced or decorated"
    return _rebuild(folder, entry)


def _rebuild(folder, entry):
    good, reason, until = 0, "", time.monotonic() + SECONDS_PER_TARGET
    items = calls.raw_calls(os.path.join(folder, entry["file"]))
    for item in items:
        if time.monotonic() > until:
            good += 1
            continue
        try:
            calls.thaw(item["blob"])
            good += 1
        except (Exception, SystemExit) as error:
            reason = reason or "its arguments cannot be rebuilt in a fresh process: %s" % _words(error)
    entry["distinct"] = good
    return "" if good else reason


def _words(error):
    return (" ".join(str(error).split()) or type(error).__name__)[:160]
