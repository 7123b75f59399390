"""What a resumed run knows of the commits it finds, from the best source that tells of each."""

from __future__ import annotations

from pathlib import Path

from engine import events as e
from engine.agents import restoring
from engine.agents.start import open_run
from engine.run import CancelToken
from engine.state import handoff, results
from engine.values import RecoveredKeep
from reviews_app import pull_request
from sessions_app import actions, queue, recording, replaying
from tests.conftest import World, make_repo
from tests.store import facts
from tests.tiny import TINY, brief_for

WORDS = "tiny/words.py"
LOST = "c" * 40


def test_every_commit_becomes_a_keep_from_the_best_source(tmp_path: Path) -> None:
    source = make_repo(tmp_path / "tiny", TINY)
    run = open_run(brief_for(source, tmp_path / "s"), CancelToken())
    shas = [commit(run, tmp_path, number) for number in (1, 2, 3, 4)]
    told = handoff.Handoff(
        kept=(
            handoff.Kept(
                experiment="1", commit=shas[0][:12], target=f"{WORDS}::known", ratio=2.0, metric="peak"
            ),
        )
    )  # fmt: skip
    table = results.Results(rows=(row(1, shas[0]), row(2, shas[1])))
    found = restoring.keeps(run, told, table)

    assert [each.commit for each in found.attempts] == shas
    assert [each.number for each in found.attempts] == [1, 2, 3, 4]
    assert [each.uid for each in found.attempts] == ["u1", "u2", "u3", "u4"]
    assert [each.target.id for each in found.attempts] == [
        *[f"{WORDS}::known"] * 2,
        f"{WORDS}::<module>",
        "::",
    ]
    assert [each.target.domain for each in found.attempts] == ["memory", "memory", "cpu", "cpu"]
    ratios = [each.measurement.ratio if each.measurement else None for each in found.attempts]
    assert ratios == [2.0, 4.0, None, None]
    assert [each.title for each in found.attempts[2:]] == ["Change 3", "A commit of somebody else"]
    assert [sha[:7] in note for sha, note in zip(shas[1:], found.notes, strict=True)] == [True] * 3
    assert [(each.experiment, each.commit) for each in found.recovered] == [
        (f"u{number}", shas[number - 1]) for number in (2, 3, 4)
    ]
    assert restoring.last_number(table, found.attempts) == 4
    assert restoring.last_number(results.Results(), []) == 0


def commit(run, folder: Path, number: int) -> str:
    """One commit as the engine makes it; the fourth is not one of the engine's and changes two files."""
    tree = run.workspace.tree("after", run.workspace.head)
    text = f"{TINY[WORDS]}\n# {number}\n".encode()
    files = {WORDS: text} if number < 4 else {WORDS: text, "tiny/__init__.py": b"# 4\n"}
    for name, content in files.items():
        (tree / name).write_bytes(content)
    place = f"module {WORDS}" if number == 3 else "known"
    subject = f"perf({place}): Change {number}" if number < 4 else "A commit of somebody else"
    made: str = run.workspace.commit(
        tree=tree, files=files, message=f"{subject}\n\nWhy", experiment=f"u{number}"
    )
    return made


def row(number: int, sha: str) -> results.Row:
    return results.measured(
        experiment=f"memory-exp{number:03d}",
        status="keep",
        unit="bytes",
        before=400.0,
        after=100.0,
        pattern="a-rule",
        target=f"{WORDS}::known",
        commit=sha[:12],
        metric="peak",
        domain="memory",
        hypothesis=f"Change {number}",
    )


def test_a_recovered_keep_is_a_row_of_its_session_and_stands_once_in_the_pull_request(world: World) -> None:
    first = actions.launch(user=world.mia, repo=world.repo)
    recording.record(queue.claim("w"), list(facts.whole()))
    second = actions.launch(user=world.mia, repo=world.repo, mode="resume", parent=first)
    told = e.ProgressRestored(
        head=LOST, kept=2, tried=5, consecutive=0, recovered=(recovered(1, facts.HEAD), recovered(5, LOST))
    )
    recording.record(queue.claim("w"), [*facts.opening(), told])

    second.refresh_from_db()
    assert (second.kept, second.tried, second.head) == (2, 2, LOST)
    row = second.experiments.get(number=5)
    assert (row.status, row.commit, row.ratio, row.qualname) == ("keep", LOST, None, "total")
    assert replaying.replay(second.pk, keep=False) == []
    body = pull_request.prepare(session=second, review=first.reviews.get()).body
    assert (body.count(facts.HEAD[:10]), body.count(f"`{LOST[:10]}`")) == (1 + 1, 1), body
    assert "not measured" in body


def recovered(number: int, sha: str) -> RecoveredKeep:
    return RecoveredKeep(
        number=number,
        experiment=f"u{number}",
        commit=sha,
        target=facts.HOT,
        agent="deep",
        pattern="",
        title="Found again",
        hypothesis="",
        metric="cpu",
    )
