"""Repositories whose settings try to start a program. Each recipe fires with plain git; none may fire with ours.

A recipe gets the repository and a shell command that leaves a mark, and sets its trap.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.conftest import git

Recipe = Callable[[Path, Path], None]


def script(trap: Path, name: str = "trap.sh") -> str:
    """A program that leaves ``trap`` behind, whatever it is called with."""
    path = trap.parent / name
    path.write_text(f"#!/bin/sh\ntouch '{trap}'\n")
    path.chmod(0o755)
    return str(path)


def config(repo: Path, key: str, value: str) -> None:
    git(repo, "config", key, value)


def attributes(repo: Path, line: str) -> None:
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text(line + "\n")


def committed_attributes(repo: Path, line: str) -> None:
    (repo / ".gitattributes").write_text(line + "\n")
    git(repo, "add", ".gitattributes")
    git(repo, "commit", "-q", "-m", "Attributes")


def fsmonitor(repo: Path, trap: Path) -> None:
    config(repo, "core.fsmonitor", script(trap))
    config(repo, "core.fsmonitorHookVersion", "1")


def hooks_in_folder(repo: Path, trap: Path) -> None:
    names = (
        "post-checkout", "post-commit", "pre-commit", "reference-transaction", "post-update", "update", "pre-receive",
        "post-receive", "post-index-change", "pre-auto-gc", "post-merge", "fsmonitor-watchman", "push-to-checkout",
        "proc-receive", "post-rewrite", "commit-msg", "prepare-commit-msg", "pre-push",
    )  # fmt: skip
    for name in names:
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        shutil.copyfile(script(trap), hook)
        hook.chmod(0o755)


def hooks_path(repo: Path, trap: Path) -> None:
    folder = trap.parent / "hooks"
    folder.mkdir()
    shutil.copyfile(script(trap), folder / "reference-transaction")
    (folder / "reference-transaction").chmod(0o755)
    config(repo, "core.hooksPath", str(folder))


def clean_filter(repo: Path, trap: Path) -> None:
    committed_attributes(repo, "*.py filter=evil")
    config(repo, "filter.evil.clean", script(trap))
    config(repo, "filter.evil.smudge", script(trap))
    config(repo, "filter.evil.required", "true")


def process_filter(repo: Path, trap: Path) -> None:
    committed_attributes(repo, "*.py filter=evil")
    config(repo, "filter.evil.process", script(trap))


def text_converter(repo: Path, trap: Path) -> None:
    committed_attributes(repo, "*.py diff=evil")
    config(repo, "diff.evil.textconv", script(trap))


def diff_command(repo: Path, trap: Path) -> None:
    committed_attributes(repo, "*.py diff=evil")
    config(repo, "diff.evil.command", script(trap))
    config(repo, "diff.external", script(trap))


def merge_driver(repo: Path, trap: Path) -> None:
    committed_attributes(repo, "*.py merge=evil")
    config(repo, "merge.evil.driver", f"{script(trap)} %A %O %B")


def ssh_command(repo: Path, trap: Path) -> None:
    config(repo, "core.sshCommand", script(trap))
    config(repo, "url.ssh://nowhere.invalid/.insteadOf", "/")


def ext_transport(repo: Path, trap: Path) -> None:
    config(repo, "protocol.ext.allow", "always")
    config(repo, "url.ext::" + script(trap) + " %S .insteadOf", "/")


def alias(repo: Path, trap: Path) -> None:
    for name in ("fetch", "rev-parse", "update-ref", "clone", "status"):
        config(repo, f"alias.{name}", "!" + script(trap))


def pager(repo: Path, trap: Path) -> None:
    config(repo, "core.pager", script(trap))
    for name in ("diff", "log", "show", "status", "branch", "config"):
        config(repo, f"pager.{name}", script(trap))


def signing_program(repo: Path, trap: Path) -> None:
    config(repo, "gpg.program", script(trap))
    config(repo, "gpg.ssh.program", script(trap))
    for key in ("commit.gpgSign", "tag.gpgSign", "log.showSignature", "fetch.verifySignatures"):
        config(repo, key, "true")


def credential_helper(repo: Path, trap: Path) -> None:
    config(repo, "credential.helper", "!" + script(trap))
    config(repo, "core.askPass", script(trap))


def alternate_refs(repo: Path, trap: Path) -> None:
    other = trap.parent / "other.git"
    git(trap.parent, "clone", "-q", "--bare", str(repo), str(other))
    (repo / ".git" / "objects" / "info" / "alternates").write_text(f"{other}/objects\n")
    config(repo, "core.alternateRefsCommand", script(trap))


def include_if(repo: Path, trap: Path) -> None:
    more = trap.parent / "more.config"
    more.write_text(f"[core]\n\tfsmonitor = {script(trap)}\n\thooksPath = {trap.parent}\n[gc]\n\tauto = 1\n")
    config(repo, "includeIf.gitdir:/.path", str(more))
    config(repo, "include.path", str(more))


def upload_pack(repo: Path, trap: Path) -> None:
    config(repo, "uploadpack.packObjectsHook", script(trap))
    config(repo, "remote.origin.uploadpack", script(trap))
    config(repo, "remote.origin.url", str(repo))


def promisor(repo: Path, trap: Path) -> None:
    """A partial clone fetches what is missing, from wherever its settings say."""
    config(repo, "extensions.partialClone", "evil")
    config(repo, "core.repositoryFormatVersion", "1")
    config(repo, "remote.evil.url", f"ext::{script(trap)}")
    config(repo, "remote.evil.promisor", "true")
    config(repo, "remote.evil.uploadpack", script(trap))
    config(repo, "protocol.ext.allow", "always")


def proxy_command(repo: Path, trap: Path) -> None:
    config(repo, "core.gitProxy", script(trap))
    config(repo, "remote.origin.vcs", "evil")
    config(repo, "http.proxyAuthMethod", "basic")


def maintenance(repo: Path, trap: Path) -> None:
    config(repo, "gc.auto", "1")
    config(repo, "gc.recentObjectsHook", script(trap))
    config(repo, "maintenance.auto", "true")


def editor(repo: Path, trap: Path) -> None:
    config(repo, "core.editor", script(trap))
    config(repo, "sequence.editor", script(trap))


def trailer_command(repo: Path, trap: Path) -> None:
    config(repo, "trailer.Codeflash-Experiment.command", script(trap))
    config(repo, "trailer.Codeflash-Experiment.cmd", script(trap))


def nested_submodule(repo: Path, trap: Path) -> None:
    """A repository inside the tree, staged as a link, whose own filter would run from the outer status."""
    inner = repo / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    (inner / "a.py").write_text("1\n")
    (inner / ".gitattributes").write_text("*.py filter=evil\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-q", "-m", "Inner")
    config(inner, "filter.evil.clean", script(trap))
    config(inner, "core.fsmonitor", script(trap))
    git(repo, "-c", "advice.addEmbeddedRepo=false", "add", "inner")
    git(repo, "commit", "-q", "-m", "Link")
    (inner / "a.py").write_text("2\n")
    os.utime(inner / "a.py", (1, 1))


RECIPES: tuple[Recipe, ...] = (
    fsmonitor,
    hooks_in_folder,
    hooks_path,
    clean_filter,
    process_filter,
    text_converter,
    diff_command,
    merge_driver,
    ssh_command,
    ext_transport,
    alias,
    pager,
    signing_program,
    credential_helper,
    alternate_refs,
    include_if,
    upload_pack,
    promisor,
    proxy_command,
    maintenance,
    editor,
    trailer_command,
    nested_submodule,
)


def picture(repo: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Digest of every file of a repository, working tree and .git, but objects and the named paths."""
    found = {}
    for path in sorted(repo.rglob("*")):
        name = path.relative_to(repo).as_posix()
        if name.startswith((".git/objects", "objects/")) or name in but or path.is_dir():
            continue
        found[name] = (
            os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        )
    return found
