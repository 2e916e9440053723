"""The ledger's file: one JSON line after the other, each sealed with the checksum of all before it.

Lines are only ever added, by one program at a time. A line that was cut short by a crash does not count and
is replaced by the next one: what it would have recorded was never written.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from jobchance.disclosure.folders import refuse_export_folder
from jobchance.errors import DisclosureError, SpecError

KIND = "jobchance disclosure ledger"
MAGIC = b'{"kind": "jobchance disclosure ledger"'
SCHEMA = 1
_WARNING = (
    "PERSONAL DATA. Never leaves the secure server: the keys below stand for persons, and whoever has this "
    "file and a list of identifiers can find out who is in which sample."
)
_WAIT_SECONDS = 20.0

Line = dict[str, object]


def create_file(path: Path) -> None:
    """Make an empty ledger that only its owner can read.

    Raises
    ------
    SpecError
        The file exists already, its folder does not, or it is one that results leave from.
    """
    target = refuse_export_folder(path)
    if not target.parent.is_dir():
        raise SpecError("the folder of the ledger does not exist: make it first, inside the secure server.")
    if (target.parent / "manifest.json").is_file():
        raise SpecError("the ledger may not lie in a folder of outputs: keep it beside the project.")
    head = {"kind": KIND, "schema": SCHEMA, "warning": _WARNING, "salt": secrets.token_hex(32)}
    text = _sealed(head, "") + "\n"
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SpecError(
            "there is a file of that name already: DisclosureLedger(path) opens a ledger."
        ) from None
    with os.fdopen(handle, "wb") as file:
        _write(file.fileno(), text.encode())


def read_lines(path: Path) -> list[Line]:
    """Every line, the head first.

    Raises
    ------
    SpecError
        There is no file, or it is no ledger of this version.
    DisclosureError
        A line does not fit its checksum: the file was changed by hand or by another program.
    """
    if not path.is_file():
        raise SpecError("there is no ledger at that path: DisclosureLedger.create(path) makes one.")
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        raise SpecError("the file is no disclosure ledger.")
    lines: list[Line] = []
    seal = ""
    for number, raw in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            line = json.loads(raw)
            given = line.pop("seal")
        except (ValueError, KeyError, AttributeError, TypeError):
            given, line = None, {}
        seal = _seal(line, seal)
        if given != seal:
            raise DisclosureError(
                f"the ledger has been changed: line {number} does not fit its checksum. Nothing is exported "
                "against a ledger that cannot be trusted; restore the last good copy."
            )
        lines.append(line)
    if not lines or lines[0].get("schema") != SCHEMA:
        raise SpecError(f"the ledger is not of version {SCHEMA}, which this version of jobchance reads.")
    return lines


def append_lines(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """Add lines at the end and wait until they are on the disk; call it inside `locked`."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    seal = str(json.loads(whole.splitlines()[-1])["seal"])
    texts = []
    for line in lines:
        texts.append(_sealed(line, seal))
        seal = _seal(line, seal)
    with path.open("r+b") as file:
        file.truncate(len(whole))
        file.seek(len(whole))
        file.flush()
        _write(file.fileno(), "".join(f"{text}\n" for text in texts).encode())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One program at a time: a file `<name>.lock` beside the ledger, the same on every system.

    Raises
    ------
    SpecError
        The lock is held for more than 20 seconds.
    """
    lock = path.with_name(f"{path.name}.lock")
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise SpecError(
                    f"the ledger is in use: {lock.name} lies beside it. If no other program is writing (one "
                    "may have been stopped half-way), delete that file and try again."
                ) from None
            time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()


def _write(handle: int, content: bytes) -> None:
    """All of the bytes, onto the disk."""
    while content:
        content = content[os.write(handle, content) :]
    os.fsync(handle)


def _sealed(line: Mapping[str, object], before: str) -> str:
    return json.dumps({**line, "seal": _seal(line, before)}, ensure_ascii=True)


def _seal(line: Mapping[str, object], before: str) -> str:
    """Checksum of a line and of everything before it."""
    text = json.dumps(line, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
