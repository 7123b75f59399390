"""The disk: traps are reported and not followed, sizes are bounded, writing is one step."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.state import LIMITS, StateError, digest, read_folder, write_file
from engine.state.check import check_folder, main


def test_only_known_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "setup.md").write_text("# Setup Report\n")
    (tmp_path / "secrets.md").write_text("x")
    (tmp_path / "SETUP.MD").write_text("x")
    assert list(read_folder(tmp_path)) == ["setup.md"]


def test_links_fifos_folders_and_devices_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    folder = tmp_path / ".codeflash"
    folder.mkdir()
    (folder / "setup.md").symlink_to(outside)
    (folder / "HANDOFF.md").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "learnings.md")
    (folder / "changelog.md").mkdir()
    readings = read_folder(folder)
    assert sorted(readings) == ["HANDOFF.md", "changelog.md", "learnings.md", "setup.md"]
    for name, reading in readings.items():
        assert reading.text == ""
        assert f"{name} was not read" in reading.note


def test_a_linked_folder_reads_as_empty(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "setup.md").write_text("# Setup Report\n")
    (tmp_path / "link").symlink_to(real)
    assert read_folder(tmp_path / "link") == {}
    assert read_folder(tmp_path / "missing") == {}
    assert read_folder(real / "setup.md") == {}
    assert read_folder(Path("bad\0name")) == {}


def test_too_much_is_cut_and_counted(tmp_path: Path) -> None:
    limit = LIMITS["learnings.md"]
    (tmp_path / "learnings.md").write_bytes(b"x" * (limit + 5))
    reading = read_folder(tmp_path)["learnings.md"]
    assert (len(reading.text), reading.cut) == (limit, 5)
    assert str(limit) in reading.note


def test_a_sparse_giant_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "results.tsv").open("wb") as file:
        file.truncate(50 * 2**30)
    reading = read_folder(tmp_path)["results.tsv"]
    assert len(reading.text) == LIMITS["results.tsv"]
    assert reading.cut == 50 * 2**30 - LIMITS["results.tsv"]


def test_writing_replaces_in_one_step(tmp_path: Path) -> None:
    folder = tmp_path / "new" / ".codeflash"
    assert write_file(folder, "setup.md", "# Setup Report\n") == digest("# Setup Report\n")
    (folder / "old-link").symlink_to(tmp_path / "victim")
    os.replace(folder / "old-link", folder / "HANDOFF.md")
    write_file(folder, "HANDOFF.md", "# Hand-off\n")
    assert not (tmp_path / "victim").exists()
    assert stat.S_ISREG((folder / "HANDOFF.md").lstat().st_mode)
    assert sorted(path.name for path in folder.iterdir()) == ["HANDOFF.md", "setup.md"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_file(tmp_path, "setup.md", "old\n")
    (tmp_path / "changelog.md").mkdir()
    (tmp_path / "changelog.md" / "x").write_text("")
    with pytest.raises(OSError):
        write_file(tmp_path, "changelog.md", "new\n")
    assert (tmp_path / "setup.md").read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changelog.md", "setup.md"]


def test_writing_refuses_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"notes\.md is no state file"):
        write_file(tmp_path, "notes.md", "x")
    with pytest.raises(StateError, match="may hold 64000 bytes, not 64001"):
        write_file(tmp_path, "learnings.md", "x" * 64_001)
    with pytest.raises(OSError):
        (tmp_path / "link").symlink_to(tmp_path)
        write_file(tmp_path / "link", "setup.md", "x")


def test_check_from_the_command_line(tmp_path: Path) -> None:
    write_file(tmp_path, "setup.md", "# Setup Report\n\n- odd\n")
    run = subprocess.run(
        [sys.executable, "-m", "engine.state.check", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "setup.md:1: section 'Package Manager' is missing; expected a heading" in run.stdout
    assert main(["check", str(tmp_path / "none")]) == 1
    assert main([]) == 2


def test_check_names_the_line_that_differs(tmp_path: Path) -> None:
    header = "experiment\tstatus\tpattern\ttarget\tbefore\tafter\timprovement\ttimestamp\tcommit\n"
    write_file(tmp_path, "results.tsv", header)
    (problem,) = check_folder(tmp_path)
    assert (problem.file, problem.line) == ("results.tsv", 1)
    assert "not the written form" in problem.what
