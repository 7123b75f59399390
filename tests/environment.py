"""Gives every test process its own data folder and database file before Django reads its settings."""

import atexit
import os
import shutil
import tempfile

_root = tempfile.mkdtemp(prefix="codeflash-tests-")
_pid = os.getpid()
os.environ["CODEFLASH_DATA_DIR"] = _root
os.environ["CODEFLASH_TEST_DB"] = os.path.join(_root, "test.sqlite3")
for _name in (
    "CODEFLASH_SQLITE",
    "CODEFLASH_POSTGRES",
    "CODEFLASH_DEBUG",
    "CODEFLASH_PUBLIC",
    "GUNICORN_CMD_ARGS",
):
    os.environ.pop(_name, None)
# host|user|name|port of a real server: the same tests then run on PostgreSQL.
if os.environ.get("CODEFLASH_TEST_POSTGRES"):
    os.environ["CODEFLASH_POSTGRES"] = os.environ["CODEFLASH_TEST_POSTGRES"]


@atexit.register
def _remove() -> None:
    if os.getpid() == _pid:
        shutil.rmtree(_root, ignore_errors=True)
