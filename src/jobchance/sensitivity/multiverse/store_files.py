"""Files written whole or not at all, and one clear error where the disk does not take them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobchance.errors import UserError

_TEMPORARY = ".tmp"


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn an error of the file system into one message that names the remedy."""
    try:
        yield
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else type(error).__name__
        raise UserError(
            f"{what} could not be written ({said}). What was finished before is safe on disk. Make room or "
            "restore access, then run the same command with resume=True (--resume)."
        ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there once it is safe on disk.

    Raises
    ------
    UserError
        The disk is full or cannot be written; a file that was there before is still there, unchanged.
    """
    scratch = path.with_name(f".{path.name}{_TEMPORARY}")
    with disk_errors(path.name):
        try:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except BaseException:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def is_scratch(path: Path) -> bool:
    """Whether a killed process left this file behind in `write_whole`."""
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk, where the system knows how."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
