"""What the Codex companion keeps: one folder a workspace with state.json, jobs, sessions and a log. Standard library only.

``<data>/state/<slug>-<16 hex>/`` holds ``state.json`` {"version", "config", "jobs"}, ``jobs/<id>.json`` (whole record) and
``jobs/<id>.log``, ``sessions/<id>.json``, ``hooks.log``. Files are replaced in one step and every change is made under a
lock that the kernel frees when its holder dies; a damaged file reads as the defaults.
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import re
import secrets
import stat
import tempfile
import time

try:
    import fcntl
except ImportError:  # Windows: two sessions in one folder may then overwrite each other's last change
    fcntl = None

MOST_JOBS = 50
MOST_LOG = 256 * 1024
ENDED = ("completed", "failed", "cancelled")
HEAVY = ("request", "result", "rendered")


class Busy(Exception):
    """Somebody else holds the lock for longer than we can wait."""


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def defaults():
    return {"version": 1, "config": {"stopReviewGate": False}, "jobs": []}


def workspace_of(folder):
    """The root of the repository that ``folder`` is in, else the folder itself; real path."""
    here = pathlib.Path(os.path.realpath(str(folder)))
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), here)


def data_roots():
    """Where state may live, best first. The temporary folder is looked for last: on a full disk there is none."""
    named = os.environ.get("CLAUDE_PLUGIN_DATA")
    if named:
        yield pathlib.Path(named)
    shared = pathlib.Path(tempfile.gettempdir())
    yield shared / "codex-companion"
    yield shared / ("codex-companion-%s" % (os.getuid() if hasattr(os, "getuid") else "user"))


def usable(root):
    """Whether ``root`` can be made and written, and nobody else owns it."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = os.lstat(str(root))
        if not stat.S_ISDIR(facts.st_mode) or (hasattr(os, "getuid") and facts.st_uid != os.getuid()):
            return False
        handle, probe = tempfile.mkstemp(dir=str(root))
        os.close(handle)
        os.unlink(probe)
        return True
    except OSError:
        return False


def open_store(folder):
    """The store of the workspace around ``folder``; OSError when it can be kept nowhere."""
    workspace = workspace_of(folder)
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", workspace.name)[:80] or "root"
    digest = hashlib.sha256(os.fsencode(str(workspace))).hexdigest()[:16]
    for root in data_roots():
        if usable(root):
            return Store(root / "state" / ("%s-%s" % (slug, digest)), workspace)
    raise OSError("no folder for the companion's state can be written")


class Store:
    """``path``: the state folder; ``workspace``: the repository it is about."""

    def __init__(self, path, workspace):
        self.path, self.workspace = path, workspace
        self.jobs = path / "jobs"
        self.jobs.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def locked(self, wait):
        """Hold the folder's lock; Busy when it is not free within ``wait`` seconds."""
        handle = os.open(str(self.path / ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if fcntl:
                take(handle, time.monotonic() + wait)
            yield
        finally:
            os.close(handle)

    def read(self):
        """The state; a damaged or missing file reads as the defaults, a damaged one with a line in hooks.log."""
        path = self.path / "state.json"
        found = read_json(path)
        config, jobs = found.get("config"), found.get("jobs")
        if path.exists() and not (isinstance(config, dict) and isinstance(jobs, list)):
            self.log("state.json is damaged: what cannot be read in it has its default; /codex-setup shows the review gate")
        state = {**found, **defaults()}
        if isinstance(config, dict):
            state["config"] = {**defaults()["config"], **config}
        if isinstance(jobs, list):
            state["jobs"] = [job for job in jobs if isinstance(job, dict) and safe_name(job.get("id"))]
        return state

    def change(self, act, wait=5.0):
        """Read, let ``act(state)`` change it, write; gives what ``act`` gave."""
        with self.locked(wait):
            state = self.read()
            given = act(state)
            state["jobs"].sort(key=lambda job: str(job.get("updatedAt", "")), reverse=True)
            running = [job for job in state["jobs"] if job.get("status") not in ENDED]
            ended = [job for job in state["jobs"] if job.get("status") in ENDED]
            kept = running + ended[: max(MOST_JOBS - len(running), 0)]
            state["jobs"] = [job for job in state["jobs"] if job in kept]
            write_json(self.path / "state.json", state)
            self.sweep({job["id"] for job in kept})
        return given

    def sweep(self, known):
        """Remove files of jobs that are no longer listed, and drafts that a killed writer left."""
        for path in [*self.jobs.iterdir(), *self.path.glob(".*.tmp")]:
            draft = re.match(r"\..*\.(\d+)\.[0-9a-f]+\.tmp$", path.name)
            gone = not pid_exists(int(draft.group(1))) if draft else path.parent == self.jobs and path.stem not in known
            if gone and not path.name == ".lock":
                with contextlib.suppress(OSError):
                    path.unlink()

    def save(self, job, wait=5.0):
        """Write a job's whole record and its line in the state. An ended job keeps the end it had."""
        job["updatedAt"] = now()

        def put(state):
            before = next((each for each in state["jobs"] if each["id"] == job["id"]), None)
            if before and before.get("status") in ENDED:
                job["status"], job["phase"] = before["status"], before.get("phase", before["status"])
            light = {name: value for name, value in job.items() if name not in HEAVY}
            state["jobs"] = [each for each in state["jobs"] if each["id"] != job["id"]] + [light]
            write_json(self.jobs / (job["id"] + ".json"), job)

        self.change(put, wait)
        return job

    def job(self, beginning):
        """The whole record of the one job whose id starts so; LookupError with a sentence else."""
        found = [job for job in self.read()["jobs"] if job["id"].startswith(beginning)]
        exact = [job for job in found if job["id"] == beginning]
        if len(exact or found) != 1:
            many = "no job" if not found else "%d jobs" % len(found)
            raise LookupError("%s of this folder starts with %r; /codex-status lists them" % (many, beginning))
        light = (exact or found)[0]
        return {**read_json(self.jobs / (light["id"] + ".json")), **light}

    def log(self, text):
        """One line in the workspace's log, if it can be written."""
        with contextlib.suppress(OSError):
            append(self.path / "hooks.log", "[%s] %s\n" % (now(), " ".join(text.split())[:1000]))

    def note(self, job, text):
        """One line in the job's log, bounded."""
        line = "[%s] %s\n" % (now(), " ".join(str(text).split())[:500])
        append(self.jobs / (job["id"] + ".log"), line)

    def lines(self, job, count):
        """The last lines of the job's log."""
        try:
            text = tail(self.jobs / (job["id"] + ".log"), 64 * 1024)
        except OSError:
            return []
        return text.splitlines()[-count:]

    def session_file(self, session):
        name = safe_name(session) or hashlib.sha256(str(session).encode("utf-8", "replace")).hexdigest()[:32]
        return self.path / "sessions" / (name + ".json")


def take(handle, until):
    pause = 0.002
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > until:
                raise Busy("another session holds the companion's state") from None
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def safe_name(value):
    """The value when it can be a file's name, else ""."""
    return value if isinstance(value, str) and re.match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}$", value) else ""


def read_json(path):
    """The object in a file, or {} when there is none to be read."""
    try:
        with open(str(path), "rb") as file:
            found = json.loads(file.read(32 << 20).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path, value):
    """Replace a file in one step: a reader, or a kill at any moment, meets the old or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(".%s.%d.%s.tmp" % (path.name, os.getpid(), secrets.token_hex(4)))
    try:
        with open(str(draft), "w", encoding="utf-8", errors="replace") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(str(draft), str(path))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(str(draft))
        raise


def append(path, line):
    """Add a line in one write; the file is cut to its newer half when it grows over its limit."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > MOST_LOG:
            kept = tail(path, MOST_LOG // 2).partition("\n")[2]
            path.write_text(kept, encoding="utf-8", errors="replace")
    handle = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode("utf-8", "replace"))
    finally:
        os.close(handle)


def tail(path, size):
    with open(str(path), "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - size, 0))
        return file.read().decode("utf-8", "replace")


def pid_exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
