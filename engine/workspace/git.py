"""The one place that starts git: a private environment, a fixed list of settings, limits on time and output.

Settings given here win over those of any repository, hooks and helpers are switched off, and every transport is refused
unless the call names it. What cannot be switched off by name (filters, text converters and merge drivers have free
names) is kept away by never running a work-tree command under a configuration that is not ours.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.workspace.errors import DiskFull, TooLarge, UnknownRef, WorkspaceError

SHORT, LONG = 120.0, 1800.0
OUTPUT_BYTES = 64 * 2**20
TRANSPORTS = ("file", "https", "ssh")
SSH = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=20 -oClearAllForwardings=yes"
PASSED_ON = {
    "https": (
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
        "GIT_SSL_CAINFO",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "CURL_CA_BUNDLE",
    ),
    "ssh": ("SSH_AUTH_SOCK",),
}
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.sshCommand=" + SSH,
    "core.gitProxy=",
    "core.askPass=false",
    "core.pager=cat",
    "core.editor=false",
    "core.alternateRefsCommand=",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.logAllRefUpdates=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.quotePath=false",
    "credential.helper=",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gpg.program=false",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.bareRepository=explicit",
    "uploadpack.packObjectsHook=",
    "http.followRedirects=initial",
    "advice.detachedHead=false",
    "protocol.allow=never",
)
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, kw_only=True)
class Git:
    """Git on one git directory with our settings. ``transports`` are those a call may use; ``trusted`` the folders
    whose owner may differ from ours (for a repository that belongs to another user of the machine).
    """

    git_dir: Path | None = None
    work_tree: Path | None = None
    transports: tuple[str, ...] = ()
    trusted: tuple[Path, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    def text(self, *words: str, stdin: bytes = b"", seconds: float = SHORT) -> str:
        return self.run(*words, stdin=stdin, seconds=seconds).decode("utf-8", "replace")

    def line(self, *words: str, stdin: bytes = b"") -> str:
        return self.text(*words, stdin=stdin).strip()

    def run(self, *words: str, stdin: bytes = b"", seconds: float = SHORT) -> bytes:
        """Standard output of a git command that worked; GitFailed (a WorkspaceError) with its words otherwise."""
        done = self.attempt(*words, stdin=stdin, seconds=seconds)
        if done.code != 0:
            raise failure(words, done)
        if done.cut:
            raise TooLarge(
                f"git {words[0]} printed more than {OUTPUT_BYTES >> 20} MiB; this is too large to handle"
            )
        return done.out

    def attempt(self, *words: str, stdin: bytes = b"", seconds: float = SHORT) -> Answer:
        """Run without judging the exit code."""
        with tempfile.TemporaryDirectory(prefix="codeflash-git-") as home:
            config = Path(home) / "gitconfig"
            config.write_text(_trust(self.trusted), encoding="utf-8")
            env = {**_environment(Path(home), config, self.transports), **self.extra}
            return _start(self._command(words), env, stdin=stdin, seconds=seconds)

    def _command(self, words: Sequence[str]) -> list[str]:
        settings = [
            *SETTINGS,
            *(f"protocol.{name}.allow={self._allowed(name)}" for name in (*TRANSPORTS, "ext")),
        ]
        command = ["git", "--no-pager", *(word for setting in settings for word in ("-c", setting))]
        command += [f"--git-dir={self.git_dir}"] if self.git_dir else []
        command += [f"--work-tree={self.work_tree}"] if self.work_tree else []
        return [*command, *words]

    def _allowed(self, name: str) -> str:
        return "always" if name in self.transports else "never"


@dataclass(frozen=True)
class Answer:
    code: int
    out: bytes
    err: str
    cut: bool = False


class GitFailed(WorkspaceError):
    """Git said no; ``words`` is what it said."""

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words


def failure(words: Sequence[str], done: Answer) -> WorkspaceError:
    said = done.err.strip()[-600:]
    if "No space left on device" in said or "disk quota exceeded" in said.lower():
        return DiskFull("The disk is full; free some space where the sessions are kept and start again.")
    return GitFailed(f"git {words[0]} did not work: {said or f'exit code {done.code}'}", said)


def check_sha(value: str) -> str:
    """A full commit id and nothing else, so that it can be put on any command line."""
    if not SHA.fullmatch(value):
        raise UnknownRef(f"{value[:80]!r} is not a full commit id; give the 40 hexadecimal digits")
    return value


def check_ref_name(name: str, *, what: str = "branch") -> str:
    """A branch or tag name that git accepts and that cannot be read as an option or a revision expression."""
    bad = (
        not name or name.startswith(("-", "/", ".")) or name.endswith(("/", ".", ".lock")) or len(name) > 200
    )
    odd = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock/", name)
    if bad or odd or name == "@":
        raise UnknownRef(
            f"{name[:80]!r} cannot be the name of a {what}; use letters, digits, '-', '_', '.' and '/'"
        )
    return name


def _trust(folders: Sequence[Path]) -> str:
    lines = "".join(f"\tdirectory = {_quoted(str(folder))}\n" for folder in folders)
    return f"[safe]\n{lines}" if folders else ""


def _quoted(value: str) -> str:
    inner = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'


def _environment(home: Path, config: Path, transports: Sequence[str]) -> dict[str, str]:
    """Nothing of ours but PATH; no GIT_ variable from outside."""
    passed = {
        name: os.environ[name]
        for kind in transports
        for name in PASSED_ON.get(kind, ())
        if name in os.environ
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_EDITOR": "false",
        "GIT_SEQUENCE_EDITOR": "false",
        "GIT_PAGER": "cat",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
        "GIT_SSH_COMMAND": SSH,
        "GIT_PROTOCOL_FROM_USER": "0",
        **passed,
    }


def _start(command: list[str], env: Mapping[str, str], *, stdin: bytes, seconds: float) -> Answer:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd="/",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise WorkspaceError("git is not installed; install git 2.30 or newer and start again.") from None
    with _time_limit(process, seconds) as expired:
        done = _talk(process, stdin)
    if expired.is_set():
        raise WorkspaceError(
            f"git did not end within {seconds:.0f} s; check the disk or the network and try again."
        )
    return done


def _talk(process: subprocess.Popen[bytes], stdin: bytes) -> Answer:
    """Feed and read at the same time, each stream in its own thread, output up to OUTPUT_BYTES."""
    errors: list[bytes] = []
    threads = [
        threading.Thread(target=_feed, args=(process, stdin), daemon=True),
        threading.Thread(target=lambda: errors.extend(_read(process.stderr, 2**20)), daemon=True),
    ]
    for thread in threads:
        thread.start()
    out = b"".join(_read(process.stdout, OUTPUT_BYTES + 1))
    code = process.wait()
    for thread in threads:
        thread.join(5)
    err = b"".join(errors).decode("utf-8", "replace")
    return Answer(code, out[:OUTPUT_BYTES], err, cut=len(out) > OUTPUT_BYTES)


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    if process.stdin is not None:
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except OSError:
            return


def _read(pipe: object, limit: int) -> Iterator[bytes]:
    """Everything up to ``limit`` bytes; the rest is read and dropped, so that git is never stuck."""
    assert hasattr(pipe, "read1") and hasattr(pipe, "close")
    left = limit
    while chunk := pipe.read1(1 << 16):
        if left > 0:
            yield chunk[:left]
            left -= len(chunk)
    pipe.close()


@contextmanager
def _time_limit(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Kill the whole group when the time is up, and in any case when we leave."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        _kill_group(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        if process.poll() is None:
            _kill_group(process)
            process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        return
