"""Small system-call filters, assembled here: what target code has no business calling.

``boxed`` is for bubblewrap: new namespaces, mounts, kernel keys, tracing of the kernel and the like, the usual ways out
of a box. ``guarded`` also refuses every socket but local ones, for where no network namespace does. Refused calls fail
with an error, they do not kill. io_uring and clone3 answer "not there", upon which libraries use the older calls.
"""

from __future__ import annotations

import os
import struct
import sys

LOAD, EQUAL, AT_LEAST, ANY_BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
EPERM, EACCES, ENOSYS = 1, 13, 38
NEW_USER_NAMESPACE = 0x10000000
AF_UNIX = 1
ARCHITECTURE, NUMBER, FIRST_ARGUMENT = 4, 0, 16

AUDIT_NAME = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED = {
    "x86_64": {
        "ptrace": 101, "personality": 135, "pivot_root": 155, "acct": 163, "mount": 165, "umount2": 166,
        "swapon": 167, "reboot": 169, "init_module": 175, "delete_module": 176, "kexec_load": 246, "add_key": 248,
        "request_key": 249, "keyctl": 250, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313, "kexec_file_load": 320, "bpf": 321,
        "userfaultfd": 323, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "mount_setattr": 442,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "acct": 89, "personality": 92, "kexec_load": 104,
        "init_module": 105, "delete_module": 106, "ptrace": 117, "reboot": 142, "add_key": 217, "request_key": 218,
        "keyctl": 219, "swapon": 224, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
        "kexec_file_load": 294, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
        "mount_setattr": 442,
    },
}  # fmt: skip
NOT_THERE = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435}
FLAGGED = {"x86_64": {"clone": 56, "unshare": 272}, "aarch64": {"clone": 220, "unshare": 97}}
SOCKET = {"x86_64": 41, "aarch64": 198}


def boxed() -> bytes:
    """The filter as bytes for bubblewrap; empty on a machine whose call numbers are not known here."""
    machine = _machine()
    return _assemble(machine, _refusals(machine)) if machine else b""


def guarded() -> bytes:
    machine = _machine()
    return _assemble(machine, [*_refusals(machine), *_no_sockets(machine)]) if machine else b""


def _machine() -> str:
    name = os.uname().machine
    return name if name in AUDIT_NAME and sys.byteorder == "little" and sys.maxsize > 2**32 else ""


Step = tuple[int, int, int, int]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> Step:
    return (code, yes, no, value)


def _refusals(machine: str) -> list[Step]:
    """Each block looks at the loaded call number and falls through when it is another one."""
    steps: list[Step] = []
    for number in REFUSED[machine].values():
        steps += [_step(EQUAL, number, no=1), _step(GIVE, ERROR | EPERM)]
    for number in NOT_THERE.values():
        steps += [_step(EQUAL, number, no=1), _step(GIVE, ERROR | ENOSYS)]
    for number in FLAGGED[machine].values():
        steps += _when(number, [_step(ANY_BIT, NEW_USER_NAMESPACE, no=1), _step(GIVE, ERROR | EPERM)])
    return steps


def _no_sockets(machine: str) -> list[Step]:
    return _when(SOCKET[machine], [_step(EQUAL, AF_UNIX, yes=1), _step(GIVE, ERROR | EACCES)])


def _when(number: int, on_first_argument: list[Step]) -> list[Step]:
    """Load the first argument for one call, and the call number again behind it."""
    inner = [_step(LOAD, FIRST_ARGUMENT), *on_first_argument, _step(LOAD, NUMBER)]
    return [_step(EQUAL, number, no=len(inner)), *inner]


def _assemble(machine: str, steps: list[Step]) -> bytes:
    """Another architecture, or the x32 calls of this one, are refused altogether."""
    start = [
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, AUDIT_NAME[machine], yes=1),
        _step(GIVE, ERROR | EPERM),
        _step(LOAD, NUMBER),
        _step(AT_LEAST, 0x40000000, no=1),
        _step(GIVE, ERROR | ENOSYS),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in (*start, *steps, _step(GIVE, ALLOW)))
