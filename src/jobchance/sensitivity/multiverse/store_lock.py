"""One driver per folder: a lock of the operating system, which ends with the process that holds it."""

from __future__ import annotations

import errno
import os
import socket
import warnings
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.store_files import disk_errors

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class FolderLock:
    """Hold a file against every other process, also against another `FolderLock` of this one.

    The operating system frees the lock when the process ends, also by SIGKILL: no lock is ever stale. The
    file stays; it names the process that held it last.

    Parameters
    ----------
    path : Path
        The file, made if absent.

    Raises
    ------
    SpecError
        Another driver holds it.
    """

    def __init__(self, path: Path) -> None:
        with disk_errors(path.name):
            self._file: BinaryIO = path.open("a+b", buffering=0)
        try:
            _take(self._file)
        except BlockingIOError:
            holder = _holder(self._file)
            self._file.close()
            raise SpecError(
                f"Another run is at work in {path.parent}{holder}. Wait for it, end it, or name another "
                "folder."
            ) from None
        with suppress(OSError):  # the name is a courtesy; the lock itself needs no room on the disk
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def free(self) -> None:
        """Give the lock back; twice does no harm."""
        self._file.close()


def _take(file: BinaryIO) -> None:
    """Lock without waiting; `BlockingIOError` if it is taken, a warning where there are no locks."""
    try:
        _lock(file.fileno())
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError from None
        warnings.warn(
            "This file system has no locks: see to it that no second run uses the same folder.",
            RuntimeWarning,
            stacklevel=2,
        )


def _lock(handle: int) -> None:
    """Ask the system for the lock of an open file."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        # Windows locks bytes, not files: one far behind the text.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(file: BinaryIO) -> str:
    """Say who holds the lock, as far as the file tells."""
    with suppress(OSError):
        file.seek(0)
        if text := file.read(200).decode(errors="replace").strip():
            return f" ({text})"
    return ""
