"""Raw files: one gzip JSON object for each measurement, named by the SHA-256 of its bytes, at most 64 kB."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from pathlib import Path

from engine.measure.record import Record, from_dict, thinned, to_dict

MOST_BYTES = 64 * 1024
MOST_PLAIN = 16 << 20
SUFFIX = ".json.gz"


def write(record: Record, folder: Path) -> str:
    """Store the record; returns the file's name, which is its digest. Values are thinned when they do not fit."""
    data = _packed(record)
    if len(data) > MOST_BYTES:
        data = _packed(thinned(record))
    name = hashlib.sha256(data).hexdigest() + SUFFIX
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_bytes(data)
    draft.replace(folder / name)
    return name


def _packed(record: Record) -> bytes:
    text = json.dumps(to_dict(record), separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def read(path: Path) -> Record:
    """The record of a raw file; ValueError with a sentence when it is damaged, changed or of another schema."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    digest = path.name.removesuffix(SUFFIX)
    if len(digest) == 64 and hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path} was changed: its content no longer matches the digest in its name")
    try:
        plain = zlib.decompressobj(wbits=31).decompress(data, MOST_PLAIN)
        content = json.loads(plain)
    except (zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a raw file of a measurement: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a raw file of a measurement: not one JSON object")
    return from_dict(content)
