"""Runs one version of one function over many inputs and states what could be seen, as digests, one JSON line each.

Run as ``tool.py observe '{"tree": TREE}'`` with a job on standard input (see ``Job``). The engine runs it once for
each version in processes of their own and compares lines; it never loads a value from here. The real standard output
carries the lines; whatever the target prints goes elsewhere. Each line repeats the job's nonce.
"""

import importlib
import inspect
import json
import os
import resource
import sys

from . import calls as frozen
from .contract import Contract
from .invented import decode
from .looks import preview
from .normal import Normal, TooLarge
from .perturb import perturb
from .trial import Trial
from .world import CPU_CLOCK, World

MEMORY = 3 << 29


class Job:
    """What to do: ``module``, ``qualname``, ``kind``, ``calls`` (file of frozen calls or ""), ``seed``, ``tier``,
    ``perturb`` (how many), ``generated`` (list of {"base", "args", "trusted"}), ``only`` (ids to run, or null for all),
    ``after`` (skip up to this id), ``explain`` (ids to describe in words), ``limits`` (seconds by id), ``limit``
    (seconds for one call), ``budget`` (seconds by layer), ``lines`` ({"path", "lines"} to look for), ``hasty`` (end at
    the first call that meets its limit: one is enough to tell), ``nonce``.
    """

    def __init__(self, data, tree):
        self.__dict__.update(data)
        self.tree = tree


def main(options):
    job = Job(json.loads(sys.stdin.read()), options["tree"])
    say = _speaker(job.nonce)
    world = World()
    world.install()
    try:
        bench = Bench(job, world)
    except BaseException as error:
        say({"kind": "broken", "error": "%s: %s" % (type(error).__name__, preview(str(error), 300))})
        return 3
    say({"kind": "ready", "recorded": len(bench.blobs), "lost": bench.lost, "where": bench.where})
    _wall_in()
    bench.run(say)
    say({"kind": "end", "lines": sorted(bench.lines), "state": bench.state(), "stopped": bench.stopped})
    sys.stdout = sys.stderr = open(os.devnull, "w")
    os._exit(0)  # threads and exit handlers of the target have nothing more to say


def _speaker(nonce):
    """Lines go to a private copy of standard output; file descriptors 1 and 2 then lead nowhere."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def say(line):
        line["nonce"] = nonce
        channel.write(json.dumps(line, ensure_ascii=True) + "\n")
        channel.flush()

    return say


def _wall_in():
    """A call that asks for too much memory gets MemoryError, as on a small machine, and the rest goes on."""
    try:
        with open("/proc/self/statm") as stream:
            mapped = int(stream.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = mapped + MEMORY if hard == resource.RLIM_INFINITY else min(mapped + MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ValueError, OSError):
        pass  # where there is no such limit the sandbox's own still holds


class Bench:
    """The function of this version, its recorded calls, and the inputs made from them."""

    def __init__(self, job, world):
        self.job, self.world = job, world
        self.lines = set()
        self.lost, self.stopped = 0, False
        folder = os.path.dirname(job.calls) if job.calls else job.tree
        frozen.prepare(folder, job.tree)
        importlib.import_module(job.module)
        self.owner, self.name, self.function = frozen.resolve(job.module, job.qualname)
        self.where = os.path.relpath(self.function.__code__.co_filename, job.tree)
        self.blobs, self.sizes = self._load()
        self.contract = Contract(self.function, _parameters(self.function))
        for number in range(len(self.blobs)):
            self.contract.observe(*self.fresh(number))
        if not self.blobs:
            self._learn_from_invented()

    def _load(self):
        """Calls that thaw in this version; the ones that do not are counted, which the engine compares too."""
        blobs, sizes = [], []
        for item in frozen.raw_calls(self.job.calls) if self.job.calls else ():
            try:
                frozen.thaw(item["blob"])
            except Exception:
                self.lost += 1
                continue
            blobs.append(item["blob"])
            sizes.append(len(item["blob"]))
        return blobs, sizes

    def _learn_from_invented(self):
        for item in self.job.generated:
            if item.get("trusted", True):
                self.contract.observe(*self._invent(item))

    def fresh(self, number):
        args, kwargs = frozen.thaw(self.blobs[number])
        return tuple(args), dict(kwargs)

    def inputs(self):
        """(id, layer, make) in order; ``make()`` gives fresh (args, kwargs, what was done, inside the contract)."""
        for number in self._smallest_and_largest_first():
            yield "r%d" % number, "recorded", lambda n=number: (*self.fresh(n), "as recorded", True)
        if self.blobs:
            for number in range(self.job.perturb):
                yield "p%d" % number, "perturbed", lambda n=number: self._perturbed(n)
        for number, item in enumerate(self.job.generated):
            yield "g%d" % number, "generated", lambda i=item: self._generated(i)

    def _smallest_and_largest_first(self):
        """Should time run out, the ends of the range have been seen."""
        order = sorted(range(len(self.blobs)), key=lambda number: (self.sizes[number], number))
        ends = order[:1] + order[1:][-1:]
        return ends + [number for number in range(len(self.blobs)) if number not in ends]

    def _perturbed(self, number):
        args, kwargs, word = perturb(number, self.job.seed, self.fresh, self.sizes, self.job.kind)
        return args, kwargs, word, "attribute" not in word and self.contract.fits(args, kwargs)

    def _generated(self, item):
        args, kwargs = self._invent(item)
        return args, kwargs, "invented", item.get("trusted", True) or self.contract.fits(args, kwargs)

    def _invent(self, item):
        args, kwargs = self.fresh(item["base"] % len(self.blobs)) if self.blobs and item["base"] is not None else ((), {})
        signature = inspect.signature(self.function)
        bound = signature.bind_partial(*args, **kwargs)
        for name, form in item["args"].items():
            bound.arguments[name] = decode(form)
        ordered = [name for name in signature.parameters if name in bound.arguments]
        whole = inspect.BoundArguments(signature, type(bound.arguments)((n, bound.arguments[n]) for n in ordered))
        return whole.args, dict(whole.kwargs)

    def run(self, say):
        """Observe every input in order, each layer within its budget, starting after ``job.after`` if given."""
        wanted = None if self.job.only is None else frozenset(self.job.only)
        waiting, pace = bool(self.job.after), Pace(self.job)
        for key, layer, make in self.inputs():
            if waiting:
                waiting = key != self.job.after
                continue
            if (wanted is not None and key not in wanted) or (wanted is None and pace.over(layer)):
                continue
            say({"kind": "start", "id": key, "layer": layer})
            started = CPU_CLOCK()
            facts = self._one(key, make, pace.limit(key, layer))
            pace.took(layer, CPU_CLOCK() - started, facts)
            say(dict(facts, kind="input", id=key, layer=layer))
            if self.job.hasty and facts["outcome"] == "slow":
                self.stopped = True
                return

    def _one(self, key, make, limit):
        trial = Trial(self.world, self.function, make, self.job, limit, self.lines)
        try:
            return trial.explain() if key in self.job.explain else trial.look()
        except Exception as error:
            return {"outcome": "unusable", "reason": "%s: %s" % (type(error).__name__, preview(str(error), 200))}

    def state(self):
        """Digests of the module's public plain values afterwards: what calls left behind."""
        found = {}
        for name, value in sorted(vars(sys.modules[self.job.module]).items()):
            if name.startswith("_") or type(value) not in (int, str, float, bool, list, dict, set, tuple, type(None)):
                continue
            form = Normal((self.job.tree,))
            try:
                form.add(value)
                found[name] = form.digest()
            except (TooLarge, RuntimeError):
                pass
        return found


class Pace:
    """How long an input may take, and when a layer has had enough: by CPU time, but never before a few inputs."""

    FEW, FAR_OVER, PATIENCE = 5, 10, 10.0

    def __init__(self, job):
        self.job = job
        self.spent, self.tried, self.longest = {}, {}, 0.0

    def over(self, layer):
        spent, budget = self.spent.get(layer, 0.0), self.job.budget[layer]
        return spent > budget and (self.tried[layer] >= self.FEW or spent > self.FAR_OVER * budget)

    def limit(self, key, layer):
        """Recorded calls get more patience; what is made from them as much as the longest of them needed, twice."""
        if key in self.job.limits:
            return self.job.limits[key]
        return self.PATIENCE * self.job.limit if layer == "recorded" else max(self.job.limit, 2 * self.longest)

    def took(self, layer, seconds, facts):
        self.spent[layer] = self.spent.get(layer, 0.0) + seconds
        self.tried[layer] = self.tried.get(layer, 0) + 1
        if layer == "recorded" and facts["outcome"] != "slow":
            self.longest = max(self.longest, facts.get("seconds", 0.0))


def _parameters(function):
    try:
        return list(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        return []


