"""Hostile and ordinary programs, each run in a real sandbox and judged by plain asserts.

Needs nothing but the engine, so that it also runs under another user and another Python: see ``as_user.py``.
"""

from __future__ import annotations

import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.sandbox import Limits

from .stage import DAEMON, EAT, HANG, MIB, WORKER, Stage, open_stage, wait_for


def plain_program(stage: Stage) -> None:
    code = "import sys; print(sys.stdin.read()); print('bad', file=sys.stderr); sys.exit(3)"
    done = stage.run(code, stdin=b"hello" * 50_000)
    assert (done.exit_code, done.signal, done.limit, done.ok) == (3, None, "", False), done
    assert done.stdout == b"hello" * 50_000 + b"\n"
    assert done.stderr == b"bad\n"
    assert done.cpu_seconds is not None and done.peak_rss_bytes is not None
    assert 4 * MIB < done.peak_rss_bytes < 60 * MIB, done.peak_rss_bytes


def environment_is_empty(stage: Stage) -> None:
    os.environ["CODEFLASH_CANARY"] = "secret"
    done = stage.run("import os; print(sorted(os.environ))", env={"WANTED": "1"})
    known = {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "USER", "LOGNAME", "PWD", "WANTED", "LC_CTYPE"}
    assert set(eval(done.stdout)) <= known, done.stdout
    assert b"WANTED" in done.stdout


def home_and_tmp_are_private(stage: Stage) -> None:
    code = (
        "import os,tempfile; p=os.environ['HOME']; open(p+'/x','w').close()\n"
        "tempfile.mkstemp(); print(os.listdir(p))"
    )
    for _ in range(2):
        done = stage.run(code)
        assert done.stdout == b"['x']\n", (done.stdout, done.stderr)


def program_is_missing(stage: Stage) -> None:
    done = stage.sandbox.run(["no-such-program"], cwd=stage.work)
    assert done.exit_code == 127 and b"no-such-program" in done.stderr, done


def signal_is_told(stage: Stage) -> None:
    done = stage.run("import os; os.kill(os.getpid(), 11)")
    assert (done.exit_code, done.signal, done.limit) == (None, 11, ""), done


def hang_that_ignores_term(stage: Stage) -> None:
    started = time.monotonic()
    done = stage.run(HANG, limits=Limits(wall_seconds=0.7))
    assert done.timed_out and done.limit == "wall" and done.exit_code is None, done
    assert time.monotonic() - started < 5.7
    assert stage.left_over() == []


def double_fork_is_ended(stage: Stage) -> None:
    """The program itself ends well; the daemon it left behind holds its output open."""
    done = stage.run(DAEMON, limits=Limits(wall_seconds=20))
    assert done.exit_code == 0 and not done.limit, done
    assert stage.left_over() == []


def double_fork_and_hang(stage: Stage) -> None:
    done = stage.run(DAEMON + HANG, limits=Limits(wall_seconds=1.5))
    assert done.timed_out, done
    assert (stage.work / "ready").exists()
    assert stage.left_over() == []


def fork_bomb(stage: Stage) -> None:
    code = """
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError:
    pass
print(count, flush=True)
"""
    done = stage.run(code, limits=Limits(processes=40, wall_seconds=20))
    if stage.sandbox.uid or os.geteuid():
        # Where its user is the worker's, the limit counts on top of what that one runs, which may end meanwhile.
        assert 0 < int(done.stdout) <= (40 if stage.sandbox.uid else 80), done
    assert stage.left_over() == []


def eats_memory(stage: Stage) -> None:
    done = stage.run(EAT, limits=Limits(memory_bytes=200 * MIB, wall_seconds=30))
    assert done.limit == "memory" and not done.timed_out, done
    assert stage.left_over() == []


def children_eat_memory(stage: Stage) -> None:
    """No single process is above the limit, all of them are."""
    code = (
        "import os,time\nfor _ in range(5):\n    if os.fork() == 0:\n"
        "        kept = bytearray(b'x' * (60 * 2**20)); time.sleep(60)\ntime.sleep(60)"
    )
    done = stage.run(code, limits=Limits(memory_bytes=200 * MIB, wall_seconds=30))
    assert done.limit == "memory", done
    assert stage.left_over() == []


def shared_memory_counts_once(stage: Stage) -> None:
    code = (
        "import os,time\nkept = bytearray(b'x' * (100 * 2**20))\npids = []\nfor _ in range(4):\n    pid = os.fork()\n"
        "    if pid == 0:\n        time.sleep(1); os._exit(0)\n    pids.append(pid)\nfor p in pids: os.waitpid(p, 0)"
    )
    done = stage.run(code, limits=Limits(memory_bytes=300 * MIB, wall_seconds=30))
    assert done.ok, done


def prints_a_gigabyte(stage: Stage) -> None:
    """As one single line; what is kept is the head and the tail."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = (
        "import os\nos.write(1, b'start')\nblock = memoryview(b'x' * 2**20)\nfor _ in range(1024):\n    rest = block\n"
        "    while rest: rest = rest[os.write(1, rest):]\nos.write(1, b'end')"
    )
    done = stage.run(code, limits=Limits(output_bytes=2 * MIB, wall_seconds=60))
    assert done.ok, done.limit
    assert done.cut == 2**30 + 8 - 2 * MIB, done.cut
    assert (
        done.stdout.startswith(b"startx")
        and done.stdout.endswith(b"xend")
        and len(done.stdout) < 2 * MIB + 100
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 50 * MIB, grown


def burns_cpu(stage: Stage) -> None:
    done = stage.run("while True: pass", limits=Limits(cpu_seconds=1, wall_seconds=30))
    assert done.limit == "cpu" and not done.timed_out, done


def writes_too_large_a_file(stage: Stage) -> None:
    argv = ["dd", "if=/dev/zero", "of=large", "bs=65536", "count=100"]
    done = stage.sandbox.run(argv, cwd=stage.work, writable=[stage.work], limits=Limits(file_bytes=MIB))
    assert done.limit == "file", done
    assert (stage.work / "large").stat().st_size == MIB


def what_is_readable_is_not_writable(stage: Stage) -> None:
    folder = stage.work / "given"
    folder.mkdir()
    (folder / "a").write_text("a")
    folder.chmod(0o777)
    code = "print(open('given/a').read())\nopen('given/b', 'w')"
    argv = [stage.python, "-c", code]
    done = stage.sandbox.run(argv, cwd=stage.work, readable=[folder])
    assert done.stdout == b"a\n"
    assert done.exit_code == 1 and b"Error" in done.stderr, done
    assert not (folder / "b").exists()


def network_is_closed(stage: Stage) -> None:
    code = (
        "import socket,sys\nfor kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n    try:\n"
        "        s = socket.socket(socket.AF_INET, kind); s.settimeout(3); s.connect(('127.0.0.1', int(sys.argv[1])))\n"
        "        s.send(b'x'); s.settimeout(0.5); print(kind.name)\n    except OSError: pass"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        done = stage.run(code, str(listener.getsockname()[1]))
        assert b"SOCK_STREAM" not in done.stdout, done
        try:
            listener.accept()
            raise AssertionError("the listener was reached")
        except TimeoutError:
            pass


def home_is_out_of_reach(stage: Stage) -> None:
    """Neither by its path, nor through another process, nor by a link in the work folder."""
    with tempfile.TemporaryDirectory(prefix=".canary-", dir=os.environ.get("HOME")) as folder:
        canary = Path(folder, "canary")
        canary.write_text("secret words")
        (stage.work / "link").symlink_to(canary)
        code = (
            "import sys,os\nfor p in (sys.argv[1], 'link', f'/proc/{sys.argv[2]}/root{sys.argv[1]}',"
            " f'/proc/{sys.argv[2]}/environ'):\n    try: print(open(p).read())\n    except OSError: pass\n"
            "try: open(sys.argv[1] + '.new', 'w').write('x')\nexcept OSError: pass"
        )
        done = stage.run(code, str(canary), str(os.getpid()))
        assert b"secret" not in done.stdout, done
        assert os.listdir(folder) == ["canary"]


def outside_process_is_out_of_reach(stage: Stage) -> None:
    victim = subprocess.Popen(["sleep", "60"])
    try:
        stage.run("import os,sys\nos.kill(int(sys.argv[1]), 9)", str(victim.pid))
        stage.run("import os\nos.kill(os.getppid(), 9)", limits=Limits(wall_seconds=5))
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def no_powers_are_left(stage: Stage) -> None:
    code = "print(open('/proc/self/status').read()); import os; print(os.getuid(), os.getgroups())"
    lines = dict(line.split(":", 1) for line in stage.run(code).stdout.decode().splitlines() if ":" in line)
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == int(lines["CapAmb"], 16) == 0, lines
    assert lines["NoNewPrivs"].strip() == "1"
    assert lines["Uid"].split()[0] != "0"
    assert lines["Seccomp"].strip() == "2"


def ways_out_are_refused(stage: Stage) -> None:
    """A new user namespace gives new powers to attack the kernel with; ptrace and keys reach other processes."""
    code = (
        "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n"
        "print(c.unshare(0x10000000), ctypes.get_errno(), c.ptrace(0, 0, 0, 0),"
        " c.mount(b'a', b'/tmp', b'tmpfs', 0, None))"
    )
    done = stage.run(code)
    assert done.stdout == b"-1 1 -1 -1\n", done


def cancel_ends_it(stage: Stage) -> None:
    thread = threading.Thread(target=lambda: (wait_for(stage.work / "ready"), stage.sandbox.cancel()))
    thread.start()
    started = time.monotonic()
    done = stage.run(DAEMON + HANG, limits=Limits(wall_seconds=60))
    assert done.cancelled and done.exit_code is None and not done.limit, done
    assert time.monotonic() - started < 20
    assert stage.left_over() == []
    thread.join()
    later = stage.run("print(1)")
    assert later.cancelled and later.stdout == b"" and later.wall_seconds == 0


def death_of_the_worker_leaves_nothing(stage: Stage) -> None:
    """kill -9 of the process that holds the sandbox, in the middle of a run with a daemon in it."""
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WORKER,
            stage.sandbox.mechanism,
            str(stage.sandbox.scratch),
            str(stage.work),
            stage.python,
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "CODE": DAEMON + HANG,
            "MARKER": stage.marker,
        },
    )
    try:
        wait_for(stage.work / "ready")
        assert stage.left_over()
    finally:
        worker.kill()
        worker.wait()
    deadline = time.monotonic() + 5
    while stage.left_over() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert stage.left_over() == []


def tmp_is_full(stage: Stage) -> None:
    code = "import os\nfor n in range(9):\n    open(f'/tmp/{n}', 'wb').write(b'x' * 2**20)"
    done = stage.run(code, limits=Limits(tmp_bytes=4 * MIB))
    assert done.exit_code == 1 and b"No space left" in done.stderr, done


def rest_of_the_machine_is_hidden(stage: Stage) -> None:
    """Neither other folders nor the site's own code, and nothing but the work folder can be written."""
    code = (
        "import os\nprint(os.path.exists(os.environ['SECRET']))\nbad = []\n"
        "for p in ('/', '/etc', '/usr', '/run', '/run/codeflash', '/dev', '/proc/sys/kernel', '/home'):\n"
        "    try: open(p + '/made', 'w'); bad.append(p)\n    except OSError: pass\nprint(bad)"
    )
    secret = stage.work.parent / "secret"
    secret.write_text("x")
    done = stage.run(code, env={"SECRET": str(secret)})
    assert done.stdout == b"False\n[]\n", done


def few_files_can_be_open(stage: Stage) -> None:
    done = stage.run("kept = [open('/dev/null') for _ in range(100)]", limits=Limits(open_files=50))
    assert b"Too many open files" in done.stderr, done


def folder_that_is_read_only_inside_a_writable_one(stage: Stage) -> None:
    tests = stage.work / "tests"
    tests.mkdir()
    code = "open('code.py', 'w').close()\nopen('tests/new.py', 'w')"
    argv = [stage.python, "-c", code]
    done = stage.sandbox.run(argv, cwd=stage.work, writable=[stage.work], readable=[tests])
    assert (stage.work / "code.py").exists()
    assert done.exit_code == 1 and not list(tests.iterdir()), done


Scenario = Callable[[Stage], None]
EVERYWHERE: tuple[Scenario, ...] = (
    plain_program,
    environment_is_empty,
    home_and_tmp_are_private,
    program_is_missing,
    signal_is_told,
    hang_that_ignores_term,
    double_fork_is_ended,
    double_fork_and_hang,
    fork_bomb,
    eats_memory,
    children_eat_memory,
    shared_memory_counts_once,
    prints_a_gigabyte,
    burns_cpu,
    writes_too_large_a_file,
    few_files_can_be_open,
    cancel_ends_it,
    death_of_the_worker_leaves_nothing,
)
GUARDED: tuple[Scenario, ...] = (
    what_is_readable_is_not_writable,
    network_is_closed,
    home_is_out_of_reach,
    outside_process_is_out_of_reach,
    no_powers_are_left,
    ways_out_are_refused,
)
BOXED: tuple[Scenario, ...] = (
    tmp_is_full,
    rest_of_the_machine_is_hidden,
    folder_that_is_read_only_inside_a_writable_one,
)
OF = {
    "bubblewrap": (*EVERYWHERE, *GUARDED, *BOXED),
    "namespaces": (*EVERYWHERE, *GUARDED),
    "guard": (*EVERYWHERE, *GUARDED),
    "open": EVERYWHERE,
}


def play(mechanism: str, scenario: Scenario, folder: Path) -> None:
    place = folder / secrets.token_hex(4)
    place.mkdir()
    scenario(open_stage(mechanism, place))
