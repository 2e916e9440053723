"""Folders from which results are sent home: a program never writes there, a person copies by hand."""

from __future__ import annotations

from pathlib import Path

from jobchance.errors import SpecError

EXPORT_FOLDERS = frozenset({"hjemsendelse", "hjemsendelser", "hjemtag", "hjemtagelse", "hjemtagelser"})


def refuse_export_folder(path: Path) -> Path:
    """Absolute `path`, symbolic links followed; refused where any folder on the way is an export folder.

    Raises
    ------
    SpecError
        The path leads into a folder named hjemsendelser, hjemtag or the like (in any case).
    """
    resolved = path.expanduser().resolve()
    if EXPORT_FOLDERS & {part.casefold() for part in resolved.parts}:
        raise SpecError(
            "Results are never written straight into an export folder "
            f"({', '.join(sorted(EXPORT_FOLDERS))}): write elsewhere, look, and copy by hand."
        )
    return resolved
