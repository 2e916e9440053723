"""`validate_study`: all that is wrong with a study, as a report; nothing is raised, nothing is written."""

from __future__ import annotations

from pathlib import Path

from jobchance.study.load import check_study, load_folder
from jobchance.study.model import Study
from jobchance.study.problems import ValidationReport as ValidationReport


def validate_study(path_or_study: str | Path | Study, *, data: str | Path | None = None) -> ValidationReport:
    """Check a study folder, or a study in memory, against all schemas and named rules.

    Parameters
    ----------
    path_or_study : str, Path or Study
        Folder with `study.toml` (or that file), or a study made in memory.
    data : str or Path, optional
        Folder of the data files; `None` = the one that `study.toml` names. Folders only.

    Returns
    -------
    ValidationReport
        `.ok` (no errors; warnings are allowed), `.problems` with the columns `table column rule level n hint`
        (one row per failing rule and column) and `.render(lang)`. Counts and column names only: never a value
        or an id.

    Notes
    -----
    The rules are those of `data/schemas/rules.json`. Rules that compare tables run on what could be read,
    so a second round may show faults that the first could not see.

    Examples
    --------
    >>> validate_study("no/such/folder").ok
    False
    """
    if isinstance(path_or_study, Study):
        return check_study(path_or_study)
    return load_folder(Path(path_or_study), Path(data) if data is not None else None).report
