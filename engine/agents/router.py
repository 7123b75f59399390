"""The language router and the Python router: which language, then which domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from engine import events as e
from engine.run import RoleFailed, Run
from engine.workspace.history import count_lines

SUFFIXES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".tsx": "typescript",
    ".java": "java",
    ".go": "go",
    ".rs": "rust",
    ".rb": "ruby",
    ".c": "c",
    ".cpp": "c++",
}
MARKERS = {
    "pyproject.toml": "python",
    "setup.py": "python",
    "setup.cfg": "python",
    "requirements.txt": "python",
    "package.json": "javascript",
    "tsconfig.json": "typescript",
    "pom.xml": "java",
    "build.gradle": "java",
    "go.mod": "go",
    "Cargo.toml": "rust",
}


def route(run: Run) -> Iterator[e.Event]:
    """Language first, then domain: no domain is named before the language is known."""
    yield e.AgentStarted(agent="router", task="Detect the language and choose the domain")
    files = run.workspace.files(run.workspace.base)
    yield detect_language(run, files)
    yield choose_domain(run)
    yield e.AgentFinished(agent="router", summary=f"{run.language}, {run.domain}")


def detect_language(run: Run, files: list[str]) -> e.LanguageDetected:
    """The language with most files, root markers counting for ten; only Python can be optimized here."""
    counts: Counter[str] = Counter()
    for name in files:
        suffix = name[name.rfind(".") :] if "." in name else ""
        if suffix in SUFFIXES:
            counts[SUFFIXES[suffix]] += 1
    markers = [name for name in MARKERS if name in files]
    python = counts["python"]
    if not python:
        found = (
            ", ".join(f"{n} {language} files" for language, n in counts.most_common(3)) or "no source files"
        )
        raise RoleFailed(
            f"No Python was found in this repo ({found}).",
            advice="Register a repo with Python sources; other languages are not optimized by this crew yet.",
        )
    run.language = "python"
    return e.LanguageDetected(
        language="python", files=python, lines=count_lines(run.workspace, ".py"), evidence=tuple(markers)
    )


def choose_domain(run: Run) -> e.DomainChosen:
    """The domain that was asked for, else deep: it profiles every dimension and lets the ranking decide."""
    asked = run.brief.domain
    if asked:
        run.domain = asked
        return e.DomainChosen(domain=asked, reason="Asked for at launch")
    run.domain = "deep"
    return e.DomainChosen(
        domain="deep", reason="Nothing narrower was asked for: profile all dimensions and rank them together"
    )
