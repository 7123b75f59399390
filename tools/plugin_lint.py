"""Checks of the plugin's texts: what they refer to exists, and their words are the engine's.

``check`` gives every problem with file and line. What it compares with is imported from the engine, so there is no
second list to forget: state files, statuses, stages, verdicts, the plateau.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from plugin_words import (
    AGENT_KEYS,
    COLORS,
    COMMAND_KEYS,
    HOOK_EVENTS,
    IGNORED_KEYS,
    PLUGIN_NAME,
    REMOVED_TOOLS,
    SEEN_STATUSES,
    SKILL_KEYS,
    TOOLS,
)

from engine.brief import BriefLimits
from engine.order import RAIL, Stage
from engine.state import LIMITS
from engine.state import check as state_check
from engine.state.results import STATUSES
from engine.values import VERDICTS

PRINTED_VERDICTS = {verdict.replace("_", " ") for verdict in VERDICTS}
STAGES = {str(stage) for stage in Stage} | {key for key, _, _ in RAIL}
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_ROOT_PATH = re.compile(r"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]*\w)")
_BARE_PATH = re.compile(r"(?<![\w./}-])((?:agents|references|scripts|skills)/[\w./-]*\.(?:md|py|mjs))")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_NAMED = re.compile(r"(?<![\w./-])codeflash-[a-z]+(?:-[a-z]+)*(?![\w.-]*[/\w])")
_SLASH = re.compile(r"(?<![\w/.])/(code(?:x|flash)-[a-z-]+)")
_CAPITALS = re.compile(r"\b[A-Z]{4,}(?:[ _-][A-Z]{4,})?\b")
_STATE_PATH = re.compile(r"\.codeflash/([\w-]+\.(?:md|tsv))")
_QUOTED_FILE = re.compile(r"`([\w-]+\.(?:md|tsv))`")
_STATUS = re.compile(r"(?:\b[Ss]tatus(?: words?)?|\brows?) `([\w-]+)`|`([\w-]+)` rows?\b")
_STAGE = re.compile(r"\b[Ss]tage `([\w-]+)`")
_STAGE_LIST = re.compile(r"Stages, in the order people see them: ([^.]*)\.")
_PLATEAU = re.compile(r"\b(\w+)(?:\*\*)? consecutive discards")
_FENCE = re.compile(r"^(`{3,})(?:markdown|tsv|text) (\S+\.(?:md|tsv))\n(.*?)^\1$", re.M | re.S)
_VERDICT_STEMS = ("APPROV", "REQUEST", "REJECT", "BLOCK")


@dataclass(frozen=True)
class Problem:
    """What is wrong, in which file and line."""

    path: Path
    line: int
    words: str


@dataclass(frozen=True)
class Source:
    """One source file as it goes into the result: where it is, where it will be, its rewritten bytes."""

    path: Path
    place: str
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Known:
    """What the assembled plugin has."""

    files: frozenset[str]
    agents: frozenset[str]
    skills: frozenset[str]
    commands: frozenset[str]

    @property
    def folders(self) -> set[str]:
        return {str(parent) for name in self.files for parent in PurePosixPath(name).parents}

    @property
    def names(self) -> set[str]:
        return {*self.agents, *self.skills, *self.commands, PLUGIN_NAME}


def check(sources: list[Source], files: dict[str, bytes]) -> list[Problem]:
    """Every problem of the sources, given the files of the whole result."""
    known = catalogue(files)
    problems: list[Problem] = []
    for source in sources:
        for kind in checks_for(source):
            problems += kind(source, known)
    return problems + list(whole(sources, files))


def catalogue(files: dict[str, bytes]) -> Known:
    paths = [PurePosixPath(name) for name in files]
    markdown = [path for path in paths if path.suffix == ".md"]
    return Known(
        files=frozenset(files),
        agents=frozenset(path.stem for path in markdown if path.parts[0] == "agents"),
        commands=frozenset(path.stem for path in markdown if path.parts[0] == "commands"),
        skills=frozenset(path.parent.name for path in markdown if path.name == "SKILL.md"),
    )


Check = Callable[[Source, Known], Iterator[Problem]]


def checks_for(source: Source) -> tuple[Check, ...]:
    suffix = PurePosixPath(source.place).suffix
    if suffix == ".md":
        return (utf8, references, links, names, verdicts, state_files, statuses, examples, frontmatter)
    if suffix == ".json":
        return (utf8, parses, references, hooks)
    return (utf8, compiles, references) if suffix == ".py" else (utf8, references)


def found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """Each match's line and its first filled group."""
    for match in pattern.finditer(text):
        word = next((group for group in match.groups() if group), match.group())
        yield text.count("\n", 0, match.start()) + 1, word


def utf8(source: Source, _known: Known) -> Iterator[Problem]:
    try:
        source.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.data.count(b"\n", 0, error.start) + 1
        yield Problem(source.path, line, "not UTF-8")


def references(source: Source, known: Known) -> Iterator[Problem]:
    for line, place in found(_ROOT_PATH, source.text):
        if place not in known.files and place not in known.folders:
            yield Problem(source.path, line, f"{place} does not exist in the assembled plugin")
    for line, place in found(_BARE_PATH, source.text if source.place.endswith(".md") else ""):
        yield Problem(
            source.path, line, f"{place} cannot be found from there; begin it with ${{CLAUDE_PLUGIN_ROOT}}/"
        )


def links(source: Source, known: Known) -> Iterator[Problem]:
    for line, target in found(_LINK, without_code(source.text)):
        place = str(PurePosixPath(source.place).parent / target)
        if place not in known.files:
            yield Problem(source.path, line, f"the link to {target} leads nowhere")


def without_code(text: str) -> str:
    """The text with code blocks and code words blanked, line numbers kept."""
    text = re.sub(r"^(`{3,}).*?^\1$", lambda m: "\n" * m.group().count("\n"), text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def names(source: Source, known: Known) -> Iterator[Problem]:
    for line, name in found(_NAMED, source.text):
        if name not in known.names:
            yield Problem(source.path, line, f"there is no agent or skill {name}")
    for line, name in found(_SLASH, source.text):
        if name not in known.skills | known.commands:
            yield Problem(source.path, line, f"there is no command or skill /{name}")
    for line, name in found(
        re.compile("|".join(rf"\b{tool}\b" for tool in sorted(REMOVED_TOOLS - {"Task"}))), source.text
    ):
        if "fallback" not in source.text.split("\n")[line - 1]:
            yield Problem(
                source.path, line, f"the tool {name} was removed; name it only as a stated fallback"
            )


def verdicts(source: Source, _known: Known) -> Iterator[Problem]:
    for line, word in found(_CAPITALS, source.text):
        stem = word.startswith(_VERDICT_STEMS)
        if stem and word not in PRINTED_VERDICTS and word.split(" ")[0] not in PRINTED_VERDICTS:
            yield Problem(source.path, line, f"{word} is no verdict; {', '.join(sorted(PRINTED_VERDICTS))}")


def state_files(source: Source, known: Known) -> Iterator[Problem]:
    for line, name in found(_STATE_PATH, source.text):
        if name not in LIMITS:
            yield Problem(source.path, line, f".codeflash/{name} is no state file; {', '.join(LIMITS)}")
    own = {PurePosixPath(name).name for name in known.files} | set(LIMITS)
    lower = {name.lower(): name for name in LIMITS}
    for line, name in found(_QUOTED_FILE, source.text):
        near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.8)
        if name not in own and near:
            yield Problem(source.path, line, f"{name} is no state file; meant is {lower[near[0]]}")


def statuses(source: Source, _known: Known) -> Iterator[Problem]:
    for line, word in found(_STATUS, source.text):
        if word not in STATUSES and word not in SEEN_STATUSES:
            yield Problem(source.path, line, f"{word} is no status; {', '.join(STATUSES)}")
    for line, word in found(_STAGE, source.text):
        if word not in STAGES:
            yield Problem(source.path, line, f"{word} is no stage; {', '.join(sorted(STAGES))}")
    for line, words in found(_STAGE_LIST, source.text):
        if words.replace("\n", " ").split(", ") != [key for key, _, _ in RAIL]:
            yield Problem(source.path, line, f"the stages are {', '.join(key for key, _, _ in RAIL)}")
    yield from plateau(source)


def plateau(source: Source) -> Iterator[Problem]:
    number = BriefLimits().plateau
    for line, word in found(_PLATEAU, source.text):
        said = word.lower()
        if (said in NUMBERS or said.isdigit()) and said not in (NUMBERS[number], str(number)):
            yield Problem(source.path, line, f"the plateau is {number} consecutive discards, not {said}")


def examples(source: Source, _known: Known) -> Iterator[Problem]:
    """A block whose first line names a state file is one, in its strict form."""
    for match in _FENCE.finditer(source.text):
        name, body = match.group(2), match.group(3)
        first = source.text.count("\n", 0, match.start(3))
        if name not in LIMITS:
            yield Problem(source.path, first, f"{name} is no state file")
            continue
        for problem in state_check.check_text(name, body):
            yield Problem(
                source.path, first + max(problem.line, 1), f"{problem.what}; expected {problem.expected}"
            )


def frontmatter(source: Source, known: Known) -> Iterator[Problem]:
    parts = PurePosixPath(source.place).parts
    kind = (
        "skill" if parts[-1] == "SKILL.md" else {"agents": "agent", "commands": "command"}.get(parts[0], "")
    )
    if not kind:
        return
    values, problems = read_frontmatter(source)
    yield from problems
    keys = {"agent": AGENT_KEYS, "skill": SKILL_KEYS, "command": COMMAND_KEYS}[kind]
    for key, (line, _) in values.items():
        if key in IGNORED_KEYS and kind == "agent":
            yield Problem(source.path, line, f"{key} is ignored in agents that a plugin ships")
        elif key not in keys:
            yield Problem(source.path, line, f"{key} is no frontmatter key of {kind}s")
    if not problems:
        yield from required(source, kind, values, known)


Values = dict[str, tuple[int, list[str]]]


def required(source: Source, kind: str, values: Values, known: Known) -> Iterator[Problem]:
    wanted = ("description",) if kind == "command" else ("name", "description")
    for key in wanted:
        if not values.get(key, (1, [""]))[1][0]:
            yield Problem(source.path, 1, f"{key} is missing")
    own = PurePosixPath(source.place)
    expected = own.parent.name if kind == "skill" else own.stem
    line, (name, *_) = values.get("name", (1, [expected]))
    if name != expected:
        yield Problem(source.path, line, f"name is {name!r}, the file says {expected!r}")
    line, (color, *_) = values.get("color", (1, ["red"]))
    if color not in COLORS:
        yield Problem(source.path, line, f"{color} is no colour of agents; {', '.join(sorted(COLORS))}")
    yield from tools(source, values, known)


def tools(source: Source, values: Values, known: Known) -> Iterator[Problem]:
    for key in ("tools", "disallowedTools", "allowed-tools", "disallowed-tools"):
        line, listed = values.get(key, (1, []))
        for tool in listed:
            bare, inside = re.match(r"([^(]*)(?:\((.*)\))?$", tool).groups()  # type: ignore[union-attr]
            if bare in REMOVED_TOOLS:
                yield Problem(source.path, line, f"the tool {bare} was removed")
            elif bare not in TOOLS and not bare.startswith("mcp__"):
                yield Problem(source.path, line, f"there is no tool {bare}")
            if bare == "Agent" and inside and not set(re.split(r",\s*", inside)) <= known.agents:
                yield Problem(source.path, line, f"Agent({inside}) names an agent that does not exist")


def read_frontmatter(source: Source) -> tuple[Values, list[Problem]]:
    """The strict part of YAML that these files use: ``key: text`` and ``key: [a, b]`` or ``a, b`` for tools."""
    lines = source.text.split("\n")
    if lines[0] != "---" or "---" not in lines[1:]:
        return {}, [Problem(source.path, 1, "no frontmatter between two lines ---")]
    values: Values = {}
    problems = []
    for number, line in enumerate(lines[1 : lines.index("---", 1)], start=2):
        match = re.match(r"([A-Za-z][\w-]*):(?: (.*))?$", line)
        wrong = bad_value((match.group(2) or "").strip()) if match else "not of the form key: value"
        if match is None or wrong or match.group(1) in values:
            problems.append(Problem(source.path, number, f"bad YAML: {wrong or 'the key occurs twice'}"))
            continue
        values[match.group(1)] = (number, read_value(match.group(1), (match.group(2) or "").strip()))
    return values, problems


def bad_value(text: str) -> str:
    """Why a plain value would not be read as the text that it looks like."""
    if text[:1] in ('"', "'"):
        return "" if len(text) > 1 and text[-1] == text[0] else "the quote is not closed"
    if text[:1] in tuple("{}&*!|>%@`#") or ": " in text or text.endswith(":") or " #" in text:
        return "quote this value"
    return "" if not text.startswith("[") or text.endswith("]") else "the bracket is not closed"


def read_value(key: str, text: str) -> list[str]:
    if "ools" in key or text.startswith("["):
        inner = text.strip("[]")
        return [
            word.strip().strip("\"'") for word in re.findall(r"[^,(]+(?:\([^)]*\))?", inner) if word.strip()
        ]
    return [text.strip("\"'")]


def parses(source: Source, _known: Known) -> Iterator[Problem]:
    try:
        json.loads(source.text)
    except json.JSONDecodeError as error:
        yield Problem(source.path, error.lineno, f"bad JSON: {error.msg}")


def compiles(source: Source, _known: Known) -> Iterator[Problem]:
    try:
        ast.parse(source.text, feature_version=(3, 8))
    except SyntaxError as error:
        yield Problem(source.path, error.lineno or 1, f"no Python 3.8: {error.msg}")


def hooks(source: Source, _known: Known) -> Iterator[Problem]:
    if source.place != "hooks/hooks.json":
        return
    try:
        events = json.loads(source.text)["hooks"]
    except (ValueError, KeyError, TypeError):
        yield Problem(source.path, 1, "hooks.json has no object 'hooks'")
        return
    for event, groups in events.items():
        line = source.text[: source.text.find(f'"{event}"')].count("\n") + 1
        if event not in HOOK_EVENTS:
            yield Problem(source.path, line, f"there is no hook event {event}")
        for entry in (entry for group in groups for entry in group.get("hooks", [])):
            if entry.get("type") != "command" or not entry.get("command"):
                yield Problem(source.path, line, f"{event}: a hook here is a command")
            if not isinstance(entry.get("timeout"), int):
                yield Problem(source.path, line, f"{event}: write the timeout in seconds")


MANIFEST, MARKET = ".claude-plugin/plugin.json", ".claude-plugin/marketplace.json"


def whole(sources: list[Source], files: dict[str, bytes]) -> Iterator[Problem]:
    """What concerns the result as a whole: manifest, marketplace, README, licence."""
    paths = {source.place: source.path for source in sources}
    here = sources[0].path.parent if sources else Path()
    for place in (MANIFEST, MARKET, "README.md", "LICENSE"):
        if place not in files:
            yield Problem(here, 1, f"{place} is missing")
    if len(files.get("README.md", b"").split()) < 40 and "README.md" in files:
        yield Problem(paths["README.md"], 1, "the README has fewer than 40 words")
    if MANIFEST in files and MARKET in files:
        yield from manifests(paths, json_of(files[MANIFEST]), json_of(files[MARKET]))


@cache
def json_of(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def manifests(
    paths: dict[str, Path], manifest: dict[str, object], market: dict[str, object]
) -> Iterator[Problem]:
    if manifest.get("name") != PLUGIN_NAME:
        yield Problem(paths[MANIFEST], 1, f"the plugin's name is {PLUGIN_NAME}")
    for key in ("version", "description", "license"):
        if not manifest.get(key):
            yield Problem(paths[MANIFEST], 1, f"{key} is missing")
    plugins = market.get("plugins")
    listed = plugins[0] if isinstance(plugins, list) and plugins else {}
    if not isinstance(listed, dict) or listed.get("name") != PLUGIN_NAME or listed.get("source") != "./":
        yield Problem(paths[MARKET], 1, f'plugins[0] is {PLUGIN_NAME} with the source "./"')
    elif listed.get("version") != manifest.get("version"):
        yield Problem(paths[MARKET], 1, "the version differs from plugin.json")
