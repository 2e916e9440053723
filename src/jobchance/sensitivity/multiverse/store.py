"""The folder of a run: plan, log, lock and final frame, in a subfolder of internal work files."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from jobchance.compute.tasks import WORKER_LOST
from jobchance.disclosure.folders import refuse_export_folder
from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.store_files import disk_errors, is_scratch, write_whole
from jobchance.sensitivity.multiverse.store_lock import FolderLock
from jobchance.sensitivity.multiverse.store_log import Log, Row, mend_log, read_log
from jobchance.sensitivity.multiverse.store_plan import Plan, read_plan, require_same

WORK = "work"
README, LOCK, PLAN, LOG = "README.txt", "lock", "plan.json", "results.jsonl"
FRAME, MANIFEST = "frame", "manifest.json"
_MACHINE = (MemoryError, OSError)
_MACHINE_FAILURES = {WORKER_LOST, "_ArrayMemoryError"} | {
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, _MACHINE)
}
_BEFORE_PLAN = {README, LOCK}
_OWN = 0o770  # not for other users; whether for the group, the umask says
_README = """\
INTERNAL WORK FILES - NOT FOR EXPORT / INTERNE ARBEJDSFILER - IKKE TIL HJEMSENDELSE

The log and the frame hold exact counts of persons. What passed disclosure control is written apart.
Loggen og tabellen rummer eksakte antal personer. Det, som har bestået diskretionskontrollen, ligger for sig.
"""


class Store:
    """The work files of one run, held against every other process while open; a context manager.

    Parameters
    ----------
    out : Path
        The run's folder; the files are in its subfolder `work`.
    plan : Plan
        What the run is made of.
    resume : bool
        Go on with the run that is there, or begin if there is none.

    Attributes
    ----------
    finished : dict
        Rows that need no second run, by key: all results, and failures other than those of the machine
        (a lost worker, want of memory, a failing disk).

    Raises
    ------
    SpecError
        See `check_folder`; another process holds the folder; specification, data or software changed.
    UserError
        The folder cannot be written.
    """

    def __init__(self, out: Path, plan: Plan, *, resume: bool) -> None:
        check_folder(out, resume=resume)
        self._work = refuse_export_folder(out) / WORK
        with disk_errors(WORK):
            self._work.mkdir(mode=_OWN, parents=True, exist_ok=True)
        self._lock = FolderLock(self._work / LOCK)
        try:
            check_folder(out, resume=resume)  # another driver may have begun in between
            self.finished: dict[str, Row] = self._begin(plan)
            self._log = Log(self._work / LOG)
        except BaseException:
            self._lock.free()
            raise

    def _begin(self, plan: Plan) -> dict[str, Row]:
        """Write the plan, or compare it with the one that is there; return what is finished."""
        if not (self._work / PLAN).exists():
            write_whole(self._work / README, _README.encode())
            plan.write(self._work / PLAN)
            return {}
        if not require_same(read_plan(self._work / PLAN), plan):
            _warn(
                "This run began on another kind of processor: last digits of new rows may differ from those "
                "that a run on one machine would give."
            )
        content = read_log(self._work / LOG)
        strangers = {str(row.get("key")) for row in content.rows} - set(plan.keys)
        if strangers:
            raise SpecError(
                f"{LOG} holds {len(strangers)} rows that do not belong to this run. Run into a new folder. "
                "Nothing was touched."
            )
        if content.damaged:
            _warn(f"{content.damaged} damaged lines of {LOG} were dropped; what they held is run again.")
        mend_log(self._work / LOG, content)
        rows = {str(row["key"]): row for row in content.rows}
        return {key: row for key, row in rows.items() if not is_machine_failure(row)}

    def append(self, rows: Iterable[Row]) -> None:
        """Put finished rows on disk; see `Log.append`."""
        self._log.append(rows)

    def finish(self, frame: pd.DataFrame, facts: Mapping[str, object]) -> None:
        """Write the frame as csv and Parquet and the manifest; the same run gives the same bytes.

        Parameters
        ----------
        frame : DataFrame
            One row per specification.
        facts : mapping
            What the manifest says beside the hashes of the files.

        Raises
        ------
        UserError
            The disk is full or cannot be written; everything is in the log.
        """
        files = {f"{FRAME}.csv": _csv(frame), f"{FRAME}.parquet": _parquet(frame)}
        for name, content in files.items():
            write_whole(self._work / name, content)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        document = {**facts, "files": digests}
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_whole(self._work / MANIFEST, text.encode())

    def close(self) -> None:
        """Close the log and free the folder; twice does no harm."""
        self._log.close()
        self._lock.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_folder(out: Path, *, resume: bool) -> None:
    """Refuse a folder that a run may not use; nothing is written.

    Raises
    ------
    SpecError
        `out` is a file, lies in an export folder or cannot be read; it holds an earlier run and `resume` is
        False; it holds something that is no run of ours.
    """
    try:
        _check_folder(out, resume=resume)
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # a name too long, no right to look, links in a circle
        number = getattr(error, "errno", None)
        said = os.strerror(number) if number else type(error).__name__
        raise SpecError(f"out cannot be used as a folder ({said}). Name another one.") from None


def _check_folder(out: Path, *, resume: bool) -> None:
    """See `check_folder`."""
    folder = refuse_export_folder(out)
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"out names a file, not a folder: {out.name}")
    if not folder.exists() or not any(folder.iterdir()):
        return
    work = folder / WORK
    names = {path.name for path in work.iterdir() if not is_scratch(path)} if work.is_dir() else {"none"}
    begun = PLAN in names
    if not begun and (not names <= _BEFORE_PLAN or len(list(folder.iterdir())) > 1):
        raise SpecError(
            f"{out} is not empty and holds no run of a multiverse. Name a new or an empty folder. "
            "Nothing was touched."
        )
    if begun and not resume:
        raise SpecError(
            f"{out} holds an earlier run. Go on with it with resume=True (--resume), or name a new folder. "
            "Nothing was touched."
        )


def is_machine_failure(row: Row) -> bool:
    """Whether a row failed for want of memory, a worker or a disk: worth another run."""
    kind = str(row.get("reason")).partition(":")[0]
    return row.get("status") == "failed" and kind in _MACHINE_FAILURES


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    target = BytesIO()
    frame.to_parquet(target, engine="pyarrow", index=False)
    return target.getvalue()


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)
