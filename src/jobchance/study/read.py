"""`read_study`: a folder of files becomes a valid `Study`, or one error lists everything that is wrong."""

from __future__ import annotations

from pathlib import Path

from jobchance.errors import SchemaError
from jobchance.study.load import load_folder
from jobchance.study.model import Study
from jobchance.study.problems import LANGUAGES


def read_study(path: str | Path, *, data: str | Path | None = None) -> Study:
    """Read a study folder.

    The folder holds `study.toml` and one file per table: csv, Parquet, Stata, SAS or SPSS (the last three
    need `pip install "jobchance[io]"`). A table that `study.toml` does not mention is read from
    `<table>.<ending>`. Column names match whatever their case. Ids stay text with their leading zeros.

    Parameters
    ----------
    path : str or Path
        The folder, or its `study.toml`.
    data : str or Path, optional
        Folder of the data files; `None` = the one that `study.toml` names.

    Returns
    -------
    Study
        Tables with the columns of their schemas (optional ones that are absent are null) and the user's own
        after them. Whole numbers and booleans are `int64` and `bool` where complete, else `float64`; dates
        are `datetime64`; text is text. `item` comes from the instrument where the folder has none.

    Raises
    ------
    SchemaError
        The folder is wrong. The message lists every failing rule of every table, in the study's language
        (Danish, else English), with counts and names only; `.report` holds the same as a
        `ValidationReport`.

    Examples
    --------
    >>> read_study("no/such/folder")
    Traceback (most recent call last):
    ...
    jobchance.errors.SchemaError: ...
    """
    loaded = load_folder(Path(path), Path(data) if data is not None else None)
    if loaded.study is None:
        lang = loaded.language if loaded.language in LANGUAGES else "en"
        raise SchemaError(loaded.report.render(lang), loaded.report)
    return loaded.study
