"""The log of a run: one line per finished specification, each with its own checksum.

A line is `{"check":"<16 hexadecimal digits>","row":{...}}`. Numbers stand in their shortest exact form, so
that a row read back is the row that was written, bit for bit. Lines are only ever added.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jobchance.sensitivity.multiverse.store_files import disk_errors, write_whole

Row = dict[str, object]
_HEAD, _MIDDLE, _TAIL = b'{"check":"', b'","row":', b"}"
_CHECK = 16


@dataclass(frozen=True)
class LogContent:
    """What a log holds.

    Parameters
    ----------
    rows : tuple of dict
        Rows whose checksum holds, in the order of writing.
    torn : int
        1 if the last line has no end (the process was killed while writing), else 0.
    damaged : int
        Whole lines whose checksum does not hold.
    """

    rows: tuple[Row, ...]
    torn: int
    damaged: int


class Log:
    """A log that is open for adding rows.

    Parameters
    ----------
    path : Path
        The file, made if absent; see `read_log` for what it may hold already.
    """

    def __init__(self, path: Path) -> None:
        with disk_errors(path.name):
            self._file: BinaryIO = path.open("ab", buffering=0)
            self._size = self._file.seek(0, os.SEEK_END)
        self._name = path.name

    def append(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows and return when they are safe on disk; whole lines only, whatever happens.

        Raises
        ------
        UserError
            The disk is full or cannot be written. The log ends after the last row that was safe before.
        """
        text = b"".join(_line(row) for row in rows)
        with disk_errors(self._name):
            try:
                self._write(text)
            except BaseException:
                with suppress(OSError):
                    self._file.truncate(self._size)
                raise
        self._size += len(text)

    def _write(self, text: bytes) -> None:
        """Write all bytes: the system may take fewer than it is given."""
        left = memoryview(text)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; twice does no harm."""
        self._file.close()


def read_log(path: Path) -> LogContent:
    """Read a log; a file that is absent holds nothing."""
    if not path.exists():
        return LogContent((), 0, 0)
    *lines, rest = path.read_bytes().split(b"\n")
    rows = [_row(line) for line in lines]
    good = tuple(row for row in rows if row is not None)
    return LogContent(good, int(bool(rest)), len(rows) - len(good))


def mend_log(path: Path, content: LogContent) -> None:
    """Take torn and damaged lines out of the file, so that new rows follow whole ones."""
    if content.torn or content.damaged:
        write_whole(path, b"".join(_line(row) for row in content.rows))


def plain(row: Mapping[str, object]) -> Row:
    """Return a row in plain Python types, those that it will have when read back."""
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    """One value: numpy's numbers become Python's."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    raise TypeError(f"a row of a multiverse holds text, numbers and truth values, not {type(value).__name__}")


def _line(row: Mapping[str, object]) -> bytes:
    body = json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode()
    return _HEAD + _check(body) + _MIDDLE + body + _TAIL + b"\n"


def _row(line: bytes) -> Row | None:
    """Return the row of a line without its end, None if the checksum does not hold."""
    start = len(_HEAD) + _CHECK
    body = line[start + len(_MIDDLE) : -len(_TAIL)]
    if line[: len(_HEAD)] + _check(body) + _MIDDLE + body + _TAIL != line:
        return None
    row: Row = json.loads(body)
    return row


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_CHECK].encode()
